"""What every source of rewards gives, and the class through which commands, servers and loops ask it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import EMPTY, Record

SourceKind = Literal["model", "critiqued", "verifiable", "judge"]
BAD_GOLD, NOT_SCORABLE, UNREADABLE = "bad_gold", "not_scorable", "no_verdict"
"""Why a record has no rewards: its gold answer is unusable, its text cannot be rendered, or no verdict could be read."""


@dataclass(frozen=True)
class ScoredResponses:
    """The rewards of one record's K responses, in the order of the record.

    `rewards` is (K,) in float64, NaN for a response without one. `parts` has, by the name of a field, one value per
    response; `facts` what is known of the whole record. Where nothing could be scored, `error` says why in a sentence and
    `code` in a word, and all rewards are NaN. `cut` says of each response whether its conversation was too long and was
    cut; empty where the source cuts nothing.
    """

    rewards: Float[np.ndarray, " K"]
    parts: Mapping[str, Sequence[Any]] = field(default_factory=lambda: EMPTY)
    facts: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    code: str = ""
    error: str = ""
    cut: Sequence[bool] = ()


class RewardSource(ABC):
    """Anything that gives rewards to records; one that has no more to say than that inherits the rest."""

    kind: SourceKind

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of what it gives beside a reward; `parts` has them with `reward_` in front."""
        return ()

    def remarks(self) -> list[str]:
        """What a person should know of it as it was opened, one line each."""
        return []

    @abstractmethod
    def score(
        self, records: Sequence[Record], *, rows: Sequence[Mapping[str, Any]] | None = None, progress: Progress = SILENT
    ) -> list[ScoredResponses]:
        """The rewards of some records, one entry each; `rows` are the input rows, for checks that read other columns."""

    def counted(self) -> dict[str, Any]:
        """What was counted over all calls of `score`, as JSON; empty where nothing is."""
        return {}

    def lines(self) -> list[str]:
        """The same in sentences."""
        return []

    def close(self) -> None:  # noqa: B027 - most have nothing open
        """Write what is not written, and close files."""


def without_rewards(record: Record, code: str, error: str) -> ScoredResponses:
    """A record that has no rewards, and why."""
    return ScoredResponses(np.full(len(record.responses), np.nan), code=code, error=error)
