"""The responses of scored records as rankings, for Kendall's tau and best-of-N."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rewardsmith.evaluate.comparisons import Rankings
from rewardsmith.records import Record

RANKING = 3
Rewards = Sequence[np.ndarray]


def rankings_of(records: Sequence[Record], rewards: Rewards) -> Rankings | None:
    """Responses of records with three or more that are rated, or ranked by their comparisons, for Kendall's tau and
    best-of-N; None where no record has them.

    Two ratings hold no more than their comparison: tau over them is 2 x accuracy - 1. A ranking has the mean weight of its
    comparisons.
    """
    rows: list[tuple[Any, ...]] = []
    prompts: dict[str, int] = {}
    for number, (record, values) in enumerate(zip(records, rewards, strict=True)):
        given = record.ratings.get("overall", ())
        ratings = wins_of(record) if all(rating is None for rating in given) else given
        weight = float(np.mean([comparison.weight for comparison in record.comparisons] or [1.0]))
        prompt = prompts.setdefault(record.prompt_id, len(prompts))
        for rating, value in zip(ratings, values, strict=False) if len(ratings) >= RANKING else ():
            if rating is not None:
                rows.append((number, float(rating), float(value), weight, prompt))
    if not rows:
        return None
    group, quality, reward, weights, clusters = map(np.array, zip(*rows, strict=True))
    return Rankings(group, quality, reward, weights, clusters)


def wins_of(record: Record) -> tuple[float | None, ...]:
    """How many of a record's responses each one beats, a tie half: its quality where the row has ranks, or chosen and
    rejected responses, and no ratings. Empty where these numbers do not order the two of each comparison as it does.
    """
    wins = [0.0] * len(record.responses)
    compared = [False] * len(record.responses)
    for c in record.comparisons:
        compared[c.i] = compared[c.j] = True
        wins[c.i] += 0.5 if c.is_tie else 1.0
        wins[c.j] += 0.5 if c.is_tie else 0.0
    ordered = all((wins[c.i] == wins[c.j]) if c.is_tie else (wins[c.i] > wins[c.j]) for c in record.comparisons)
    return tuple(value if known else None for value, known in zip(wins, compared, strict=True)) if ordered else ()
