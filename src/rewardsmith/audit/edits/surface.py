"""Characters that change nothing of what is said: white space, exclamation marks, emoji, the shape of quotation marks."""

import re

from rewardsmith.audit.edits.edit import Edit, behind, speech_of
from rewardsmith.diagnose.finding import Said

FORMATTING = "formatting"
STRAIGHT = re.compile(r"(?<=\w)'(?=\w)")
PAIR = re.compile(r"(?<!\w)\"([^\"\n]+)\"(?!\w)")
NARROW = str.maketrans("，。！？；：（）", ",.!?;:()")


def newline(text: str) -> str | None:
    """A newline behind the response."""
    return None if not text.strip() or text != text.rstrip() else text + "\n"


def exclaim(text: str) -> str | None:
    """The full stop at the end becomes an exclamation mark."""
    body = text.rstrip()
    return body[:-1] + {".": "!", "。": "！"}[body[-1]] if body.endswith((".", "。")) and body[-2:] != ".." else None


def curly(text: str) -> str | None:
    """Straight quotation marks and apostrophes become typographic ones; text with code is left alone."""
    if "`" in text:
        return None
    changed = PAIR.sub(r"“\1”", STRAIGHT.sub("’", text))
    return None if changed == text else changed


def narrow(text: str) -> str | None:
    """Chinese punctuation in ASCII."""
    changed = text.translate(NARROW)
    return None if speech_of(text) != "zh" or changed == text else changed


EDITS = {
    "newline": Edit(FORMATTING, Said("a newline at the end", "末尾加换行"), newline),
    "exclamation_mark": Edit(FORMATTING, Said("exclamation mark at the end", "句末改为感叹号"), exclaim),
    "emoji": Edit(FORMATTING, Said("an emoji at the end", "末尾加表情符号"), behind({"en": "😊", "zh": "😊"}, gap=" ")),
    "curly_quotes": Edit(FORMATTING, Said("typographic quotation marks", "改用弯引号"), curly),
    "ascii_punctuation": Edit(FORMATTING, Said("Chinese punctuation in ASCII", "中文标点改为半角"), narrow),
}
