"""What a misreading lost for good, told from characters beside the damage that were never misread.

A page of single bytes shows the first byte of a sequence of UTF-8 as a letter of its own: "ù" may be itself, or all that
is left of a Chinese character. It is a loss only where whole sequences of the same script stand in the text, since one
misreading treats a whole script alike: beside "RenÃ©" the "ù" of "où" is itself.
"""

import re
from collections.abc import Iterable

from rewardsmith.quality.text.evidence import SEQUENCE

LOST_LEAD = re.compile(rb"[\xc0-\xff]")
ORPHANS = re.compile(rb"[\x80-\xbf]+")
STARTED = re.compile(rb"(?P<lead>[\xc2-\xf4])(?P<rest>[\x80-\xbf]*)")
"""A sequence that was begun, outside of whole ones."""

SCRIPTS = (
    (0xC2, 0xC3),
    (0xC4, 0xCB),
    (0xCC, 0xCD),
    (0xCE, 0xCF),
    (0xD0, 0xD3),
    (0xD4, 0xD5),
    (0xD6, 0xD7),
    (0xD8, 0xDF),
    (0xE0, 0xE0),
    (0xE1, 0xE1),
    (0xE2, 0xE2),
    (0xE3, 0xEF),
    (0xF0, 0xF4),
)
"""First bytes by script: western, Latin of central Europe, marks, Greek, Cyrillic, Armenian, Hebrew, Arabic, Indic and
Thai, Vietnamese and Georgian, punctuation, kana to Korean, emoji."""
WIDE = 11
WESTERN = (0xC2, 0xC3)
MARKS = (0xCC, 0xCD)
TYPOGRAPHIC = (b"\xe2\x80", b"\xe2\x82", b"\xf0\x9f")
"""How quotes, signs of money and emoji begin, whatever the script beside them."""
QUOTES = b"\x85\x91\x92\x93\x94\x95\x96\x97\xab\xbb"
"""Bytes that a page shows as quotes and dashes, which stand beside words of any script."""


def script_of(lead: int) -> int:
    """The number of a first byte's script in SCRIPTS; -1 for none."""
    return next((at for at, (low, high) in enumerate(SCRIPTS) if low <= lead <= high), -1)


def leads_in(runs: Iterable[bytes]) -> frozenset[int]:
    """The first bytes of the whole sequences in some bytes."""
    return frozenset(each[0] for data in runs for each in SEQUENCE.findall(data))


def marks_in(data: bytes) -> int:
    """Combining accents among the whole sequences of some bytes, which are rare, and which a wrong page often gives."""
    return sum(each[0] in MARKS for each in SEQUENCE.findall(data))


def unfinished(data: bytes) -> bytes:
    """The first byte of a western sequence of two at the end of some bytes, which A0 would end; b"" where none is."""
    tail = SEQUENCE.sub(b" ", data)[-1:]
    return tail if tail in (b"\xc2", b"\xc3") else b""


def lost_in(data: bytes, leads: frozenset[int], *, beside: str) -> int:
    """Characters that a stretch of misread bytes shows in part only, in a text with whole ones that begin with `leads`.

    `beside` are the characters before and behind the stretch: in "NÃO" the "Ã" is itself.
    """
    pieces = SEQUENCE.sub(b" ", data)
    lost = sum(is_lost(found, pieces, leads, beside) for found in STARTED.finditer(pieces))
    if WIDE in map(script_of, leads) and pieces != data:
        alone = (found for found in ORPHANS.finditer(pieces) if not LOST_LEAD.match(pieces, found.start() - 1))
        lost += sum(bool(found[0].strip(QUOTES)) for found in alone)
    return lost


def only_quotes(data: bytes) -> bool:
    """Whether all bytes outside of whole sequences are what a page shows as quotes and dashes."""
    return not SEQUENCE.sub(b"", data).strip(QUOTES)


def is_lost(found: re.Match[bytes], pieces: bytes, leads: frozenset[int], beside: str) -> bool:
    """Whether a sequence that was begun is what is left of a character."""
    lead, rest = found["lead"][0], found["rest"]
    if found[0].startswith(TYPOGRAPHIC):
        return True
    if lead < 0xE0:
        in_capitals = lead in WESTERN and beside.isupper() and min(pieces) >= 0xC0
        return lead in leads and not in_capitals
    if script_of(lead) not in map(script_of, leads):
        return False
    return len(pieces) > 1 and bool(rest.strip(QUOTES) or b" " in pieces)


def broken_in(pieces: bytes) -> int:
    """Characters that the bytes outside whole sequences were part of, where all of a stretch was misread."""
    leads = len(LOST_LEAD.findall(pieces))
    alone = sum(1 for found in ORPHANS.finditer(pieces) if not LOST_LEAD.match(pieces, found.start() - 1))
    return leads + alone
