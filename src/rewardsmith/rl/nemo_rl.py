"""NeMo-RL: an environment whose step scores the last turn of each message log.

The interface is `EnvironmentInterface` in nemo_rl/environments/interfaces.py, the environment that it stands in for
`RewardModelEnvironment` in reward_model_environment.py (7ea279a), which formats messages itself. `ray.remote` makes an actor
of it: `ray.remote(RewardEnvironment).remote(MODEL)`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from rewardsmith.errors import DataError
from rewardsmith.records import Conversation, Message
from rewardsmith.rl.rewards import OpenSettings, open_service
from rewardsmith.rl.service import REWARD, finite
from rewardsmith.rl.shaping import RAW, Shaping

if TYPE_CHECKING:
    from torch import Tensor

    from rewardsmith.model.reward_model import RewardModel


class EnvironmentReturn(NamedTuple):
    """What a step returns, by the names and in the order of NeMo-RL."""

    observations: list[dict[str, str]]
    metadata: list[Any]
    next_stop_strings: list[Any]
    rewards: "Tensor | dict[str, Tensor]"
    terminateds: "Tensor"
    answers: list[str | None] | None


class RewardEnvironment:
    """Every episode ends after one step, with the reward of the whole conversation."""

    def __init__(
        self,
        model: "str | Path | RewardModel",
        *,
        attributes: Sequence[str] | None = None,
        shaping: Shaping = RAW,
        **opening: Unpack[OpenSettings],
    ) -> None:
        self.service = open_service(model, **opening)
        names = (REWARD,) if attributes is None else tuple(attributes)
        self.shaped = [shaping.function(self.service, name) for name in names]
        self.several = attributes is not None

    def step(
        self, message_log_batch: Sequence[Sequence[Mapping[str, Any]]], metadata: Sequence[Any]
    ) -> EnvironmentReturn:
        """The rewards of a batch of B logs, (B,) in float32; by attribute where those were asked for."""
        import torch

        turns = [conversation_of(log, at) for at, log in enumerate(message_log_batch)]
        columns = finite(self.service.score(turns), len(turns))
        by_name = {one.column: torch.from_numpy(one.of(columns)).float() for one in self.shaped}
        first = next(iter(by_name.values()))
        return EnvironmentReturn(
            observations=[{"role": "environment", "content": f"Environment: {value:.6g}"} for value in first.tolist()],
            metadata=list(metadata),
            next_stop_strings=[None] * len(turns),
            rewards=by_name if self.several else first,
            terminateds=torch.ones(len(turns), dtype=torch.bool),
            answers=[one[-1].content for one in turns],
        )

    def global_post_process_and_metrics(self, batch: Any) -> tuple[Any, dict[str, float]]:
        """The batch as it is, and mean, standard deviation and range of its rewards."""
        import torch

        rewards = batch.get("rewards")
        if not isinstance(rewards, torch.Tensor) or not rewards.numel():
            return batch, {}
        values = rewards.double()
        return batch, {
            "rewardsmith/mean_reward": float(values.mean()),
            "rewardsmith/std_reward": float(values.std(correction=0)),
            "rewardsmith/min_reward": float(values.min()),
            "rewardsmith/max_reward": float(values.max()),
        }


def conversation_of(log: Sequence[Mapping[str, Any]], at: int) -> Conversation:
    """The turns of a message log, whose token ids play no part: the contract renders it again."""
    turns = []
    for entry in log:
        if not isinstance(entry.get("content"), str):
            raise DataError(f"message log {at} has a message without text; expected role and content as text")
        turns.append(Message(str(entry["role"]), entry["content"]))
    return tuple(turns)
