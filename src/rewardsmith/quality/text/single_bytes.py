"""One page of single bytes: the stretches of a text that may be its, their bytes, and what they read as in UTF-8."""

import functools
import re
from dataclasses import dataclass

from rewardsmith.quality.text.evidence import SEQUENCE, Stretch, convincing
from rewardsmith.quality.text.lost_bytes import leads_in, lost_in, marks_in, only_quotes, unfinished


@dataclass(frozen=True, slots=True)
class PageReading:
    """How a text reads back under one page: whole characters, lost ones, and the text with the whole ones put in.

    `beside` counts what the page shows and was not misread, and twice what is hardly meant.
    `doubtful` where beside the damage stand characters that may be damage too, too few to be sure; `chance` where all of it
    may be clean characters that merely stand side by side.
    """

    page: str
    readable: int
    lost: int
    text: str
    beside: int = 0
    doubtful: bool = False
    chance: bool = False


def reading(text: str, page: str) -> PageReading:
    """A text under a page of single bytes, stretch by stretch of what that page shows for the bytes 80 to FF.

    Characters that were not misread stay; what is left of a character that was lost is told from them by `lost_in`.
    """
    pattern, byte_of = high_half(page)
    runs = bytes_of(text, page)
    leads = leads_in(data for _, data in runs)
    if (spaced := with_no_break_spaces(text, runs, leads)) != text and byte_of.get(0xA0) == 0xA0:
        text, runs = spaced, bytes_of(spaced, page)
    readable = lost = beside = touching = end = 0
    parts = []
    found: list[Stretch] = []
    for run, data in runs:
        count = len(SEQUENCE.findall(data))
        around = text[max(0, run.start() - 1) : run.start()] + text[run.end() : run.end() + 1]
        broken = lost_in(data, leads, beside=around)
        readable, lost = readable + count, lost + broken
        left = 0 if broken else len(SEQUENCE.sub(b"", data))
        touching += left if count and not only_quotes(data) else 0
        beside += left + 2 * marks_in(data)
        if count:
            found.append(Stretch(run.start(), data, whole=whole_sequences(data) > 0))
        parts += [text[end : run.start()], read_back(run.group(), data) if count and not broken else run.group()]
        end = run.end()
    chance = bool(found) and not convincing(text, found, beside=not pattern.sub("", text).isascii())
    return PageReading(
        page_name(page), readable, lost, "".join([*parts, text[end:]]), beside + touching, touching > 0, chance
    )


def bytes_of(text: str, page: str) -> list[tuple[re.Match[str], bytes]]:
    """The stretches of what a page shows for the bytes 80 to FF, and these bytes."""
    pattern, byte_of = high_half(page)
    return [(run, run.group().translate(byte_of).encode("latin-1")) for run in pattern.finditer(text)]


def with_no_break_spaces(text: str, runs: list[tuple[re.Match[str], bytes]], leads: frozenset[int]) -> str:
    """The text with A0, which pages show as a no-break space, where it was saved as a plain one and ends "à" or itself.

    "Ã la" had a space more, which was taken for the same one. Longer sequences may have lost their end to other causes.
    """
    parts, end = [], 0
    for run, data in runs:
        tail = unfinished(data)
        capitals = run.end() > 1 and text[run.end() - 2].isupper()
        if tail and tail[0] in leads and not capitals and text[run.end() : run.end() + 1] == " ":
            kept = " " if tail == b"\xc3" and text[run.end() + 1 : run.end() + 2] != " " else ""
            parts += [text[end : run.end()], "\xa0", kept]
            end = run.end() + 1
    return "".join([*parts, text[end:]])


def read_back(shown: str, data: bytes) -> str:
    """What a page shows, with each whole sequence of UTF-8 read; other characters, which were not misread, as they are."""
    parts, end = [], 0
    for each in SEQUENCE.finditer(data):
        parts += [shown[end : each.start()], each[0].decode()]
        end = each.end()
    return "".join([*parts, shown[end:]])


@functools.cache
def high_half(page: str) -> tuple[re.Pattern[str], dict[int, int]]:
    """A pattern for runs of the characters that a page shows for the bytes 80 to FF, and the byte of each."""
    import ftfy.bad_codecs  # noqa: F401  # registers the sloppy pages

    page_name = {ord(bytes([byte]).decode(page)): byte for byte in range(0x80, 0x100)}
    characters = "".join(map(re.escape, map(chr, page_name)))
    return re.compile(f"[{characters}]+"), page_name


def whole_sequences(data: bytes) -> int:
    """How many UTF-8 sequences some bytes are, 0 where anything is left over."""
    pieces, whole = SEQUENCE.subn(b"", data)
    return 0 if pieces else whole


def page_name(page: str) -> str:
    """A page's name for people."""
    return page.removeprefix("sloppy-")
