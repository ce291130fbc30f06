"""A setting with a name and options that depend on it: `--loss focal --loss.gamma 1`, `--head quantile --head.levels 9`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rewardsmith.errors import UsageError

FEW = 4
"""So many users of an option are named where it is given to another."""


@dataclass(frozen=True)
class NumberOption:
    """A number that one of several choices takes: its default, and the range that it has to lie in (`open` ends are
    excluded); with `whole` it has no fraction.
    """

    default: float
    low: float
    high: float = float("inf")
    open_low: bool = False
    open_high: bool = False
    whole: bool = False

    def allows(self, value: float) -> bool:
        """Whether the value lies in the range; NaN and infinity never do."""
        above = value > self.low if self.open_low else value >= self.low
        fits = above and (value < self.high if self.open_high else value <= self.high) and value != float("inf")
        return fits and (not self.whole or value == int(value))

    @property
    def interval(self) -> str:
        """The range as an interval: [0, 0.5), (0, ∞)."""
        high = "∞)" if self.high == float("inf") else f"{self.high:g}{')' if self.open_high else ']'}"
        return f"{'(' if self.open_low else '['}{self.low:g}, {high}"


@dataclass(frozen=True)
class ListOption:
    """One word or several, which whoever takes them checks."""

    interval: str = ""

    def allows(self, value: Sequence[str]) -> bool:
        """Always."""
        return True


NamedOption = NumberOption | ListOption


@dataclass(frozen=True, kw_only=True)
class NamedSettings:
    """A section of a Config with a name and options, each None unless it is given."""

    name: str

    @property
    def options(self) -> dict[str, Any] | None:
        """The options that were given; None where there are none."""
        given = {name: value for name, value in asdict(self).items() if name != "name" and value not in (None, ())}
        return {
            name: list(value) if isinstance(value, tuple) else value if isinstance(value, str) else float(value)
            for name, value in given.items()
        } or None


def flag_of(section: str, option: str) -> str:
    """How an option is written on the command line."""
    return f"--{section}.{option.replace('_', '-')}"


def check_option(
    section: str, name: str, known: Mapping[str, Mapping[str, NamedOption]], option: str, value: Any
) -> None:
    """UsageError where the choice `name` does not take the option, or not with this value; `known` is what each takes."""
    flag = flag_of(section, option)
    if option in known[name]:
        if not known[name][option].allows(value):
            raise UsageError(f"{flag} {value:g}: expected a number in {known[name][option].interval}")
        return
    users = [other for other, options in known.items() if option in options]
    if not users or len(users) > FEW:
        raise UsageError(f"{flag} has no effect with --{section} {name}; remove it")
    raise UsageError(f"{flag} has no effect with --{section} {name}; remove it or use --{section} {' or '.join(users)}")
