"""Figures of a process reward model: steps told apart, the first wrong step found.

A value is the log odds that a step is correct, so 0 is a probability of 1/2, and a step below it is judged wrong. A label is
in [0, 1]: above 1/2 correct, below it wrong; NaN, or exactly 1/2, says nothing. Nothing to measure gives NaN.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from rewardsmith.evaluate.statistics import Interval, clustered_mean, no_interval

ALL_CORRECT, UNKNOWN = -1, -2
"""In place of a first wrong step: there is none; the labels do not tell."""


@dataclass(frozen=True, eq=False)
class JudgedSteps:
    """M steps of N solutions: `solution` is each step's, 0 to N - 1 and ascending; `cluster` the prompt of a solution."""

    value: Float[np.ndarray, " M"]
    label: Float[np.ndarray, " M"]
    solution: Int[np.ndarray, " M"]
    cluster: Int[np.ndarray, " N"]


def first_true(flag: Bool[np.ndarray, " M"], solution: Int[np.ndarray, " M"], count: int) -> Int[np.ndarray, " N"]:
    """The place, from 0, of each solution's first step with the flag; ALL_CORRECT where no step has it."""
    starts = np.searchsorted(solution, np.arange(count))
    found = np.full(count, ALL_CORRECT, dtype=np.int64)
    places = np.flatnonzero(flag)[::-1]  # the first of a solution is written last
    found[solution[places]] = places - starts[solution[places]]
    return found


def first_wrong(label: Float[np.ndarray, " M"], solution: Int[np.ndarray, " M"], count: int) -> Int[np.ndarray, " N"]:
    """The first wrong step by the labels, ALL_CORRECT, or UNKNOWN where a step before it, or any at all, has no label."""
    wrong = first_true(label < 0.5, solution, count)
    silent = first_true(~((label < 0.5) | (label > 0.5)), solution, count)
    unknown = (silent >= 0) & ((wrong < 0) | (silent < wrong))
    return np.where(unknown, UNKNOWN, wrong)


def place_of(solution: Int[np.ndarray, " M"]) -> Int[np.ndarray, " M"]:
    """Where each step stands in its solution, from 0; `solution` ascends."""
    return np.arange(len(solution)) - np.searchsorted(solution, solution)


def harmonic_mean(erroneous: float, correct: float) -> float:
    """2 a b / (a + b), 0 where both are 0: ProcessBench's F1 (Zheng et al. 2024, arXiv 2412.06559, section 4)."""
    return 2 * erroneous * correct / (erroneous + correct) if erroneous + correct else erroneous + correct


def area_under_curve(value: Float[np.ndarray, " M"], correct: Bool[np.ndarray, " M"]) -> float:
    """The probability that a correct step has a higher value than a wrong one, equal values counting half (AUROC)."""
    wrong = np.sort(value[~correct])
    if not len(wrong) or not correct.any():
        return float("nan")
    below, up_to = (np.searchsorted(wrong, value[correct], side=side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(wrong)))


def step_figures(judged: JudgedSteps) -> dict[str, Any]:
    """`n` labelled steps, `accuracy` with its interval over prompts, what the more frequent label alone gets, `auc` beside
    what is reached by knowing only how early a step stands (`auc_of_place`), and `first_error`: the share of erroneous
    solutions whose first wrong step is found exactly, of correct ones in which no step is judged wrong, and their harmonic
    mean.
    """
    told = (judged.label < 0.5) | (judged.label > 0.5)
    correct = judged.label[told] > 0.5
    right = (judged.value[told] >= 0) == correct
    groups = judged.cluster[judged.solution[told]]
    accuracy, ci = share(right, groups)
    base = float(correct.mean()) if len(correct) else float("nan")
    return {
        "n": int(told.sum()),
        "solutions": len(judged.cluster),
        "accuracy": accuracy,
        "accuracy_ci": [ci.low, ci.high],
        "more_frequent_label": max(base, 1 - base),
        "auc": area_under_curve(judged.value[told], correct),
        "auc_of_place": area_under_curve(-place_of(judged.solution)[told].astype(np.float64), correct),
        "first_error": first_error_figures(judged),
    }


def first_error_figures(judged: JudgedSteps) -> dict[str, Any]:
    """How often the first wrong step is found, by kind of solution, with intervals over prompts."""
    count = len(judged.cluster)
    truth = first_wrong(judged.label, judged.solution, count)
    found = first_true(judged.value < 0, judged.solution, count) == truth
    figures: dict[str, Any] = {}
    for name, chosen in (("erroneous", truth >= 0), ("correct", truth == ALL_CORRECT)):
        value, ci = share(found[chosen], judged.cluster[chosen])
        figures[name] = {"n": int(chosen.sum()), "accuracy": value, "ci": [ci.low, ci.high]}
    figures["f1"] = harmonic_mean(figures["erroneous"]["accuracy"], figures["correct"]["accuracy"])
    figures["not_told"] = int((truth == UNKNOWN).sum())
    return figures


def share(right: Bool[np.ndarray, " K"], cluster: Int[np.ndarray, " K"]) -> tuple[float, Interval]:
    """A share with its 95 % interval over clusters; NaN of nothing."""
    if not len(right):
        return float("nan"), no_interval(0)
    found = clustered_mean(right.astype(np.float64), np.ones(len(right)), cluster=cluster)
    return found.value, found.interval()
