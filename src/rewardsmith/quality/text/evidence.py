"""Whether what reads back as UTF-8 can be no chance: signs and letters of clean text that merely stand side by side.

A long stretch cannot. A short one may be a quote before a sign of money ("”¥5") or the last letter of a word in capitals
before a mark ("CAFÉ®"), each two characters that a page shows for one sequence of UTF-8.
"""

import re
from typing import NamedTuple

SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xef[\xa4-\xbf][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|\xf3\xa0[\x80-\xbf]{2}"
)
"""Whole UTF-8 sequences (RFC 3629), but for private and unassigned planes, which only a wrong page gives."""

SURE_RUN = 3
"""So many continuation bytes in one stretch are no chance."""
SINGLE_WIDE = (0xE1, 0xE2, 0xEF)
"""First bytes of wide sequences that come singly among Latin letters: Vietnamese ones, quotes and dashes, full width."""
COMMON, LETTERS, CYRILLIC = (0xC2, 0xC3), (0xC4, 0xC5), 0xD0
"""First bytes of western letters and signs, of letters of central Europe that stand inside of words, and of Cyrillic."""
NEVER_ALONE = re.compile(rb"\xc2[\x80-\x9f\xa8\xaf\xb4\xb8]")
"""Control characters, and accents without a letter."""
CONTROL = re.compile("[\x80-\x9f]")
OPENING = "“‘„‚«‹「『《〈【（([\"'"
AFTER_WORDS = "“”‘’„‚«»‹›…–—•™®©°ºª¹²³½¼¾¥£€¢§¶†‡¸¨´¯¦·±×÷¬µ"
"""Marks that may follow a word, its last letter in capitals or quoted, without being part of it."""


class Stretch(NamedTuple):
    """A stretch of what a page shows for the bytes 80 to FF: its start, and these bytes; `whole` if it is all UTF-8."""

    start: int
    data: bytes
    whole: bool


def convincing(text: str, stretches: list[Stretch], *, beside: bool) -> bool:
    """Whether some stretches of a text, each with a sequence of UTF-8, are damage beyond doubt.

    `beside` tells that characters stand in the text which the page does not have: they were not misread, so a long stretch
    or two short ones are asked for there.
    """
    if any(sum(len(each) - 1 for each in SEQUENCE.findall(stretch.data)) >= SURE_RUN for stretch in stretches):
        return True
    whole = (stretch for stretch in stretches if stretch.whole)
    hits = (
        is_damage(text, start + each.start(), each[0]) for start, data, _ in whole for each in SEQUENCE.finditer(data)
    )
    return sum(hits) >= (2 if beside else 1)


def is_damage(text: str, at: int, sequence: bytes) -> bool:
    """Whether one sequence of UTF-8, which a page shows at a place of a text, is damage by what stands around it."""
    before, lead = text[max(at - 1, 0) : at], text[at]
    if other_script(before, lead):
        return True
    if len(sequence) > 2:
        return sequence[0] in SINGLE_WIDE or not before.isalpha() or CONTROL.search(text, at, at + 3) is not None
    if NEVER_ALONE.match(sequence) or ends_word(text, at, sequence):
        return False
    return is_letter_of_word(text, at, sequence[0])


def is_letter_of_word(text: str, at: int, first: int) -> bool:
    """Whether two characters that a page shows for a sequence of two bytes stand where a letter of its block would.

    `first` is the first of these bytes, which names the block.
    """
    before, lead, mark, after = text[max(at - 1, 0) : at], text[at], text[at + 1], text[at + 2 : at + 3]
    if first in COMMON:
        return lead.isalpha() or re.search("[0-9A-Za-z]", text) is not None
    if first == CYRILLIC and lead.isalpha():
        return True
    if first in LETTERS:
        return before.isalpha() or goes_on(lead, mark, after)
    return lead.isupper() and after.islower() and mark not in AFTER_WORDS


def goes_on(lead: str, mark: str, after: str) -> bool:
    """Whether a small letter follows two characters as inside of a word."""
    return after.islower() and (lead.isalpha() or not mark.isupper())


def other_script(before: str, lead: str) -> bool:
    """Whether a Latin word goes on as no word does: with an Arabic or Greek letter, or in capitals after a small one."""
    if not (before.isascii() and before.isalpha() and lead.isalpha()):
        return False
    return lead > "\u024f" or (before.islower() and lead.isupper())


def ends_word(text: str, at: int, sequence: bytes) -> bool:
    """Whether the first of two characters may end a word in capitals, or stand in quotes, and the other one follow it."""
    before, mark, after = text[max(at - 1, 0) : at], text[at + 1], text[at + 2 : at + 3]
    if mark not in AFTER_WORDS or after.isalpha():
        return False
    if before.isupper():
        return sequence[0] not in COMMON or text[max(at - 2, 0) : at - 1].isupper()
    return bool(before) and before in OPENING
