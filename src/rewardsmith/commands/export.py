"""`rewardsmith export`: a model in the layout of another program, its values compared before anything is written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rewardsmith.errors import ModelError
from rewardsmith.files import check_output, claimed, refuse_inside, write_folder
from rewardsmith.files.kinds import EXPORT
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith export`."""

    model: str
    """Reward model: a folder, a run folder, or a Hub name."""
    output: Path
    """Output folder for the exported model."""
    to: Literal["trl-value-head"] = "trl-value-head"
    """Layout: trl-value-head, a language model with `v_head.summary` for critics (TRL, LLaMA-Factory)."""
    base: Path | None = None
    """Folder of the language model that training started from, for its output layer (not needed if that is tied to the
    embeddings)."""
    overwrite: bool = False
    """Replace --output if it exists."""


@dataclass(frozen=True)
class Result:
    """What was written: `reward` says how the reward follows from the values."""

    output: str
    layout: str
    reward: str
    largest_difference: float

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return dict(self.__dict__)

    def to_text(self) -> str:
        """Where the model is, and that its values are the same."""
        return (
            f"exported as {self.layout} → {self.output}\nthe reward is the {self.reward} of the values; they differ by at "
            f"most {self.largest_difference:.1e} from those of the model"
        )


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Open the model, put its parts where the other program looks for them, compare, write."""
    with claimed(config.output, EXPORT):
        return exported(config)


def exported(config: Config) -> Result:
    """The export; its output is claimed."""
    from rewardsmith.model.checkpoint.value_head_folder import LAYOUT, save_value_head
    from rewardsmith.model.language_head.weights import language_folder
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.version import VERSION

    refuse_inside(config.output, [config.model, *([str(config.base)] if config.base else [])])
    check_output(config.output, EXPORT, overwrite=config.overwrite)
    model = RewardModel.load(config.model, device="cpu")
    if model.members is not None and model.members.description.kind != "heads":
        raise ModelError(
            f"{config.model} is an ensemble of several models, which is no single value head; export one of its members, "
            "or their average (rewardsmith merge)"
        )
    readout = model.network.readout
    reward = "last" if readout is None or readout.pooling == ("last",) else "mean over the response"
    found: list[float] = []

    def fill(folder: Path) -> None:
        texts = [model.encoder.ids(conversation) for conversation in model.usable_probes()]
        facts = {"rewardsmith": VERSION, "reward": reward, "max_length": model.contract.max_length}
        base = language_folder(model.network.hf, config.base, model.sidecar.training)
        found.append(
            save_value_head(model.network, model.tokenizer, model.contract, folder, base=base, texts=texts, facts=facts)
        )

    write_folder(config.output, fill, EXPORT, overwrite=config.overwrite)
    return Result(str(config.output), LAYOUT, reward, found[0])
