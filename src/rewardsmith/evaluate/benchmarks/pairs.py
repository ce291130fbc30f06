"""Sets of pairs that are scored by accuracy: LLMBar, HHH, HH, PKU-SafeRLHF, SHP, UltraFeedback, any file with categories.

A pair is right where the preferred response has the higher reward, and equal rewards are wrong, as in the script that scores
these sets for RewardBench (allenai/reward-bench, scripts/run_rm.py).
"""

from rewardsmith.evaluate.benchmarks.credits import names_in, pair_accuracy
from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.scores import Alternative, Average, Scores

LLMBAR = ("Natural", "Neighbor", "GPTInst", "GPTOut", "Manual")
HHH = ("harmless", "helpful", "honest", "other")
OVERALL = "overall"
SUBSETS_EQUAL = "each of the four subsets counts the same"
TIES_HALF = "equal rewards count as half right"


def llmbar(items: BenchmarkItems) -> Scores:
    """LLMBar (Zeng et al. 2023, arXiv 2310.07641): mean of five subsets, and of the four adversarial ones.

    princeton-nlp/LLMBar, LLMEvaluator/evaluate.py gives the accuracy of each subset, the mean over both orders of the two
    outputs (`correct_average`); of equal ratings one order is right, so that a tie counts one half. The paper's tables
    average the subsets.
    """
    subsets = [pair_accuracy(name, items, items.of_subset(name), tie=0.5) for name in LLMBAR]
    missing = tuple(part.name for part in subsets if not part.used.any())
    adversarial = Average("Adversarial", subsets[1:])
    return Scores(Average("overall", subsets), missing, (adversarial,) if adversarial.used.any() else ())


def hhh(items: BenchmarkItems) -> Scores:
    """HHH alignment (Askell et al. 2021, arXiv 2112.00861): accuracy over all items, and of the four subsets.

    BIG-bench holds it as four files (hhh_alignment/*/task.json) that its readers score one by one, as `hhh.py` of
    declare-lab/instruct-eval does; the mean of the four is given beside the pooled accuracy.
    """
    subsets = tuple(pair_accuracy(name, items, items.of_subset(name)) for name in HHH)
    missing = tuple(part.name for part in subsets if not part.used.any())
    mean = Alternative(Average("mean of subsets", subsets), SUBSETS_EQUAL)
    return Scores(pair_accuracy("overall", items), missing, subsets, also=(mean,))


def by_category(items: BenchmarkItems) -> Scores:
    """Accuracy over all pairs on the overall preference, and of each category; other attributes each as a group.

    `part` is the attribute that a pair is about. The alternative counts equal rewards as half right, as `accuracy` does.
    """
    attributes = names_in(items.part)
    main = items.of_part(OVERALL if OVERALL in attributes else attributes[0])
    categories = names_in(items.subset[main])
    groups = [pair_accuracy(name, items, main & items.of_subset(name)) for name in categories if len(categories) > 1]
    others = [pair_accuracy(name, items, items.of_part(name)) for name in attributes if len(attributes) > 1]
    half = pair_accuracy("ties half", items, main, tie=0.5)
    return Scores(pair_accuracy("overall", items, main), (), (*groups, *others), also=(Alternative(half, TIES_HALF),))
