"""Which labels are probably wrong, and how many: from margins of detectors that have not learned the labels they judge.

The model and its interval are in `share`. A disagreement that the detectors were unsure of is the detectors' own error
or a close call; only disagreements that do not go away where they are sure tell of wrong labels. That keeps the two
apart, which counting disagreements (confident learning: Northcutt et al. 2021; the sign of an ensemble's mean margin:
Wang et al. 2024, "Secrets of RLHF in Large Language Models Part II", section 2) does not: with a weak detector those
call a third of perfectly clean labels wrong. The price is that a weak detector gives
a wide interval for the share of wrong labels. Where that reaches down to LEAST_RATE, wrong labels are not shown to be
there, and none is named; P(wrong) then rests on what is usual (`share.PRIOR`), and tells which labels to look at first.

What this takes for granted is that the detectors are right where they are surest. No data can show that: labels that are
wrong at random look the same as detectors that err at random. So nothing is shown either where the surest tenth of the
detectors' margins agrees with less than LEAST_SURE of the labels (TF-IDF on most real data). The interval then begins
at 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float, Int

from rewardsmith.errors import DataError
from rewardsmith.evaluate.folds import held_out_folds
from rewardsmith.evaluate.metrics import sigmoid, weighted_mean
from rewardsmith.evaluate.statistics import Interval, cluster_index
from rewardsmith.quality.labels.share import Belief, share_of_wrong

LEAST_RATE = 0.02
"""A noise rate whose interval lies above this is reported as a finding: no real labels are better than that."""

LEAST_SURE = 0.7
"""Agreement of the surest tenth of margins with the labels under which detectors are too weak to blame the labels."""

SUREST = 0.1

SUSPECT = 0.5
"""A label is called wrong where it is more probably wrong than right, in data that are shown to hold wrong labels."""


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """How margins tell of wrong labels.

    The common margin is sum_k weight[k] * margin_k / scale[k]; `names`, `scale` and `weight` have one entry per detector.
    `rate` fits best, `belief` says what else may be. `shown` tells whether wrong labels are shown to be there: the interval
    of the rate lies above LEAST_RATE, and the detectors are strong enough (LEAST_SURE).
    """

    names: tuple[str, ...]
    scale: Float[np.ndarray, " S"]
    weight: Float[np.ndarray, " S"]
    rate: float
    belief: Belief
    shown: bool

    def combined(self, margins: Float[np.ndarray, "N S"]) -> Float[np.ndarray, " N"]:
        """The detectors' common margin for the labelled side; a missing one (NaN) says nothing."""
        return np.asarray(np.nan_to_num(margins / self.scale) @ self.weight)

    def wrong(self, combined: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """P(the label is wrong), shape (N,): by the data where they tell, by what is usual where they do not."""
        return self.belief.wrong(combined)

    def suspect(self, wrong: Float[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
        """Which labels are called wrong, shape (N,): none where wrong labels are not shown to be there."""
        return np.asarray((wrong > SUSPECT) & self.shown)


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """What margins tell about the labels of N decided comparisons.

    `combined` (N,) are the detectors' common margins for the labelled side, each by weights fitted on other prompts;
    `wrong` (N,) the probability that a label is wrong; `spread` (N,) the standard deviation of the detectors' margins in
    units of their scale, NaN with one. `agreement` is the share of labels that the detectors agree with, `sure_agreement`
    that among the SUREST tenth of their margins.
    """

    model: NoiseModel
    combined: Float[np.ndarray, " N"]
    wrong: Float[np.ndarray, " N"]
    spread: Float[np.ndarray, " N"]
    interval: Interval
    agreement: float
    sure_agreement: float

    @property
    def suspect(self) -> Bool[np.ndarray, " N"]:
        """Which labels are called wrong, shape (N,)."""
        return self.model.suspect(self.wrong)

    @property
    def strong(self) -> bool:
        """Whether the detectors are strong enough to tell wrong labels from their own errors."""
        return self.sure_agreement >= LEAST_SURE

    @property
    def expected_auc(self) -> float:
        """How well wrong labels can be told from right ones with detectors that agree so often; see `auc_allowed`."""
        return auc_allowed((self.agreement - self.model.rate) / (1 - 2 * self.model.rate))


def auc_allowed(accuracy: float) -> float:
    """Phi(sqrt(2) Phi^-1(accuracy)): the ROC-AUC of finding turned labels by margins that are N(+mu, s) and N(-mu, s).

    The accuracy on true labels is then Phi(mu / s), and the margin of a turned label lies under that of a right one with
    probability Phi(2 mu / (sqrt(2) s)). NaN outside [0, 1].
    """
    if not 0 <= accuracy <= 1:
        return float("nan")
    if accuracy in (0, 1):
        return float(accuracy)
    normal = NormalDist()
    return normal.cdf(2**0.5 * normal.inv_cdf(accuracy))


def find_label_noise(
    margins: Float[np.ndarray, "N S"],
    *,
    cluster: Int[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"] | None = None,
    names: Sequence[str] = (),
    seed: int = 0,
) -> LabelNoise:
    """Estimate the noise rate of N decided comparisons, and for each the probability that its label is wrong.

    `margins[n, k]` is detector k's reward of the preferred response minus that of the other, NaN where it has none; no
    detector may have been trained on the labels that it judges (fit it on other folds). `cluster` numbers the prompts.
    Several detectors are added up with weights >= 0, fitted on the other folds by prompt. DataError where shapes do not
    fit or no detector tells anything.
    """
    margins = checked_margins(margins, len(cluster))
    weight = np.ones(len(cluster)) if weight is None else weight
    names = tuple(names) or tuple(f"margins {k + 1}" for k in range(margins.shape[1]))
    used = np.nan_to_num(margins)
    scale = np.sqrt((used**2).mean(axis=0))
    if not scale.any():
        raise DataError(
            "all margins are 0 or missing; expected a detector that gives different rewards to different responses"
        )
    scale = np.where(scale > 0, scale, 1.0)
    unit = used / scale
    combined, weights = add_up(unit, cluster=cluster, weight=weight, seed=seed)
    index, clusters = cluster_index(cluster)
    agreement, sure = agreement_of(combined, weight), agreement_of(*surest(combined, weight))
    share = share_of_wrong(combined, weight=weight, index=index, clusters=clusters)
    # Weak detectors err often, which explains all disagreement as well as wrong labels do.
    interval = share.interval if sure >= LEAST_SURE else replace(share.interval, low=0.0)
    shown = bool(interval.low > LEAST_RATE)
    model = NoiseModel(names, scale, weights, share.rate, share.belief, shown)
    return LabelNoise(
        model=model,
        combined=combined,
        wrong=model.wrong(combined),
        spread=spread_of(margins / scale),
        interval=interval,
        agreement=agreement,
        sure_agreement=sure,
    )


def agreement_of(combined: np.ndarray, weight: np.ndarray) -> float:
    """The share of labels that a margin agrees with, margins of 0 one half; NaN without weight."""
    return weighted_mean((np.sign(combined) + 1) / 2, weight)


def surest(combined: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The SUREST tenth of margins (all that are as large as its smallest) with their weights."""
    rows = np.abs(combined) >= np.quantile(np.abs(combined), 1 - SUREST, method="inverted_cdf")
    return combined[rows], weight[rows]


def checked_margins(margins: np.ndarray, size: int) -> np.ndarray:
    """Margins of shape (N, S) with finite numbers or NaN; DataError otherwise."""
    margins = np.asarray(margins, dtype=np.float64)
    if margins.ndim == 1:
        margins = margins[:, None]
    if margins.ndim != 2 or len(margins) != size or margins.shape[1] < 1 or size < 1:
        raise DataError(f"margins have the shape {margins.shape}; expected ({size}, detectors), one row per comparison")
    if np.isinf(margins).any():
        raise DataError("a margin is infinite; expected finite numbers, or NaN where a detector has no margin")
    return margins


def spread_of(unit: np.ndarray) -> np.ndarray:
    """Standard deviation over the detectors of each row that has two or more of them, NaN elsewhere."""
    known = ~np.isnan(unit)
    count = known.sum(axis=1)
    mean = np.nan_to_num(unit).sum(axis=1) / np.maximum(count, 1)
    square = np.where(known, (unit - mean[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count >= 2, np.sqrt(square), np.nan)


def add_up(unit: np.ndarray, *, cluster: np.ndarray, weight: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(common margins of all rows, each by weights fitted on the other folds; the weights fitted on all rows).

    The common margins have a root mean square of 1 under the weights of all rows. One detector is left as it is.
    """
    if unit.shape[1] == 1:
        return unit[:, 0], np.ones(1)
    whole = shares(unit, weight)
    size = float(np.sqrt(((unit @ whole) ** 2).mean())) or 1.0
    combined = unit @ whole / size
    for inside in held_out_folds(cluster, seed=seed):
        fitted = shares(unit[~inside], weight[~inside])
        combined[inside] = unit[inside] @ fitted
        combined[inside] /= float(np.sqrt(((unit @ fitted) ** 2).mean())) or 1.0
    return combined, whole / size


def shares(unit: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weights >= 0 of the detectors by logistic regression on the labels (penalty 1 on their squares, no intercept).

    Where every detector contradicts the labels, the plain mean.
    """
    from scipy.optimize import minimize

    def loss(a: np.ndarray) -> tuple[float, np.ndarray]:
        z = unit @ a
        value = float(weight @ np.logaddexp(0.0, -z)) + 0.5 * float(a @ a)
        return value, -(unit.T @ (weight * sigmoid(-z))) + a

    start = np.full(unit.shape[1], 1.0 / unit.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * unit.shape[1]).x
    return np.asarray(found) if found.sum() > 1e-6 else start
