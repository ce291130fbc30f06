"""What is written of a judged record: all answers, or preference data."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from rewardsmith.data.formats.native import to_row
from rewardsmith.evaluate.corrections.calibration import RewardCalibration
from rewardsmith.judge.definition import JudgeDefinition
from rewardsmith.judge.verdicts import RecordVerdict
from rewardsmith.records import Comparison, Record
from rewardsmith.rewards.judged import as_scored, numbers


def answered_row(judge: JudgeDefinition, record: Record, verdict: RecordVerdict) -> dict[str, Any]:
    """The record, its rewards (null without a readable verdict), and under `judgements` every answer."""
    found = as_scored(record, verdict)
    answers = [
        {
            "shown": list(question.shown),
            **({"criterion": name} if (name := judge.criteria[question.criterion].name) else {}),
            "answers": list(reading.detail),
        }
        for question, reading in verdict.asked
    ]
    return {**to_row(record), "rewards": numbers(found.rewards), **found.parts, **found.facts, "judgements": answers}


def labelled(
    record: Record, verdict: RecordVerdict, calibration: RewardCalibration | None, *, tie: float
) -> Record | None:
    """The record with the judge's preferences in the place of what was said before; None where it could tell no pair.

    A pair has the weight 2P − 1, P being the probability that the preferred response is better: calibrated where there is a
    calibration. Where that is at most `tie`, or the rewards are equal, the pair is a tie of weight 1.
    """
    comparisons = tuple(preferences(verdict, calibration, tie=tie))
    if not comparisons:
        return None
    fields = {**record.fields, "judge_rewards": numbers(verdict.rewards)}
    return replace(record, comparisons=comparisons, fields=fields)


def preferences(verdict: RecordVerdict, calibration: RewardCalibration | None, *, tie: float) -> Iterator[Comparison]:
    """What a judge prefers, of every pair of which both responses have a reward."""
    for i, j in combinations(range(len(verdict.rewards)), 2):
        probability = better(verdict, i, j, calibration)
        if probability != probability:
            continue
        certainty = abs(2 * probability - 1)
        if certainty <= tie:
            yield Comparison(i, j, preference=0.5)
        else:
            first, second = (i, j) if probability > 0.5 else (j, i)
            yield Comparison(first, second, weight=certainty)


def better(verdict: RecordVerdict, i: int, j: int, calibration: RewardCalibration | None) -> float:
    """The probability that response i is better than j, NaN where one of them has no reward."""
    margin = float(verdict.rewards[i] - verdict.rewards[j])
    if calibration is None or margin != margin:
        return verdict.probability(i, j)
    first, second = calibration.rewards(np.array([verdict.rewards[i], verdict.rewards[j]]))
    return float(calibration.probability(np.array(first - second)))
