"""Readings of all questions about a record → its rewards, their uncertainty, and whether the orders of showing agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.judge.definition import JudgeDefinition
from rewardsmith.judge.margins import Pair, consistent, joined, rewards_of_margins
from rewardsmith.judge.questions import PAIR, JudgeQuestion
from rewardsmith.judge.readings import QuestionVerdicts, pair_margins, score_of
from rewardsmith.records import EMPTY

QuestionReading = tuple[JudgeQuestion, QuestionVerdicts]


@dataclass(frozen=True)
class RecordVerdict:
    """What a judge came to on a record of K responses.

    `rewards` (K,), NaN where there is none; `spread` (K,), the standard deviation of a response's score, None for a judge of
    pairs or lists, whose margins are log odds. `criteria` has (K,) scores by name. `orders` has, by pair that was judged in
    every order, its margin in each; `first` of `decided` single verdicts prefer the response that is shown first.
    """

    rewards: Float[np.ndarray, " K"]
    spread: Float[np.ndarray, " K"] | None = None
    criteria: Mapping[str, Float[np.ndarray, " K"]] = field(default_factory=lambda: EMPTY)
    orders: Mapping[Pair, Sequence[float]] = field(default_factory=dict)
    first: int = 0
    decided: int = 0
    asked: Sequence[QuestionReading] = ()

    def probability(self, i: int, j: int) -> float:
        """That response i is better than j in the judge's own view, NaN where one of them has no reward.

        Of scores Φ((s_i − s_j) / √(σ_i² + σ_j²)), as of independent normal ones, 1, ½ or 0 where neither has a spread; of
        log odds their sigmoid.
        """
        margin = float(self.rewards[i] - self.rewards[j])
        if self.spread is None:
            return float(sigmoid(np.array(margin)))
        spread = float(np.hypot(self.spread[i], self.spread[j]))
        if spread == 0:
            return margin if margin != margin else 0.5 + 0.5 * float(np.sign(margin))
        return float(norm.cdf(margin / spread))

    def facts(self) -> dict[str, Any]:
        """The share of its pairs on which all orders agree; nothing where none was judged in every order."""
        if not self.orders:
            return {}
        return {"order_consistency": float(np.mean([consistent(values) for values in self.orders.values()]))}


def verdict_of(judge: JudgeDefinition, asked: Sequence[QuestionReading], count: int) -> RecordVerdict:
    """The verdict on a record of `count` responses."""
    return scored(judge, asked, count) if judge.kind == "pointwise" else compared(judge, asked, count)


def scored(judge: JudgeDefinition, asked: Sequence[QuestionReading], count: int) -> RecordVerdict:
    """Of a pointwise judge: the weighted mean of the criteria, `failed` where one with a gate is below it.

    A response has no reward where one of its criteria has no score.
    """
    assert judge.scale is not None
    scores = np.full((len(judge.criteria), count), np.nan)
    spreads = np.full_like(scores, np.nan)
    for question, reading in asked:
        if reading.readable:
            values = values_of(reading, judge.scale.labels[question.lang])
            found = score_of(values, np.array(reading.weights, dtype=np.float64), median=judge.average == "median")
            scores[question.criterion, question.shown[0]], spreads[question.criterion, question.shown[0]] = found
    weights = np.array([each.counts for each in judge.criteria])
    share = weights / weights.sum()
    stopped = np.zeros(count, dtype=bool)
    for row, each in zip(scores, judge.criteria, strict=True):
        if each.gate is not None:
            stopped |= row < each.gate
    known = np.isfinite(scores).all(axis=0)
    rewards = np.where(stopped, judge.failed, share @ scores)
    spread = np.where(stopped, 0.0, np.sqrt(share**2 @ spreads**2))
    return RecordVerdict(
        np.where(known, rewards, np.nan),
        np.where(known, spread, np.nan),
        {each.name: row for each, row in zip(judge.criteria, scores, strict=True) if each.name},
        asked=asked,
    )


def values_of(reading: QuestionVerdicts, labels: Mapping[str, float]) -> Float[np.ndarray, " M"]:
    """The values of verdicts: of labels as the scale has them, of numbers their own."""
    return np.array([labels[each] if isinstance(each, str) else each for each in reading.verdicts], dtype=np.float64)


def compared(judge: JudgeDefinition, asked: Sequence[QuestionReading], count: int) -> RecordVerdict:
    """Of a pairwise or listwise judge: rewards that fit the mean margin of each pair over all orders and criteria.

    A pair counts where it could be read in every order and for every criterion, so that no place is favoured.
    """
    said = [(question, own) for question, reading in asked if (own := margins_of(judge, question, reading))]
    wanted = 2 if judge.kind == "pairwise" else len({question.shown for question, _ in asked})
    by_criterion = [joined(placed(said, at), wanted) for at in range(len(judge.criteria))]
    weights = np.array([each.weight for each in judge.criteria])
    margins = mean_margins(by_criterion, weights / weights.sum())
    means = over_orders(margins)
    every = np.array([value for _, each in said for value in each.values()])
    first, decided = int((every > 0).sum()), int((every != 0).sum())
    criteria = criteria_in(judge, by_criterion, count)
    return RecordVerdict(rewards_of_margins(means, count), None, criteria, margins, first, decided, asked)


def criteria_in(
    judge: JudgeDefinition, margins: Sequence[Mapping[Pair, Sequence[float]]], count: int
) -> dict[str, Float[np.ndarray, " K"]]:
    """The rewards in each criterion of a rubric."""
    named = zip(judge.criteria, margins, strict=True)
    return {each.name: rewards_of_margins(over_orders(own), count) for each, own in named if each.name}


def margins_of(judge: JudgeDefinition, question: JudgeQuestion, reading: QuestionVerdicts) -> dict[Pair, float]:
    """By two places among those shown, the log odds that the first is better; empty where nothing could be read."""
    if not reading.readable:
        return {}
    letters = PAIR if judge.kind == "pairwise" else ascii_uppercase[: len(question.shown)]
    return pair_margins(reading, letters, probabilities=judge.reading == "labels")


def over_orders(margins: Mapping[Pair, Sequence[float]]) -> dict[Pair, float]:
    """The mean margin of each pair."""
    return {pair: float(np.mean(values)) for pair, values in margins.items()}


def placed(said: Sequence[tuple[JudgeQuestion, Mapping[Pair, float]]], criterion: int) -> list[dict[Pair, float]]:
    """What was said of one criterion, by the places of the responses in the record."""
    return [
        {(question.shown[i], question.shown[j]): margin for (i, j), margin in margins.items()}
        for question, margins in said
        if question.criterion == criterion
    ]


def mean_margins(
    by_criterion: Sequence[Mapping[Pair, Sequence[float]]], share: Float[np.ndarray, " C"]
) -> dict[Pair, list[float]]:
    """By pair that every criterion has, the weighted mean over criteria of its margin in each order."""
    pairs = set(by_criterion[0]).intersection(*by_criterion[1:])
    return {pair: list(share @ np.array([own[pair] for own in by_criterion])) for pair in sorted(pairs)}
