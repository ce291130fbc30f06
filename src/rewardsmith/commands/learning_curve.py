"""`rewardsmith learning-curve`: what more training data would give, from runs on shares of the data that is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.errors import UsageError
from rewardsmith.language import current
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith learning-curve`."""

    run: Path
    """Finished run of train; its settings are used for all runs, and it is the one on all records with its seed."""
    fractions: tuple[float, ...] = (0.0625, 0.125, 0.25, 0.5, 1.0)
    """Fractions of the run's training records to train on, smaller ones contained in larger ones; 1 is added if missing."""
    seeds: int = 3
    """Number of seeds per fraction, counted up from that of the run."""
    factors: tuple[float, ...] = (2.0, 4.0)
    """Extrapolate to this many times the records of the run, above 1 and at most 4."""
    bound: float = 0.01
    """Smallest gain in accuracy that matters; more data is ruled out if the whole 95 % interval of its gain is below it."""
    output: Path | None = None
    """Output folder of the runs (default: RUN-learning-curve beside the run); a second start continues there."""
    keep_models: bool = False
    """Keep models and checkpoints of the runs, which the curve does not need."""
    seed: int = 0
    """Random seed of the bootstrap."""
    overwrite: bool = False
    """Start again and replace the curve in --output; other files are never deleted."""

    def __post_init__(self) -> None:
        for fraction in self.fractions:
            if not 0 < fraction <= 1:
                raise UsageError(f"--fractions {fraction:g}: expected numbers above 0 and at most 1")
        if len({*self.fractions, 1.0}) < 2:
            raise UsageError("--fractions 1: expected at least one fraction below 1 too")
        if len(set(self.fractions)) < len(self.fractions):
            raise UsageError("--fractions: each may be given only once")
        if self.seeds < 1:
            raise UsageError(f"--seeds {self.seeds}: expected at least 1")
        for factor in self.factors:
            if not 1 < factor <= 4:
                raise UsageError(
                    f"--factors {factor:g}: expected numbers above 1 and at most 4; farther away, curves that fit the "
                    "measured points equally well disagree"
                )
        if not 0 < self.bound < 1:
            raise UsageError(f"--bound {self.bound:g}: expected a number between 0 and 1")


@dataclass(frozen=True)
class Result:
    """`curve` is what learning_curve.json holds (see docs/training.md), `folder` where it and the runs are."""

    curve: Mapping[str, Any]
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """The curve, and its `output`."""
        return {**self.curve, "output": str(self.folder)}

    def to_text(self) -> str:
        """The points, and what more data would give."""
        from rewardsmith.report.run.sections.learning_curve import text_lines

        return "\n".join([*text_lines(self.curve, current()), f"→ {self.folder / 'learning_curve.json'}"])


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Train what is missing, fit the curve, write it beside the runs and into the run that it is of."""
    from rewardsmith.pipelines.learning_curve.pipeline import CurvePlan, measure_curve

    place = config.run.resolve()
    folder = config.output or config.run.parent / f"{place.name}-learning-curve"
    fractions = sorted({*config.fractions, 1.0})
    plan = CurvePlan(config.run, fractions, config.seeds, config.factors, config.bound, config.seed)
    curve = measure_curve(plan, folder, keep_models=config.keep_models, overwrite=config.overwrite, progress=progress)
    return Result(curve, folder)
