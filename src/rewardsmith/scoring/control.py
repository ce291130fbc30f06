"""Control tokens in token ids: whether the template wrote them or a text did, and how a text is cut so that it has none.

What a text becomes is decided by its token ids. Its characters do not tell: a tokenizer may lower their case, take
full-width letters for plain ones, drop some, or find in its vocabulary what is no special token to it.
"""

import itertools
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewardsmith.errors import ContractError
from rewardsmith.scoring.templates.renderer import MOST_FRAMES, Content, TextPiece


@dataclass(frozen=True)
class Span:
    """A control token, and the characters that it was made from, white space at their ends left out."""

    token_id: int
    start: int
    end: int


class ControlTokens:
    """The tokens that only the template may write, and the tokenizer that makes them."""

    def __init__(self, tokenizer: Any, strings: Iterable[str], pattern: re.Pattern[str]) -> None:
        self.tokenizer = tokenizer
        self.strings, self.pattern = frozenset(strings), pattern
        self.unknown = tokenizer.unk_token_id
        special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
        named = {tokenizer.convert_tokens_to_ids(string) for string in self.strings}
        self.ids = frozenset((special | named | set(tokenizer.all_special_ids)) - {None, self.unknown})
        self.table = np.zeros(max([*self.ids, self.unknown or 0]) + 2, dtype=bool)
        self.table[list(self.ids)] = True
        self.table[[] if self.unknown is None else [self.unknown]] = True
        self.expected: dict[str, list[int]] = {}

    def tokenize(self, texts: Sequence[str], *, literal: bool = False) -> list[tuple[list[int], Any]]:
        """Token ids of each text, and where its tokens lie (None for a tokenizer written in Python)."""
        found = self.tokenizer(list(texts), add_special_tokens=False, split_special_tokens=literal, verbose=False)
        encodings = found.encodings or [None] * len(texts)
        return list(zip(found["input_ids"], encodings, strict=True))

    def spans(self, text: str, ids: Sequence[int], encoding: Any) -> list[Span]:
        """The control tokens among a text's tokens; the unknown token is one where the text spells it."""
        places = np.flatnonzero(self.table.take(np.asarray(ids, dtype=np.int64), mode="clip")).tolist()
        free = {self.unknown}
        if any(ids[place] == self.unknown for place in places) and self._spells_unknown(text):
            free = set()
        found = []
        for place in places:
            if ids[place] in free:
                continue
            start, end = (encoding.token_to_chars(place) or (0, 0)) if encoding is not None else (0, 0)
            inside = text[start:end]
            start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
            if ids[place] != self.unknown or self._spells_unknown(text[start:end]):
                found.append(Span(ids[place], start, max(start, end)))
        return found

    def _spells_unknown(self, text: str) -> bool:
        normalizer = getattr(getattr(self.tokenizer, "backend_tokenizer", None), "normalizer", None)
        plain = normalizer.normalize_str(text) if normalizer is not None else text
        return self.tokenizer.unk_token.strip().lower() in plain.lower()

    def authors(
        self, piece: TextPiece, contents: Mapping[int, str], ids: Sequence[int], encoding: Any
    ) -> frozenset[int]:
        """The messages whose contents wrote a control token into `piece`, or made one of the template's vanish.

        `contents` are the texts that stand in the conversation as they are, by number of message. Where the template
        rewrites them, so that nothing tells which characters are whose, each is tokenized by itself.
        """
        spans = self.spans(piece.text, ids, encoding)
        same = self._as_framed(spans, piece.frame)
        if encoding is None and same:
            return frozenset()
        if piece.contents is None or encoding is None:
            return frozenset(k for k, text in contents.items() if self._suspect(text, same=same))
        forging = overlapped(piece.contents, spans, len(piece.text))
        return frozenset(forging if forging or same else contents)

    def _suspect(self, text: str, *, same: bool) -> bool:
        """Whether a text by itself becomes a control token, or (not `same`) may have made one with what is beside it."""
        return bool(self.forged_in(text)) or not (same or self.is_whole(text))

    def _as_framed(self, spans: Sequence[Span], frame: str) -> bool:
        """Whether the spans are what the template writes around contents which are plain, as far as that is known."""
        return not frame or [span.token_id for span in spans] == self._of_frame(frame)

    def _of_frame(self, frame: str) -> list[int]:
        """The control tokens that the template writes around contents which are plain."""
        if frame not in self.expected:
            if len(self.expected) >= MOST_FRAMES:
                self.expected.clear()
            ((ids, encoding),) = self.tokenize([frame])
            self.expected[frame] = [span.token_id for span in self.spans(frame, ids, encoding)]
        return self.expected[frame]

    def forged_in(self, text: str) -> list[str]:
        """The control tokens that a text by itself becomes."""
        ((ids, encoding),) = self.tokenize([text])
        found: list[str] = self.tokenizer.convert_ids_to_tokens([s.token_id for s in self.spans(text, ids, encoding)])
        return found

    def is_whole(self, text: str) -> bool:
        """Whether a text neither ends with the beginning of a control token nor begins with the end of one."""
        return not any(
            text.endswith(string[:length]) or text.startswith(string[length:])
            for string in self.strings
            for length in range(1, len(string))
        )

    def cut(self, text: str) -> list[TextPiece]:
        """The text as literal pieces that give no control token; usually one.

        ContractError where a single character becomes one.
        """
        pieces, waiting = [], [text]
        while waiting:
            part = waiting.pop()
            ((ids, encoding),) = self.tokenize([part], literal=True)
            spans = self.spans(part, ids, encoding)
            if not spans:
                pieces.append(TextPiece(part, literal=True))
                continue
            if encoding is None:
                spans = [Span(spans[0].token_id, *match.span()) for match in self.pattern.finditer(part)]
            if not spans or any(span.end - span.start < 2 for span in spans):
                token = self.tokenizer.convert_ids_to_tokens([i for i in ids if i in self.ids][:1])
                raise ContractError(
                    f"{part!r:.60} is tokenized as the control token {''.join(token)!r} and cannot be split into "
                    "ordinary tokens; remove it from the text"
                )
            waiting += reversed(cut_inside(part, spans))
        return pieces


def overlapped(contents: Sequence[Content], spans: Sequence[Span], length: int) -> set[int]:
    """The messages of those `contents` that a span overlaps, in a text of `length` characters."""
    written = sorted((span.end, span.start) for span in spans if span.start < span.end)
    found = set()
    for content in contents:  # by halves, not each with each: there may be thousands of turns
        after = bisect_right(written, (content.start, length))
        if after < len(written) and written[after][1] < content.end:
            found.add(content.message)
    return found


def cut_inside(text: str, spans: Sequence[Span]) -> list[str]:
    """The parts of a text that is cut in the middle of every span."""
    middles = [span.start + max(1, (span.end - span.start) // 2) for span in spans]
    return [text[a:b] for a, b in itertools.pairwise([0, *middles, len(text)]) if a < b]
