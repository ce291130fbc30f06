"""What a scoring rule gets: the items of a benchmark, their responses' rewards, and which response is better, as arrays."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from rewardsmith.errors import DataError
from rewardsmith.evaluate.comparisons import Array


@dataclass(frozen=True, eq=False)
class BenchmarkItems:
    """N items with M responses in all, and P pairs of which one response is known to be better.

    `item` is each response's item, 0 to N - 1 and ascending; `reward` the model's, `grade` the benchmark's for a response
    (higher is better: 1 correct and 0 wrong, or a rank negated; NaN: the benchmark grades pairs only). `better` and `worse`
    are response numbers of the pairs; `subset` and `part` name each item's place in the benchmark; `cluster` is the number
    of its prompt. Raises DataError where a reward is not finite.
    """

    reward: Float[np.ndarray, " M"]
    item: Int[np.ndarray, " M"]
    grade: Float[np.ndarray, " M"]
    better: Int[np.ndarray, " P"]
    worse: Int[np.ndarray, " P"]
    subset: Array
    part: Array
    cluster: Int[np.ndarray, " N"]

    def __post_init__(self) -> None:
        if not np.isfinite(self.reward).all():
            raise DataError(f"{int((~np.isfinite(self.reward)).sum())} rewards are not finite; expected numbers")

    def __len__(self) -> int:
        return len(self.cluster)

    def with_rewards(self, reward: Float[np.ndarray, " M"]) -> "BenchmarkItems":
        """The same items as another model would score them."""
        return replace(self, reward=reward)

    @property
    def pair_item(self) -> Int[np.ndarray, " P"]:
        """The item of each pair."""
        return np.asarray(self.item[self.better])

    def of_subset(self, *names: str) -> Bool[np.ndarray, " N"]:
        """Which items belong to one of these subsets."""
        return np.isin(self.subset, names)

    def of_part(self, *names: str) -> Bool[np.ndarray, " N"]:
        """Which items belong to one of these parts."""
        return np.isin(self.part, names)
