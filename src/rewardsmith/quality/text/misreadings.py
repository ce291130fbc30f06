"""UTF-8 that was read as another encoding, read back: which page explains it, what comes out, and how much was lost.

Two families of pages. A page of single bytes (Windows, DOS, Mac, ISO) makes of one character two to four odd ones: "Ã©"
for "é", "РџСЂ" for "Пр". A double-byte page (GBK, Big5, Shift-JIS, EUC-KR, EUC-JP) makes of every three-byte character one
and a half, so Chinese becomes other, rare Chinese: "浣犲ソ" for "你好".
"""

import functools
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from rewardsmith.quality.text.evidence import SEQUENCE
from rewardsmith.quality.text.lost_bytes import broken_in, script_of
from rewardsmith.quality.text.single_bytes import PageReading, high_half, page_name, reading, whole_sequences

PAGES = (
    "sloppy-windows-1252",
    "sloppy-windows-1254",
    "iso-8859-1",
    "sloppy-windows-1251",
    "sloppy-windows-1250",
    "sloppy-windows-1253",
    "iso-8859-15",
    "iso-8859-2",
    "mac-roman",
    "cp437",
    "cp850",
    "cp1256",
)
"""Pages of single bytes, the most usual first. The sloppy kinds also map the bytes that a page leaves undefined, as browsers
do."""
DOUBLE_PAGES = ("gbk", "cp950", "cp932", "cp949", "euc_jp")
NEARLY_WHOLE = ("gbk", "cp932")
"""Those that show most bytes of UTF-8; from the others whole text comes back by chance only."""


LEADS = (*range(0xE3, 0xEE), 0xEF)
"""First bytes of kana, Chinese, Korean and full-width characters in UTF-8."""
TRAILS = range(0x80, 0xC0)
WIDE = re.compile(rb"(?:[\xe3-\xed\xef][\x80-\xbf]{2})+")
SURE_WIDE = 3
"""So many three-byte characters in a row are no chance: none in 80,000 clean Chinese and Japanese sentences tried."""
LEAST_COVERED = 0.4
"""And they have to be so much of their stretch; where bytes were dropped it is still a half or more."""
REPLACED_TWICE = ("锟斤拷", "嚙踝蕭", "占쏙옙")
"""Two U+FFFD, saved as UTF-8, read as GBK, Big5 and EUC-KR: the text before was lost already."""
DASHED = "鈥窶"
"""What GBK and Shift-JIS show for the first two bytes of quotes, dashes and dots; hardly any text uses these characters."""
THINNING = ("cp950", "euc_jp")
RARE_SHARE = 0.2
WIDE_CHARACTER = re.compile("[\u3000-\ud7ff\uf900-\ufaff\uff00-\uffef]")


def best_reading(text: str) -> PageReading:
    """The reading that explains most of a damaged text; of equals that with fewer clashes of case, then the more usual page.

    A page that does not show a character of the text, while another page does, explains less: half a character each. "fÃŒr"
    is "für" under ISO 8859-15 and "fÌr" under Windows 1252, and only one of them is a word.
    """
    readings = [(reading(text, page), len(characters_of_other_pages(page).findall(text))) for page in PAGES]
    if (codec := double_page(text)) is not None:
        readings.append((double_reading(text, codec), 0))
    scores = [found.readable - found.lost - (found.beside + missing) / 2 for found, missing in readings]
    best = [found for (found, _), score in zip(readings, scores, strict=True) if score == max(scores)]
    if len({found.text for found in best}) > 1:
        return min(best, key=lambda found: case_clashes(found.text))
    return min(best, key=lambda found: found.chance)


def case_clashes(text: str) -> int:
    """How often letters beyond ASCII stand in a word as capitals and small letters hardly do: "fÌr", "LÀn", but not "Àl"."""
    clashes = sum(one.islower() and two.isupper() for one, two in pairwise(text) if not (one + two).isascii())
    for one, two, three in zip(text, text[1:], text[2:], strict=False):
        clashes += two > "\x7f" and one.isupper() and two.isupper() and three.islower()
    return clashes


@functools.cache
def characters_of_other_pages(page: str) -> re.Pattern[str]:
    """The characters that other pages show for the bytes 80 to FF, and this one does not."""
    every = set().union(*(high_half(other)[1] for other in PAGES)) - high_half(page)[1].keys()
    return re.compile(f"[{''.join(map(re.escape, map(chr, sorted(every))))}]")


# --- other scripts ----------------------------------------------------------------------------------------------------

PUNCTUATION = (0xC2, 0xE2)
OTHER_PAGES = {
    "sloppy-windows-1251": re.compile("[\u0400-\u04ff][\u0400-\u04ff\u00a0-\u00bf\u2010-\u2122]"),
    "sloppy-windows-1253": re.compile("[\u0370-\u03ff][\u00a0-\u00bf\u0370-\u03ff\u2010-\u2122\u0192]"),
    "mac-roman": re.compile("[\u2013\u2014][\u00a0-\u00ff\u2202-\u2265\u03a9\u03c0]"),
    "cp437": re.compile("[\u2518\u256a\u2568\u2564][\u00a0-\u00ff\u0391-\u03c9\u2510-\u25a0]"),
    "cp1256": re.compile("[\u0600-\u06ff][\u00a0-\u00bf\u0600-\u06ff\u2010-\u2122\u0192\u02c6\u0152-\u0153]"),
}
"""Pages whose damage looks like another living script, each with what it begins with."""
SURE_OTHER = 3
LEAST_OTHER = 4


def misread_script(text: str) -> str | None:
    """The page of OTHER_PAGES as which a part of the text was read; None for a text that is just in that script.

    A stretch counts where it is whole UTF-8 from end to end, of one script, and holds SURE_OTHER bytes behind first ones,
    or touches a Latin letter: "Ці" is a Ukrainian word, "فکر؟" an Urdu one, and "dГ©jГ" is none; and somewhere there has
    to be a sign that is no letter, as "ЦІЛІ" has not.
    """
    for page, begin in OTHER_PAGES.items():
        if not begin.search(text):
            continue
        pattern, byte_of = high_half(page)
        found = [
            run.group()
            for run in pattern.finditer(text)
            if of_one_script(data := run.group().translate(byte_of).encode("latin-1"))
            and (len(data) - whole_sequences(data) >= SURE_OTHER or touches_latin(text, run.start(), run.end()))
        ]
        together = "".join(found)
        if len(together) >= LEAST_OTHER and not together.isalpha():
            return page
    return None


def of_one_script(data: bytes) -> bool:
    """Whether some bytes are whole sequences of UTF-8, and all of them of one script, punctuation left out."""
    if not whole_sequences(data):
        return False
    scripts = {script_of(each[0]) for each in SEQUENCE.findall(data) if each[0] not in PUNCTUATION}
    return len(scripts) == 1


def touches_latin(text: str, start: int, end: int) -> bool:
    """Whether an ASCII letter stands right before or after a stretch."""
    return any(each.isascii() and each.isalpha() for each in (text[start - 1 : start], text[end : end + 1]))


# --- double bytes -----------------------------------------------------------------------------------------------------


def double_page(text: str) -> str | None:
    """The double-byte page as which UTF-8 was read somewhere in the text; None for Chinese, Japanese or Korean as it is."""
    if not double_signature().search(text):
        return None
    found = [(sum(map(count_of, stretches(text, codec))), codec) for codec in DOUBLE_PAGES]
    best, codec = max(found, key=lambda each: each[0])
    return codec if best else None


def thinned_page(text: str) -> str | None:
    """The double-byte page as which UTF-8 was read where most bytes were dropped, known by the rare characters alone.

    Big5 and EUC-JP show hardly half of the bytes. What is left are characters that begin with a lead byte of UTF-8, which
    in these pages are the rarest ones; in clean text fewer than one in fifty is.
    """
    if not rare_run().search(text):
        return None
    wide = len(WIDE_CHARACTER.findall(text))
    for codec in THINNING:
        rare = sum(map(text.count, set(text) & rare_of(codec)))
        if rare >= SURE_WIDE and rare >= RARE_SHARE * wide:
            return codec
    return None


@functools.cache
def rare_of(codec: str) -> frozenset[str]:
    """The characters of a page whose first byte is a lead byte of UTF-8, and whose second is a continuation."""
    return frozenset(class_of(codec, LEADS, TRAILS))


@functools.cache
def rare_run() -> re.Pattern[str]:
    """Two such characters in a row, or one beside U+FFFD."""
    rare = "".join(sorted(frozenset[str]().union(*map(rare_of, THINNING))))
    return re.compile(f"[{rare}][{rare}\ufffd]")


def count_of(stretch: tuple[int, int, bytes]) -> int:
    """How many characters come back out of a stretch."""
    return len(stretch[2]) // 3


def double_reading(text: str, codec: str) -> PageReading:
    """A text under a double-byte page. U+FFFD in the text stands for a character that the page could not show."""
    readable = lost = end = 0
    parts = []
    for start, stop, data in stretches(text, codec):
        wide = sum(len(found.group()) // 3 for found in WIDE.finditer(data))
        pieces = SEQUENCE.sub(b" ", data)
        broken = broken_in(pieces)
        readable, lost = readable + wide, lost + broken
        parts += [text[end:start], data.decode() if not broken else text[start:stop]]
        end = stop
    fixed = "".join([*parts, text[end:]])
    lost += text.count("\ufffd") if readable else 0
    return PageReading(codec, readable, lost, fixed, 0, codec not in NEARLY_WHOLE or wide_beside(text, codec))


def wide_beside(text: str, codec: str) -> bool:
    """Whether wide characters stand outside of the stretches that are damage beyond doubt."""
    covered = sum(len(WIDE_CHARACTER.findall(text[start:stop])) for start, stop, _ in stretches(text, codec))
    return covered < len(WIDE_CHARACTER.findall(text))


def stretches(text: str, codec: str) -> Iterator[tuple[int, int, bytes]]:
    """(start, end, bytes) of each stretch of double-byte characters in which UTF-8 shows beyond doubt."""
    runs = wide_runs(text, codec)
    # Two characters are enough where nothing else stands beside them, as in a short answer, or where it happens twice.
    pairs = all(run.whole for run in runs) or sum(run.whole for run in runs if run.whole > 1) > SURE_WIDE
    for run in runs:
        if run.is_sure or (pairs and run.whole == SURE_WIDE - 1):
            yield run.start, run.end, run.data


class WideRun(NamedTuple):
    """A stretch of a double-byte page's characters: its place, its bytes, and the three-byte characters of UTF-8 there.

    `longest` counts those in a row, at most; `covered` is the bytes of all of them.
    """

    start: int
    end: int
    data: bytes
    longest: int
    covered: int

    @property
    def whole(self) -> int:
        """How many three-byte characters the stretch is from end to end; 0 where anything is left over."""
        return self.longest if 3 * self.longest == len(self.data) else 0

    @property
    def is_sure(self) -> bool:
        """Whether it is damage by itself."""
        return self.longest >= SURE_WIDE and self.covered >= LEAST_COVERED * len(self.data)


def wide_runs(text: str, codec: str) -> list[WideRun]:
    """The stretches of characters beyond ASCII that a page has, as its bytes."""
    wide = "".join(sorted(filter(functools.partial(shows, codec), set(text))))
    runs = []
    for found in re.finditer(f"[{re.escape(wide)}]+", text) if wide else ():
        data = found.group().encode(codec)
        lengths = [len(each.group()) for each in WIDE.finditer(data)]
        runs.append(WideRun(*found.span(), data, longest=max(lengths, default=0) // 3, covered=sum(lengths)))
    return runs


def shows(codec: str, character: str) -> bool:
    """Whether a page has a character beyond ASCII."""
    return character > "\x7f" and bool(character.encode(codec, errors="ignore"))


@functools.cache
def double_signature() -> re.Pattern[str]:
    """What every stretch of misread three-byte characters begins with, under any of the pages: quick to search for."""
    firsts: set[str] = set()
    either = []
    for codec in DOUBLE_PAGES:
        first, second = class_of(codec, LEADS, TRAILS), class_of(codec, TRAILS, LEADS)
        if codec == "cp932":  # shows the bytes A1 to DF alone, as half-width katakana
            second += "\uff61-\uff9f"
        firsts.update(first)
        either.append(f"(?<=[{first}])[{second}]")
    # One class first: the alternatives alone are ten times slower on Chinese.
    return re.compile(f"[{''.join(sorted(firsts))}](?:{'|'.join(either)})")


def class_of(codec: str, leads: tuple[int, ...] | range, trails: tuple[int, ...] | range) -> str:
    """The characters of a page whose two bytes lie in these ranges."""
    every = (bytes([lead, trail]).decode(codec, errors="ignore") for lead in leads for trail in trails)
    return "".join(character for character in every if len(character) == 1 and ord(character) > 0x7F)


def trace_of_loss(text: str) -> str | None:
    """The first trace that a double-byte page leaves of quotes and of U+FFFD, where characters were lost for good."""
    return next((trace for trace in (*REPLACED_TWICE, *DASHED) if trace in text), None)


# What every sign of this module begins with, in one pass: most texts with a few typographic quotes end here.
BEYOND_LATIN = re.compile(
    "[\u0370-\u06ff\u2518\u2564\u2568\u256a\u3000-\ud7ff\uf900-\uffef]|[\u2013\u2014][\u00a0-\u00ff\u2202-\u2265\u03a9\u03c0]"
)


def misread_as(text: str) -> str | None:
    """The page as which UTF-8 was read, by the rules of this module, which leave out single-byte pages of Latin letters."""
    if not BEYOND_LATIN.search(text):
        return None
    if (page := misread_script(text) or double_page(text) or thinned_page(text)) is not None:
        return f"UTF-8 read as {page_name(page)}"
    if (trace := trace_of_loss(text)) is not None:
        return f"{trace!r} is what a double-byte code page shows for lost characters"
    return None


# --- the other way round ----------------------------------------------------------------------------------------------

LEGACY_RUN = re.compile("[\u00a1-\u00ff]{8,}")
LEGACY = ("gb2312", "euc_jp", "euc_kr", "cp950")


def legacy_characters(text: str) -> int:
    """Characters in long stretches of Latin-1 that are whole Chinese, Japanese or Korean of a double-byte page."""
    count = 0
    for run in LEGACY_RUN.finditer(text):
        data = run.group().encode("latin-1")
        even = data[: len(data) // 2 * 2]
        if any("\ufffd" not in even.decode(codec, errors="replace") for codec in LEGACY):
            count += len(even) // 2
    return count
