"""What gives rewards to the texts of a trainer, wherever it runs, and what its answers are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float64

from rewardsmith.errors import ModelError
from rewardsmith.records import Conversation

REWARD = "reward"
"""The name of the reward itself among the columns."""
TrainerRow = Mapping[str, Any]
RewardColumns = Mapping[str, Float64[np.ndarray, " N"]]
"""The rewards of N texts under `reward`, and what stands beside them by name."""


@dataclass(frozen=True)
class StoredScale:
    """Mean and standard deviation of a model's rewards on reference data, as stored with it."""

    mean: float
    std: float


class RewardService(Protocol):
    """Whatever gives rewards to texts; calls from several threads wait for each other where they must."""

    @property
    def name(self) -> str:
        """A short name, for the metrics of a trainer."""

    @property
    def needs_rows(self) -> bool:
        """Whether the other columns of the data play a part."""

    def attributes(self) -> tuple[str, ...]:
        """The columns that are rewards of their own; () where the reward is the only one."""

    def scale(self) -> StoredScale | None:
        """The scale that is stored with the model; None where there is none."""

    def score(self, conversations: Sequence[Conversation], rows: Sequence[TrainerRow] | None = None) -> RewardColumns:
        """The rewards of conversations that end with the assistant's turn; `rows` are for the checks of a rewards file."""

    def score_rendered(self, texts: Sequence[str], prompts: Sequence[str]) -> RewardColumns:
        """The rewards of texts that begin with their prompts: rendered ones where they spell a control token of the reward
        model, whose end a policy wrote, else a user's turn and the assistant's."""


def finite(columns: RewardColumns, count: int) -> RewardColumns:
    """The columns as they are; ModelError where there is not one finite number for each of `count` texts."""
    for name, values in columns.items():
        if values.shape != (count,):
            raise ModelError(f"got {values.shape[0]} values of {name} for {count} texts; expected one for each")
        if not np.isfinite(values).all():
            at = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ModelError(f"{name} of text {at} is {values[at]}; expected a finite number")
    return columns
