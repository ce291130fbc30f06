"""How a reward stands among others: those of the data that a model was judged on, or those of a file."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from jaxtyping import Float64

from rewardsmith.errors import DataError
from rewardsmith.evaluate.corrections.calibration import RewardCalibration
from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.model.checkpoint.sidecar import Normalizer

EMPTY = np.empty(0)


@dataclass(frozen=True, eq=False)
class Standing:
    """A reward in standard deviations above the reference's mean, the percentage of reference rewards below it, and the
    probability that its response is preferred to one of the reference; NaN where that is not known."""

    z: float
    percentile: float
    p_better: float


@dataclass(frozen=True, eq=False)
class RewardReference:
    """`rewards` of the reference in order (percentiles where no more is stored), their mean and standard deviation.

    `count` says how many numbers that is; 0 without a reference. `calibration` is that of the model.
    """

    rewards: Float64[np.ndarray, " N"]
    mean: float
    std: float
    calibration: RewardCalibration | None = None

    @property
    def count(self) -> int:
        """How many rewards are known."""
        return len(self.rewards)

    def standing(self, reward: float) -> Standing:
        """Where a reward stands.

        The percentile is read off the distribution function that is linear between the reference's rewards (those of
        equal ones: their middle), and 0 or 100 outside. P(better) is the mean of P(preferred) over the reference under
        the model's calibration, of sigma(margin) without one; not known where the calibration takes lengths, which a
        reference does not have.
        """
        if not self.count:
            return Standing(math.nan, math.nan, math.nan)
        z = (reward - self.mean) / self.std if self.std > 0 else math.nan
        return Standing(z, self._percentile(reward), self._better(reward))

    def _percentile(self, reward: float) -> float:
        if self.count == 1:
            return 50.0 * (float(reward > self.rewards[0]) + float(reward >= self.rewards[0]))
        values, first, counts = np.unique(self.rewards, return_index=True, return_counts=True)
        ranks = (first + (counts - 1) / 2) / (self.count - 1)
        return float(100 * np.interp(reward, values, ranks, left=0.0, right=1.0))

    def _better(self, reward: float) -> float:
        calibration = self.calibration
        if calibration is None:
            return float(sigmoid(reward - self.rewards).mean())
        if calibration.length is not None:
            return math.nan
        both = calibration.rewards(np.append(self.rewards, reward))
        return float(calibration.probability(both[-1] - both[:-1]).mean())


def stored_reference(normalizer: Normalizer | None, calibration: RewardCalibration | None) -> RewardReference:
    """The reference of a model: what training stored of the rewards of its held-out data."""
    if normalizer is None:
        return RewardReference(EMPTY, math.nan, math.nan, calibration)
    return RewardReference(np.sort(np.array(normalizer.quantiles)), normalizer.mean, normalizer.std, calibration)


def reference_of(path: Path, calibration: RewardCalibration | None) -> RewardReference:
    """The reference of a file: the `rewards` of each line, as `rewardsmith score` writes them, or a `reward`; DataError
    that names the line for anything else."""
    found: list[float] = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if line.strip():
            found += rewards_in(line, f"{path}:{number}")
    if not found:
        raise DataError(f"{path} has no rewards; expected lines with `rewards`, as rewardsmith score writes them")
    rewards = np.sort(np.array(found, dtype=np.float64))
    return RewardReference(rewards, float(rewards.mean()), float(rewards.std()), calibration)


def rewards_in(line: bytes, place: str) -> list[float]:
    """The rewards of one line."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise DataError(f"{place}: invalid JSON: {error}") from error
    if isinstance(row, dict) and "error" in row:  # what score could not score
        return []
    values = values_of(row)
    if values is None:
        raise DataError(f"{place} has neither `rewards` nor `reward`; pass a file that rewardsmith score has written")
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise DataError(f"{place}: `rewards` is not a list of numbers")
    return [float(value) for value in values]


def values_of(row: Any) -> Any:
    """What a row has as its rewards; None where it has none."""
    if not isinstance(row, dict):
        return None
    return row["rewards"] if "rewards" in row else [row["reward"]] if "reward" in row else None
