"""Rewards for the audit: NaN for what cannot be scored whole, since a cut text does not show what an edit does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rewardsmith.errors import ContractError
from rewardsmith.model.scorer import Sequences, finite
from rewardsmith.pipelines.benchmark.reward_store import NOTHING_KEPT, RewardStore, scored_window
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.rewards.source import RewardSource, ScoredResponses

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.scoring.tokens import Encoded

WINDOW = 64
"""Records that are scored together: what a killed audit loses at most."""


class AuditScorer(Protocol):
    """Scores records as a callable, and counts texts: those asked for, and those without a reward by reason."""

    texts: int
    cut: int
    refused: int
    known: int

    def __call__(self, records: Sequence[Record]) -> list[np.ndarray]:
        """Rewards of every response of each record, in order, NaN for those without."""


@dataclass
class Scorer:
    """Scores records as a callable; with `whole`, a text of which prompt or response was cut has no reward.

    `texts` counts what was asked for, `cut` and `refused` what got no reward, `known` the records that `store` knew.
    """

    model: "RewardModel"
    whole: bool
    progress: Progress = SILENT
    texts: int = 0
    cut: int = 0
    refused: int = 0
    known: int = 0
    store: RewardStore = NOTHING_KEPT

    def __call__(self, records: Sequence[Record]) -> list[np.ndarray]:
        """Rewards of every response of each record, in order, NaN for those without."""
        rewards = [np.full(len(record.responses), np.nan) for record in records]
        self.texts += sum(len(record.responses) for record in records)
        with self.progress.task("scoring", len(records), "records") as task:
            for start in range(0, len(records), WINDOW):
                window = range(start, min(start + WINDOW, len(records)))
                usable = [(number, parts) for number in window if (parts := list(self._usable(records[number])))]
                texts = [joined(records[number], parts) for number, parts in usable]
                known, found = scored_window(self.model, texts, self.store)
                self.known += known
                for (number, parts), values in zip(usable, found, strict=True):
                    rewards[number][[k for k, _ in parts]] = finite(values)
                task.advance(len(window))
        return rewards

    def _usable(self, record: Record) -> Iterator[tuple[int, Sequences]]:
        """The responses that have a reward, each by itself."""
        for k, encoded, j in self._encoded(record):
            if self.whole and is_cut(encoded, j):
                self.cut += 1
            else:
                answers = (encoded.answers[j],) if encoded.answers else ()
                yield k, Sequences(record.prompt_id, (encoded.sequences[j],), answers)

    def _encoded(self, record: Record) -> Iterator[tuple[int, "Encoded", int]]:
        """(response, encoding, its place there); one by one where the record as a whole cannot be rendered."""
        try:
            encoded = self.model.encode(record)
        except ContractError:
            yield from self._one_by_one(record)
            return
        yield from ((k, encoded, k) for k in range(len(record.responses)))

    def _one_by_one(self, record: Record) -> Iterator[tuple[int, "Encoded", int]]:
        for k, response in enumerate(record.responses):
            try:
                yield k, self.model.encode(Record(record.prompt, (response,))), 0
            except ContractError:
                self.refused += 1


@dataclass
class SourceScorer:
    """The same for anything that gives rewards to one response at a time; `known` stays 0, since no reward is kept."""

    source: RewardSource
    whole: bool
    progress: Progress = SILENT
    texts: int = 0
    cut: int = 0
    refused: int = 0
    known: int = 0

    def __call__(self, records: Sequence[Record]) -> list[np.ndarray]:
        """Rewards of every response of each record, in order, NaN for those without."""
        self.texts += sum(len(record.responses) for record in records)
        rows = [dict(record.fields) for record in records]
        return [self._usable(one) for one in self.source.score(records, rows=rows, progress=self.progress)]

    def _usable(self, found: ScoredResponses) -> np.ndarray:
        cut = np.array(found.cut or [False] * len(found.rewards)) if self.whole else np.zeros(len(found.rewards), bool)
        self.cut += int(cut.sum())
        self.refused += int((~np.isfinite(found.rewards) & ~cut).sum())
        return np.where(cut, np.nan, found.rewards)


def is_cut(encoded: "Encoded", k: int) -> bool:
    """Whether the prompt or the response of one conversation was cut."""
    cuts = encoded.cuts
    return any((cuts.prompt_turns[k], cuts.prompt_tokens[k], cuts.response_tokens[k]))


def joined(record: Record, parts: Sequence[tuple[int, Sequences]]) -> Sequences:
    """The usable responses of a record together, so that they share their prompt."""
    ids = tuple(one.ids[0] for _, one in parts)
    return Sequences(record.prompt_id, ids, tuple(one.answers[0] for _, one in parts if one.answers))
