"""A rewards file as a source of rewards: what its checks give, with the models that it names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rewardsmith.errors import DataError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.rewards.source import BAD_GOLD, RewardSource, ScoredResponses, SourceKind, without_rewards
from rewardsmith.verifiable.checks import TIMED_OUT, UNPARSABLE
from rewardsmith.verifiable.code.check import NO_CODE
from rewardsmith.verifiable.code.running import CRASHED, OUT_OF_MEMORY, TOO_MUCH_OUTPUT, WRONG
from rewardsmith.verifiable.definition import Definition
from rewardsmith.verifiable.reward import VerifiableReward, Verified

OF_PROGRAMS: Mapping[str, Callable[[str, int], str]] = {
    NO_CODE: lambda name, count: f"{name}: {count} responses contain no closed block of Python code",
    WRONG: lambda name, count: f"{name}: {count} programs failed a test",
    CRASHED: lambda name, count: f"{name}: {count} programs crashed",
    OUT_OF_MEMORY: lambda name, count: f"{name}: {count} programs ran out of memory",
    TOO_MUCH_OUTPUT: lambda name, count: f"{name}: {count} programs wrote more output than the limit",
}
"""What went wrong with programs, the first failed test of each."""
NAMED = 3
"""Rows named in the text."""


class CheckRewards(RewardSource):
    """A rewards file at work; `bad_gold` names the records without a usable gold answer, which have no rewards."""

    kind: SourceKind = "verifiable"

    def __init__(self, definition: Definition, open_model: Callable[[str], RewardSource]) -> None:
        self.reward = VerifiableReward(definition)
        self.models = {entry.name: open_model(str(entry.model)) for entry in definition.models}
        self.bad_gold: list[str] = []

    @property
    def columns(self) -> tuple[str, ...]:
        """Its checks and models."""
        return tuple(entry.name for entry in self.reward.definition.entries)

    def remarks(self) -> list[str]:
        """Those of its models."""
        return [line for model in self.models.values() for line in model.remarks()]

    def score(
        self, records: Sequence[Record], *, rows: Sequence[Mapping[str, Any]] | None = None, progress: Progress = SILENT
    ) -> list[ScoredResponses]:
        """The weighted sum of the checks, and `reward_NAME` with what each of them gave."""
        learned = {name: model.score(records) for name, model in self.models.items()}
        given: Sequence[Mapping[str, Any]] = rows if rows is not None else [{}] * len(records)
        with progress.task("scoring", len(records), "records") as task:
            found = []
            for at, (record, row) in enumerate(zip(records, given, strict=True)):
                found.append(self._one(record, row, {name: values[at] for name, values in learned.items()}))
                task.advance()
        return found

    def counted(self) -> dict[str, Any]:
        """Means by check, what could not be judged, and how many records have no usable gold answer."""
        return {**self.reward.counts.to_json(), "bad_gold": len(self.bad_gold)}

    def lines(self) -> list[str]:
        """What each check gave on average, and what could not be judged."""
        return list(self._lines())

    def close(self) -> None:
        """Close the models."""
        for model in self.models.values():
            model.close()

    def _one(self, record: Record, row: Mapping[str, Any], learned: Mapping[str, ScoredResponses]) -> ScoredResponses:
        failed = next((each for each in learned.values() if each.error), None)
        if failed is not None:
            return without_rewards(record, failed.code, failed.error)
        try:
            found = self.reward.rewards_of(record, row, {name: list(each.rewards) for name, each in learned.items()})
        except DataError as error:
            self.bad_gold.append(str(error))
            return without_rewards(record, BAD_GOLD, str(error).removeprefix(f"{record.place}: "))
        return as_scored(found)

    def _lines(self) -> Iterator[str]:
        counts = self.reward.counts
        for name, value in counts.to_json()["means"].items():
            yield f"{name}: mean {value:.4f}"
        for (name, kind), count in sorted(counts.problems.items()):
            yield problem(name, kind, count)
        if counts.truncated:
            yield f"{counts.truncated} responses are truncated (finish_reasons: length)"
        if counts.gated:
            yield f"{counts.gated} responses failed a gate"
        yield from self.bad_gold[:NAMED]
        if len(self.bad_gold) > NAMED:
            yield f"and {len(self.bad_gold) - NAMED} more rows without a usable ground truth"


def as_scored(found: Sequence[Verified]) -> ScoredResponses:
    """The rewards of a record, and what each part gave."""
    parts = {f"reward_{name}": [each.parts[name] for each in found] for name in found[0].parts}
    return ScoredResponses(np.array([each.reward for each in found], dtype=np.float64), parts)


def problem(name: str, kind: str, count: int) -> str:
    """What a check could not judge, in a sentence."""
    if kind == UNPARSABLE:
        return f"{name}: {count} responses contain nothing that this check reads"
    if kind == TIMED_OUT:
        return f"{name}: {count} responses took too long to check"
    if kind in OF_PROGRAMS:
        return OF_PROGRAMS[kind](name, count)
    return f"{name}: {count} responses are empty"
