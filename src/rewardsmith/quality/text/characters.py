"""What can be wrong with one text, found without changing it: encoding damage, invisible characters, leaked markup.

Each function takes a text and returns a short detail, or None where nothing is found. Clean text of any language,
Chinese included, gives None.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator

from rewardsmith.evaluate.baselines import CJK_RANGES
from rewardsmith.quality.text.markup import around, placeholder, template_token
from rewardsmith.quality.text.misreadings import misread_as
from rewardsmith.records import Record

# What pages of single bytes show for the bytes of UTF-8: letters and signs, quotes and dashes, or (Mac, DOS) roots, sums and
# corners of boxes. One of them is normal in many languages, and so are quotes beside quotes; damage is a run of them.
SIGNS, QUOTES, CORNERS = (
    "\u0080-\u024f\u02c6\u02dc\u20ac\u2122",
    "\u2013-\u203a",
    "\u0393\u2202\u221a\u2248\u2261\u2500\u251c\u252c",
)
CORNERS += "\u253c\u2564\u2568\u256c"
AFTER_CORNER = "\u0080-\u024f\u0391-\u03c9\u207f\u2200-\u2321\u2550-\u2563\u2580-\u25a0"
SUSPICIOUS_RUN = re.compile(
    f"[{SIGNS}{QUOTES}{CORNERS}](?:(?<=[{SIGNS}])[{SIGNS}{QUOTES}]|(?<=[{QUOTES}])[{SIGNS}]|(?<=[{CORNERS}])[{AFTER_CORNER}])"
)
REPEATED = re.compile(r"([^\w\s])\1+")
"""A sign twice, as the two negations of "¬¬p", which ftfy takes for damage."""
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
HIDDEN = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u202a-\u202e\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
)
# Marks that scripts from right to left need, joiners that Persian, Indic scripts and emoji need, tags that flags need.
MARKS, JOINERS, TAGS = "\u061c\u200e\u200f\u2066-\u2069", "\u200c\u200d", "\U000e0000-\U000e007f"
INVISIBLE = re.compile(f"[{HIDDEN}{MARKS}{JOINERS}{TAGS}]|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{{2,}}")
FLAG = re.compile(f"\U0001f3f4[{TAGS}]+")
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# Letters that never join: a joiner between two of these, or at the edge of a text, is seen by a tokenizer only.
UNJOINED = "\x00-\u024f\u0370-\u052f\u1e00-\u1fff\u3000-\u9fff\uac00-\ud7af\uff00-\uffef"
IDLE_JOINER = re.compile(f"(?:^|(?<=[{UNJOINED}]))[{JOINERS}]+(?=[{UNJOINED}]|$)")
CJK = re.compile(f"[{CJK_RANGES}]")
# From the first letter or digit to the next space or CJK character: one match per word, none for punctuation alone.
WORD = re.compile(rf"[^\W{CJK_RANGES}][^\s{CJK_RANGES}]*")

TYPOGRAPHIC = (("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"'), ("\u2018", "'"), ("\u2013", "-"), ("\u2014", "-"))
"""Signs that make most of the English texts that are not ASCII, each with an ASCII one that no check tells from it."""
KINDS = "".join(" " if chr(n).isspace() else chr(n) if chr(n).isalnum() or n == 95 else "." for n in range(128))
BYTES_KEPT = KINDS.encode() + bytes(128)
NO_WORD = bytes(n for n in range(256) if n >= 128 or KINDS[n] == ".")


def length_in_words(text: str) -> int:
    """How long a text is: each Chinese or Japanese character counts as one word, other words are set apart by space.

    Punctuation alone counts as nothing, so "你好，world!" has 3 words.
    """
    if (plain := plain_ascii(text)) is not None:
        # Without its punctuation, each word is what stands between spaces.
        return len(plain.encode().translate(BYTES_KEPT, NO_WORD).split())
    return len(WORD.findall(text)) + len(CJK.findall(text))


@functools.lru_cache(maxsize=64)
def plain_ascii(text: str) -> str | None:
    """An ASCII text as it is, one that differs by TYPOGRAPHIC signs only with those replaced; None for any other.

    Words, their borders and what is no word are the same in both. It is asked for several times in a row for one text.
    """
    if text.isascii():
        return text
    for sign, plain in TYPOGRAPHIC:
        text = text.replace(sign, plain)
    return text if text.isascii() else None


def damaged_text(text: str) -> str | None:
    """Bytes of one encoding read as another (mojibake: "Ã©" for "é", "浣犲ソ" for "你好").

    Pages of Latin letters are recognised by the heuristic of the library ftfy, all others by `misreadings`.
    """
    if plain_ascii(text) is not None:
        return None
    if (damage := misread_as(text)) is not None or not SUSPICIOUS_RUN.search(text):
        return damage
    from ftfy.badness import BADNESS_RE, badness

    score = badness(text)
    if not score or not badness(REPEATED.sub(r"\1", text)):
        return None
    first = BADNESS_RE.search(text)
    return f"mojibake score {score}, first at {around(text, first)}" if first else f"mojibake score {score}"


def replacement_character(text: str) -> str | None:
    """U+FFFD: a byte that could not be read was replaced, and what it was is lost."""
    count = text.count("\ufffd")
    return f"{count} characters were lost (U+FFFD)" if count else None


def control_characters(text: str) -> str | None:
    """Control characters other than tab and line breaks."""
    return code_points(CONTROL, text)


def invisible_characters(text: str) -> str | None:
    """Characters that nobody sees but a tokenizer does: zero-width spaces, soft hyphens, direction overrides, hidden tags.

    Joiners count where they join nothing, direction marks in texts without a script from right to left, tags outside of
    flags, variation selectors where several stand in a row.
    """
    if plain_ascii(text) is not None or not INVISIBLE.search(text):
        return None
    found = re.findall(f"[{HIDDEN}]", text) + [one for run in IDLE_JOINER.findall(text) for one in run]
    found += re.findall(f"[{TAGS}]", FLAG.sub("", text)) + re.findall("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2}", text)
    if not RIGHT_TO_LEFT.search(text):
        found += re.findall(f"[{MARKS}]", text)
    return named("".join(found)) if found else None


def code_points(pattern: re.Pattern[str], text: str) -> str | None:
    """The different characters that a pattern finds, by their code points."""
    found = pattern.findall(text)
    return named(found) if found else None


def named(characters: Iterable[str]) -> str:
    """The first of some different characters, by their code points."""
    return ", ".join(f"U+{ord(character):04X}" for character in sorted(set(characters))[:8])


TEXT_CHECKS: dict[str, Callable[[str], str | None]] = {
    "damaged_text": damaged_text,
    "replacement_character": replacement_character,
    "control_characters": control_characters,
    "invisible_characters": invisible_characters,
    "template_token": template_token,
    "placeholder": placeholder,
}
"""Checks for any text; `role_tag` is apart, since a prompt may well quote a dialogue."""


def texts_of(record: Record) -> Iterator[tuple[str, str]]:
    """Each text of a record with its name."""
    for at, message in enumerate(record.prompt):
        yield f"prompt[{at}]", message.content
    for at, response in enumerate(record.responses):
        for message in response.messages:
            yield f"responses[{at}]", message.content
