"""A process reward: the probability that a step is correct, at the last token of each step of a solution.

The head is the linear map of the reward itself, read where steps end, so it has no weights of its own; what belongs to it is
how the values of a solution's steps become one reward.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from rewardsmith.errors import ContractError
from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.head import ColumnHead, HeadInfo, HeadKind
from rewardsmith.records import Record
from rewardsmith.settings.options import ListOption

AGGREGATES: Mapping[str, Callable[[np.ndarray], Any]] = {
    "min": np.min,
    "product": np.prod,
    "last": lambda probability: probability[-1],
}
"""How one reward is made of the steps' probabilities (product: Lightman et al. 2023; min: Wang et al. 2023)."""
DEFAULT = "min"


class ProcessHead(ColumnHead):
    """No columns: the values of a record's steps take the place of the rewards of its responses."""

    def __init__(self, info: HeadInfo, width: int, draw: torch.Generator) -> None:
        super().__init__(info)

    def values(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R 0"]:
        """Nothing beside the values."""
        return rewards.new_zeros((len(rewards), 0))

    def reward(self, values: Float64[np.ndarray, " K"]) -> float:
        """The reward in [0, 1] of a solution whose K steps have these values (log odds of being correct)."""
        return float(AGGREGATES[self.info.options["aggregate"]](sigmoid(values)))


def unlike(record: Record) -> ContractError:
    """The error where a solution by steps meets a model without step values, or another text one that has only these."""
    if record.by_steps:
        return ContractError(
            "the row is a solution divided into steps, but the model has no step values; use a model trained with "
            "--head process, or join the steps to one response"
        )
    return ContractError(
        "the model was trained with --head process and judges steps, but the row is not divided into steps; expected "
        "the columns prompt and steps (a list)"
    )


def describe(options: Mapping[str, Any], plan: AttributePlan) -> HeadInfo:
    """No column, and the way to one reward; ContractError for one that is not known."""
    aggregate = str(options.get("aggregate", DEFAULT))
    if aggregate not in AGGREGATES:
        raise ContractError(f"the aggregate is {aggregate!r}; expected one of {', '.join(AGGREGATES)}")
    return HeadInfo("process", (), {"aggregate": aggregate})


HEAD = HeadKind(
    losses=("step-cross-entropy",), describe=describe, make=ProcessHead, options={"aggregate": ListOption()}
)
