"""A reward model as a source of rewards: its raw rewards, and its columns as parts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import ContractError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.rewards.source import NOT_SCORABLE, RewardSource, ScoredResponses, SourceKind, without_rewards

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.scorer import Outputs, Sequences


class ModelRewards(RewardSource):
    """The rewards of `model`, an opened `RewardModel`."""

    kind: SourceKind = "model"

    def __init__(self, model: "RewardModel") -> None:
        self.model = model

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of the model."""
        return self.model.columns

    def remarks(self) -> list[str]:
        """What the model says of itself."""
        return self.model.remarks()

    def score(
        self, records: Sequence[Record], *, rows: Sequence[Mapping[str, Any]] | None = None, progress: Progress = SILENT
    ) -> list[ScoredResponses]:
        """Raw rewards; a record that the scoring contract cannot render has none."""
        from rewardsmith.model.scorer import sequences_of

        encoded, refused = [], dict[int, str]()
        for at, record in enumerate(records):
            try:
                encoded.append(sequences_of(record, self.model.encode(record)))
            except ContractError as error:
                refused[at] = str(error)
        found = self._outputs(encoded, progress)
        return [
            without_rewards(record, NOT_SCORABLE, refused[at]) if at in refused else next(found)
            for at, record in enumerate(records)
        ]

    def _outputs(self, sequences: "Sequence[Sequences]", progress: Progress) -> Iterator[ScoredResponses]:
        from rewardsmith.model.runtime.allocator import kept_memory
        from rewardsmith.model.scorer import outputs

        network = self.model.network
        with kept_memory(network.device.type), progress.task("scoring", len(sequences), "records") as task:
            for each in outputs(network, sequences, self.model.head):
                task.advance()
                yield as_scored(each)


def as_scored(found: "Outputs") -> ScoredResponses:
    """What a model gives for a record, its columns by the names that `score` writes them under."""
    columns = {f"reward_{name}": [float(value) for value in values] for name, values in found.columns.items()}
    return ScoredResponses(found.rewards, columns)
