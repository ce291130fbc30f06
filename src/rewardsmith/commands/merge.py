"""`rewardsmith merge`: the average of the weights of several reward models, measured beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import UsageError
from rewardsmith.files import check_output, claimed, refuse_inside
from rewardsmith.files.kinds import MODEL
from rewardsmith.pipelines.publish import card
from rewardsmith.progress import SILENT, Progress
from rewardsmith.settings.hardware import check_device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith merge`."""

    members: tuple[str, ...]
    """Two or more reward models of one shape, trained from one backbone: folders, run folders, Hub names."""
    output: Path
    """Output folder for the averaged model."""
    data: tuple[str, ...] = ()
    """Held-out preference data to measure the average and its members on (default: the test split of the first member's
    run)."""
    validation: tuple[str, ...] = ()
    """Preference data to fit the temperature on (default: the validation split of the first member's run)."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction or chosen=annotations.best."""
    attribute: str = "overall"
    """Attribute to measure on if the data has several, such as helpful or safe."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    overwrite: bool = False
    """Replace --output if it exists."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        if len(self.members) < 2:
            raise UsageError("MEMBERS: expected two or more reward models")


@dataclass(frozen=True)
class Result:
    """The averaged model.

    `distance` is the largest distance of a member from the first, relative to the length of its weights. `check` has `n`,
    `accuracy`, `members` (accuracies), `ensemble_accuracy`, `difference` (accuracy minus the mean of the members'),
    `difference_ci` and `known`; None where no held-out data is known.
    """

    output: str
    members: Sequence[str]
    distance: float
    check: Mapping[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return dict(self.__dict__)

    def to_text(self) -> str:
        """Where the model lies, and how it does beside its members."""
        lines = [f"averaged the weights of {len(self.members)} models → {self.output}"]
        if self.check is None:
            return "\n".join([*lines, "not measured: no held-out data is known; pass --data SOURCE"])
        found = self.check
        low, high = found["difference_ci"]
        accuracies = ", ".join(f"{one:.4f}" for one in found["members"])
        return "\n".join(
            [
                *lines,
                f"accuracy {found['accuracy']:.4f} on {found['n']} held-out comparisons; members {accuracies}; the mean of "
                f"their rewards {found['ensemble_accuracy']:.4f}",
                f"average minus members {found['difference']:+.4f} [{low:+.4f}, {high:+.4f}]: {found['known']}",
            ]
        )


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Open the models, average their weights, measure the average beside them, and write it."""
    with claimed(config.output, MODEL):
        return merged(config, progress)


def merged(config: Config, progress: Progress) -> Result:
    """The average; its output is claimed."""
    from rewardsmith.pipelines.ensembles.joining import SplitSources
    from rewardsmith.pipelines.ensembles.merging import merge

    refuse_inside(config.output, [*config.members, *input_files([*config.data, *config.validation])])
    check_output(config.output, MODEL, overwrite=config.overwrite, edited=card.edited)
    held = SplitSources({"test": config.data, "validation": config.validation}, config.map, config.attribute)
    found = merge(config.members, held, device=config.device, trust=config.trust_remote_code, progress=progress)
    names = [Path(name).name for name in config.members]
    found.model.save(
        config.output, overwrite=config.overwrite, training={**found.model.sidecar.training, "members": names}
    )
    check = None if found.check is None else found.check.to_json()
    return Result(str(config.output), list(config.members), found.distance, check)
