"""A reward model as a server holds it: what a text becomes, what it comes to, and which model it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.errors import ContractError, DataError, ModelError
from rewardsmith.evaluate.corrections.calibration import RewardCalibration
from rewardsmith.files import hash_text
from rewardsmith.files.manifest import MANIFEST
from rewardsmith.model.conversations import one_response
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.model.scorer import Sequences, outputs, sequences_of
from rewardsmith.model.token_values import refuse_without_values, token_values, why_no_values
from rewardsmith.records import Conversation, Message, Record
from rewardsmith.scoring.templates.rendered import (
    cut_left,
    first_token,
    has_control_tokens,
    rendered_ids,
    scored_ids,
    without_end,
)
from rewardsmith.scoring.token_texts import token_texts
from rewardsmith.scoring.tokens import Encoded
from rewardsmith.scoring.trees import Ids
from rewardsmith.serve.engine.work import OPENING_TOKENS, TextOutput
from rewardsmith.serve.models.reference import RewardReference
from rewardsmith.serve.protocols.protocol import BadRequest, Question

CHARACTERS_A_TOKEN = 100
"""A text with more characters for each token that a model takes is refused before it is tokenized, which takes seconds."""
SHORT = 16
"""Hex digits of a hash that are shown."""


@dataclass(frozen=True)
class TokenizedText:
    """One question as tokens, and whether anything of it was cut.

    `length` is that of the response in the unit of the model's calibration, 0 where that has none or the client rendered
    the text; `pieces` are the texts of the response's tokens where their values are asked for.
    """

    sequences: Sequences
    truncated: bool
    length: float = 0.0
    pieces: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens that are scored."""
        return len(self.sequences.ids[0])


@dataclass(eq=False)
class ServedModel:
    """A model under its name. `truncate` says whether conversations that are too long are cut as the contract says, or
    refused, where a request does not say."""

    name: str
    place: str
    model: RewardModel
    reference: RewardReference
    truncate: bool = False
    own_thread: bool = False

    @property
    def shares(self) -> bool:
        """Whether texts with a common beginning are computed as a tree."""
        return self.model.network.packed

    @property
    def calibration(self) -> RewardCalibration | None:
        """What is stored of how rewards become probabilities."""
        return self.model.sidecar.calibration

    def remarks(self) -> list[str]:
        """What a person should know of the model as it was opened."""
        return self.model.remarks()

    @cached_property
    def contract_hash(self) -> str:
        """What tells one scoring contract from another: equal for models that score the same tokens the same way."""
        stored = orjson.dumps(self.model.contract.to_json(), option=orjson.OPT_SORT_KEYS)
        return hash_text(stored.decode())[:SHORT]

    @cached_property
    def model_hash(self) -> str | None:
        """The hash that the manifest has of all files of the model; None for a model without one."""
        for folder in (Path(self.place), Path(self.place) / "model"):
            if (folder / MANIFEST).is_file() and (folder / "config.json").is_file():
                entry = orjson.loads((folder / MANIFEST).read_bytes()).get(MANIFEST, {})
                return str(entry["xxh3_128"])[:SHORT] if "xxh3_128" in entry else None
        return None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of what it gives beside the reward."""
        return self.model.columns

    @cached_property
    def per_token(self) -> str | None:
        """Why its tokens have no values; None where they have."""
        return why_no_values(self.model.network)

    @cached_property
    def _first(self) -> int | None:
        return first_token(self.model.encoder)

    def describe(self) -> dict[str, Any]:
        """The entry of /v1/models."""
        contract, sidecar = self.model.contract, self.model.sidecar
        scale = sidecar.normalizer
        return {
            "name": self.name,
            "kind": "model",
            "model_hash": self.model_hash,
            "contract_hash": self.contract_hash,
            "max_length": contract.max_length,
            "columns": list(self.columns),
            "attributes": [] if sidecar.head is None else list(sidecar.head.attributes),
            "normalizer": None if scale is None else {"mean": scale.mean, "std": scale.std},
            "per_token": self.per_token is None,
            "calibrated": sidecar.calibration is not None,
            "reference": self.reference.count,
            "remarks": self.remarks(),
        }

    def read(
        self, questions: Sequence[Question], *, truncate: bool | None = None, per_token: bool = False
    ) -> list[TokenizedText]:
        """The tokens of each question; BadRequest that names the question which cannot be scored."""
        found = []
        for number, question in enumerate(questions):
            try:
                found.append(self._read(question, self.truncate if truncate is None else truncate, per_token))
            except (ContractError, DataError, ModelError) as error:
                raise BadRequest(422, f"text {number}: {error}") from error
        return found

    def _read(self, question: Question, truncate: bool, per_token: bool) -> TokenizedText:
        turns = question.turns
        if turns is not None and question.generated:
            turns = without_end(turns, self.model.contract.suffix)
        if question.text is not None:
            self._refuse_huge(len(question.text))
            if question.plain is not None and not has_control_tokens(self.model.encoder, question.text):
                turns = question.plain
        if turns is not None:
            return self._conversation(turns, truncate, per_token)
        if self.model.encoder.answers or per_token:
            raise DataError(
                "this request needs to know where the response begins, which is unknown for a rendered text; send messages"
            )
        return self._kept(self._ids(question), truncate)

    def _ids(self, question: Question) -> Ids:
        """The token ids of a text that the client has rendered, or tokenized as well."""
        if question.text is None:
            return self._checked(question.token_ids or ())
        return rendered_ids(self.model.encoder, question.text, generated=question.generated)

    def _kept(self, ids: Ids, truncate: bool) -> TokenizedText:
        """As many of the ids as the contract takes."""
        limit = self.model.contract.max_length
        if len(ids) > limit and not truncate:
            raise self._too_long(len(ids))
        kept = cut_left(ids, limit, self._first)
        return TokenizedText(Sequences(opening_of(kept), (kept,)), len(kept) < len(ids))

    def _conversation(self, turns: Conversation, truncate: bool, per_token: bool) -> TokenizedText:
        self._refuse_huge(sum(map(characters, turns)))
        if per_token:
            refuse_without_values(self.model.network, "per_token")
        record = one_response(turns)
        counted = per_token or self._length_unit == "tokens"
        encoded = (self.model.answering if counted else self.model.encoder).encode(record)
        if encoded.cuts.any and not truncate:
            raise self._too_long(len(self.model.encoder.ids(turns)))
        sequences = sequences_of(record, encoded)
        if per_token:
            return TokenizedText(sequences, encoded.cuts.any, pieces=self._pieces(encoded))
        if not self.model.encoder.answers:
            sequences = replace(sequences, answers=())
        return TokenizedText(sequences, encoded.cuts.any, self._length(record, encoded))

    def _pieces(self, encoded: Encoded) -> tuple[str, ...]:
        """What each token of the response adds to it."""
        return tuple(token_texts(self.model.tokenizer, encoded.sequences[0][-encoded.answers[0] :]))

    def _length(self, record: Record, encoded: Encoded) -> float:
        """The length of the response in the unit of the calibration; 0 where it has none."""
        unit = self._length_unit
        return float(len(record.responses[0].text)) if unit == "characters" else float(sum(encoded.answers))

    @cached_property
    def _length_unit(self) -> str | None:
        calibration = self.model.sidecar.calibration
        return None if calibration is None or calibration.length is None else calibration.length.unit

    def _refuse_huge(self, characters: int) -> None:
        """DataError for a text that is too long in any case, before it is tokenized."""
        most = CHARACTERS_A_TOKEN * self.model.contract.max_length
        if characters > most:
            raise DataError(f"{characters} characters; at most {most} are read for max_length of this model")

    def _too_long(self, tokens: int) -> DataError:
        return DataError(
            f'{tokens} tokens do not fit into max_length {self.model.contract.max_length}; shorten it, send "truncate": '
            "true to /v1/score, or start the server with --truncate"
        )

    def _checked(self, ids: Sequence[int]) -> Ids:
        """Token ids that the model knows."""
        size = int(self.model.network.hf.config.get_text_config().vocab_size)
        for place, number in enumerate(ids):
            if not 0 <= number < size:
                raise DataError(f"token {place} is {number}; expected ids from 0 to {size - 1}")
        return scored_ids(self.model.encoder, [*ids])

    def compute(self, texts: Sequence[Sequences], budget: int) -> list[TextOutput]:
        """The outputs of texts, in order; called by the thread that computes."""
        found = outputs(self.model.network, texts, self.model.head, budget=budget)
        return [
            TextOutput(float(one.rewards[0]), {name: float(values[0]) for name, values in one.columns.items()})
            for one in found
        ]

    def along(self, text: Sequences) -> TextOutput:
        """The output of one text with the value at each token of its response."""
        refuse_without_values(self.model.network, "tokens")
        ((one,),) = token_values(self.model.network, [text], self.model.head)
        columns = dict(zip(self.columns, one.columns, strict=True))
        return TextOutput(one.reward, columns, tuple(map(float, one.values[-text.answers[0] :])))


def characters(turn: Message) -> int:
    """Characters of a turn, its reasoning included."""
    return sum(map(len, turn.parts))


def opening_of(ids: Ids) -> str:
    """The key under which a text of unknown prompt waits: its first tokens, whole where it has fewer."""
    return ids[:OPENING_TOKENS].tobytes().hex()
