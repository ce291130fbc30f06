"""What rewards mean on held-out data: their normaliser and the temperature of their margins, kept in the sidecar."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rewardsmith.evaluate.calibration import fit_temperature
from rewardsmith.evaluate.corrections.calibration import RewardCalibration
from rewardsmith.model.checkpoint.sidecar import Normalizer, Sidecar
from rewardsmith.pipelines.evaluate.evaluation import Scored, compared
from rewardsmith.pipelines.evaluate.ranked_responses import Rewards
from rewardsmith.records import Record

QUANTILES = tuple(k / 100 for k in range(101))


def with_scale(sidecar: Sidecar, held: Scored) -> Sidecar:
    """The sidecar with the normaliser and the temperature that fit the scored validation records."""
    return replace(
        sidecar, normalizer=normalizer_of(held.rewards), calibration=temperature_of(held.records, held.rewards)
    )


def normalizer_of(rewards: Rewards) -> Normalizer:
    """Mean, spread and percentiles of all rewards."""
    every = np.concatenate(list(rewards))
    return Normalizer(float(every.mean()), float(every.std()), tuple(map(float, np.quantile(every, QUANTILES))))


def temperature_of(records: Sequence[Record], rewards: Rewards) -> RewardCalibration | None:
    """The temperature that fits the comparisons of validation records best; None where it cannot be told."""
    rows = [row for row in compared(records, rewards) if row.comparison.weight > 0]
    if not rows:
        return None
    margin = np.array([row.margin for row in rows])
    preference = np.array([row.comparison.preference for row in rows])
    weight = np.array([row.comparison.weight for row in rows])
    temperature = fit_temperature(margin, preference, weight=weight)
    return RewardCalibration("validation", temperature) if np.isfinite(temperature) else None
