"""What can be seen of a response without understanding it: how long it is, how it is laid out, how it speaks.

Each feature is a function from a text to a number >= 0, right for Chinese and English alike. A label that these predict
can be learned without reading. To add one: a function, a line in FEATURES and in MORE_OF, a test.
"""

import re
from collections.abc import Callable

from rewardsmith.evaluate.baselines import CJK_RANGES
from rewardsmith.quality.text.characters import length_in_words

PIECE = re.compile(rf"[{CJK_RANGES}]|[^\W{CJK_RANGES}]+|[^\w\s]")
CHINESE_DIGITS = "一二三四五六七八九十"
LIST_ITEM = re.compile(
    rf"^[ \t]*(?:[-*+•·●]\s|\d{{1,3}}[.)][ \t]|\d{{1,3}}[、．）]|[（(](?:\d{{1,3}}|[{CHINESE_DIGITS}]{{1,3}})[)）]"
    rf"|[{CHINESE_DIGITS}]{{1,3}}[、．])",
    re.MULTILINE,
)
MARKDOWN = re.compile(
    r"^#{1,6} |^\|.+\||^> |^(?:---|\*\*\*)\s*$|\*\*[^*\n]+\*\*|__[^_\n]+__|\[[^\]\n]+\]\([^)\n]+\)", re.MULTILINE
)
CODE = re.compile(r"```|`[^`\n]+`")
REFUSAL = re.compile(
    r"\b(?:I'?m|I am) (?:very |so |really )?(?:sorry|afraid|unable|not able)\b"
    r"|\bI (?:cannot|can'?t|can not|won'?t|will not)\b"
    r"|\bI apologi[sz]e\b|\bas an AI\b|\bI must decline\b"
    r"|抱歉|对不起|(?:我|本助手)(?:无法|不能|不会|不可以)|作为一个?(?:人工智能|AI|语言模型)|恕难",
    re.IGNORECASE,
)
# Sorted by first letter: the expression engine then leaves most words after one look.
HEDGE = re.compile(
    r"\b(?:appears to|could be|generally|i (?:believe|guess|think)|it (?:depends|seems)|likely|ma(?:y be|ybe)|might|not sure"
    r"|p(?:erhaps|ossibly|resumably|robably)|seems to|typically|usually)\b"
)
HEDGE_CJK = re.compile("可能|也许|或许|大概|大约|似乎|好像|不一定|我认为|我觉得|一般来说|通常|不太确定|不确定|说不定")
EXCLAMATION = re.compile("[!！]")
QUESTION = re.compile("[?？]")
EMOJI = re.compile("[\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55]")
OPENING = 300
"""Characters in which a refusal is looked for: later on the same words are rarely one."""

TYPOGRAPHIC_APOSTROPHE = str.maketrans({"\u2019": "'"})

Feature = Callable[[str], float]


def counting(pattern: re.Pattern[str]) -> Feature:
    """How often a pattern occurs."""

    def count(text: str) -> float:
        return len(pattern.findall(text))

    return count


def tokens(text: str) -> float:
    """Words, CJK characters and marks of punctuation: what a tokenizer makes at least, counted without one."""
    return len(PIECE.findall(text))


def refusal(text: str) -> float:
    """1 where the text opens by declining or apologising, else 0."""
    return float(bool(REFUSAL.search(text[:OPENING].translate(TYPOGRAPHIC_APOSTROPHE))))


def hedging(text: str) -> float:
    """Hedges per word, so that a long answer does not hedge more by being long."""
    found = len(HEDGE.findall(text.lower()))
    if not text.isascii():
        found += len(HEDGE_CJK.findall(text))
    return found / max(1, length_in_words(text))


FEATURES: dict[str, Feature] = {
    "words": length_in_words,
    "characters": len,
    "tokens": tokens,
    "list_items": counting(LIST_ITEM),
    "markdown": counting(MARKDOWN),
    "code": counting(CODE),
    "refusal": refusal,
    "hedging": hedging,
    "exclamation_marks": counting(EXCLAMATION),
    "question_marks": counting(QUESTION),
    "emoji": counting(EMOJI),
}

MORE_OF = {
    "words": "more words",
    "characters": "more characters",
    "tokens": "more tokens",
    "list_items": "more list items",
    "markdown": "more Markdown",
    "code": "more code",
    "refusal": "a refusal or an apology",
    "hedging": "more hedging",
    "exclamation_marks": "more exclamation marks",
    "question_marks": "more question marks",
    "emoji": "more emoji",
    "listed_first": "the first place in its row",
    "shown_first": "a place that was shown first to the judge",
    "generator": "a generator that wins more often",
}
"""What a higher value of a feature means, for a sentence about the response that has it."""
