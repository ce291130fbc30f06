"""Rewards, lengths and comparisons of held-out data → a calibration, and what it would do to prompts it has not seen."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from rewardsmith.errors import DataError
from rewardsmith.evaluate.calibration import fit_temperature
from rewardsmith.evaluate.corrections.calibration import CalibrationMethod, RewardCalibration
from rewardsmith.evaluate.corrections.isotonic import IsotonicMap, fit_isotonic
from rewardsmith.evaluate.corrections.length import LengthCurve, LengthUnit, Smoother, fit_length_curve
from rewardsmith.evaluate.folds import held_out_folds
from rewardsmith.evaluate.metrics import decided


@dataclass(frozen=True, eq=False)
class ScoredPairs:
    """R responses with reward, length and prompt, and N comparisons of two of them, by their places among the R.

    `preference` in [0.5, 1] is the judges' share for the preferred one, `weight` >= 0. Lengths are all 0 where nobody asks.
    """

    reward: Float[np.ndarray, " R"]
    length: Float[np.ndarray, " R"]
    prompt: Int[np.ndarray, " R"]
    preferred: Int[np.ndarray, " N"]
    other: Int[np.ndarray, " N"]
    preference: Float[np.ndarray, " N"]
    weight: Float[np.ndarray, " N"]

    @property
    def cluster(self) -> Int[np.ndarray, " N"]:
        """The prompt of each comparison."""
        return np.asarray(self.prompt[self.preferred])

    @property
    def counting(self) -> Bool[np.ndarray, " N"]:
        """The comparisons with a preference and a weight."""
        return np.asarray(decided(self.preference) & (self.weight > 0))

    def margin(self, reward: Float[np.ndarray, " R"]) -> Float[np.ndarray, " N"]:
        """Preferred minus other."""
        return np.asarray(reward[self.preferred] - reward[self.other])

    def take(self, prompts: Bool[np.ndarray, " R"]) -> "ScoredPairs":
        """The responses chosen, whole prompts, with their comparisons."""
        place = np.cumsum(prompts) - 1
        kept = prompts[self.preferred]
        return ScoredPairs(
            self.reward[prompts],
            self.length[prompts],
            self.prompt[prompts],
            place[self.preferred[kept]],
            place[self.other[kept]],
            self.preference[kept],
            self.weight[kept],
        )


@dataclass(frozen=True)
class FitChoices:
    """Which parts to fit, and how the curve over length is smoothed (None: chosen by cross-validation)."""

    methods: Collection[CalibrationMethod]
    smoother: Smoother = "lowess"
    smoothing: float | None = None
    unit: LengthUnit = "tokens"


def fit_calibration(
    pairs: ScoredPairs, choices: FitChoices, *, fitted_on: str = "", seed: int = 0
) -> RewardCalibration:
    """The parts asked for, in their order: each is fitted on what those before it give.

    DataError where one of them cannot be fitted: too few responses or comparisons, or margins that say nothing.
    """
    length = fit_curve(pairs, choices, seed=seed) if "length" in choices.methods else None
    found = RewardCalibration(fitted_on, length=length)
    margin = pairs.margin(found.rewards(pairs.reward, pairs.length))
    temperature: float | None = None
    isotonic: IsotonicMap | None = None
    if "temperature" in choices.methods:
        temperature = fit_temperature(margin, pairs.preference, weight=pairs.weight)
        if not np.isfinite(temperature):
            raise DataError(
                "no temperature can be fitted: there is no decided comparison, or all rewards are equal; pass more data"
            )
    elif "isotonic" in choices.methods:
        isotonic = fit_isotonic(margin, pairs.preference, weight=pairs.weight)
    return replace(
        found,
        temperature=temperature,
        isotonic=isotonic,
        comparisons=int(pairs.counting.sum()),
        prompts=int(np.unique(pairs.cluster).size),
    )


def fit_curve(pairs: ScoredPairs, choices: FitChoices, *, seed: int) -> LengthCurve:
    """The curve of the rewards over length."""
    gaps = np.abs(pairs.length[pairs.preferred] - pairs.length[pairs.other])
    return fit_length_curve(
        pairs.reward,
        pairs.length,
        cluster=pairs.prompt,
        gap=float(gaps.mean()) if gaps.size else 0.0,
        smoother=choices.smoother,
        smoothing=choices.smoothing,
        unit=choices.unit,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class AppliedCalibration:
    """What a calibration gives for `ScoredPairs`: R rewards, N probabilities, and how many lengths lie outside its curve."""

    reward: Float[np.ndarray, " R"]
    probability: Float[np.ndarray, " N"]
    outside: int


def apply_calibration(calibration: RewardCalibration, pairs: ScoredPairs) -> AppliedCalibration:
    """Calibrated rewards and probabilities of these pairs."""
    reward = calibration.rewards(pairs.reward, pairs.length)
    curve = calibration.length
    outside = 0 if curve is None else int(curve.outside(pairs.length.astype(np.float64)).sum())
    return AppliedCalibration(reward, calibration.probability(pairs.margin(reward)), outside)


def cross_fitted(pairs: ScoredPairs, choices: FitChoices, *, seed: int = 0) -> AppliedCalibration | None:
    """The same, each prompt with the calibration that the other four fifths of the prompts give; all choices made anew.

    None where four fifths are too few to fit on.
    """
    folds = held_out_folds(pairs.prompt, seed=seed)
    reward, probability, outside = np.empty(pairs.reward.size), np.empty(pairs.preference.size), 0
    for here in folds:
        try:
            fitted = fit_calibration(pairs.take(~here), choices, seed=seed)
        except DataError:
            return None
        found = apply_calibration(fitted, pairs.take(here))
        reward[here], probability[here[pairs.preferred]] = found.reward, found.probability
        outside += found.outside
    return AppliedCalibration(reward, probability, outside) if folds else None
