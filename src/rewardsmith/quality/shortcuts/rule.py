"""All simple features together as a rule that stands beside a reward model; `prepare` calls it joint."""

from collections.abc import Sequence

import numpy as np

from rewardsmith.evaluate.baselines import Baseline, by_folds, fit_linear
from rewardsmith.evaluate.folds import fold_count
from rewardsmith.quality.shortcuts.measure import Sides, cross_fitted, design_of, stacked
from rewardsmith.quality.shortcuts.sample import Sample, SampledComparison

NAME = "shortcuts"
SEED = 0
"""Of the folds: the one of `measure_shortcuts`."""


def shortcut_rule(
    judged: Sequence[SampledComparison], *, cluster: np.ndarray, decided: np.ndarray, training: Sample | None = None
) -> Baseline:
    """Margins (N,) of the comparisons `judged`, fitted on `training`, else on those `decided` (N,) of other folds by prompt.

    A Bradley-Terry model that is linear in the features. NaN throughout, with the reason, where nothing can be fitted.
    """
    learned, seen = ([], 0) if training is None else ([row for _, row in training.ordered()], training.seen)
    design = design_of([*learned, *judged]) if judged else []
    unknown = np.full(len(judged), np.nan)
    if not design:
        return Baseline(NAME, unknown, "not fitted (no simple feature differs)")
    if len(learned) >= 2:
        return fitted_on_training(design, np.array([row.weight for row in learned]), seen)
    weight = np.array([row.weight for row in judged]) * decided
    scores = cross_fitted([(one[len(learned) :], two[len(learned) :]) for one, two in design], cluster, weight, SEED)
    if scores is None:
        return Baseline(NAME, unknown, "not fitted (too few prompts)")
    return Baseline(NAME, scores[0] - scores[1], by_folds(fold_count(cluster)))


def fitted_on_training(design: list[Sides], weight: np.ndarray, seen: int) -> Baseline:
    """Margins of the rows behind the first len(`weight`), on which the rule is fitted; `seen` is of how many they are."""
    preferred, other = stacked(design)
    size = len(weight)
    found = fit_linear((preferred - other)[:size], weight)
    of = f"{size:,}" if size == seen else f"{size:,} of {seen:,}"
    return Baseline(NAME, (preferred - other)[size:] @ found, f"training split, {of} comparisons")
