"""OpenRLHF: `--reward.remote_url FILE.py` with a function `reward_func(queries, prompts, labels)`.

openrlhf/utils/agent.py `_fetch_rewards_via_func` calls it in a thread with one sample (3c3be62). A query is prompt and
response as the policy's tokenizer decodes them, control tokens kept, so policy and reward model must have the same template.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from rewardsmith.rl.rewards import OpenSettings, open_service
from rewardsmith.rl.service import REWARD, finite
from rewardsmith.rl.shaping import RAW, Shaping

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel


def openrlhf_reward_func(
    model: "str | Path | RewardModel",
    *,
    column: str = REWARD,
    shaping: Shaping = RAW,
    **opening: Unpack[OpenSettings],
) -> Callable[..., Mapping[str, Any]]:
    """`reward_func`: `rewards` (shaped) for the advantages, the same as `scores`, and the raw columns as `extra_logs`.

    A failure is raised; OpenRLHF logs it and goes on without the reward of this sample, so watch its log. The rest as for
    `trl_reward`.
    """
    service = open_service(model, **opening)
    shaped = shaping.function(service, column)

    def reward_func(
        queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **others: Any
    ) -> Mapping[str, Any]:
        """The rewards of rendered texts, as tensors."""
        import torch

        columns = finite(service.score_rendered(list(queries), list(prompts)), len(queries))
        rewards = torch.from_numpy(shaped.of(columns)).float()
        logs = {name: torch.from_numpy(values).float() for name, values in columns.items()}
        return {"rewards": rewards, "scores": rewards, "extra_logs": logs}

    return reward_func
