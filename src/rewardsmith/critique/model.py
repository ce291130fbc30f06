"""A critiqued reward model as its users hold it: load, score, rank, save, as of `RewardModel`, with a critique beside."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from rewardsmith.critique.critic import Critic, Critique, CritiqueSettings
from rewardsmith.critique.folder import open_parts, save_folder
from rewardsmith.critique.turns import with_critiques
from rewardsmith.errors import DataError
from rewardsmith.model.conversations import as_messages, one_response, several
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.model.scorer import RecordRewards, outputs, sequences_of
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Message, Record, Response, Turns
from rewardsmith.scoring.contract import ScoringContract
from rewardsmith.scoring.tokens import Encoded

WINDOW = 256
"""Records that are criticised together; bounds memory."""
SPREAD = "std"


@dataclass(frozen=True)
class Critiqued:
    """A record's rewards with what they were read behind: for each of K responses its m critiques, and the spread (standard
    deviation with m - 1 in the denominator) of the m rewards, 0 for one critique. `encoded` is what was scored, K * m texts.
    """

    rewards: RecordRewards
    spread: RecordRewards
    critiques: tuple[tuple[Critique, ...], ...]
    encoded: Encoded

    @property
    def truncated(self) -> int:
        """How many critiques were stopped at the limit of tokens."""
        return sum(critique.truncated for each in self.critiques for critique in each)


@dataclass
class CritiqueModel:
    """A reward network with its language model; every reward is read at the end of a critique that it writes first.

    With m critiques the reward is the mean of the m rewards (self-consistency, arXiv 2408.11791, section 5). `inner` scores
    a conversation that ends with a critique as any other; by itself it would score responses without one.
    """

    inner: RewardModel
    settings: CritiqueSettings
    batch: int = 16

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        device: str = "auto",
        dtype: str = "fp32",
        allow_mismatch: bool = False,
        trust_remote_code: bool = False,
    ) -> "CritiqueModel":
        """Open a folder that `save` wrote, or the run that has one; its files and probes are checked as of any model."""
        parts = open_parts(
            Path(path),
            device=device,
            dtype=dtype,
            allow_mismatch=allow_mismatch,
            trust_remote_code=trust_remote_code,
        )
        return cls(*parts)

    def __repr__(self) -> str:
        return f"CritiqueModel({self.inner!r}, tokens={self.settings.tokens}, samples={self.settings.samples})"

    @property
    def contract(self) -> ScoringContract:
        """How a conversation with its critique becomes tokens."""
        return self.inner.contract

    @property
    def mismatch(self) -> str:
        """In what the model is not the one that was saved."""
        return self.inner.mismatch

    @property
    def columns(self) -> tuple[str, ...]:
        """`std`, the spread over the critiques, where there are several."""
        return (SPREAD,) if self.settings.samples > 1 else ()

    def with_samples(self, samples: int) -> "CritiqueModel":
        """The same model with another number of critiques per response."""
        return replace(self, settings=replace(self.settings, samples=samples))

    def remarks(self) -> list[str]:
        """What a person should know of the model as it was opened, one line each."""
        settings = self.settings
        told = f"CLoud model: writes {settings.samples} critiques of up to {settings.tokens} tokens before each reward"
        return [*self.inner.remarks(), told]

    def critic(self) -> Critic:
        """What writes the critiques."""
        return Critic(self.inner, self.settings, batch=self.batch)

    def critiqued(self, records: Iterable[Record], *, progress: Progress = SILENT) -> Iterator[Critiqued]:
        """Rewards and critiques of every record, in order; ContractError for one that cannot be rendered."""
        critic, iterator = self.critic(), iter(records)
        while window := list(islice(iterator, WINDOW)):
            written = list(critic.critiques(window, progress))
            yield from self.given(window, written)

    def given(
        self, records: Sequence[Record], written: Sequence[tuple[tuple[Critique, ...], ...]]
    ) -> Iterator[Critiqued]:
        """The same with critiques that are there: those of each record's responses, equally many each."""
        texts = [
            with_critiques(record, [[each.text for each in some] for some in critiques], self.settings.language)
            for record, critiques in zip(records, written, strict=True)
        ]
        encoded = [self.inner.encode(record) for record in texts]
        sequences = (sequences_of(record, one) for record, one in zip(texts, encoded, strict=True))
        found = outputs(self.inner.network, sequences, None)
        for record, critiques, one, values in zip(records, written, encoded, found, strict=True):
            each = values.rewards.reshape(len(record.responses), -1)
            spread = each.std(axis=1, ddof=1) if each.shape[1] > 1 else np.zeros(len(each))
            yield Critiqued(each.mean(axis=1), spread, critiques, one)

    def score_records(self, records: Iterable[Record]) -> Iterator[RecordRewards]:
        """Raw rewards of every record's responses, in order; streams."""
        return (one.rewards for one in self.critiqued(records))

    def score(self, conversations: Iterable[Turns]) -> Float64[np.ndarray, " N"]:
        """One raw reward per conversation, as `RewardModel.score`."""
        return np.array([one.rewards[0] for one in self._one_by_one(conversations, "score")])

    def score_with_critiques(self, conversations: Iterable[Turns]) -> list[tuple[float, list[str]]]:
        """The reward of each conversation, and the critiques that it is the mean over."""
        found = self._one_by_one(conversations, "score_with_critiques")
        return [(float(one.rewards[0]), [each.text for each in one.critiques[0]]) for one in found]

    def rank(self, prompt: Turns, responses: Sequence[str]) -> list[tuple[int, float]]:
        """(index, reward) of every response to one prompt, best first; equal rewards keep their order."""
        answers = tuple(Response((Message("assistant", text),)) for text in several(responses, "rank"))
        if not answers:
            raise DataError("rank got no responses; expected a list with at least one text")
        rewards = next(self.score_records([Record(as_messages(prompt, role="user"), answers)]))
        return [(int(k), float(rewards[k])) for k in np.argsort(-rewards, kind="stable")]

    def save(self, folder: str | Path, *, training: Mapping[str, Any] | None = None, overwrite: bool = False) -> None:
        """Write the model with its language model, atomically; see `folder`."""
        save_folder(self.inner, self.settings, Path(folder), training=training, overwrite=overwrite)

    def _one_by_one(self, conversations: Iterable[Turns], function: str) -> list[Critiqued]:
        return list(self.critiqued(one_response(conversation) for conversation in several(conversations, function)))
