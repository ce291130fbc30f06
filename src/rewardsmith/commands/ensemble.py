"""`rewardsmith ensemble`: several reward models as one, their rewards on one scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import UsageError
from rewardsmith.files import check_output, claimed, refuse_inside
from rewardsmith.files.kinds import MODEL
from rewardsmith.pipelines.ensembles.combine import CombineSettings
from rewardsmith.pipelines.publish import card
from rewardsmith.progress import SILENT, Progress
from rewardsmith.settings.hardware import check_device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith ensemble`."""

    members: tuple[str, ...]
    """Two or more reward models (folders, run folders, Hub names) that score the same tokens, or one with several heads."""
    output: Path
    """Output folder for the ensemble; the members stay where they are and are named in its ensemble.json."""
    combine: CombineSettings = CombineSettings()  # noqa: RUF009 - frozen
    validation: tuple[str, ...] = ()
    """Preference data to fit the members' scales and the temperature on (default: the validation split of the first
    member's run)."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction or chosen=annotations.best."""
    attribute: str = "overall"
    """Attribute to fit on if the data has several, such as helpful or safe."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    overwrite: bool = False
    """Replace --output if it exists."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        if not self.members:
            raise UsageError("MEMBERS is missing; expected two or more reward models, or one with several heads")


@dataclass(frozen=True)
class Result:
    """The ensemble that was written.

    `members` have `path`, `centre` and `scale`; `scaled_by` says what those were fitted on ("": they were not). `combine` is
    the rule in words, `spread` the temperature and factor of `evaluate.members.spread` (None: not fitted).
    """

    output: str
    kind: str
    combine: str
    scaled_by: str
    members: Sequence[Mapping[str, Any]]
    spread: Mapping[str, float] | None

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return dict(self.__dict__)

    def to_text(self) -> str:
        """The rule, and a line per member."""
        lines = [f"ensemble of {len(self.members)} members, combined by {self.combine} → {self.output}"]
        if self.scaled_by:
            heads = self.kind == "heads"
            names = [f"member {number}" if heads else one["path"] for number, one in enumerate(self.members, start=1)]
            lines += [
                f"{name}: mean reward {one['centre']:+.3f}, scale {one['scale']:.3f}"
                for name, one in zip(names, self.members, strict=True)
            ]
        return "\n".join(lines)


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Open the members, check that they are alike, fit their scales, and write the ensemble."""
    with claimed(config.output, MODEL):
        return joined(config, progress)


def joined(config: Config, progress: Progress) -> Result:
    """The ensemble; its output is claimed."""
    from rewardsmith.pipelines.ensembles.joining import SplitSources, described, join

    refuse_inside(config.output, [*config.members, *input_files(config.validation)])
    check_output(config.output, MODEL, overwrite=config.overwrite, edited=card.edited)
    held = SplitSources({"validation": config.validation}, config.map, config.attribute)
    model = join(
        config.members,
        config.combine.combiner(),
        held,
        device=config.device,
        trust=config.trust_remote_code,
        progress=progress,
    )
    model.save(config.output, overwrite=config.overwrite, training={"members": [Path(m).name for m in config.members]})
    assert model.members is not None
    description = model.members.description
    return Result(
        output=str(config.output),
        kind=description.kind,
        combine=description.combination.told(),
        scaled_by=description.scaled_by,
        members=described(description),
        spread=description.spread,
    )
