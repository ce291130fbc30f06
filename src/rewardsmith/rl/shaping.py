"""What may be done to rewards before a trainer sees them: centred or normalised by the model's own scale, and clipped."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from rewardsmith.errors import UsageError
from rewardsmith.rl.service import REWARD, RewardColumns, RewardService


@dataclass(frozen=True)
class Shaping:
    """`center` subtracts the mean of the rewards that the model was measured on, `normalize` also divides by their standard
    deviation; both are stored with the model (its normaliser), so that they are the same in every run and every batch.
    `clip` then limits the absolute value. As raw rewards are, so are shaped ones the same whatever stands beside them.
    """

    center: bool = False
    normalize: bool = False
    clip: float | None = None

    def __post_init__(self) -> None:
        if self.clip is not None and not self.clip > 0:
            raise UsageError(f"clip {self.clip!r}: expected a number above 0, the largest absolute reward")

    def function(self, service: RewardService, column: str) -> "ShapedColumn":
        """The shaping of one column with the scale of its model; UsageError where that has none."""
        if not (self.center or self.normalize):
            return ShapedColumn(column, 0.0, 1.0, self.clip)
        scale = service.scale()
        if column != REWARD:
            raise UsageError(f"the stored scale is that of the reward, not of {column}; remove center and normalize")
        if scale is None:
            raise UsageError(
                "no scale is stored with the model, which center and normalize need; store one with: rewardsmith calibrate"
            )
        return ShapedColumn(column, scale.mean, scale.std if self.normalize else 1.0, self.clip)


RAW = Shaping()
"""Rewards as the model gives them."""


@dataclass(frozen=True)
class ShapedColumn:
    """One column of the rewards, shaped."""

    column: str
    mean: float
    std: float
    clip: float | None

    def of(self, columns: RewardColumns) -> Float64[np.ndarray, " N"]:
        """The N numbers for the trainer; UsageError where the model has no such column."""
        if self.column not in columns:
            raise UsageError(f"the model has no column {self.column!r}; it has: {', '.join(columns)}")
        values = (columns[self.column] - self.mean) / self.std
        return values if self.clip is None else np.clip(values, -self.clip, self.clip)
