"""Records with their rewards as the arrays that a calibration is fitted on and judged by."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rewardsmith.evaluate.corrections.fitting import ScoredPairs
from rewardsmith.evaluate.corrections.length import LengthUnit
from rewardsmith.records import Record

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel

LengthOf = Callable[[Record], np.ndarray]


def length_in(unit: LengthUnit | None, model: "RewardModel") -> LengthOf:
    """A function from a record to the length of each of its responses, in float64 of shape (K,).

    `tokens` are those of the response that the model scores under its contract, after truncation; `characters` are Unicode
    characters of the whole response. Without a unit all lengths are 0.
    """
    if unit is None:
        return lambda record: np.zeros(len(record.responses))
    if unit == "characters":
        return characters
    from rewardsmith.scoring.tokens import Encoder

    encoder = Encoder(model.tokenizer, model.contract, answers=True)
    return lambda record: np.array(encoder.encode(record).answers, dtype=np.float64)


def characters(record: Record) -> np.ndarray:
    """The length of each response in Unicode characters."""
    return np.array([len(response.text) for response in record.responses], dtype=np.float64)


def pairs_of(records: Sequence[Record], rewards: Sequence[np.ndarray], length_of: LengthOf) -> ScoredPairs:
    """The responses of all records in order, and their comparisons."""
    prompts: dict[str, int] = {}
    numbers, lengths = [], []
    compared: list[tuple[int, int, float, float]] = []
    start = 0
    for record in records:
        number = prompts.setdefault(record.prompt_id, len(prompts))
        numbers += [number] * len(record.responses)
        lengths.append(length_of(record))
        compared += [(start + c.i, start + c.j, c.preference, c.weight) for c in record.comparisons]
        start += len(record.responses)
    columns = np.array(compared, dtype=np.float64).reshape(-1, 4)
    return ScoredPairs(
        reward=np.concatenate([np.zeros(0), *rewards]).astype(np.float64),
        length=np.concatenate([np.zeros(0), *lengths]),
        prompt=np.array(numbers, dtype=np.int64),
        preferred=columns[:, 0].astype(np.int64),
        other=columns[:, 1].astype(np.int64),
        preference=columns[:, 2].copy(),
        weight=columns[:, 3].copy(),
    )
