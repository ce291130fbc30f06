"""Records to token ids, exactly as the scoring contract says: nothing doubled, nothing forged, every cut counted."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rewardsmith.errors import ContractError
from rewardsmith.records import Conversation, Message, Record
from rewardsmith.scoring.answers import answer_length
from rewardsmith.scoring.contract import ScoringContract
from rewardsmith.scoring.control import ControlTokens
from rewardsmith.scoring.nested import nested_sequences
from rewardsmith.scoring.reasoning import OMIT, has_reasoning, spoken
from rewardsmith.scoring.templates.renderer import UNPINNED, Renderer, TextPiece
from rewardsmith.scoring.trees import Ids
from rewardsmith.scoring.truncation import Cuts, Truncation


@dataclass(frozen=True)
class Encoded:
    """A record's K token sequences, with what was cut and how many contents spelled a special token.

    `answers` counts the trailing tokens of each sequence that are its answer (see `scoring.answers`); empty where the
    encoder was not asked for them. `not_shown` names the kinds of contents that the template leaves out or rewrites:
    system, user, assistant, tool, and response for a last message; and reasoning that the contract does not score.
    """

    sequences: tuple[Ids, ...]
    cuts: Cuts
    forged: int
    answers: tuple[int, ...] = ()
    not_shown: tuple[str, ...] = ()

    @property
    def overlong(self) -> bool:
        """Whether a response had to be cut: refused in training, flagged in scoring."""
        return self.cuts.responses > 0


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
        self.truncation = Truncation(contract, self._length, self._starts)
        self._check_room()

    def encode(self, record: Record) -> Encoded:
        """Token ids of every response of `record` behind the same prompt.

        Raises ContractError where the template refuses the conversation or the system prompt alone is too long.
        """
        if record.by_steps:
            return self._by_steps(record)
        way = self.contract.reasoning
        unread = way == OMIT and any(map(has_reasoning, record.conversations))
        prompt = self._with_user(spoken(record.prompt, way))
        responses = [spoken(response.messages, way) for response in record.responses]
        texts = [prompt + response for response in responses]
        whole = self._tokenize(texts)
        not_shown = frozenset({"reasoning"} if unread else ()).union(*map(self._not_shown, texts, whole))
        texts, sequences, cuts = self._fit(prompt, responses, texts, whole)
        return Encoded(
            tuple(one.ids for one in sequences),
            cuts,
            forged_contents(record, whole),
            tuple(map(self._answer_length, texts, sequences)) if self.answers else (),
            tuple(sorted(not_shown)),
        )

    def _by_steps(self, record: Record) -> Encoded:
        """The tokens up to the end of each step, tokenized by itself, so that no later step changes an earlier one's.

        A solution ends without what the template writes behind a response, since more steps may follow.
        """
        opening = self.opening(record.prompt)
        added = [self._ids_of(self.control.cut(step)) for step in record.steps]
        sequences = nested_sequences(opening, added, self.contract.max_length)
        none = (0,) * len(sequences)
        answers = tuple(len(ids) - len(opening) for ids in sequences) if self.answers else ()
        forged = sum(bool(self.control.forged_in(step)) for step in record.steps)
        return Encoded(sequences, Cuts(none, none, none), forged, answers)

    def ids(self, conversation: Conversation) -> Ids:
        """Token ids of one conversation as it is, without any cut."""
        return self._tokenize([conversation])[0].ids

    def opening(self, prompt: Conversation) -> Ids:
        """Token ids of a prompt with what the template writes before a response, without any cut: where one begins."""
        conversation = (*self._with_user(spoken(prompt, self.contract.reasoning)), Message("assistant", "x"))
        (one,) = self._tokenize([conversation])
        return one.ids[: len(one.ids) - self._answer_length(conversation, one)]

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
            raise ContractError(f"the chat template renders {text!r:.60}, which the tokenizer turns into no token")
        end = len(ids)
        while end > 1 and ids[end - 1] == self.contract.trim_id:
            end -= 1
        return Tokenized(np.asarray(ids[:end], dtype=np.int32), len(ids) - end, pieces, forged)

    def _length(self, conversation: Conversation) -> int:
        return len(self.ids(conversation)) if conversation else 0

    def _fit(
        self, prompt: Conversation, responses: list[Conversation], texts: list[Conversation], whole: list[Tokenized]
    ) -> tuple[list[Conversation], list[Tokenized], Cuts]:
        """Within the limits of the contract: first the prompts, then each response."""
        found = self.truncation.cut_prompts(prompt, responses, [*map(length_of, whole)])
        shorter = [
            cut_text if cut.turns or cut.tokens else text for text, (cut_text, cut) in zip(texts, found, strict=True)
        ]
        sequences = self._again(texts, shorter, whole)
        fitted = [
            self.truncation.cut_response(text) if length_of(one) > self.contract.max_length else text
            for text, one in zip(shorter, sequences, strict=True)
        ]
        ending = self._again(shorter, fitted, sequences)
        return (
            fitted,
            ending,
            Cuts(
                tuple(cut.turns for _, cut in found),
                tuple(cut.tokens for _, cut in found),
                tuple(length_of(one) - length_of(left) for one, left in zip(sequences, ending, strict=True)),
            ),
        )

    def _again(
        self, before: Sequence[Conversation], after: Sequence[Conversation], known: list[Tokenized]
    ) -> list[Tokenized]:
        """The token ids of the conversations after a cut; those of the others are `known`."""
        shortened = [new for old, new in zip(before, after, strict=True) if new is not old]
        changed = iter(self._tokenize(shortened) if shortened else ())
        return [one if new is old else next(changed) for old, new, one in zip(before, after, known, strict=True)]

    def _not_shown(self, conversation: Conversation, one: Tokenized) -> frozenset[str]:
        """The kinds of contents that do not stand in the rendered text, white space at their ends left aside."""
        messages = self.renderer.complete(conversation)
        contents = self._contents(conversation)
        if len(one.pieces) == 1 and (known := one.pieces[0].contents) is not None:
            missing = frozenset(contents) - {content.message for content in known}
        else:
            missing = absent("".join(piece.text for piece in one.pieces), contents)
        last = len(messages) - 1
        return frozenset("response" if k == last else messages[k].role for k in missing)

    def _answer_length(self, conversation: Conversation, one: Tokenized) -> int:
        return answer_length(
            self.tokenizer,
            one.pieces,
            conversation[-1].content,
            suffix=self.contract.suffix,
            tokens=len(one.ids),
            trimmed=one.trimmed,
        )

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
                f"max_length {self.contract.max_length} is too small: the chat template alone needs {frame} tokens; "
                f"use at least {needed}; {DEFAULT_ADVICE} or more is recommended"
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


def absent(text: str, contents: Mapping[int, str]) -> frozenset[int]:
    """The numbers of the contents that stand nowhere in `text`; looked for in their order, so that the text is read once."""
    at, missing = 0, set()
    for number, content in contents.items():
        stripped = content.strip()
        found = text.find(stripped, at)
        if found >= 0:
            at = found + len(stripped)
        elif stripped not in text:
            missing.add(number)
    return frozenset(missing)
