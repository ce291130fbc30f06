"""Encoding damage that can be undone, undone; damage that lost characters, named with its loss.

Damage is UTF-8 read as a Windows code page ("Ã©" for "é", "å¥–" for "奖"). Where every byte is still there, reading it back
the other way gives the original, piece by piece where only parts of a text were misread; where the misreading dropped
bytes, no program can say which characters they were. A text that speaks about such damage keeps it. Text without damage
is never touched: no quotes, widths, ligatures, line ends or normal forms are changed.
"""

from dataclasses import dataclass, replace

from rewardsmith.quality.text.characters import damaged_text, texts_of
from rewardsmith.quality.text.explained import explains
from rewardsmith.quality.text.markup import EXCERPT_CHARS
from rewardsmith.quality.text.misreadings import best_reading, legacy_characters
from rewardsmith.records import Message, Record

CERTAIN = 3
"""So many whole characters have to come out of a text, before what is left over counts as lost ones."""
DEEPEST = 3
"""Text that was misread more often than this is left alone."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A text that was read back: where it stands in its record, and what stood at the first change before and after."""

    where: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TextLoss:
    """How many characters of a damaged text are lost, beside how many that can still be read, and the code page."""

    lost: int
    readable: int
    page: str

    def __str__(self) -> str:
        share = self.lost / (self.lost + self.readable)
        return f"UTF-8 read as {self.page}, {self.lost} of {self.lost + self.readable} characters lost ({share:.0%})"


def repaired(text: str) -> str | None:
    """The text before it was misread, where all that was comes back; None for undamaged text and for any doubt.

    What is left of a character that was lost is such a doubt; a letter that was never misread is none.
    """
    fixed = text
    for _ in range(DEEPEST):
        if damaged_text(fixed) is None:
            break
        found = best_reading(fixed)
        if found.lost or found.doubtful or found.chance or not found.readable:
            return None
        if found.text.count("\ufffd") > text.count("\ufffd") or explains(text, found.text):
            return None
        fixed = found.text
    return fixed if fixed != text and damaged_text(fixed) is None else None


def loss_of(text: str) -> TextLoss | None:
    """What a misreading lost, where that is certain: CERTAIN characters or more read back whole, others in part only."""
    if damaged_text(text) is None:
        return None
    best = best_reading(text)
    if explains(text, best.text):
        return None
    if not best.lost or best.chance or best.readable < max(CERTAIN, best.lost // 2, legacy_characters(text)):
        return None
    return TextLoss(best.lost, best.readable, best.page)


def loss_in(record: Record) -> str | None:
    """The first certain loss in a record's texts as a sentence, with how the text began; None where there is none."""
    for where, text in texts_of(record):
        if (loss := loss_of(text)) is not None:
            return f"{where} cannot be repaired: {loss}; it begins with {text[:EXCERPT_CHARS]!r}"
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
