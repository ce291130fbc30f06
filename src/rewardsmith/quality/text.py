"""What can be wrong with one text, told without changing it: encoding damage, invisible characters, leaked markup.

Each function takes a text and returns a short detail, or None where nothing is found. Clean text of any language,
Chinese included, gives None.
"""

import functools
import re
from collections.abc import Callable, Iterator

from rewardsmith.evaluate.baselines import CJK_RANGES
from rewardsmith.records import Record

EXCERPT_CHARS = 40

# One Latin-1 or Windows character is normal in many languages; UTF-8 read as a Windows code page gives runs of them.
SUSPICIOUS_RUN = re.compile("[\u0080-\u024f\u02c6\u02dc\u2013-\u203a\u20ac\u2122]{2}")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Joiners (U+200C, U+200D) are left out: Persian, Hindi and emoji need them.
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
ROLE_TAG = re.compile(r"(?:^|\n)[ \t]*((?:Human|Assistant|User|用户|助手|人类) ?[:：])")
TEMPLATE_TOKEN = re.compile(
    r"<\|[A-Za-z0-9_]{1,40}\|>|<｜[^｜<>\n]{1,40}｜>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|</s>|\[(?:CLS|SEP)\]"
)
PLACEHOLDER = re.compile(r"\[(?:removed|deleted|redacted|已删除)\]", re.IGNORECASE)
CJK = re.compile(f"[{CJK_RANGES}]")
# From the first letter or digit to the next space or CJK character: one match per word, none for punctuation alone.
WORD = re.compile(rf"[^\W{CJK_RANGES}][^\s{CJK_RANGES}]*")

TYPOGRAPHIC = (("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"'), ("\u2018", "'"), ("\u2013", "-"), ("\u2014", "-"))
"""Signs that make most of the English texts that are not ASCII, each with an ASCII one that no check tells from it."""
KINDS = "".join(" " if chr(n).isspace() else chr(n) if chr(n).isalnum() or n == 95 else "." for n in range(128))
BYTES_KEPT = KINDS.encode() + bytes(128)
NO_WORD = bytes(n for n in range(256) if n >= 128 or KINDS[n] == ".")


LATIN_RANGES = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
LATIN_WORD = re.compile(f"[{LATIN_RANGES}]+")
KANA = re.compile("[\u3040-\u30ff]")
# Letters beyond Latin and CJK, such as Cyrillic, Arabic and Hangul.
OTHER_WORD = re.compile(rf"(?:(?![{LATIN_RANGES}\d_{CJK_RANGES}])\w)+")


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


def language_of(text: str) -> str:
    """`zh`, `en` or `other`, told by script alone: which of them most of the text's words are written in.

    A Chinese character counts as one word. Kana make a text Japanese, which is `other` as every other script is; every
    language in Latin letters counts as `en`.
    """
    if (plain := plain_ascii(text)) is not None:
        return "en" if LATIN_WORD.search(plain) else "other"
    latin = len(LATIN_WORD.findall(text))
    kana = len(KANA.findall(text))
    chinese = 0 if kana else len(CJK.findall(text))
    rest = kana + len(OTHER_WORD.findall(text))
    most = max(chinese, latin, rest)
    return "other" if most == rest else "zh" if most == chinese else "en"


def damaged_text(text: str) -> str | None:
    """Bytes of one encoding read as another (mojibake, "Ã©" for "é"), by the heuristic of the library ftfy."""
    if text.isascii() or not SUSPICIOUS_RUN.search(text):
        return None
    from ftfy.badness import BADNESS_RE, badness

    score = badness(text)
    if not score:
        return None
    first = BADNESS_RE.search(text)
    return f"badness {score}, first at {around(text, first)}" if first else f"badness {score}"


def replacement_character(text: str) -> str | None:
    """U+FFFD: a byte that could not be read was replaced, and what it was is lost."""
    count = text.count("\ufffd")
    return f"{count} characters lost (U+FFFD)" if count else None


def control_characters(text: str) -> str | None:
    """Control characters other than tab and line breaks."""
    return code_points(CONTROL, text)


def invisible_characters(text: str) -> str | None:
    """Characters that nobody sees but a tokenizer does: zero-width spaces, soft hyphens, direction overrides."""
    return None if plain_ascii(text) is not None else code_points(INVISIBLE, text)


def code_points(pattern: re.Pattern[str], text: str) -> str | None:
    """The different characters that a pattern finds, by their code points."""
    found = sorted(set(pattern.findall(text)))
    return ", ".join(f"U+{ord(character):04X}" for character in found[:8]) if found else None


def role_tag(text: str) -> str | None:
    """A line that begins like a turn of a dialogue ("Human:"): the answer runs on into the next turn."""
    return first_of(ROLE_TAG, text) if ":" in text or "：" in text else None


def template_token(text: str) -> str | None:
    """Markup of a chat template, such as <|im_end|>, inside a text."""
    return first_of(TEMPLATE_TOKEN, text) if "<" in text or "[" in text else None


def placeholder(text: str) -> str | None:
    """A mark for text that a site took away, such as [removed]."""
    return first_of(PLACEHOLDER, text) if "[" in text else None


def first_of(pattern: re.Pattern[str], text: str) -> str | None:
    """The first place that a pattern finds."""
    found = pattern.search(text)
    return around(text, found) if found else None


def around(text: str, found: re.Match[str]) -> str:
    """The text from a match on, shortened and on one line."""
    start = found.start()
    return repr(text[start : start + EXCERPT_CHARS].strip())


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
