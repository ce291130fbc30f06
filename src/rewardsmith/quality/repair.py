"""Encoding damage that can be undone, undone; damage that lost characters, told with its loss.

Damage is UTF-8 read as a Windows code page ("Ã©" for "é", "å¥–" for "奖"). Where every byte is still there, reading the
text back the other way gives the original; where the misreading dropped bytes, no program can say which characters they
were. Text without such damage is never touched: no quotes, widths, ligatures, line ends or normal forms are changed.
"""

import functools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rewardsmith.quality.text import EXCERPT_CHARS, damaged_text, texts_of
from rewardsmith.records import Message, Record

if TYPE_CHECKING:
    from ftfy import TextFixerConfig

# The sloppy kinds also map the bytes that the code page leaves undefined, as browsers do.
PAGES = ("sloppy-windows-1252", "sloppy-windows-1254", "sloppy-windows-1251", "iso-8859-1")
SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
LOST_LEAD = re.compile(rb"[\xc2-\xf4]")
ORPHANS = re.compile(rb"[\x80-\xbf]+")
CERTAIN = 3
"""So many whole characters have to come out of a text, before what is left over counts as lost ones."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A text that was read back: where it stands in its record, and what stood at the first change before and after."""

    where: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Loss:
    """How many characters of a damaged text are lost, beside how many that can still be read, and the code page."""

    lost: int
    readable: int
    page: str

    def __str__(self) -> str:
        share = self.lost / (self.lost + self.readable)
        return f"UTF-8 read as {self.page}, {self.lost} of {self.lost + self.readable} characters lost ({share:.0%})"


def repaired(text: str) -> str | None:
    """The text before it was misread, where it comes back whole; None for undamaged text and for any doubt.

    A lone accented letter beside the damage is such a doubt: it may be all that is left of a character.
    """
    if damaged_text(text) is None:
        return None
    from ftfy import fix_encoding

    if best_reading(text).lost:
        return None
    fixed = fix_encoding(text, safe_settings())
    whole = fixed != text and damaged_text(fixed) is None and fixed.count("\ufffd") <= text.count("\ufffd")
    return fixed if whole else None


@functools.cache
def safe_settings() -> "TextFixerConfig":
    """ftfy without its guesses (a space for a lost byte, U+FFFD for a lost sequence) and without any other change."""
    from ftfy import TextFixerConfig

    changes = {
        name: False for name in TextFixerConfig._fields if name not in ("normalization", "max_decode_length", "explain")
    }
    kept = {"fix_encoding": True, "decode_inconsistent_utf8": True}
    return TextFixerConfig(**(changes | kept | {"normalization": None, "explain": False}))


def loss_of(text: str) -> Loss | None:
    """What a misreading lost, where that is certain: CERTAIN characters or more read back whole, others in part only."""
    if damaged_text(text) is None:
        return None
    best = best_reading(text)
    return best if best.lost and best.readable >= max(CERTAIN, best.lost // 2) else None


def best_reading(text: str) -> Loss:
    """How a text reads back under the code page that explains most of it."""
    return max((reading(text, page) for page in PAGES), key=lambda loss: loss.readable - loss.lost)


def reading(text: str, page: str) -> Loss:
    """How a text reads back under one code page: whole UTF-8 sequences, and pieces of such that are left over.

    A lead byte without its continuation is one lost character, and so is a run of continuation bytes without a lead.
    """
    pattern, byte_of = high_half(page)
    readable = lost = 0
    for run in pattern.findall(text):
        data = run.translate(byte_of).encode("latin-1")
        pieces, count = SEQUENCE.subn(b" ", data)
        readable += count
        lost += broken(pieces)
    return Loss(lost, readable, page.removeprefix("sloppy-"))


def broken(pieces: bytes) -> int:
    """Characters that the bytes outside whole sequences were part of."""
    leads = len(LOST_LEAD.findall(pieces))
    alone = sum(1 for found in ORPHANS.finditer(pieces) if not LOST_LEAD.match(pieces, found.start() - 1))
    return leads + alone


@functools.cache
def high_half(page: str) -> tuple[re.Pattern[str], dict[int, int]]:
    """A pattern for runs of the characters that a code page shows for the bytes 80 to FF, and the byte of each."""
    import ftfy.bad_codecs  # noqa: F401  # registers the sloppy code pages

    shown = {ord(bytes([byte]).decode(page)): byte for byte in range(0x80, 0x100)}
    characters = "".join(map(re.escape, map(chr, shown)))
    return re.compile(f"[{characters}]+"), shown


def loss_in(record: Record) -> str | None:
    """The first certain loss in a record's texts as a sentence, with how the text began; None where there is none."""
    for where, text in texts_of(record):
        if (loss := loss_of(text)) is not None:
            return f"{where} is damaged beyond repair: {loss}; it begins with {text[:EXCERPT_CHARS]!r}"
    return None


def repair(record: Record) -> tuple[Record, tuple[Repair, ...]]:
    """The record with every text read back that comes back whole, and what was done; the same record for nothing."""
    done = []
    for where, text in texts_of(record):
        if (fixed := repaired(text)) is not None:
            start = next(at for at, (old, new) in enumerate(zip(text, fixed, strict=False)) if old != new)
            done.append(Repair(where, text[start:][:EXCERPT_CHARS], fixed[start:][:EXCERPT_CHARS]))
    if not done:
        return record, ()
    responses = tuple(replace(one, messages=tuple(map(mended, one.messages))) for one in record.responses)
    return replace(record, prompt=tuple(map(mended, record.prompt)), responses=responses), tuple(done)


def mended(message: Message) -> Message:
    """A turn with its text read back."""
    fixed = repaired(message.content)
    return message if fixed is None else replace(message, content=fixed)
