"""A constraint on the mean cost of responses, kept by a multiplier that learns: safe RLHF."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass
class Lagrangian:
    """max over policies, min over lambda >= 0, of E[reward] - lambda (E[cost] - limit) (Dai et al., arXiv 2310.12773,
    equation 10), lambda in log space by dual ascent with `rate`, and held below `most`."""

    limit: float
    rate: float = 0.1
    start: float = 1.0
    most: float = 20.0

    def __post_init__(self) -> None:
        self.log_multiplier = math.log(self.start)

    @property
    def multiplier(self) -> float:
        """lambda."""
        return math.exp(self.log_multiplier)

    def combined(self, reward: Float[Tensor, " B"], cost: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """(r - lambda c) / (1 + lambda): the scale of the reward does not grow with lambda (safe RLHF, equation 14)."""
        return (reward - self.multiplier * (cost - self.limit)) / (1 + self.multiplier)

    def update(self, mean_cost: float) -> None:
        """ln lambda += rate lambda (E[cost] - limit), the gradient step of the dual in ln lambda (safe RLHF, eq. 15)."""
        rise = self.rate * self.multiplier * (mean_cost - self.limit)
        self.log_multiplier = min(self.log_multiplier + rise, math.log(self.most))
