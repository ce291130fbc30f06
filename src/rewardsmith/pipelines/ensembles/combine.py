"""How the members of an ensemble are combined, as the commands that open one take it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rewardsmith.errors import UsageError

if TYPE_CHECKING:
    from rewardsmith.model.ensembles.combination import Combiner
    from rewardsmith.model.reward_model import RewardModel


@dataclass(frozen=True, kw_only=True)
class CombineSettings:
    """The rule, and its weight."""

    name: Literal["mean", "min", "median", "mean-std"] | None = None
    """Reward of an ensemble from those of its members: mean, min, median, or mean-std, the mean minus --lambda standard
    deviations (default: as stored with the ensemble)."""
    std_weight: float | None = None
    """mean-std: number of standard deviations that are subtracted, also --lambda (default: 1)."""

    def __post_init__(self) -> None:
        if self.std_weight is None:
            return
        if self.name != "mean-std":
            raise UsageError(
                "--combine.std-weight (--lambda) applies to --combine mean-std only; add --combine mean-std"
            )
        if not 0 <= self.std_weight < float("inf"):
            raise UsageError(f"--combine.std-weight {self.std_weight:g}: expected a number of at least 0")

    def combiner(self) -> "Combiner":
        """The rule with its default weight; mean where none was given."""
        from rewardsmith.model.ensembles.description import combiner_of

        return combiner_of(self.name or "mean", self.std_weight)

    def applied(self, model: "RewardModel") -> "RewardModel":
        """The model under the rule that was given; as it is where none was."""
        return model if self.name is None else model.combined(self.combiner())
