"""TRL: reward functions of GRPOTrainer, RLOOTrainer and OnlineDPOTrainer (`reward_funcs`).

The trainers call `function(prompts=, completions=, completion_ids=, **columns)` and expect one number for each completion
(trl/trainer/grpo_trainer.py `_calculate_rewards`, 1.16); a None takes the completion out of this function's mean, so none is
given here. A coroutine function is awaited, with those of the other functions. `__name__` names the metric.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from rewardsmith.records import Turns
from rewardsmith.rl.dialogues import rows_of
from rewardsmith.rl.rewards import OpenSettings, open_service
from rewardsmith.rl.scored_batch import ScoredBatch
from rewardsmith.rl.service import REWARD, RewardService
from rewardsmith.rl.shaping import RAW, ShapedColumn, Shaping

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel

RewardFunction = Callable[..., list[float] | Coroutine[Any, Any, list[float]]]


def trl_reward(
    model: "str | Path | RewardModel",
    *,
    column: str = REWARD,
    shaping: Shaping = RAW,
    asynchronous: bool = False,
    **opening: Unpack[OpenSettings],
) -> RewardFunction:
    """A reward function for `reward_funcs`: the reward of `model`, or the column of it that is named.

    `model` is what `rs.score` takes, an opened RewardModel, or the address of a server; `opening` says how it is opened (see
    `OpenSettings`). `asynchronous` gives a coroutine function. Texts that are too long are cut as the scoring contract says.
    DataError for a text without a reward, ModelError for one that is not finite.
    """
    service = open_service(model, **opening)
    return reward_function(ScoredBatch(service), shaping.function(service, column), asynchronous=asynchronous)


def trl_rewards(
    model: "str | Path | RewardModel",
    *,
    attributes: Sequence[str] | None = None,
    shaping: Shaping = RAW,
    asynchronous: bool = False,
    **opening: Unpack[OpenSettings],
) -> list[RewardFunction]:
    """One reward function for each attribute, since TRL normalises each function by itself (`multi_objective_aggregation`).

    `attributes` are columns of the model, `reward` among them; without, those that a multi-objective head has learned, or
    the reward alone where there are none. A batch is scored once for all of them. The rest as for `trl_reward`.
    """
    service = open_service(model, **opening)
    names = attributes if attributes is not None else service.attributes() or (REWARD,)
    batch = ScoredBatch(service)
    return [reward_function(batch, shaping.function(service, name), asynchronous=asynchronous) for name in names]


def reward_function(batch: ScoredBatch, column: ShapedColumn, *, asynchronous: bool) -> RewardFunction:
    """The function that a trainer calls."""

    def reward(prompts: Sequence[Turns], completions: Sequence[Turns], **columns: Any) -> list[float]:
        """One number for each completion."""
        return scored(batch, column, prompts, completions, columns)

    async def reward_async(prompts: Sequence[Turns], completions: Sequence[Turns], **columns: Any) -> list[float]:
        """One number for each completion, computed in a thread."""
        return await asyncio.to_thread(scored, batch, column, prompts, completions, columns)

    chosen: RewardFunction = reward_async if asynchronous else reward
    chosen.__name__ = metric_name(batch.service, column.column)
    return chosen


def scored(
    batch: ScoredBatch,
    column: ShapedColumn,
    prompts: Sequence[Turns],
    completions: Sequence[Turns],
    columns: Mapping[str, Any],
) -> list[float]:
    """The rewards of a batch."""
    rows = rows_of(columns, len(prompts)) if batch.service.needs_rows else None
    return [float(value) for value in column.of(batch.of(prompts, completions, rows))]


def metric_name(service: RewardService, column: str) -> str:
    """What a trainer calls the metric: the model, and the attribute where it is not the reward."""
    return service.name if column == REWARD else f"{service.name}_{column}"
