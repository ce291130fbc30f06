"""verl: `custom_reward_function.path=FILE`, `custom_reward_function.name=compute_score`.

verl/experimental/reward_loop/reward_manager/naive.py calls it with one response, in a thread or awaited;
verl/workers/reward_manager/batch.py with a batch (b178a3c). Both hand over the response as text, without its prompt, so the
data has to carry that in `extra_info`. verl takes a number, or a mapping with `score`, whose other numbers it logs.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from rewardsmith.errors import DataError
from rewardsmith.rl.dialogues import joined, prompt_of
from rewardsmith.rl.rewards import OpenSettings, open_service
from rewardsmith.rl.service import REWARD, RewardService, finite
from rewardsmith.rl.shaping import RAW, ShapedColumn, Shaping

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel

VerlScore = dict[str, float]
"""`score`, and the columns beside it under their names."""


def verl_compute_score(
    model: "str | Path | RewardModel",
    *,
    prompt_field: str | None = None,
    column: str = REWARD,
    shaping: Shaping = RAW,
    **opening: Unpack[OpenSettings],
) -> Callable[..., VerlScore]:
    """`compute_score(data_source, solution_str, ground_truth, extra_info)` for one response; the rest as for `trl_reward`.

    The prompt is `extra_info[prompt_field]`, without a name the first of messages, prompt, question that is there.
    """
    several = verl_compute_scores(
        model,
        prompt_field=prompt_field,
        column=column,
        shaping=shaping,
        **opening,
    )

    def compute_score(
        data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None, **others: Any
    ) -> VerlScore:
        """The reward of one response."""
        return several([data_source], [solution_str], [ground_truth], [extra_info])[0]

    return compute_score


def verl_compute_score_async(
    model: "str | Path | RewardModel",
    *,
    prompt_field: str | None = None,
    column: str = REWARD,
    shaping: Shaping = RAW,
    **opening: Unpack[OpenSettings],
) -> Callable[..., Coroutine[Any, Any, VerlScore]]:
    """The same as a coroutine function, which verl's reward loop awaits, so that many requests are under way at once."""
    one = verl_compute_score(
        model,
        prompt_field=prompt_field,
        column=column,
        shaping=shaping,
        **opening,
    )

    async def compute_score(
        data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None, **others: Any
    ) -> VerlScore:
        """The reward of one response, computed in a thread."""
        return await asyncio.to_thread(one, data_source, solution_str, ground_truth, extra_info)

    return compute_score


def verl_compute_scores(
    model: "str | Path | RewardModel",
    *,
    prompt_field: str | None = None,
    column: str = REWARD,
    shaping: Shaping = RAW,
    **opening: Unpack[OpenSettings],
) -> Callable[..., list[VerlScore]]:
    """`compute_score(data_sources, solution_strs, ground_truths, extra_infos)` for verl's batch reward manager."""
    service = open_service(model, **opening)
    shaped = shaping.function(service, column)

    def compute_score(
        data_sources: Sequence[str],
        solution_strs: Sequence[str],
        ground_truths: Sequence[Any],
        extra_infos: Sequence[Any] | None = None,
        **others: Any,
    ) -> list[VerlScore]:
        """The rewards of a batch, in order."""
        infos = [None] * len(solution_strs) if extra_infos is None else list(extra_infos)
        if not len(infos) == len(ground_truths) == len(solution_strs):
            raise DataError(
                f"{len(solution_strs)} responses, {len(ground_truths)} ground_truths and {len(infos)} extra_infos; expected "
                "one for each"
            )
        turns = [joined(prompt_of(info, prompt_field), text) for info, text in zip(infos, solution_strs, strict=True)]
        rows = [{**(info or {}), "ground_truth": truth} for truth, info in zip(ground_truths, infos, strict=True)]
        return verl_scores(service, shaped, turns, rows)

    return compute_score


def verl_scores(
    service: RewardService, shaped: ShapedColumn, turns: Sequence[Any], rows: Sequence[dict[str, Any]]
) -> list[VerlScore]:
    """`score`, shaped, with the raw columns beside it."""
    columns = finite(service.score(turns, rows), len(turns))
    scores = shaped.of(columns)
    return [
        {"score": float(scores[at]), **{name: float(values[at]) for name, values in columns.items()}}
        for at in range(len(turns))
    ]
