"""Where every interval, gap and test comes from. Clusters are prompts, rows have weights, in all of them.

| what | called | from |
|---|---|---|
| an accuracy, any mean of values in [0, 1] or [-1, 1] | `clustered_mean` | summary, breakdown, rankings, diagnose |
| a mean without bounds: rewards and their shifts | `unbounded_mean` | audit |
| one model minus another on the same comparisons | `paired_difference` | summary (baselines), compare |
| one recipe minus another, several seeds each | `seed_difference` | compare |
| one group of comparisons minus another | `group_gap` | breakdown (category against the rest), diagnose (length) |
| the mean of sections | `macro_average` | |
| a benchmark's score: averages of averages, values of several kinds | `combine_means` | benchmarks |
| an area under a curve, a skewed mean without bounds (NLL) | `cluster_intervals` of a `Statistic` | summary, shortcuts |
| is there a difference, whatever the distribution | `sign_flip_p_value` | compare |
| several tests at once | `holm`, `benjamini_hochberg` | breakdown, compare |
| found, excluded, inconclusive | `equivalence` | diagnose |
| what data of this size can tell | `minimal_detectable_difference` | compare |
| how many prompts are needed: for a width, for a difference | `prompts_needed`, `prompts_to_detect` | summary, compare |
| accuracy over the number of training records, and beyond | `learning_curve` | learning-curve |
| what the labels allow | `noise_ceiling` | summary |
| how much of a best result is selection | `best_of_equal` | tune |

The first five return an estimate: `value`, `interval(level)`, `p_value(null)`, `standard_error`, `clusters`. How often their
intervals contain the truth is measured in docs/metrics.md. The code is in `evaluate.inference`.
"""

from rewardsmith.evaluate.inference.clustered import (
    DIFFERENCE,
    SHARE,
    ClusteredMean,
    clustered_mean,
    gather_clusters,
    intraclass_correlation,
    paired_difference,
    unbounded_mean,
)
from rewardsmith.evaluate.inference.combined import Combination, PartValues, combine_means, group_gap, macro_average
from rewardsmith.evaluate.inference.interval import (
    FEW_CLUSTERS,
    Estimate,
    Interval,
    cluster_index,
    effective_size,
    no_interval,
    wilson,
)
from rewardsmith.evaluate.inference.learning_curve import LearningCurve, learning_curve
from rewardsmith.evaluate.inference.planning import (
    NoiseCeiling,
    ceiling_ends,
    minimal_detectable_difference,
    noise_ceiling,
    prompts_needed,
    prompts_to_detect,
)
from rewardsmith.evaluate.inference.resampling import (
    RESAMPLES,
    Statistic,
    at_a_bound,
    auc_statistic,
    bootstrap_intervals,
    cluster_intervals,
    jackknife_t_interval,
    point_value,
    ratio_statistic,
    resampled_counts,
)
from rewardsmith.evaluate.inference.seeds import SeedDifference, seed_difference
from rewardsmith.evaluate.inference.selection import Selection, best_of_equal
from rewardsmith.evaluate.inference.significance import (
    Equivalence,
    benjamini_hochberg,
    binomial_p_value,
    equivalence,
    holm,
    sign_flip_p_value,
)

__all__ = [
    "DIFFERENCE",
    "FEW_CLUSTERS",
    "RESAMPLES",
    "SHARE",
    "ClusteredMean",
    "Combination",
    "Equivalence",
    "Estimate",
    "Interval",
    "LearningCurve",
    "NoiseCeiling",
    "PartValues",
    "SeedDifference",
    "Selection",
    "Statistic",
    "at_a_bound",
    "auc_statistic",
    "benjamini_hochberg",
    "best_of_equal",
    "binomial_p_value",
    "bootstrap_intervals",
    "ceiling_ends",
    "cluster_index",
    "cluster_intervals",
    "clustered_mean",
    "combine_means",
    "effective_size",
    "equivalence",
    "gather_clusters",
    "group_gap",
    "holm",
    "intraclass_correlation",
    "jackknife_t_interval",
    "learning_curve",
    "macro_average",
    "minimal_detectable_difference",
    "no_interval",
    "noise_ceiling",
    "paired_difference",
    "point_value",
    "prompts_needed",
    "prompts_to_detect",
    "ratio_statistic",
    "resampled_counts",
    "seed_difference",
    "sign_flip_p_value",
    "unbounded_mean",
    "wilson",
]
