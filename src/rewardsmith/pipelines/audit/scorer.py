"""Rewards for the audit: NaN for what cannot be scored whole, since a cut text does not show what an edit does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rewardsmith.errors import ContractError
from rewardsmith.model.scorer import Sequences, finite, score
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.scoring.tokens import Encoded


@dataclass
class Scorer:
    """Scores records as a callable; with `whole`, a text of which prompt or response was cut has no reward.

    `texts` counts what was asked for, `cut` and `refused` what got no reward.
    """

    model: "RewardModel"
    whole: bool
    progress: Progress = SILENT
    texts: int = 0
    cut: int = 0
    refused: int = 0
    _lengths: list[int] = field(default_factory=list)

    def __call__(self, records: Sequence[Record]) -> list[np.ndarray]:
        """Rewards of every response of each record, in order, NaN for those without."""
        places: list[list[int]] = []
        rewards = [np.full(len(record.responses), np.nan) for record in records]
        self.texts += sum(len(record.responses) for record in records)

        def sequences() -> Iterator[Sequences]:
            for record in records:
                parts = list(self._usable(record))
                places.append([k for k, _ in parts])
                if parts:
                    yield joined(record, parts)

        scored = score(self.model.network, sequences(), total=len(records), progress=self.progress)
        for values, found in self._matched(scored, places, rewards):
            values[found[0]] = finite(found[1])
        return rewards

    @staticmethod
    def _matched(
        scored: Iterator[np.ndarray], places: list[list[int]], rewards: list[np.ndarray]
    ) -> Iterator[tuple[np.ndarray, tuple[list[int], np.ndarray]]]:
        """Each record's array, and the places and values to fill in; records without a usable text are passed over."""
        number = 0
        for values in scored:
            while not places[number]:
                number += 1
            yield rewards[number], (places[number], values)
            number += 1

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


def is_cut(encoded: "Encoded", k: int) -> bool:
    """Whether the prompt or the response of one conversation was cut."""
    cuts = encoded.cuts
    return any((cuts.prompt_turns[k], cuts.prompt_tokens[k], cuts.response_tokens[k]))


def joined(record: Record, parts: Sequence[tuple[int, Sequences]]) -> Sequences:
    """The usable responses of a record together, so that they share their prompt."""
    ids = tuple(one.ids[0] for _, one in parts)
    return Sequences(record.prompt_id, ids, tuple(one.answers[0] for _, one in parts if one.answers))
