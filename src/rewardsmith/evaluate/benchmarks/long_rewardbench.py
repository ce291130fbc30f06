"""Long-RewardBench (Tang et al. 2025, arXiv 2510.06915): pairs and rankings of 2 to 4 responses behind long contexts.

LCM-Lab/LongRM, evaluate/evaluating/longreward_bench/evaluator.py, evaluate: an item earns the share of its responses that
get exactly their true rank, and all items are pooled. There responses are shuffled with a random seed and sorted stably, so
that equal rewards get ranks by chance; here they earn what chance gives on average.
"""

import numpy as np
from jaxtyping import Float

from rewardsmith.evaluate.benchmarks.credits import all_pairs_right, names_in
from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.scores import Alternative, Mean, Scores

PAIR, RANKING = "PairWise", "BestOfN"
"""The two parts."""
WHY = (
    "equal rewards earn what a random order of them would on average; here an item is right only with no equal rewards"
)


def long_rewardbench(items: BenchmarkItems) -> Scores:
    """Mean over all items of the share of responses with exactly their true rank; `subset` is the task."""
    credit = exact_ranks(items)
    parts = [Mean(name, credit, items.of_part(name) * 1.0) for name in (PAIR, RANKING)]
    tasks = [Mean(name, credit, (items.of_subset(name) & items.of_part(PAIR)) * 1.0) for name in names_in(items.subset)]
    missing = tuple(part.name for part in parts if not part.used.any())
    everything = np.ones(len(items))
    strict = Mean("strict", all_pairs_right(items), everything)
    return Scores(Mean("overall", credit, everything), missing, (*parts, *tasks), also=(Alternative(strict, WHY),))


def exact_ranks(items: BenchmarkItems) -> Float[np.ndarray, " N"]:
    """The share of an item's responses whose rank by reward is that by grade, equal rewards being ordered by chance.

    Grades of one item differ. A response that g share the reward of may get any of g ranks, and earns 1/g if its true rank
    is one of them.
    """
    order = np.lexsort((-items.reward, items.item))
    size = np.bincount(items.item, minlength=len(items))
    true_rank = np.empty(len(order), dtype=np.int64)
    true_rank[np.lexsort((-items.grade, items.item))] = np.arange(len(order))
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(items.reward[order]) != 0) | (np.diff(items.item[order]) != 0)
    group = np.cumsum(new) - 1  # responses of one item with equal rewards, in the order of ranks
    first, count = np.flatnonzero(new), np.bincount(group)
    lowest, shared = np.empty(len(order), dtype=np.int64), np.empty(len(order), dtype=np.int64)
    lowest[order], shared[order] = first[group], count[group]
    earned = ((true_rank >= lowest) & (true_rank < lowest + shared)) / shared
    return np.asarray(np.bincount(items.item, earned, minlength=len(items)) / size)
