"""A MODEL as a reward for the task: phrases become conversations, and its members' rewards are put on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.align.policy_gradient.loop import TokenRows
from rewardsmith.align.policy_gradient.task import OrderTask
from rewardsmith.errors import DataError
from rewardsmith.records import Message, Record, Response
from rewardsmith.rewards.source import RewardSource, ScoredResponses

MEMBER = "reward_member_"


@dataclass(frozen=True)
class ModelOnTask:
    """The rewards of every member of `source`, less `offset` (a value per member), divided by `scale`."""

    source: RewardSource
    task: OrderTask
    offset: Float[Tensor, "M 1"] | float = 0.0
    scale: float = 1.0

    def __call__(self, prompts: TokenRows, responses: TokenRows) -> Float[Tensor, "M B"]:
        """The rewards of every member; DataError where the source has none for a response."""
        records = [record_of(self.task, *pair) for pair in zip(prompts, responses, strict=True)]
        found = self.source.score(records)
        failed = next((one for one in found if not np.isfinite(one.rewards).all()), None)
        if failed is not None:
            raise DataError(f"the reward model has no reward for a response of the task: {failed.error or 'NaN'}")
        return (torch.tensor(member_rows(found), dtype=torch.float32) - self.offset) / self.scale

    def scaled_on(self, prompts: TokenRows, responses: TokenRows) -> "ModelOnTask":
        """The same with every member's mean 0 and the standard deviation of their mean 1 on these responses, so that one KL
        coefficient serves all models; DataError where all have the same reward."""
        found = replace(self, offset=0.0, scale=1.0)(prompts, responses)
        scale = float(found.mean(dim=0).std())
        if scale < 1e-6:
            raise DataError(
                "the reward model gives the same reward to all responses of the task; expected different ones"
            )
        return replace(self, offset=found.mean(dim=1, keepdim=True), scale=scale)


def member_rows(found: Sequence[ScoredResponses]) -> Float[np.ndarray, "M B"]:
    """The rewards of every member for records of one response each; those of the model itself where it has no members."""
    names = [name for name in found[0].parts if name.startswith(MEMBER)]
    rows = [[one.parts[name][0] for one in found] for name in names]
    return np.array(rows or [[one.rewards[0] for one in found]], dtype=np.float64)


def record_of(task: OrderTask, prompt: Sequence[int], response: Sequence[int]) -> Record:
    """A conversation of the task."""
    answer = Response((Message("assistant", task.decode(response)),))
    return Record((Message("user", task.decode(prompt)),), (answer,))
