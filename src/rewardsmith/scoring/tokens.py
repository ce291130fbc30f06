"""Records to token ids, exactly as the scoring contract says: nothing doubled, nothing forged, every cut counted."""

import datetime
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rewardsmith.errors import ContractError
from rewardsmith.records import Conversation, Message, Record
from rewardsmith.scoring.answers import answer_length
from rewardsmith.scoring.contract import ScoringContract
from rewardsmith.scoring.control import ControlTokens
from rewardsmith.scoring.templates.renderer import UNPINNED, Renderer, TextPiece
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


@dataclass(frozen=True)
class Tokenized:
    """One conversation's token ids, the pieces that gave them, how many at their end are not scored, and the contents
    that would have become a control token."""

    ids: Ids
    trimmed: int
    pieces: tuple[TextPiece, ...]
    forged: frozenset[str]


class Encoder:
    """Turns records into token ids under one contract; holds the tokenizer, so one per process.

    With `answers` it also counts each text's answer tokens, which takes about as long again.
    """

    def __init__(self, tokenizer: Any, contract: ScoringContract, *, answers: bool = False) -> None:
        self.tokenizer = tokenizer
        self.contract = contract
        self.answers = answers
        date = datetime.date.fromisoformat(contract.date) if contract.date else UNPINNED
        self.renderer = Renderer(
            tokenizer,
            contract.template,
            kwargs=contract.template_kwargs,
            default_system=contract.default_system,
            date=date,
        )
        self.control = ControlTokens(tokenizer, self.renderer.control_strings, self.renderer.special_pattern)
        self._check_room()

    def encode(self, record: Record) -> Encoded:
        """Token ids of every response of `record` behind the same prompt.

        Raises ContractError where the template refuses the conversation or the system prompt alone is too long.
        """
        prompt = self._with_user(record.prompt)
        texts = [prompt + response.messages for response in record.responses]
        whole = self._tokenize(texts)
        texts, sequences, cuts = self._fit(record, prompt, texts, whole)
        answers = tuple(map(self._answer_length, texts, sequences)) if self.answers else ()
        return Encoded(tuple(one.ids for one in sequences), cuts, forged_contents(record, whole), answers)

    def ids(self, conversation: Conversation) -> Ids:
        """Token ids of one conversation as it is, without any cut."""
        return self._tokenize([conversation])[0].ids

    def _with_user(self, prompt: Conversation) -> Conversation:
        needs_user = not any(message.role == "user" for message in prompt) and self.contract.bare_needs_user
        return (*prompt, Message("user", "")) if needs_user else prompt

    def _tokenize(self, conversations: Sequence[Conversation]) -> list[Tokenized]:
        """Each conversation as one text where its contents are plain, otherwise with those apart that are not."""
        pieces = [self.renderer.pieces(conversation) for conversation in conversations]
        if not all(len(parts) == 1 and not parts[0].literal for parts in pieces):
            return [self._apart(conversation) for conversation in conversations]
        found = self.control.tokenize([piece.text for (piece,) in pieces])
        return [
            self._apart(conversation, authors)
            if (authors := self.control.authors(piece, self._contents(conversation), *tokens))
            else self._scored(tokens[0], (piece,))
            for conversation, (piece,), tokens in zip(conversations, pieces, found, strict=True)
        ]

    def _contents(self, conversation: Conversation) -> Mapping[int, str]:
        return {k: m.content for k, m in enumerate(self.renderer.complete(conversation)) if m.content.strip()}

    def _apart(self, conversation: Conversation, apart: frozenset[int] = frozenset()) -> Tokenized:
        """As pieces, of which those that are contents give no control token."""
        contents = self._contents(conversation)
        apart |= {k for k, content in contents.items() if self.renderer.special_pattern.search(content)}
        pieces, apart = self._separated(conversation, contents, apart)
        parts = [part for piece in pieces for part in (self.control.cut(piece.text) if piece.literal else [piece])]
        return self._scored(self._ids_of(parts), tuple(parts), frozenset(contents[k] for k in apart))

    def _separated(
        self, conversation: Conversation, contents: Mapping[int, str], apart: frozenset[int]
    ) -> tuple[list[TextPiece], frozenset[int]]:
        """The pieces with the contents `apart` by themselves, and all that are apart in the end.

        A content whose neighbour was taken out may now make a control token with what has moved beside it: what is
        between them is looked at again until no content is left that writes one.
        """
        while True:
            pieces = self.renderer.pieces(conversation, apart)
            inline = {k: content for k, content in contents.items() if k not in apart}
            more = frozenset[int]().union(*(self._authors(piece, inline) for piece in pieces if not piece.literal))
            if not more:
                return pieces, apart
            apart |= more

    def _authors(self, piece: TextPiece, contents: Mapping[int, str]) -> frozenset[int]:
        ((ids, encoding),) = self.control.tokenize([piece.text])
        return self.control.authors(piece, contents, ids, encoding)

    def _ids_of(self, parts: Sequence[TextPiece]) -> list[int]:
        """The token ids of the parts in order; all literal ones are tokenized in one call, and all others."""
        made = {
            literal: iter(self.control.tokenize([p.text for p in parts if p.literal == literal], literal=literal))
            for literal in {part.literal for part in parts}
        }
        return [i for part in parts for i in next(made[part.literal])[0]]

    def _scored(self, ids: list[int], pieces: tuple[TextPiece, ...], forged: frozenset[str] = frozenset()) -> Tokenized:
        """Without the trailing tokens that the contract does not score; at least one token stays."""
        if not ids:
            text = "".join(piece.text for piece in pieces)
            raise ContractError(f"the chat template writes {text!r:.60}, of which the tokenizer makes no token")
        end = len(ids)
        while end > 1 and ids[end - 1] == self.contract.trim_id:
            end -= 1
        return Tokenized(np.asarray(ids[:end], dtype=np.int32), len(ids) - end, pieces, forged)

    def _length(self, conversation: Conversation) -> int:
        return len(self.ids(conversation)) if conversation else 0

    def _fit(
        self, record: Record, prompt: Conversation, texts: list[Conversation], sequences: list[Tokenized]
    ) -> tuple[list[Conversation], list[Tokenized], Cuts]:
        """Within the limits of the contract: first the prompt that all responses share, then each response."""
        cuts = Cuts(response_tokens=(0,) * len(sequences))
        if min(map(length_of, sequences)) > self.contract.prompt_budget:
            prompt, cuts = self._fit_prompt(prompt, cuts)
            if cuts.any:
                texts = [prompt + response.messages for response in record.responses]
                sequences = self._tokenize(texts)
        if max(map(length_of, sequences)) > self.contract.max_length:
            return self._fit_responses(texts, sequences, cuts)
        return texts, sequences, cuts

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
        self, texts: Sequence[Conversation], sequences: list[Tokenized], cuts: Cuts
    ) -> tuple[list[Conversation], list[Tokenized], Cuts]:
        """A response that is too long loses its end, so that the template's suffix is still what is pooled."""
        fitted = [
            self._cut_right(text) if length_of(one) > self.contract.max_length else text
            for text, one in zip(texts, sequences, strict=True)
        ]
        shorter = [
            one if text is whole else self._tokenize([text])[0]
            for text, whole, one in zip(fitted, texts, sequences, strict=True)
        ]
        lost = tuple(length_of(one) - length_of(left) for one, left in zip(sequences, shorter, strict=True))
        return fitted, shorter, replace(cuts, response_tokens=lost)

    def _cut_right(self, conversation: Conversation) -> Conversation:
        *first, last = conversation
        text = last.content

        def shortened(count: int, starts: list[int]) -> Conversation:
            keep = text[: starts[len(starts) - count]] if count < len(starts) else ""
            return (*first, replace(last, content=keep))

        return self._shorten(shortened, text, self.contract.max_length)

    def _answer_length(self, conversation: Conversation, one: Tokenized) -> int:
        return answer_length(
            self.tokenizer,
            one.pieces,
            conversation[-1].content,
            suffix=self.contract.suffix,
            tokens=len(one.ids),
            trimmed=one.trimmed,
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
        user, assistant = Message("user", ""), Message("assistant", "")
        if not self.renderer.render((user, assistant)).strip():  # empty turns are left out
            user, assistant = replace(user, content="x"), replace(assistant, content="x")
        prompt = (user,)
        frame = len(self.ids((user, assistant)))
        needed = max(frame + 2, 2 * (self._length(prompt) + 1))
        if self.contract.max_length < needed:
            raise ContractError(
                f"max_length {self.contract.max_length} is too small: the chat template alone takes {frame} tokens; "
                f"use at least {needed}, better {DEFAULT_ADVICE}"
            )


DEFAULT_ADVICE = 512


def length_of(one: Tokenized) -> int:
    """Tokens that are scored."""
    return len(one.ids)


def forged_contents(record: Record, sequences: Sequence[Tokenized]) -> int:
    """How many contents of the record would have become a control token in one of its sequences."""
    spelled = frozenset[str]().union(*(one.forged for one in sequences))
    said = (*record.prompt, *(message for response in record.responses for message in response.messages))
    return sum(message.content in spelled for message in said)


def user_turns(turns: Conversation) -> list[int]:
    """Where user turns begin after the first turn: what may stand first once older turns are dropped."""
    return [index for index in range(1, len(turns)) if turns[index].role == "user"]
