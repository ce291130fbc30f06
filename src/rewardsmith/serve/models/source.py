"""A rewards file or a judge as a server holds it: records → rewards, without tokens and without a batch of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewardsmith.errors import DataError, ModelError
from rewardsmith.evaluate.corrections.calibration import RewardCalibration
from rewardsmith.model.conversations import one_response
from rewardsmith.model.scorer import Sequences
from rewardsmith.records import Record
from rewardsmith.rewards.source import BAD_GOLD, NOT_SCORABLE, RewardSource, ScoredResponses
from rewardsmith.serve.engine.work import TextOutput
from rewardsmith.serve.models.reference import RewardReference
from rewardsmith.serve.models.served import TokenizedText, characters
from rewardsmith.serve.protocols.protocol import BadRequest, Question

CHARACTERS_A_TOKEN = 4
"""What a text weighs in the queue, since it has no tokens here."""
PREFIX = "reward_"
OF_THE_TEXT = (BAD_GOLD, NOT_SCORABLE)


@dataclass(frozen=True)
class RecordText(Sequences):
    """A conversation as a record; its ids only have the length that it counts for in the queue."""

    record: Record | None = None


@dataclass(eq=False)
class ServedSource:
    """A source of rewards under its name."""

    name: str
    place: str
    source: RewardSource
    reference: RewardReference
    shares: bool = False
    calibration: RewardCalibration | None = None
    contract_hash: str = ""
    model_hash: str | None = None

    @property
    def own_thread(self) -> bool:
        """Whether it writes or asks: judges, and models with critiques."""
        return self.source.kind in ("judge", "critiqued")

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of what it gives beside the reward."""
        return self.source.columns

    def remarks(self) -> list[str]:
        """What a person should know of it."""
        return self.source.remarks()

    def describe(self) -> dict[str, Any]:
        """The entry of /v1/models."""
        return {
            "name": self.name,
            "kind": self.source.kind,
            "model_hash": None,
            "contract_hash": "",
            "max_length": None,
            "columns": list(self.columns),
            "per_token": False,
            "calibrated": False,
            "reference": self.reference.count,
            "remarks": self.remarks(),
        }

    def read(
        self, questions: Sequence[Question], *, truncate: bool | None = None, per_token: bool = False
    ) -> list[TokenizedText]:
        """Each question as a record; BadRequest for a text that is no conversation, and where token values are asked for."""
        if per_token:
            raise BadRequest(422, f"{self.name} gives no values per token")
        found = []
        for number, question in enumerate(questions):
            turns = question.turns if question.turns is not None else question.plain
            if turns is None:
                raise BadRequest(
                    422, f"text {number}: {self.name} scores conversations, not rendered texts; send messages"
                )
            try:
                record = one_response(turns)
            except DataError as error:
                raise BadRequest(422, f"text {number}: {error}") from error
            ids = np.zeros(1 + sum(map(characters, turns)) // CHARACTERS_A_TOKEN, dtype=np.int32)
            found.append(TokenizedText(RecordText(record.id, (ids,), record=record), truncated=False))
        return found

    def compute(self, texts: Sequence[Sequences], budget: int) -> list[TextOutput]:
        """The rewards of records; an error where one has none, which the engine then asks for by itself."""
        records = [text.record for text in texts if isinstance(text, RecordText) and text.record is not None]
        return [self._output(one) for one in self.source.score(records)]

    def along(self, text: Sequences) -> TextOutput:
        """Nothing of the kind."""
        raise ModelError(f"{self.name} gives no values per token")

    def _output(self, scored: ScoredResponses) -> TextOutput:
        """DataError for a text that cannot have a reward, ModelError where none came."""
        if scored.code in OF_THE_TEXT:
            raise DataError(scored.error)
        if scored.error or not np.isfinite(scored.rewards).all():
            raise ModelError(f"{self.name} gives no reward: {scored.error or 'the value is not finite'}")
        numbers = {name.removeprefix(PREFIX): values[0] for name, values in scored.parts.items()}
        columns = {name: float(value) for name, value in numbers.items() if type(value) in (int, float)}
        return TextOutput(float(scored.rewards[0]), columns)
