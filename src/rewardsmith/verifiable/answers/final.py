"""The final answer in a response: where it says which it is, the last time it does; else nothing but the last number.

Marked are `\\boxed{…}`, `#### 42` (GSM8K), a JSON field `answer`, and words (`the answer is …`, 答案是……); `how` says which
it was.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from rewardsmith.verifiable.answers.numbers import NumberFound, numbers_in, only_number

BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
HASHES = re.compile(
    r"####\s*((?:[-+−$¥€£\\(\s]*[\d０-９.]|[负零一二三四五六七八九十百千万亿两]+\s*$)[^\n]*)", re.MULTILINE
)
"""Of GSM8K; before words it is a heading."""
FIELD = re.compile(r'"(?:final_)?answer"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,}\]"]+))', re.IGNORECASE)
WORDS = re.compile(
    r"(?:(?:final\s+)?answer\s*(?:\*\*)?\s*(?:is|was|:|=)|答案\s*(?:是|为|：|:|=)|(?:因此|所以|故|总共|一共|共计)\s*(?:是|为|有))"
    r"\s*(?:\*\*)?\s*[:：]?\s*([^\n]+)",
    re.IGNORECASE,
)
SENTENCE = re.compile(r"(?:(?<!\d)\.|\.(?!\d)|[。！？!?；;])\s*")
MOST = 2_000
"""Characters of an answer."""


class StatedAnswer(NamedTuple):
    """What a response gives as its answer, and how it says so: boxed, hashes, field, words, number, or whole."""

    text: str
    how: str


def stated_answer(text: str) -> StatedAnswer | None:
    """The last answer that a response marks as such, in whatever way; None where it marks none."""
    found = [(at, StatedAnswer(stated, "boxed")) for at, stated in last_boxed(text)]
    for pattern, how in ((HASHES, "hashes"), (FIELD, "field"), (WORDS, "words")):
        last = None
        for last in pattern.finditer(text):  # noqa: B007 - the last one counts
            pass
        if last is not None:
            stated = next(group for group in last.groups() if group is not None).strip()[:MOST]
            found.append((last.start(), StatedAnswer(SENTENCE.split(stated)[0] if how == "words" else stated, how)))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def last_boxed(text: str) -> Iterator[tuple[int, str]]:
    """Where the last \\boxed{…} that is closed begins, and what it holds, braces in it counted; nothing without one."""
    for match in reversed(list(BOXED.finditer(text))):
        depth = 1
        for at in range(match.end(), min(len(text), match.end() + MOST)):
            depth += (text[at] == "{") - (text[at] == "}")
            if depth == 0:
                yield match.start(), text[match.end() : at].strip()
                return


def final_number(text: str) -> NumberFound | None:
    """The number that a response gives as its answer; None where it gives none, or its stated answer has several.

    Of an equation its right side counts, in words the first number of the sentence; a response that marks no answer
    gives its last number.
    """
    stated = stated_answer(text)
    if stated is None:
        found = list(numbers_in(text))
        return only_number(text) if not found else found[-1]
    result = stated.text.rpartition("=")[2]
    if stated.how == "words":
        return only_number(result) or next(numbers_in(result), None)
    return only_number(result)


def gold_number(gold: str) -> NumberFound | None:
    """The number of a gold answer: behind `####` or in a box where it is a whole solution, else the only number of it."""
    stated = stated_answer(gold)
    return only_number(gold if stated is None or stated.how == "words" else stated.text)
