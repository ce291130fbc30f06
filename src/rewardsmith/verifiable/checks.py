"""The checks by name: from a response and its row to a value in [0, 1].

To add one: a function and a line in CHECKS.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import orjson

from rewardsmith.errors import DataError
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.records import EMPTY
from rewardsmith.verifiable.answers.final import final_number, gold_number, stated_answer
from rewardsmith.verifiable.answers.numbers import NumberFound, same_number
from rewardsmith.verifiable.code import check as code_tests
from rewardsmith.verifiable.code.cases import Tests, tests_of
from rewardsmith.verifiable.instructions import instruction_results
from rewardsmith.verifiable.killable import HELPER, Failure, TimedOut, need_math_verify
from rewardsmith.verifiable.sandbox.support import need_sandbox

UNPARSABLE, TIMED_OUT = "unparsable", "timed_out"
"""Why a response got 0 without being wrong for sure: nothing in it could be understood, or the check took too long."""
LETTER = re.compile(r"^\W*([A-Za-z])(?:\W|$)")


@dataclass(frozen=True)
class Given:
    """What a check sees: the response without its reasoning, the reasoning, what it took, and the row's other columns."""

    text: str
    reasoning: str | None = None
    tokens: int | None = None
    row: Mapping[str, Any] = field(default_factory=lambda: EMPTY)


class Checked(NamedTuple):
    """The value of a check, in [0, 1], and why it says little (UNPARSABLE, TIMED_OUT), or of a program what went wrong; None
    for a proper verdict.
    """

    value: float
    problem: str | None = None


Options = Mapping[str, Any]


class CheckKind(NamedTuple):
    """A check: its function, its options with their types and defaults (a type alone: no default), whether it needs a gold
    answer, and what refuses a gold answer that it cannot read.
    """

    function: Callable[[Given, Options, Any], Checked]
    options: Mapping[str, Any]
    gold: Callable[[Any], Any] | None = None
    prepare: Callable[[], None] | None = None


def numeric(given: Given, options: Options, gold: NumberFound) -> Checked:
    """Whether the final number equals the gold one, exactly or within a relative `tolerance`."""
    found = final_number(given.text)
    if found is None:
        return Checked(0.0, UNPARSABLE)
    near = abs(found.value - gold.value) <= Fraction(options["tolerance"]) * abs(gold.value)
    return Checked(float(near or same_number(found, gold)))


def number_gold(gold: Any) -> NumberFound:
    """A gold answer as a number; DataError where it is none, or several."""
    found = gold_number(gold if isinstance(gold, str) else str(gold)) if not isinstance(gold, bool) else None
    if found is None:
        raise DataError(f"the ground truth {str(gold)[:60]!r} is not one number")
    return found


def exact(given: Given, options: Options, gold: Sequence[str]) -> Checked:
    """Whether the response, or the answer that it states, is one of the gold ones; space and a final mark do not count."""
    stated = stated_answer(given.text)
    said = {plain(given.text, options)} | ({plain(stated.text, options)} if stated else set())
    return Checked(float(any(plain(each, options) in said for each in gold)))


def plain(text: str, options: Options) -> str:
    """A text as `exact` compares it."""
    bare = " ".join(text.split()).strip().rstrip(".。!！").strip()
    return bare if options["case"] else bare.casefold()


def text_gold(gold: Any) -> list[str]:
    """Accepted answers: one, or a list; DataError for an empty one."""
    found = [str(each) for each in (gold if isinstance(gold, list) else [gold]) if not isinstance(each, dict)]
    if not found or not all(each.strip() for each in found):
        raise DataError(f"the ground truth {str(gold)[:60]!r} is empty; expected a text, or a list of texts")
    return found


def choice(given: Given, options: Options, gold: str) -> Checked:
    """Whether the stated answer begins with the gold letter: `B`, `(B)`, `B. Paris`; or the response is nothing else."""
    stated = stated_answer(given.text)
    found = LETTER.match(stated.text if stated else given.text.strip())
    if found is None:
        return Checked(0.0, UNPARSABLE)
    return Checked(float(found[1].upper() == gold))


def letter_gold(gold: Any) -> str:
    """A gold answer as one letter; DataError for anything else."""
    found = LETTER.match(str(gold).strip())
    if found is None or len(str(gold).strip(" ().:")) != 1:
        raise DataError(f"the ground truth {str(gold)[:60]!r} is not one letter")
    return found[1].upper()


def maths(given: Given, options: Options, gold: str) -> Checked:
    """Whether the final expression equals the gold one, by math-verify."""
    try:
        equal = HELPER.ask("equal", timeout=options["timeout"], gold=gold, response=given.text)
    except TimedOut:
        return Checked(0.0, TIMED_OUT)
    except Failure:
        return Checked(0.0, UNPARSABLE)
    return Checked(0.0, UNPARSABLE) if equal is None else Checked(float(equal))


def expression_gold(gold: Any) -> str:
    """A gold answer as an expression; DataError where math-verify finds none in it."""
    try:
        understood = bool(str(gold).strip()) and HELPER.ask("understood", timeout=10.0, gold=str(gold))
    except (TimedOut, Failure):
        understood = False
    if not understood:
        raise DataError(f"the ground truth {str(gold)[:60]!r} is not an expression that math-verify reads")
    return str(gold)


def form(given: Given, options: Options, gold: Any) -> Checked:
    """Whether the response matches a regular expression."""
    try:
        found = HELPER.ask(
            "matches", timeout=options["timeout"], pattern=options["pattern"], text=given.text, whole=options["whole"]
        )
    except TimedOut:
        return Checked(0.0, TIMED_OUT)
    except Failure:
        return Checked(0.0, UNPARSABLE)
    return Checked(float(found))


def length(given: Given, options: Options, gold: Any) -> Checked:
    """Whether the response has from `min` to `max` characters, words (a Chinese character is one) or tokens."""
    count = size_of(given, options["unit"])
    if count is None:
        raise DataError("the row has no completion_tokens; expected one number per response for a length in tokens")
    return Checked(float(options["min"] <= count and (options["max"] == 0 or count <= options["max"])))


def size_of(given: Given, unit: str) -> int | None:
    """How long a response is; None for tokens that are not known."""
    if unit == "tokens":
        return given.tokens
    return length_in_words(given.text) if unit == "words" else len(given.text)


def reasoning(given: Given, options: Options, gold: Any) -> Checked:
    """Whether the response comes with reasoning apart from its text, or without."""
    return Checked(float(bool(given.reasoning) == options["required"]))


def json_valid(given: Given, options: Options, gold: Any) -> Checked:
    """Whether the response is JSON, a fence around it aside."""
    bare = re.sub(r"^```(?:json)?\s*|\s*```$", "", given.text.strip())
    try:
        orjson.loads(bare)
    except orjson.JSONDecodeError:
        return Checked(0.0)
    return Checked(1.0)


def instructions(given: Given, options: Options, gold: Any) -> Checked:
    """Which share of the row's instructions is followed (IFEval), or whether all are."""
    results = instruction_results(given.text, given.row, options["ids"], options["kwargs"])
    return Checked(sum(results) / len(results) if options["share"] else float(all(results)))


def code(given: Given, options: Options, gold: Tests) -> Checked:
    """Whether all tests of the row pass with the program in the response, or which share of them; run in a sandbox."""
    found = code_tests.tested(given.text, given.row, options, gold)
    if found is None:
        return Checked(0.0, code_tests.NO_CODE)
    return Checked(found.passed / found.total if options["share"] else float(found.problem is None), found.problem)


CHECKS: Mapping[str, CheckKind] = {
    "numeric": CheckKind(numeric, {"tolerance": 0.0}, number_gold),
    "exact": CheckKind(exact, {"case": False}, text_gold),
    "choice": CheckKind(choice, {}, letter_gold),
    "maths": CheckKind(maths, {"timeout": 5.0}, expression_gold, need_math_verify),
    "format": CheckKind(form, {"pattern": str, "whole": False, "timeout": 1.0}),
    "length": CheckKind(length, {"min": 0, "max": 0, "unit": "characters"}),
    "reasoning": CheckKind(reasoning, {"required": True}),
    "json": CheckKind(json_valid, {}),
    "code": CheckKind(code, code_tests.OPTIONS, tests_of, need_sandbox),
    "instructions": CheckKind(instructions, {"ids": "instruction_id_list", "kwargs": "kwargs", "share": False}),
}
