"""Settings of `rewardsmith tune`: those of `train`, which hold in every trial, and those of the search."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.train.config import Config as TrainConfig
from rewardsmith.pipelines.tune.space import Parameter, chosen_space
from rewardsmith.settings.fields import refuse_below

TRIALS = 20
"""Trials of a search that is bounded by nothing else."""


@dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    """Settings of `rewardsmith tune`."""

    output: Path
    """Output folder of the search: trials/, best.yaml, trials.csv, report.html."""
    search: tuple[str, ...] = ()
    """Settings to search, for example lr=1e-5..1e-3:log batch=4,8,16 (default: by the kind of training, see
    docs/tuning.md)."""
    space: Path | None = None
    """YAML file with the settings to search, instead of --search."""
    trials: int | None = None
    """Number of trials, failed ones included (default: 20, or all combinations of a grid; no limit with --minutes)."""
    minutes: float | None = None
    """Start no trial after this many minutes; those that run are finished."""
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    """How the next trial is chosen: tpe (tree-structured Parzen estimator), random, or grid (every combination)."""
    pruner: Literal["median", "hyperband", "none"] = "median"
    """When a trial is stopped early by its validation: median (worse than the median of the others), hyperband, none."""
    metric: Literal["accuracy", "loss"] | None = None
    """Validation figure that is searched for (default: loss, or accuracy where the loss function is searched)."""
    jobs: int = 1
    """Number of trials that are trained at the same time, each in a process of its own."""
    keep_trials: int | None = None
    """Number of trials whose weights stay on disk, the best ones and the one with the defaults (default: all)."""
    lr_only: bool = False
    """Find a learning rate only: an exponential range test on a few hundred records, without a search."""
    report: bool = True
    """Evaluate the best settings and the defaults on the test split after the search."""
    resume: bool = False
    """Continue the search in --output."""
    overwrite: bool = False
    """Replace the output of an earlier search in --output; other files are never deleted."""
    dry_run: bool = False
    """Show what would be searched, and write nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_below(self, {"trials": 1, "jobs": 1, "keep_trials": 1})
        if self.minutes is not None and not 0 < self.minutes < float("inf"):
            raise UsageError(f"--minutes {self.minutes}: expected a number above 0")
        refuse_for_one_run(self)
        if self.lr_only:
            refuse_beside_test(self)

    def searched(self) -> tuple[Parameter, ...]:
        """The space of the search; UsageError for what cannot be searched."""
        return chosen_space(self, self.search, self.space)

    def training(self) -> TrainConfig:
        """The settings of `train` alone."""
        return TrainConfig(**{field.name: getattr(self, field.name) for field in fields(TrainConfig)})

    def chosen_metric(self) -> Literal["accuracy", "loss"]:
        """--metric as it is used: under different losses a raw loss compares scales, so accuracy there."""
        losses = any(parameter.key.split(".")[0] == "loss" for parameter in self.searched())
        return self.metric or ("accuracy" if losses else "loss")


def refuse_for_one_run(config: Config) -> None:
    """UsageError for settings of `train` that are about one run."""
    if config.push_to_hub is not None:
        raise UsageError("--push-to-hub uploads one model; use rewardsmith push on the best trial after the search")
    if config.member_kind in ("lora", "runs"):
        raise UsageError(
            f"--members.kind {config.member_kind}: tune searches the settings of one model; search without --members, and "
            "train the members with best.yaml"
        )
    if config.run_name is not None:
        raise UsageError("--run-name names one run; the trials are named after --output")


def refuse_beside_test(config: Config) -> None:
    """UsageError for settings of a search beside --lr-only."""
    if config.search or config.space is not None:
        raise UsageError("--lr-only searches the learning rate alone; remove --search and --space")
    if config.resume or config.dry_run:
        raise UsageError("--lr-only is one short test; remove --resume and --dry-run")
