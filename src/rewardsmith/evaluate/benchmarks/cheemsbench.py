"""CheemsBench (Wen et al. 2025, arXiv 2502.17173): Chinese prompts with several ranked responses.

AlignRM/CheemsRM, cheems/eval/metrics.py: get_rank_metrics and metric_fn (a mean over categories), cheems/eval_rm.py:
rm_evaluate (a mean over the two files, human and open, of accuracy and exact match).

Its exact match counts an item as wrong only where a pair is ranked strictly wrong, so a model that gives every response the
same reward matches 100 %. `strict` asks for the right order of every pair instead: such a model gets 0.
"""

import numpy as np
from jaxtyping import Float

from rewardsmith.evaluate.benchmarks.credits import all_pairs_right, names_in, pair_accuracy
from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.scores import Alternative, Average, Mean, Scores

FILES = ("human", "open")
WHY = (
    "the published exact match takes equal rewards for a match, so a constant model matches 100 %; here every pair has to "
    "be ranked right"
)


def cheemsbench(items: BenchmarkItems) -> Scores:
    """Mean over the files of (accuracy + exact match) / 2, both means over the file's categories; `part` is the file."""
    published = over_files("overall", items, all_pairs_right(items, ties_right=True))
    strict = over_files("strict exact match", items, all_pairs_right(items))
    missing = tuple(name for name in FILES if not items.of_part(name).any())
    return Scores(published, missing, also=(Alternative(strict, WHY),))


def over_files(name: str, items: BenchmarkItems, exact: Float[np.ndarray, " N"]) -> Average:
    """The score with this exact match."""
    return Average(name, [of_file(file, items, exact) for file in FILES])


def of_file(file: str, items: BenchmarkItems, exact: Float[np.ndarray, " N"]) -> Average:
    """Accuracy and exact match of one file, each the mean over its categories."""
    here = items.of_part(file)
    categories = names_in(items.subset[here])
    accuracy = [pair_accuracy(each, items, here & items.of_subset(each)) for each in categories]
    matches = [Mean(each, exact, (here & items.of_subset(each)) * 1.0) for each in categories]
    return Average(file, [Average("accuracy", accuracy), Average("exact match", matches)])
