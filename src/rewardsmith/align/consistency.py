"""How alike two iterations rank the same candidates, as CREAM regularises by it (Wang et al. 2024, arXiv 2410.12735).

The consistency of a prompt is (tau + 1) / 2, tau Kendall's between the rewards of the model and of the one before it; its
mean over prompts is C, and the loss is C * l(d) + (1 - C) * l(-d): label smoothing of 1 - C (`cal_consistency.py` and
`consistency_avg` of the paper's code).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rewardsmith.evaluate.metrics import kendall_tau_b


@dataclass(frozen=True)
class Consistency:
    """The mean over `prompts`, NaN without any; `skipped` prompts have a constant ranking or too few rewards."""

    value: float
    prompts: int
    skipped: int


def consistency_of(now: Sequence[Float[np.ndarray, " K"]], before: Sequence[Float[np.ndarray, " K"]]) -> Consistency:
    """Of the rewards of each prompt's candidates under two models; candidates without one of them play no part."""
    taus = []
    for one, other in zip(now, before, strict=True):
        known = ~(np.isnan(one) | np.isnan(other))
        if known.sum() >= 2:
            taus.append(kendall_tau_b(one[known], other[known]))
    known_taus = [tau for tau in taus if not np.isnan(tau)]
    value = float(np.mean([(tau + 1) / 2 for tau in known_taus])) if known_taus else float("nan")
    return Consistency(value, len(known_taus), len(now) - len(known_taus))
