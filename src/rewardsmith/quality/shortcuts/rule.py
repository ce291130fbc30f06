"""All simple features together as a rule that stands beside a reward model; `prepare` calls it joint."""

from collections.abc import Sequence

import numpy as np

from rewardsmith.evaluate.baselines import Baseline, by_folds, fit_linear
from rewardsmith.evaluate.folds import fold_count
from rewardsmith.quality.shortcuts.measure import cross_fitted, design_of, stacked
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
    learned = [] if training is None else [row for _, row in training.ordered()]
    design = design_of([*learned, *judged]) if judged else []
    unknown = np.full(len(judged), np.nan)
    if not design:
        return Baseline(NAME, unknown, "not fitted (no simple feature differs)")
    if training is not None and len(learned) >= 2:
        preferred, other = stacked(design)
        size = len(learned)
        found = fit_linear((preferred - other)[:size], np.array([row.weight for row in learned]))
        of = f"{size:,}" if size == training.seen else f"{size:,} of {training.seen:,}"
        return Baseline(NAME, (preferred - other)[size:] @ found, f"training split, {of} comparisons")
    weight = np.array([row.weight for row in judged]) * decided
    scores = cross_fitted([(one[len(learned) :], two[len(learned) :]) for one, two in design], cluster, weight, SEED)
    if scores is None:
        return Baseline(NAME, unknown, "not fitted (too few prompts)")
    return Baseline(NAME, scores[0] - scores[1], by_folds(fold_count(cluster)))
