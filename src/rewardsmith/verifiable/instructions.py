"""The instructions of IFEval (Zhou et al., arXiv 2311.07911) under their own names, each a function of the response.

Rules as published with the paper (`instructions.py` of instruction_following_eval, strict). Sentences end with . ! ? or
their Chinese forms, and where the paper counts English words a Chinese character counts as one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from rewardsmith.errors import DataError
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.quality.text.languages import language_of

Params = Mapping[str, Any]
Instruction = Callable[[str, Params], bool]
RELATIONS: Mapping[str, Callable[[float, float], bool]] = {
    "less than": lambda count, limit: count < limit,
    "at least": lambda count, limit: count >= limit,
}
SENTENCE = re.compile(r"[^.!?。！？]+[.!?。！？]+|[^.!?。！？]+$")
BULLET = re.compile(r"^\s*(?:\*[^*].*|-.*)$", re.MULTILINE)
HIGHLIGHT = re.compile(r"\*\*[^\n*]*\S[^\n*]*\*\*|(?<!\*)\*[^\n*]*[^\s*][^\n*]*\*(?!\*)")
PLACEHOLDER = re.compile(r"\[.*?\]")
TITLE = re.compile(r"<<[^\n]*[^\s<>][^\n]*>>")
ALLOWED = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
QUOTES = (('"', '"'), ("“", "”"), ("「", "」"))


def related(count: float, params: Params, limit: str, relation: str = "relation") -> bool:
    """Whether a count is as the instruction says: less than, or at least."""
    name = params.get(relation) or "at least"
    if name not in RELATIONS:
        raise DataError(f"the relation is {str(name)[:40]!r}; expected {' or '.join(RELATIONS)}")
    return RELATIONS[name](count, number(params, limit))


def number(params: Params, name: str) -> float:
    """A number of an instruction; DataError where it has none."""
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"the instruction has no number {name}; got {str(value)[:40]!r}")
    return float(value)


def words(params: Params, name: str) -> list[str]:
    """A list of texts of an instruction; DataError where it has none."""
    value = params.get(name)
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(each, str) and each for each in found):
        raise DataError(f"the instruction has no text {name}; got {str(value)[:40]!r}")
    return found


def occurrences(text: str, word: str) -> int:
    """How often a word occurs, in any case; a word of letters not as a part of another one, Chinese anywhere."""
    edge = r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])"
    return len(re.findall(edge[0] + re.escape(word) + edge[1], text, re.IGNORECASE))


def paragraphs(text: str, params: Params) -> bool:
    """Paragraphs set apart by ***."""
    parts = [part.strip() for part in re.split(r"\s?\*\*\*\s?", text)]
    inner = parts[1 if not parts[0] else 0 : -1 if not parts[-1] else None]
    return all(inner) and len(inner) == number(params, "num_paragraphs")


def nth_paragraph(text: str, params: Params) -> bool:
    """So many paragraphs set apart by empty lines, of which the nth begins with a word."""
    parts = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    nth = int(number(params, "nth_paragraph"))
    if len(parts) != number(params, "num_paragraphs") or not 1 <= nth <= len(parts):
        return False
    first = words(params, "first_word")[0].lower()
    return parts[nth - 1].lstrip("\"'“‘「").lower().startswith(first)


def sections(text: str, params: Params) -> bool:
    """At least so many sections, each begun by the word for one and a number."""
    spliter = words(params, "section_spliter" if params.get("section_spliter") else "section_splitter")[0]
    found = re.findall(rf"\s?{re.escape(spliter)}\s?\d+\s?", text)
    return len(found) >= number(params, "num_sections")


def postscript(text: str, params: Params) -> bool:
    """A line that begins with the marker of a postscript."""
    marker = words(params, "postscript_marker")[0]
    loose = {"P.S.": r"p\.\s?s\.", "P.P.S": r"p\.\s?p\.\s?s"}.get(marker, re.escape(marker.lower()))
    return re.search(rf"^\s*{loose}", text.lower(), re.MULTILINE) is not None


def json_format(text: str, params: Params) -> bool:
    """All of it is JSON, a fence aside."""
    bare = re.sub(r"^```(?:json|JSON)?\s*|\s*```$", "", text.strip())
    try:
        orjson.loads(bare)
    except orjson.JSONDecodeError:
        return False
    return True


def two_responses(text: str, params: Params) -> bool:
    """Two different responses, set apart by six asterisks."""
    parts = [part.strip() for part in text.split("******")]
    inner = parts[1 if not parts[0] else 0 : -1 if not parts[-1] else None]
    return len(inner) == 2 and all(inner) and inner[0] != inner[1]


def repeats_prompt(text: str, params: Params) -> bool:
    """The response begins with the request."""
    return text.strip().lower().startswith(words(params, "prompt_to_repeat")[0].strip().lower())


def ends_with(text: str, params: Params) -> bool:
    """The response ends with a phrase, quotes around it aside."""
    return text.strip().strip('"”」').strip().lower().endswith(words(params, "end_phrase")[0].strip().lower())


def quoted(text: str, params: Params) -> bool:
    """The response stands in quotes."""
    bare = text.strip()
    return len(bare) > 1 and any(bare.startswith(left) and bare.endswith(right) for left, right in QUOTES)


def capital_words(text: str, params: Params) -> bool:
    """Words in capitals."""
    count = sum(word.isupper() for word in re.findall(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*", text))
    return related(count, params, "capital_frequency", "capital_relation")


def letters(text: str, params: Params) -> bool:
    """How often a letter occurs, in any case."""
    count = text.lower().count(words(params, "letter")[0].lower())
    return related(count, params, "let_frequency", "let_relation")


def placeholders(text: str, params: Params) -> bool:
    """At least so many texts in square brackets."""
    return len(PLACEHOLDER.findall(text)) >= number(params, "num_placeholders")


def highlights(text: str, params: Params) -> bool:
    """At least so many texts between asterisks."""
    return len(HIGHLIGHT.findall(text)) >= number(params, "num_highlights")


INSTRUCTIONS: Mapping[str, Instruction] = {
    "keywords:existence": lambda text, p: all(occurrences(text, word) for word in words(p, "keywords")),
    "keywords:frequency": lambda text, p: related(occurrences(text, words(p, "keyword")[0]), p, "frequency"),
    "keywords:forbidden_words": lambda text, p: (
        not any(occurrences(text, word) for word in words(p, "forbidden_words"))
    ),
    "keywords:letter_frequency": letters,
    "language:response_language": lambda text, p: language_of(text) == words(p, "language")[0].split("-")[0],
    "length_constraints:number_sentences": lambda text, p: related(
        sum(1 for one in SENTENCE.findall(text) if one.strip()), p, "num_sentences"
    ),
    "length_constraints:number_paragraphs": paragraphs,
    "length_constraints:number_words": lambda text, p: related(length_in_words(text), p, "num_words"),
    "length_constraints:nth_paragraph_first_word": nth_paragraph,
    "detectable_content:number_placeholders": placeholders,
    "detectable_content:postscript": postscript,
    "detectable_format:number_bullet_lists": lambda text, p: len(BULLET.findall(text)) == number(p, "num_bullets"),
    "detectable_format:constrained_response": lambda text, p: any(each in text for each in ALLOWED),
    "detectable_format:number_highlighted_sections": highlights,
    "detectable_format:multiple_sections": sections,
    "detectable_format:json_format": json_format,
    "detectable_format:title": lambda text, p: TITLE.search(text) is not None,
    "combination:two_responses": two_responses,
    "combination:repeat_prompt": repeats_prompt,
    "startend:end_checker": ends_with,
    "startend:quotation": quoted,
    "change_case:capital_word_frequency": capital_words,
    "change_case:english_capital": lambda text, p: text.isupper() and language_of(text) == "en",
    "change_case:english_lowercase": lambda text, p: text.islower() and language_of(text) == "en",
    "punctuation:no_comma": lambda text, p: not set(text) & set(",，"),
}


def instruction_results(text: str, row: Mapping[str, Any], ids: str, kwargs: str) -> Sequence[bool]:
    """Whether each instruction of a row is followed; DataError for one that is unknown or lacks what it needs.

    `ids` and `kwargs` name the columns with the instructions' names and, one object each, their parameters.
    """
    named = row.get(ids)
    params = row.get(kwargs)
    if not isinstance(named, list) or not named:
        raise DataError(f"the row has no instructions in the column {ids!r}; expected a list of names")
    given = params if isinstance(params, list) else [{}] * len(named)
    if len(given) != len(named):
        raise DataError(f"{len(named)} instructions in {ids!r}, but {len(given)} sets of parameters in {kwargs!r}")
    results = []
    for name, of in zip(named, given, strict=True):
        if name not in INSTRUCTIONS:
            raise DataError(f"unknown instruction {str(name)[:60]!r}; known: {', '.join(INSTRUCTIONS)}")
        results.append(bool(text.strip()) and INSTRUCTIONS[name](text, of or {}))
    return results
