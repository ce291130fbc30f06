"""Which attributes a head with several outputs is about."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class AttributePlan:
    """The attributes that a head learns by their `names`; `main` is the one whose comparisons the reward follows.

    `rated` holds those that are learned from ratings, with the mean and the standard deviation that bring these to mean 0
    and deviation 1; the others are learned from comparisons, and with `both` all are. `equal`:
    the data has no comparisons that weights of the attributes could be fitted to.
    """

    names: tuple[str, ...] = ()
    main: str = "overall"
    rated: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    both: bool = False
    equal: bool = False
