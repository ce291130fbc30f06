"""What was read for one question: a distribution over scores, or what each order of showing says of pairs of responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.judge.parsing.answer import TIE, StatedVerdict
from rewardsmith.records import EMPTY


@dataclass(frozen=True)
class QuestionVerdicts:
    """What a question gave: verdicts with their weights (votes, or label probabilities), none where nothing was readable.

    `problems` counts, by name, answers that could not be read; `detail` is what was answered, as JSON.
    """

    verdicts: Sequence[StatedVerdict] = ()
    weights: Sequence[float] = ()
    problems: Mapping[str, int] = field(default_factory=lambda: EMPTY)
    detail: Sequence[Mapping[str, Any]] = ()

    @property
    def readable(self) -> bool:
        """Whether there is any verdict."""
        return bool(self.verdicts)


def score_of(values: Float[np.ndarray, " M"], weights: Float[np.ndarray, " M"], *, median: bool) -> tuple[float, float]:
    """(mean or median, standard deviation) of scores by weight; the lower and upper median are averaged."""
    share = weights / weights.sum()
    mean = float(values @ share)
    spread = float(np.sqrt(max(0.0, ((values - mean) ** 2) @ share)))
    if not median:
        return mean, spread
    order = np.argsort(values, kind="stable")
    passed = np.cumsum(share[order])
    low = values[order][np.searchsorted(passed, 0.5 - 1e-12)]
    high = values[order][min(int(np.searchsorted(passed, 0.5 + 1e-12)), values.size - 1)]
    return float(low + high) / 2, spread


def pair_margins(
    reading: QuestionVerdicts, letters: Sequence[str], *, probabilities: bool
) -> dict[tuple[int, int], float]:
    """By two places among those shown, the log odds that the first is better.

    Probabilities p of being the best give log p_i − log p_j (Luce's choice axiom). Votes give log((w + ½) / (l + ½)) with w
    and l the votes for either side, a tie half a vote for each.
    """
    places = range(len(letters))
    if probabilities:
        mass = dict(zip(reading.verdicts, reading.weights, strict=True))
        logs = [np.log(max(mass[letter], np.finfo(float).tiny)) for letter in letters]
        return {(i, j): float(logs[i] - logs[j]) for i, j in combinations(places, 2)}
    found = {}
    for i, j in combinations(places, 2):
        won = sum(share_for(each, letters, i, j) for each in reading.verdicts)
        found[i, j] = float(np.log(won + 0.5) - np.log(len(reading.verdicts) - won + 0.5))
    return found


def share_for(verdict: StatedVerdict, letters: Sequence[str], i: int, j: int) -> float:
    """1 where a verdict prefers the i-th shown to the j-th, 0 for the contrary, ½ for a tie."""
    if isinstance(verdict, tuple):
        return 0.5 if verdict[i] == verdict[j] else float(verdict[i] < verdict[j])
    return 0.5 if verdict == TIE else float(verdict == letters[i])
