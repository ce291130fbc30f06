"""ProcessBench (Zheng et al. 2024, arXiv 2412.06559): the first wrong step of a solution, or that there is none.

QwenLM/ProcessBench, code/run_eval.py: by subset the accuracy on erroneous and on correct solutions, and their harmonic mean.
"""

import numpy as np

from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.scores import Average, Mean, ScoreNode, Scores
from rewardsmith.evaluate.process.steps import ALL_CORRECT, first_true, first_wrong

SUBSETS = ("gsm8k", "math", "olympiadbench", "omnimath")


def processbench(items: BenchmarkItems) -> Scores:
    """Average over subsets of F1 = 2 a b / (a + b): a the share of erroneous solutions whose first step with a value
    below 0 (a probability below 1/2) is the first wrong one, b the share of correct solutions without such a step.
    """
    truth = first_wrong(items.grade, items.item, len(items))
    right = (first_true(items.reward < 0, items.item, len(items)) == truth).astype(np.float64)
    parts = [f1(name, right, truth >= 0, (truth == ALL_CORRECT), items.of_subset(name)) for name in SUBSETS]
    missing = tuple(part.name for part in parts if not part.used.any())
    return Scores(Average("overall", parts, bounds=(0.0, 1.0)), missing)


def f1(name: str, right: np.ndarray, erroneous: np.ndarray, correct: np.ndarray, here: np.ndarray) -> ScoreNode:
    """F1 of one subset; without items where it lacks solutions of a kind, of which there then is no F1.

    F1 is homogeneous of degree 1 in (a, b), so by Euler's theorem it is the sum of a and b weighted by its own partial
    derivatives; as such a sum it has the interval of the delta method.
    """
    kinds = [
        Mean(kind, right, (of & here).astype(np.float64))
        for kind, of in (("erroneous", erroneous), ("correct", correct))
    ]
    if not all(kind.used.any() for kind in kinds):
        return Mean(name, right, np.zeros(len(right)))
    a, b = (float(right[kind.used].mean()) for kind in kinds)
    slopes = (2 * b**2 / (a + b) ** 2, 2 * a**2 / (a + b) ** 2) if a + b else (0.5, 0.5)
    return Average(name, kinds, slopes, total=True, bounds=(0.0, 1.0))
