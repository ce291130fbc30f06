"""`rewardsmith import`: a reward model of another program as one of our folders, its scoring contract stored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.errors import ModelError, UsageError
from rewardsmith.files import check_output, claimed, refuse_inside
from rewardsmith.files.kinds import MODEL
from rewardsmith.pipelines.publish import card
from rewardsmith.pipelines.publish.hub_names import origin_of
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith import`."""

    model: str
    """Reward model without reward.json: a folder (also of TRL, LLaMA-Factory or OpenRLHF, or an adapter), or a Hub name."""
    output: Path
    """Output folder for the model."""
    template: Path | None = None
    """File with the chat template (Jinja) used in training (default: that of the tokenizer, else 'role: text')."""
    max_length: int | None = None
    """Maximum length of a conversation in tokens (default: the limit of the model, at most 4096)."""
    label: str | None = None
    """For a classifier with several outputs: the label, or its index, whose logit is the reward."""
    minus: str | None = None
    """Subtract the logit of this label from that of --label (with two labels: the log odds)."""
    base: str | None = None
    """For a LoRA adapter: the base model, if it is not at the location stored in the adapter."""
    overwrite: bool = False
    """Replace --output if it exists."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        if self.minus is not None and self.label is None:
            raise UsageError(
                f"--minus {self.minus} needs --label: the reward is the logit of --label minus the logit of --minus"
            )


@dataclass(frozen=True)
class Result:
    """What was imported, and as what."""

    output: str
    understood: str
    offset: float
    kind: str
    max_length: int
    parameters: int
    normalizer: dict[str, float] | None

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return dict(self.__dict__)

    def to_text(self) -> str:
        """What was understood, and where the model lies."""
        return f"{self.understood}\nimported {self.parameters:,} parameters ({self.kind}) → {self.output}"


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Open the model, say what it is, and write it with its contract and probes."""
    with claimed(config.output, MODEL):
        return imported(config, progress)


def imported(config: Config, progress: Progress) -> Result:
    """The import; its output is claimed."""
    refuse_inside(config.output, [config.model, *([config.base] if config.base else [])])
    check_output(config.output, MODEL, overwrite=config.overwrite, edited=card.edited)
    from rewardsmith.model.loading.value_heads import Choice
    from rewardsmith.model.reward_model import RewardModel

    model = RewardModel.load(
        config.model,
        device="cpu",
        trust_remote_code=config.trust_remote_code,
        choice=Choice(config.label, config.minus, config.base),
        template=read_template(config.template),
        max_length=config.max_length,
    )
    for note in model.notes:
        progress.note(note)
    if not model.understood:
        raise ModelError(f"{config.model} already has a reward.json; no import is needed")
    model.save(
        config.output,
        overwrite=config.overwrite,
        training={**origin_of(config.model, ()), "understood": model.understood},
    )
    normalizer = model.sidecar.normalizer
    return Result(
        output=str(config.output),
        understood=model.understood,
        offset=model.sidecar.offset,
        kind=model.contract.kind,
        max_length=model.contract.max_length,
        parameters=sum(p.numel() for p in model.network.hf.parameters()),
        normalizer=None if normalizer is None else {"mean": normalizer.mean, "std": normalizer.std},
    )


def read_template(path: Path | None) -> str | None:
    """The text of a template file."""
    if path is None:
        return None
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--template {path}: cannot be read ({error})") from error
