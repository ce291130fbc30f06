"""RMB (Zhou et al. 2024, arXiv 2410.09893): pairs and best-of-N lists, helpful and harmless.

Pairs: Zhou-Zoey/RMB-Reward-Model-Benchmark, eval/scripts/my_run_rm.py (1 where chosen > rejected). Best of N:
my_run_bon.py stores which response has the highest reward and computes no share; that follows section 3 of the paper: right
only if the best response beats every other. The overall score is
the mean of the four combinations, as in the paper's table; a combination pools its files.
"""

from rewardsmith.evaluate.benchmarks.credits import best_beats_all
from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.scores import Average, Mean, Scores

GOALS = ("Helpfulness", "Harmlessness")
KINDS = {"pairwise": "Pairwise_set", "best of N": "BoN_set"}
"""The two kinds of items, and the folder of each, which is the item's `part`."""


def rmb(items: BenchmarkItems) -> Scores:
    """Mean of four shares: helpful and harmless, pairwise and best of N; equal rewards are wrong."""
    right = best_beats_all(items)
    found = [
        Mean(f"{goal} {kind}", right, (items.of_subset(goal) & items.of_part(folder)) * 1.0)
        for goal in GOALS
        for kind, folder in KINDS.items()
    ]
    missing = tuple(each.name for each in found if not each.used.any())
    return Scores(Average("overall", found), missing)
