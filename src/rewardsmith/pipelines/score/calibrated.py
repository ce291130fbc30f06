"""The fields that `score --calibrated` adds to a row, beside its raw rewards."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rewardsmith.errors import ModelError
from rewardsmith.evaluate.corrections.calibration import RewardCalibration

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.records import Record

FIELDS = ("calibrated_rewards", "p_better")


def calibration_of(model: "RewardModel", name: str) -> RewardCalibration:
    """The calibration that the model was stored with; ModelError where there is none."""
    if model.sidecar.calibration is None:
        raise ModelError(
            f"{name} has no calibration; fit one on held-out data with: rewardsmith calibrate {name} DATA --update"
        )
    return model.sidecar.calibration


class CalibratedFields:
    """Calibrated rewards and probabilities of a model's rows."""

    def __init__(self, model: "RewardModel", name: str) -> None:
        from rewardsmith.pipelines.calibrate.pairs import length_in

        self.calibration = calibration_of(model, name)
        curve = self.calibration.length
        self.length_of = length_in(None if curve is None else curve.unit, model)

    def rewards(self, record: "Record", rewards: np.ndarray) -> np.ndarray:
        """The calibrated rewards of a record's responses."""
        return self.calibration.rewards(rewards, self.length_of(record))

    def of(self, record: "Record", rewards: np.ndarray, order: list[int]) -> dict[str, Any]:
        """`calibrated_rewards`, and for two responses and more `p_better`: the probability that a response is better than
        another one of the row, the mean over the others; both in the row's order.
        """
        values = self.rewards(record, rewards)
        fields: dict[str, Any] = {"calibrated_rewards": [float(values[index]) for index in order]}
        count = len(values)
        if count > 1:
            against = self.calibration.probability(values[:, None] - values[None, :])
            better = (against.sum(axis=1) - 0.5) / (count - 1)  # 1/2 is what a response has against itself
            fields["p_better"] = [float(better[index]) for index in order]
        return fields
