"""IF-RewardBench (Wen et al. 2026, arXiv 2603.04738): rankings of several responses by how well they follow instructions.

thu-coai/IF-RewardBench, metrics/analysis_overall_assessment.py: calculate_metric_stats, get_pref_from_scores; the overall
scores are means over the three types of instruction of means over items.
"""

import numpy as np

from rewardsmith.evaluate.benchmarks.credits import kendall_tau_b, pair_share
from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.scores import Average, Mean, Scores

TYPES = ("Single_Turn", "Multi_Turn", "System_Prompt")


def if_rewardbench(items: BenchmarkItems) -> Scores:
    """Kendall's tau-b of each item over its preference graph, averaged by type; accuracy of pairs in the same way."""
    tau = kendall_tau_b(items)
    share, pairs = pair_share(items)
    has_pairs = pairs > 0
    weights = {name: (items.of_subset(name) & has_pairs).astype(np.float64) for name in TYPES}
    found = [Mean(name, tau, weight, bounds=(-1.0, 1.0)) for name, weight in weights.items()]
    accuracy = [Mean(name, share, weight) for name, weight in weights.items()]
    missing = tuple(part.name for part in found if not part.used.any())
    return Scores(Average("overall", found), missing, (Average("accuracy", accuracy),))
