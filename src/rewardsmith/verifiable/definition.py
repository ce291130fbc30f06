"""What a rewards file says: checks with weights or as gates, and what becomes of truncated responses.

A mapping with `kind: verifiable`, `gold` (the column with the gold answer), `truncated` (zero, keep, soft), `rewards` (of
`check: NAME` or `model: PLACE` each, with `weight`, or `gate: true` and the options of the check) and `failed`, the reward
of a response behind a gate.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rewardsmith.errors import UsageError
from rewardsmith.settings.values import nearest
from rewardsmith.settings.yaml_file import plain_values
from rewardsmith.verifiable.checks import CHECKS

KIND = "verifiable"
ENDINGS = (".yaml", ".yml")
NAMES_A_COLUMN = ("ids", "kwargs", "entry", "setup")
"""Options of checks whose value is the name of a column."""
LEAST_MEMORY = 64
"""MiB in which Python starts and a program can do something."""
ZERO, KEEP, SOFT = TRUNCATED = ("zero", "keep", "soft")
TOP: Mapping[str, tuple[type, ...]] = {
    "kind": (str,), "gold": (str,), "truncated": (str,), "soft": (dict,), "rewards": (list,), "failed": (int, float),
}  # fmt: skip
OF_AN_ENTRY: Mapping[str, tuple[type, ...]] = {
    "check": (str,), "model": (str,), "weight": (int, float), "gate": (bool,), "name": (str,), "gold": (str,),
}  # fmt: skip


@dataclass(frozen=True)
class RewardEntry:
    """One part of the reward: a check with its options, or a reward model; with a weight, or as a gate."""

    name: str
    check: str | None
    model: str | None
    weight: float
    gate: bool
    gold: str | None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SoftLimit:
    """Where a long response begins to cost: `limit` tokens are the most, and the last `buffer` of them cost up to 1."""

    limit: int
    buffer: int


@dataclass(frozen=True)
class Definition:
    """A rewards file: its parts in order, what becomes of truncated responses, and the reward behind a gate that fails."""

    entries: tuple[RewardEntry, ...]
    truncated: str
    failed: float
    soft: SoftLimit | None
    digest: str

    @property
    def models(self) -> list[RewardEntry]:
        """The learned parts."""
        return [entry for entry in self.entries if entry.model is not None]

    @property
    def checks(self) -> list[RewardEntry]:
        """The verifiable parts."""
        return [entry for entry in self.entries if entry.check is not None]

    @property
    def columns(self) -> frozenset[str]:
        """The columns of a row that checks read: ground truths, and those that options name."""
        named = (entry.options.get(option) for entry in self.checks for option in NAMES_A_COLUMN)
        return frozenset(str(name) for name in (*named, *(entry.gold for entry in self.checks)) if name is not None)


def is_definition(name: str) -> bool:
    """Whether a model's name is that of a rewards file."""
    return name.endswith(ENDINGS) and Path(name).is_file()


def read_definition(path: Path) -> Definition:
    """The definition in a file; UsageError that names file, key, value and what was expected."""
    content = path.read_bytes()
    return definition_of(plain_values(content, path), str(path), hashlib.sha256(content).hexdigest())


def definition_of(value: Mapping[str, Any], place: str, digest: str = "") -> Definition:
    """The definition that a mapping holds; `place` is what messages call it."""
    refuse_keys(value, TOP, place)
    if value.get("kind") != KIND:
        raise UsageError(f"{place}: kind is {value.get('kind')!r}; expected {KIND}")
    if not value.get("rewards"):
        raise UsageError(f"{place}: rewards is empty; expected a list of checks, such as `- check: numeric`")
    entries = tuple(
        entry_of(each, value.get("gold"), f"{place}: rewards[{at}]") for at, each in enumerate(value["rewards"])
    )
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise UsageError(f"{place}: two rewards have the same name; give each a name: of its own")
    truncated = value.get("truncated", ZERO)
    if truncated not in TRUNCATED:
        raise UsageError(f"{place}: truncated is {truncated!r}; expected {', '.join(TRUNCATED)}")
    refuse_no_weight(entries, value, place)
    soft = soft_limit(value.get("soft"), place) if truncated == SOFT else None
    return Definition(entries, truncated, float(value.get("failed", 0.0)), soft, digest)


def refuse_no_weight(entries: tuple[RewardEntry, ...], value: Mapping[str, Any], place: str) -> None:
    """UsageError where nothing gives a reward, or where a gate beside a model leaves open what it gives."""
    if all(entry.gate for entry in entries):
        raise UsageError(f"{place}: all rewards are gates; expected at least one with a weight")
    learned = any(entry.model for entry in entries)
    ends = any(entry.gate for entry in entries) or value.get("truncated", ZERO) == ZERO
    if learned and ends and "failed" not in value:
        raise UsageError(
            f"{place}: failed is missing; rewards of a model may be negative, so set the reward of a response that fails a "
            "gate or is truncated, for example failed: -10"
        )


def entry_of(value: Any, gold: str | None, place: str) -> RewardEntry:
    """One part of the reward."""
    if not isinstance(value, Mapping):
        raise UsageError(f"{place} is {str(value)[:40]!r}; expected `check: NAME` or `model: PLACE`")
    check, model = value.get("check"), value.get("model")
    if (check is None) == (model is None):
        raise UsageError(f"{place}: expected either check or model, one of them")
    if check is not None and check not in CHECKS:
        raise UsageError(f"{place}: unknown check {check!r}; known: {', '.join(CHECKS)}.{nearest(str(check), CHECKS)}")
    options = options_of(value, check, place)
    if value.get("gate") and (model is not None or "weight" in value):
        raise UsageError(f"{place}: a gate is a check, and has no weight")
    name = value.get("name") or check or Path(str(model)).name
    column = gold_column(value, check, gold, place)
    weight, gate = float(value.get("weight", 1.0)), bool(value.get("gate"))
    return RewardEntry(str(name), check, model, weight, gate, column, options)


def gold_column(value: Mapping[str, Any], check: str | None, gold: str | None, place: str) -> str | None:
    """The column of the gold answer, None for a check that needs none."""
    if check is None or CHECKS[check].gold is None:
        return None
    column: str | None = value.get("gold", gold)
    if column is None:
        raise UsageError(f"{place}: the check {check} needs gold: the column with the ground truth")
    return column


def options_of(value: Mapping[str, Any], check: str | None, place: str) -> dict[str, Any]:
    """The options of a check, defaults filled in; UsageError for one that it has not, of another type, or missing."""
    known = {} if check is None else CHECKS[check].options
    kinds = {name: kinds_of(default) for name, default in known.items()}
    refuse_keys(value, {**OF_AN_ENTRY, **kinds}, place)
    found = {name: value.get(name, default) for name, default in known.items()}
    for name, setting in found.items():
        if isinstance(setting, type):
            raise UsageError(f"{place}: the check {check} needs the option {name}")
    if found.get("unit") not in (None, "characters", "words", "tokens"):
        raise UsageError(f"{place}: unit is {found['unit']!r}; expected characters, words or tokens")
    if found.get("timeout", 1) <= 0:
        raise UsageError(f"{place}: timeout is {found['timeout']}; expected a number above 0")
    if found.get("memory", LEAST_MEMORY) < LEAST_MEMORY:
        raise UsageError(f"{place}: memory is {found['memory']}; expected at least {LEAST_MEMORY} (MiB)")
    if "pattern" in found:
        refuse_pattern(found["pattern"], place)
    return found


def refuse_pattern(pattern: str, place: str) -> None:
    """UsageError for what is no regular expression."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{place}: pattern {pattern[:40]!r} is no regular expression: {error}") from error


def kinds_of(default: Any) -> tuple[type, ...]:
    """The types that an option may have."""
    kind = default if isinstance(default, type) else type(default)
    return (int, float) if kind is float else (kind,)


def refuse_keys(value: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], place: str) -> None:
    """UsageError for a key that is not known, or a value of another type."""
    for key, setting in value.items():
        if key not in known:
            raise UsageError(f"{place}: unknown key {str(key)!r}; known: {', '.join(known)}.{nearest(str(key), known)}")
        if type(setting) not in known[key]:
            expected = " or ".join(kind.__name__ for kind in known[key])
            raise UsageError(f"{place}: the value of {key} is {str(setting)[:40]!r}; expected {expected}")


def soft_limit(value: Any, place: str) -> SoftLimit:
    """The limits of `truncated: soft`."""
    found = value if isinstance(value, Mapping) else {}
    limit, buffer = found.get("limit"), found.get("buffer")
    if (
        set(found) != {"limit", "buffer"}
        or type(limit) is not int
        or type(buffer) is not int
        or not 0 < buffer <= limit
    ):
        raise UsageError(f"{place}: truncated: soft needs soft: {{limit: TOKENS, buffer: TOKENS}}, 0 < buffer <= limit")
    return SoftLimit(limit, buffer)
