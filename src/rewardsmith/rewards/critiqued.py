"""A critiqued reward model (CLoud) as a source of rewards, with its critiques as parts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import ContractError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.rewards.source import NOT_SCORABLE, RewardSource, ScoredResponses, SourceKind, without_rewards

if TYPE_CHECKING:
    from rewardsmith.critique.model import Critiqued, CritiqueModel

CRITIQUES = "critiques"
"""The field of a scored row: for each response the list of its critiques."""


class CritiquedRewards(RewardSource):
    """The rewards of `model`, an opened `CritiqueModel`; it counts the critiques, and those that were cut."""

    kind: SourceKind = "critiqued"

    def __init__(self, model: "CritiqueModel") -> None:
        self.model = model
        self.critiques = self.truncated = self.cut = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """`std` with several critiques."""
        return self.model.columns

    def remarks(self) -> list[str]:
        """What the model says of itself."""
        return self.model.remarks()

    def score(
        self, records: Sequence[Record], *, rows: Sequence[Mapping[str, Any]] | None = None, progress: Progress = SILENT
    ) -> list[ScoredResponses]:
        """Rewards with `critiques`, with several of them `reward_std`; a record that cannot be rendered has none."""
        usable, refused, critic = [], dict[int, str](), self.model.critic()
        for at, record in enumerate(records):
            try:
                critic.openings(record)
                usable.append(record)
            except ContractError as error:
                refused[at] = str(error)
        found = map(self._counted, self.model.critiqued(usable, progress=progress))
        return [
            without_rewards(record, NOT_SCORABLE, refused[at]) if at in refused else next(found)
            for at, record in enumerate(records)
        ]

    def counted(self) -> dict[str, Any]:
        """Critiques that were written, those that were stopped at their limit, and conversations cut to be scored."""
        return {
            "critiques": self.critiques,
            "critiques_truncated": self.truncated,
            "conversations_cut": self.cut,
        }

    def lines(self) -> list[str]:
        """The same in sentences, where there is something to tell."""
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        if self.truncated:
            yield f"{self.truncated} of {self.critiques} critiques were stopped at their limit of tokens"
        if self.cut:
            yield f"{self.cut} conversations were too long with their critique, and were cut to be scored"

    def _counted(self, one: "Critiqued") -> ScoredResponses:
        self.critiques += sum(map(len, one.critiques))
        self.truncated += one.truncated
        self.cut += one.encoded.cuts.hit
        parts: dict[str, Sequence[Any]] = {CRITIQUES: [[each.text for each in some] for some in one.critiques]}
        if self.model.columns:
            parts["reward_std"] = [float(value) for value in one.spread]
        return ScoredResponses(one.rewards, parts, cut=cut_of(one))


def cut_of(one: "Critiqued") -> list[bool]:
    """Of each response whether one of its conversations, which end with a critique each, was cut."""
    cuts, at, found = one.encoded.cuts, 0, []
    for some in one.critiques:
        texts = range(at, at := at + len(some))
        found.append(any(cuts.prompt_turns[k] or cuts.prompt_tokens[k] or cuts.response_tokens[k] for k in texts))
    return found
