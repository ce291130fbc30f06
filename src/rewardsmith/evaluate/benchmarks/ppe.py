"""Preference Proxy Evaluations (Frick et al. 2024, arXiv 2410.14872): human preferences, and verifiable correctness in five
domains.

Accuracy over the decided votes of `human preference`, and over the `sampled_conflict_pairs` of each domain of `correctness`
(mean of the five). Published tables give these two numbers; their mean, `overall`, is this program's.

Of the repository lmarena/PPE itself the class that makes the pairs was read, `BaseBenchmark.get_conflict_pair_iter`, in a
copy that another evaluation suite carries (eval/ppe): response k is column response_{k + 1}, and the truth of a pair is
whether scores[i] > scores[j], so that a pair of equal scores would count the second as better; such a pair is refused here.
That suite keeps votes whose winner is model_a or model_b, as here. How its authors count equal rewards was not seen.
"""

import numpy as np

from rewardsmith.evaluate.benchmarks.credits import best_of, pair_accuracy
from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.scores import Average, Mean, Scores

PREFERENCE = "human preference"
DOMAINS = ("mmlu-pro", "math", "gpqa", "ifeval", "mbpp-plus")


def ppe(items: BenchmarkItems) -> Scores:
    """Mean of the accuracy on human preferences and of the mean accuracy of the five domains; equal rewards are wrong.

    `best of K`: the share of correct responses among those picked by reward, one of K for each prompt.
    """
    preference = pair_accuracy(PREFERENCE, items, items.of_subset(PREFERENCE))
    domains = [pair_accuracy(name, items, items.of_subset(name)) for name in DOMAINS]
    picked = np.nan_to_num(best_of(items))
    graded = np.bincount(items.item, np.isnan(items.grade), minlength=len(items)) == 0
    best = [Mean(name, picked, (items.of_subset(name) & graded) * 1.0) for name in DOMAINS]
    missing = tuple(part.name for part in (preference, *domains) if not part.used.any())
    overall = Average("overall", [preference, Average("correctness", domains)])
    return Scores(overall, missing, (Average("best of K", best),))
