"""Heads that give named columns of a response beside its reward, and their file beside a model.

The reward stays a linear map of the features, in the folder's own head, where every reader of the field finds it. What gives
the columns lies in `heads/NAME.safetensors`, where no reader of weights looks, with a copy of the reward head's weights that
tells whether the two belong together; `reward.json` names it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rewardsmith.errors import ContractError
from rewardsmith.files.reading import refuse_types
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import ExtraOutputs, WholeReward
from rewardsmith.model.inspection.finite import refuse_values
from rewardsmith.settings.options import NamedOption

FOLDER = "heads"
REWARD = "reward"
"""In a head's file, the copy of the weights of the reward head."""
CLOSE = 1e-5
"""Relative to the largest weight of a head; all are stored in fp32."""


@runtime_checkable
class ColumnSource(Protocol):
    """What gives the columns of a finished model: a `ColumnHead`, or an ensemble."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the C columns."""

    def values(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R C"]:
        """The columns of R responses, from their rewards and what the reward head reads, both in fp32."""

    def save(self, folder: Path, reward: Float[Tensor, "1 F"]) -> None:
        """Write a file into `folder` for a model whose reward head has these weights."""

    def tensors(self) -> Mapping[str, Tensor]:
        """All numbers that the columns are made with, by name."""


@dataclass(frozen=True)
class HeadInfo:
    """A head as `reward.json` names it: its columns, and the options that make it again."""

    name: str
    columns: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The columns that were learned as rewards of their own, of which the reward is made; () for other heads."""
        return self.columns if "learned_from" in self.options else ()

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {"name": self.name, "columns": list(self.columns), "options": dict(self.options)}

    def continues(self, other: "HeadInfo") -> bool:
        """Whether the weights of this head are those that a run with the other begins with: they have the same meaning."""
        sizes = ("latent", "levels", "learned_from", "hidden")
        alike = all(self.options.get(name) == other.options.get(name) for name in sizes)
        return (self.name, self.columns) == (other.name, other.columns) and alike

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> "HeadInfo | None":
        """From its JSON form; None for a scalar head, whose reward is all that it gives."""
        if not value:
            return None
        refuse_types(value, {"name": str, "columns": tuple[str, ...], "options": Mapping})
        return cls(value["name"], tuple(value["columns"]), value["options"])


class ColumnHead(ExtraOutputs):
    """Outputs that stay with the finished model; `info` says what they are.

    `values` are the columns of a response as they are given to the user. `forward` are what the loss takes, of which the
    first is the reward.
    """

    def __init__(self, info: HeadInfo) -> None:
        super().__init__()
        self.info = info

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.info.columns

    def values(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R C"]:
        """The columns of R responses."""
        raise NotImplementedError

    def whole_reward(self) -> WholeReward | None:
        """The reward from the features, where it is no linear map of them; None where the reward head gives it."""
        return None

    def tensors(self) -> Mapping[str, Tensor]:
        """The parameters."""
        return {name: value.detach().float().cpu().contiguous() for name, value in self.state_dict().items()}

    def save(self, folder: Path, reward: Float[Tensor, "1 F"]) -> None:
        """Write the file beside a model."""
        path = file_of(folder, self.info.name)
        path.parent.mkdir(exist_ok=True)
        save_file({**self.tensors(), REWARD: reward.detach().float().cpu().contiguous()}, path)

    def load(self, folder: Path, reward: Float[Tensor, "1 F"]) -> None:
        """Read the file beside a model; ContractError where it is not there or not that of this model's reward head."""
        path = file_of(folder, self.info.name)
        try:
            stored = load_file(path)
            own = stored.pop(REWARD)
        except (OSError, SafetensorError, KeyError) as error:
            raise ContractError(
                f"{path} cannot be read, but reward.json lists the head {self.info.name}; copy the model again"
            ) from error
        refuse_values(str(path), stored.items())
        wanted = {name: list(value.shape) for name, value in self.state_dict().items()}
        found = {name: list(value.shape) for name, value in stored.items()}
        if found != wanted:
            raise ContractError(f"{path} has weights of shape {found}, expected {wanted}; copy the model again")
        reward = reward.detach().float().cpu()
        if own.shape != reward.shape or not (own - reward).abs().max() <= CLOSE * reward.abs().max():
            raise ContractError(
                f"{path} belongs to another model: its reward head has other weights; copy the model again"
            )
        self.load_state_dict(stored)

    def go_on(self, folder: Path, reward: Float[Tensor, "1 F"]) -> None:
        """Begin with the parameters of a saved head; what follows from the data of this run stays as it is."""
        own = {name: value.clone() for name, value in self.named_buffers()}
        self.load(folder, reward)
        self.load_state_dict(own, strict=False)


def file_of(folder: Path, name: str) -> Path:
    """Where a head lies beside a model."""
    return folder / FOLDER / f"{name}.safetensors"


@dataclass(frozen=True)
class HeadKind:
    """What `--head NAME` stands for: the losses that train it, the first by default, its options, and how it is made.

    `describe(options, plan)` names its columns; `make(info, width, draw)` draws a new one for features of that width.
    `by_attribute`: it learns from what the data say of attributes, as the plan lists them.
    """

    losses: tuple[str, ...]
    describe: Callable[[Mapping[str, Any], AttributePlan], HeadInfo]
    make: Callable[[HeadInfo, int, torch.Generator], ColumnHead]
    options: Mapping[str, NamedOption] = field(default_factory=dict)
    by_attribute: bool = False
