"""A judge as a source of rewards."""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.judge.judge import Judge
from rewardsmith.judge.verdicts import RecordVerdict
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.rewards.source import (
    NOT_SCORABLE,
    UNREADABLE,
    RewardSource,
    ScoredResponses,
    SourceKind,
    without_rewards,
)


class JudgeRewards(RewardSource):
    """The rewards of an opened judge: scores of a pointwise one, log odds of the others."""

    kind: SourceKind = "judge"

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    @property
    def columns(self) -> tuple[str, ...]:
        """`std` of a judge that gives scores, and the criteria of a rubric."""
        definition = self.judge.definition
        named = tuple(each.name for each in definition.criteria if each.name)
        return (("std",) if definition.kind == "pointwise" else ()) + named

    def remarks(self) -> list[str]:
        """Which model judges, and how."""
        definition = self.judge.definition
        return [
            f"judge: {definition.name}, {definition.kind}, read by {definition.reading}",
            *([self.judge.note] if self.judge.note else []),
        ]

    def score(
        self, records: Sequence[Record], *, rows: Sequence[Mapping[str, Any]] | None = None, progress: Progress = SILENT
    ) -> list[ScoredResponses]:
        """Rewards, `reward_std` of scores and `reward_NAME` of criteria, and the order consistency of a record."""
        verdicts = self.judge.verdicts(records, progress)
        return [
            without_rewards(record, NOT_SCORABLE, found) if isinstance(found, str) else as_scored(record, found)
            for record, found in zip(records, verdicts, strict=True)
        ]

    def counted(self) -> dict[str, Any]:
        """What was asked and could not be read, and what it cost."""
        endpoint, counts = self.judge.definition.endpoint, self.judge.counts
        prices = (None, None) if endpoint is None else (endpoint.price_in, endpoint.price_out)
        return {**counts.to_json(), "cost": counts.cost(*prices)}

    def lines(self) -> list[str]:
        """The same in sentences."""
        return list(self.judge.counts.lines())

    def close(self) -> None:
        """Close the file of answers."""
        self.judge.close()


def as_scored(record: Record, found: RecordVerdict) -> ScoredResponses:
    """The rewards of a record; NaN, and null in a file, for a response on which no verdict could be read."""
    if all(value != value for value in found.rewards):
        return without_rewards(record, UNREADABLE, "no verdict of the judge could be read")
    parts: dict[str, Sequence[Any]] = {}
    if found.spread is not None:
        parts["reward_std"] = numbers(found.spread)
    parts |= {f"reward_{name}": numbers(values) for name, values in found.criteria.items()}
    return ScoredResponses(found.rewards, parts, found.facts())


def numbers(values: Any) -> list[float | None]:
    """Values as JSON has them, NaN as null."""
    return [float(value) if value == value else None for value in values]
