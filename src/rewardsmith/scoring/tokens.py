"""Records to token ids, exactly as the scoring contract says: nothing doubled, nothing forged, every cut counted."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rewardsmith.errors import ContractError
from rewardsmith.records import Conversation, Message, Record
from rewardsmith.scoring.answers import answer_length
from rewardsmith.scoring.contract import ScoringContract
from rewardsmith.scoring.template import Piece, Renderer
from rewardsmith.scoring.trees import Ids


@dataclass(frozen=True)
class Cuts:
    """What did not fit: turns dropped and tokens cut from the prompt, tokens cut from each response."""

    prompt_turns: int = 0
    prompt_tokens: int = 0
    response_tokens: tuple[int, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything at all was cut."""
        return bool(self.prompt_turns or self.prompt_tokens or any(self.response_tokens))


@dataclass(frozen=True)
class Encoded:
    """A record's K token sequences, with what was cut and how many contents spelled a special token.

    `answers` counts the trailing tokens of each sequence that are its answer (see `scoring.answers`); empty where the
    encoder was not asked for them.
    """

    sequences: tuple[Ids, ...]
    cuts: Cuts
    forged: int
    answers: tuple[int, ...] = ()

    @property
    def overlong(self) -> bool:
        """Whether a response had to be cut: refused in training, flagged in scoring."""
        return any(self.cuts.response_tokens)


class Encoder:
    """Turns records into token ids under one contract; holds the tokenizer, so one per process.

    With `answers` it also counts each text's answer tokens, which takes about as long again.
    """

    def __init__(self, tokenizer: Any, contract: ScoringContract, *, answers: bool = False) -> None:
        self.tokenizer = tokenizer
        self.contract = contract
        self.answers = answers
        self.renderer = Renderer(
            tokenizer, contract.template, kwargs=contract.template_kwargs, default_system=contract.default_system
        )
        self.special_ids = frozenset(tokenizer.all_special_ids) | {
            token_id for token_id, token in tokenizer.added_tokens_decoder.items() if token.special
        }
        self._check_room()

    def encode(self, record: Record) -> Encoded:
        """Token ids of every response of `record` behind the same prompt.

        Raises ContractError where the template refuses the conversation or the system prompt alone is too long.
        """
        prompt = self._with_user(record.prompt)
        texts = [prompt + response.messages for response in record.responses]
        sequences = self._tokenize(texts)
        cuts = Cuts(response_tokens=(0,) * len(sequences))
        if min(map(len, sequences)) > self.contract.prompt_budget:
            prompt, cuts = self._fit_prompt(prompt, cuts)
            if cuts.any:
                texts = [prompt + response.messages for response in record.responses]
                sequences = self._tokenize(texts)
        if max(map(len, sequences)) > self.contract.max_length:
            texts, sequences, cuts = self._fit_responses(texts, sequences, cuts)
        forged = sum(
            bool(self.renderer.special_pattern.search(message.content))
            for message in (*record.prompt, *(m for response in record.responses for m in response.messages))
        )
        answers = tuple(map(self._answer_length, texts, sequences)) if self.answers else ()
        return Encoded(tuple(sequences), cuts, forged, answers)

    def encode_many(self, records: Iterable[Record]) -> Iterable[Encoded]:
        """`encode` over many records, in order."""
        return (self.encode(record) for record in records)

    def ids(self, conversation: Conversation) -> Ids:
        """Token ids of one conversation as it is, without any cut."""
        return self._tokenize([conversation])[0]

    def _with_user(self, prompt: Conversation) -> Conversation:
        needs_user = not any(message.role == "user" for message in prompt) and self.contract.bare_needs_user
        return (*prompt, Message("user", "")) if needs_user else prompt

    def _tokenize(self, conversations: Sequence[Conversation]) -> list[Ids]:
        pieces = [self.renderer.pieces(conversation) for conversation in conversations]
        if all(len(parts) == 1 and not parts[0].literal for parts in pieces):
            batch = self.tokenizer([parts[0].text for parts in pieces], add_special_tokens=False, verbose=False)[
                "input_ids"
            ]
            return [self._trimmed(ids) for ids in batch]
        return [self._trimmed([i for part in parts for i in self._piece_ids(part)]) for parts in pieces]

    def _tokenize_whole(self, conversation: Conversation) -> list[int]:
        """All tokens of a text, those that the contract does not score included."""
        return [i for piece in self.renderer.pieces(conversation) for i in self._piece_ids(piece)]

    def _trimmed(self, ids: list[int]) -> Ids:
        """Without the trailing tokens that the contract does not score; at least one token stays."""
        end = len(ids)
        while end > 1 and ids[end - 1] == self.contract.trim_id:
            end -= 1
        return np.asarray(ids[:end], dtype=np.int32)

    def _piece_ids(self, piece: Piece) -> list[int]:
        if not piece.literal:
            return list(self.tokenizer(piece.text, add_special_tokens=False, verbose=False)["input_ids"])
        ids = list(
            self.tokenizer(piece.text, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
        )
        if self.special_ids.isdisjoint(ids):
            return ids
        return self._split_by_hand(piece.text)

    def _split_by_hand(self, text: str) -> list[int]:
        """Some tokenizers (Unigram) find a control token in their vocabulary all the same: cut inside each one."""
        parts, last = [], 0
        for match in self.renderer.special_pattern.finditer(text):
            middle = match.start() + max(1, len(match[0]) // 2)
            parts.append(text[last:middle])
            last = middle
        parts.append(text[last:])
        ids = [
            i
            for part in parts
            if part
            for i in self.tokenizer(part, add_special_tokens=False, split_special_tokens=True, verbose=False)[
                "input_ids"
            ]
        ]
        unknown = self.tokenizer.unk_token_id
        if not (self.special_ids - {unknown}).isdisjoint(ids):
            raise ContractError("a text that spells special tokens cannot be encoded without forging one")
        return ids

    def _length(self, conversation: Conversation) -> int:
        return len(self.ids(conversation)) if conversation else 0

    def _fit_prompt(self, prompt: Conversation, cuts: Cuts) -> tuple[Conversation, Cuts]:
        """Oldest turns go first, then the left of the last user text; the system turn and the last user turn stay."""
        budget = self.contract.prompt_budget
        before = length = self._length(prompt)
        system = prompt[:1] if prompt and prompt[0].role == "system" else ()
        turns = prompt[len(system) :]
        dropped = 0
        if length > budget and (starts := user_turns(turns)):
            # A search by halves: 10,000 turns are tokenized about twice, not once per turn.
            found = bisect_left(starts, -budget, key=lambda start: -self._length(system + turns[start:]))
            dropped = starts[min(found, len(starts) - 1)]
            turns = turns[dropped:]
            length = self._length(system + turns)
        if length > budget:
            turns = self._cut_left(system, turns, budget)
            length = self._length(system + turns)
        return system + turns, replace(cuts, prompt_turns=dropped, prompt_tokens=before - length)

    def _cut_left(self, system: Conversation, turns: Conversation, budget: int) -> Conversation:
        index = max((k for k, turn in enumerate(turns) if turn.role == "user"), default=len(turns) - 1)
        if index < 0:
            raise ContractError(
                f"the system prompt alone takes {self._length(system)} tokens; max_length leaves {budget} for the prompt"
            )

        def shortened(count: int, text: str, starts: list[int]) -> Conversation:
            rest = text[starts[count] :] if count < len(starts) else ""
            return (*turns[:index], replace(turns[index], content=rest), *turns[index + 1 :])

        text = turns[index].content
        return self._shorten(lambda n, starts: system + shortened(n, text, starts), text, budget)[len(system) :]

    def _fit_responses(
        self, texts: Sequence[Conversation], sequences: list[Ids], cuts: Cuts
    ) -> tuple[list[Conversation], list[Ids], Cuts]:
        """A response that is too long loses its end, so that the template's suffix is still what is pooled."""
        fitted = [
            self._cut_right(text) if len(ids) > self.contract.max_length else text
            for text, ids in zip(texts, sequences, strict=True)
        ]
        shorter = [
            ids if text is whole else self.ids(text) for text, whole, ids in zip(fitted, texts, sequences, strict=True)
        ]
        lost = tuple(len(ids) - len(left) for ids, left in zip(sequences, shorter, strict=True))
        return fitted, shorter, replace(cuts, response_tokens=lost)

    def _cut_right(self, conversation: Conversation) -> Conversation:
        *first, last = conversation
        text = last.content

        def shortened(count: int, starts: list[int]) -> Conversation:
            keep = text[: starts[len(starts) - count]] if count < len(starts) else ""
            return (*first, replace(last, content=keep))

        return self._shorten(shortened, text, self.contract.max_length)

    def _answer_length(self, conversation: Conversation, ids: Ids) -> int:
        suffix, trim = self.contract.suffix, self.contract.trim_id
        trimmed = 0 if trim is None else len(self._tokenize_whole(conversation)) - len(ids)
        return answer_length(
            self.tokenizer, self.renderer, conversation, suffix=suffix, tokens=len(ids), trimmed=trimmed
        )

    def _shorten(self, build: Any, text: str, budget: int) -> Conversation:
        """The longest conversation `build(n, starts)` within `budget`, n = tokens taken off `text`."""
        starts = self._starts(text)
        low, high = 1, len(starts)
        if not starts or self._length(build(high, starts)) > budget:
            raise ContractError(f"a conversation does not fit into {budget} tokens even with its last text taken out")
        while low < high:
            middle = (low + high) // 2
            if self._length(build(middle, starts)) <= budget:
                high = middle
            else:
                low = middle + 1
        result: Conversation = build(low, starts)
        return result

    def _starts(self, text: str) -> list[int]:
        """Where the tokens of a text begin; where a tokenizer written in Python cannot tell, every character."""
        if not self.tokenizer.is_fast:
            return list(range(len(text)))
        encoding = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        return [start for start, _ in encoding["offset_mapping"]]

    def _check_room(self) -> None:
        """Refuse a max_length that leaves no room for a text beside what the template itself writes."""
        prompt = (Message("user", ""),)
        frame = len(self.ids((*prompt, Message("assistant", ""))))
        needed = max(frame + 2, 2 * (self._length(prompt) + 1))
        if self.contract.max_length < needed:
            raise ContractError(
                f"max_length {self.contract.max_length} is too small: the chat template alone takes {frame} tokens; "
                f"use at least {needed}, better {DEFAULT_ADVICE}"
            )


DEFAULT_ADVICE = 512


def user_turns(turns: Conversation) -> list[int]:
    """Where user turns begin after the first turn: what may stand first once older turns are dropped."""
    return [index for index in range(1, len(turns)) if turns[index].role == "user"]
