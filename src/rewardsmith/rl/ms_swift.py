"""ms-swift: a reward of GRPO by `--external_plugins FILE.py --reward_funcs NAME`, where the file sets `orms[NAME]`.

swift/rl_core/grpo_algorithm.py `compute_rewards_per_func` makes the class once and calls it with the completions as texts
and the columns of the data as lists; `messages` among them ends with the completion (3602360).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from rewardsmith.errors import DataError
from rewardsmith.model.conversations import as_messages
from rewardsmith.rl.dialogues import rows_of
from rewardsmith.rl.rewards import OpenSettings, open_service
from rewardsmith.rl.service import REWARD, finite
from rewardsmith.rl.shaping import RAW, Shaping

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel


def ms_swift_reward(
    model: "str | Path | RewardModel",
    *,
    column: str = REWARD,
    shaping: Shaping = RAW,
    **opening: Unpack[OpenSettings],
) -> type:
    """A class for `orms`, one for each attribute that is to be a reward of its own; the rest as for `trl_reward`."""
    service = open_service(model, **opening)
    shaped = shaping.function(service, column)

    class MsSwiftReward:
        """Rewards of completions."""

        def __init__(self, args: Any = None, **others: Any) -> None:
            self.args = args

        def __call__(self, completions: Sequence[str], messages: Any = None, **columns: Any) -> list[float]:
            """One number for each completion."""
            if messages is None or len(messages) != len(completions):
                raise DataError(
                    "the column messages is missing; expected the list of messages that ms-swift passes with every batch"
                )
            turns = [as_messages(one, role="user") for one in messages]
            found = finite(service.score(turns, rows_of(columns, len(turns))), len(turns))
            return [float(value) for value in shaped.of(found)]

    return MsSwiftReward
