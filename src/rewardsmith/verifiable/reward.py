"""A response → its reward: what each check gives, by weights and gates, and what becomes of truncated ones."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rewardsmith.errors import DataError
from rewardsmith.records import Message, Record
from rewardsmith.thinking import apart
from rewardsmith.verifiable.checks import CHECKS, Checked, Given
from rewardsmith.verifiable.definition import KEEP, SOFT, Definition, RewardEntry, SoftLimit, read_definition

EMPTY_TEXT = "empty"
"""The problem of a response without text, for every check."""
LENGTH = "length"
"""The finish reason of a truncated response."""
LearnedRewards = Callable[[str, Sequence[Record]], Sequence[Sequence[float]]]
"""Rewards of a model, named as the definition names it: one per response of each record."""


@dataclass
class CheckCounts:
    """Counted over the responses of a run: `sums` of each check's values, and `problems` by check and kind."""

    responses: int = 0
    truncated: int = 0
    gated: int = 0
    sums: Counter[str] = field(default_factory=Counter)
    problems: Counter[tuple[str, str]] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Means by check, and what could not be judged."""
        means = {name: total / self.responses for name, total in self.sums.items()} if self.responses else {}
        problems = [{"check": name, "problem": kind, "count": n} for (name, kind), n in sorted(self.problems.items())]
        return {"truncated": self.truncated, "gated": self.gated, "means": means, "problems": problems}


@dataclass(frozen=True)
class Verified:
    """One response: its reward, and what each part gave under its name."""

    reward: float
    parts: Mapping[str, float]


class VerifiableReward:
    """A definition at work. Without a gold answer where a check needs one, or with one that it cannot read, DataError."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.counts = CheckCounts()
        for entry in definition.checks:
            if prepare := CHECKS[str(entry.check)].prepare:
                prepare()

    @classmethod
    def load(cls, path: str | Path) -> "VerifiableReward":
        """Read a rewards file; UsageError where it is not one."""
        return cls(read_definition(Path(path)))

    def gold_of(self, row: Mapping[str, Any], place: str = "the row") -> dict[str, Any]:
        """The gold answer for every check that needs one, as the check reads it; DataError that names the row."""
        found: dict[str, Any] = {}
        for entry in self.definition.checks:
            read = CHECKS[str(entry.check)].gold
            if read is None:
                continue
            if row.get(str(entry.gold)) is None:
                raise DataError(f"{place} has no ground truth in the column {entry.gold!r}, which {entry.name} needs")
            try:
                found[entry.name] = read(row[str(entry.gold)])
            except DataError as error:
                raise DataError(f"{place}: {error}; fix or remove the row") from error
        return found

    def verify(
        self,
        given: Given,
        gold: Mapping[str, Any],
        *,
        finish: str | None = None,
        learned: Mapping[str, float] | None = None,
    ) -> Verified:
        """The reward of one response; `gold` as `gold_of` gives it, `learned` the rewards of models by entry."""
        return self._counted(given, self._checks(given, gold), finish, learned or {})

    def _checks(self, given: Given, gold: Mapping[str, Any]) -> dict[str, Checked]:
        """What each check says of a response; counts nothing, so that several can be asked at once."""
        return {entry.name: checked(entry, given, gold.get(entry.name)) for entry in self.definition.checks}

    def _all_checks(self, given: Sequence[Given], gold: Sequence[Mapping[str, Any]]) -> list[dict[str, Checked]]:
        """What each check says of each response; programs run beside each other, as many as there are processors."""
        if not any(entry.check == "code" for entry in self.definition.checks):
            return [self._checks(*each) for each in zip(given, gold, strict=True)]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(self._checks, given, gold))

    def _counted(
        self, given: Given, checks: Mapping[str, Checked], finish: str | None, learned: Mapping[str, float]
    ) -> Verified:
        """The reward of a response by what its checks said, which is counted."""
        parts: dict[str, float] = {}
        for entry in self.definition.entries:
            if entry.check is None:
                parts[entry.name] = float(learned[entry.name])
                continue
            value, problem = checks[entry.name]
            parts[entry.name] = value
            if problem is not None:
                self.counts.problems[entry.name, problem] += 1
        truncated = finish == LENGTH
        reward = self._combined(parts, truncated, given)
        self.counts.responses += 1
        self.counts.truncated += truncated
        for name, value in parts.items():
            self.counts.sums[name] += value  # type: ignore[assignment]
        return Verified(reward, parts)

    def _combined(self, parts: Mapping[str, float], truncated: bool, given: Given) -> float:
        definition = self.definition
        gated = any(entry.gate and parts[entry.name] < 1 for entry in definition.entries)
        self.counts.gated += gated
        if gated or (truncated and definition.truncated not in (KEEP, SOFT)):
            return definition.failed
        total = sum(entry.weight * parts[entry.name] for entry in definition.entries if not entry.gate)
        return total + (0.0 if definition.soft is None else overlong(given.tokens, definition.soft))

    def rewards_of(
        self, record: Record, row: Mapping[str, Any] | None = None, learned: Mapping[str, Sequence[float]] | None = None
    ) -> list[Verified]:
        """The rewards of a record's responses. Columns are those of `row` and the record's fields."""
        columns = {**(row or {}), **record.fields}
        place = record.place if record.source else "the row"
        gold = self.gold_of(columns, place)
        finishes = per_response(columns, "finish_reasons", record, place)
        tokens = per_response(columns, "completion_tokens", record, place)
        given = []
        for k, response in enumerate(record.responses):
            text, reasoning = spoken_in(response.text)
            given.append(Given(text, reasoning_in(response.messages) or reasoning, tokens[k], columns))
        found = []
        try:
            for k, checks in enumerate(self._all_checks(given, [gold] * len(given))):
                values = {name: each[k] for name, each in (learned or {}).items()}
                found.append(self._counted(given[k], checks, finishes[k], values))
        except DataError as error:
            raise DataError(f"{place}: {error}") from error
        return found

    def __call__(self, prompts: Any = None, completions: Iterable[Any] = (), **columns: Sequence[Any]) -> list[float]:
        """A reward function as TRL's trainers call it: texts or message lists, and a list per column of the data set."""
        if self.definition.models:
            raise DataError(
                "a reward with a model is not available as a function; use the model as a function of its own"
            )
        given, gold = [], []
        for k, completion in enumerate(completions):
            row = {name: values[k] for name, values in columns.items() if isinstance(values, Sequence)}
            given.append(Given(*spoken_in(completion), None, row))
            gold.append(self.gold_of(row, f"completion {k}"))
        return [
            self._counted(each, checks, each.row.get("finish_reason"), {}).reward
            for each, checks in zip(given, self._all_checks(given, gold), strict=True)
        ]


def checked(entry: RewardEntry, given: Given, gold: Any) -> Checked:
    """What a check says of a response; nothing of one without text."""
    if not given.text.strip():
        return Checked(0.0, EMPTY_TEXT)
    return CHECKS[str(entry.check)].function(given, entry.options, gold)


def overlong(tokens: int | None, soft: SoftLimit) -> float:
    """DAPO's soft overlong punishment (Yu et al., arXiv 2503.14476, equation 13): 0 up to limit − buffer tokens, from there
    linear to −1 at the limit, −1 beyond it; DataError where the tokens are not known.
    """
    if tokens is None:
        raise DataError("no completion_tokens are known, which truncated: soft needs")
    return min(0.0, max(-1.0, (soft.limit - soft.buffer - tokens) / soft.buffer))


def per_response(columns: Mapping[str, Any], name: str, record: Record, place: str) -> Sequence[Any]:
    """A column with one value per response, None for each where it is not there; DataError for another number of them."""
    values = columns.get(name)
    if values is None:
        return [None] * len(record.responses)
    if not isinstance(values, list) or len(values) != len(record.responses):
        raise DataError(f"{place}: {name} is not a list of {len(record.responses)} values; expected one per response")
    return values


def reasoning_in(messages: Iterable[Message]) -> str | None:
    """The reasoning of a response, parted by empty lines; None without."""
    return "\n\n".join(message.reasoning for message in messages if message.reasoning) or None


def spoken_in(completion: Any) -> tuple[str, str | None]:
    """Text and reasoning of a completion, a text or messages: what think tags hold is reasoning, as in `generate`."""
    if isinstance(completion, str):
        found = apart(completion)
        return found.text, found.reasoning
    last = completion[-1]
    text, reasoning = spoken_in(str(last["content"]))
    return text, last.get("reasoning_content") or reasoning
