"""JudgeBench (Tan et al. 2024, arXiv 2410.12784): pairs of which one answer is objectively correct.

ScalerLab/JudgeBench, utils/metrics.py, compute_final_metrics; sections by source as in run_judge.py.
"""

import numpy as np
from jaxtyping import Float

from rewardsmith.evaluate.benchmarks.credits import names_in
from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.scores import Mean, Scores

SECTIONS = {
    "mmlu-pro": "Knowledge",
    "livebench-reasoning": "Reasoning",
    "livebench-math": "Math",
    "livecodebench": "Coding",
}
"""How the name of an item's source begins, and its section."""


def judgebench(items: BenchmarkItems) -> Scores:
    """Share of pairs that are decided right, all pairs pooled; `part` of an item is the model that answered.

    A reward model gives the same decision in both orders, so its margin counts as two equal verdicts.
    """
    verdict = np.sign(items.reward[items.better] - items.reward[items.worse])
    right = np.zeros(len(items))
    right[items.pair_item] = two_orders(verdict, verdict)
    weight = np.bincount(items.pair_item, minlength=len(items)).astype(np.float64)
    sections = tuple(Mean(name, right, weight * items.of_subset(name)) for name in SECTIONS.values())
    missing = tuple(part.name for part in sections if not part.used.any())
    parts = tuple(Mean(name, right, weight * items.of_part(name)) for name in names_in(items.part))
    return Scores(Mean("overall", right, weight), missing, (*sections, *(parts if len(parts) > 1 else ())))


def two_orders(first: Float[np.ndarray, " P"], second: Float[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
    """1 where the verdicts of the two orders in which a pair was shown add up to the right side, else 0.

    A verdict is 1 for the better response, -1 for the worse and 0 for a tie or none; right + tie is right, right + wrong
    and two ties are wrong.
    """
    return np.asarray((first + second > 0).astype(np.float64))
