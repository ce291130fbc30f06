"""Programs run against tests, each in a sandbox: how many tests passed, and what went wrong first.

A program never holds the tests, what they expect, or the place where the verdict is written. Input and output are compared
outside; so are the results of calls; source runs in a sandbox of its own and talks to the program's over a line on which
only plain data crosses.
"""

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from rewardsmith.errors import DataError
from rewardsmith.verifiable.code import comparing, inside
from rewardsmith.verifiable.code.cases import CallTests, SourceTests, StreamTests, Tests
from rewardsmith.verifiable.code.inside import values
from rewardsmith.verifiable.sandbox import confined
from rewardsmith.verifiable.sandbox.confined import Ended, HeldProgram
from rewardsmith.verifiable.sandbox.limits import ProgramLimits

TIMED_OUT, OUT_OF_MEMORY, TOO_MUCH_OUTPUT, CRASHED, WRONG = (
    "timed_out", "out_of_memory", "too_much_output", "crashed", "wrong_answer",
)  # fmt: skip
OF_END = {confined.SECONDS: TIMED_OUT, confined.MEMORY: OUT_OF_MEMORY, confined.OUTPUT: TOO_MUCH_OUTPUT}


class TestOutcome(NamedTuple):
    """Of one program: tests passed, of how many, and what went wrong with the first that did not; None where all passed."""

    passed: int
    total: int
    problem: str | None


@dataclass(frozen=True)
class RunSettings:
    """Limits of each run, relative tolerance of numbers, whether the first failed test ends it, and what tests need."""

    limits: ProgramLimits
    tolerance: float = 0.0
    until_first: bool = False
    entry: str | None = None
    setup: str = ""


def outcome_of(program: str, tests: Tests, settings: RunSettings) -> TestOutcome:
    """Run a program against its tests; DataError where the tests themselves cannot be run."""
    if isinstance(tests, StreamTests):
        return of_streams(program, tests, settings)
    return of_calls(program, tests, settings) if isinstance(tests, CallTests) else of_source(program, tests, settings)


def of_streams(program: str, tests: StreamTests, settings: RunSettings) -> TestOutcome:
    """One run per pair of input and output."""
    passed, problem = 0, None
    for given, expected in tests.pairs:
        ended = confined.run(HeldProgram({"main.py": program}, settings.limits), given.encode(errors="surrogatepass"))
        found = went_wrong(ended)
        if found is None and not comparing.same_text(
            ended.output.decode(errors="replace"), expected, settings.tolerance
        ):
            found = WRONG
        passed += found is None
        problem = problem or found
        if problem and settings.until_first:
            break
    return TestOutcome(passed, len(tests.pairs), problem)


def went_wrong(ended: Ended) -> str | None:
    """What ended a program before it was through; None where nothing did."""
    if ended.how in OF_END:
        return OF_END[ended.how]
    if ended.how == confined.EXITED and ended.code == 0:
        return None
    last = ended.errors.rstrip().rsplit(b"\n", 1)[-1]
    return OUT_OF_MEMORY if last.startswith(b"MemoryError") else CRASHED


def of_calls(program: str, tests: CallTests, settings: RunSettings) -> TestOutcome:
    """One run for all calls, whose requests are the program's input; it writes results, and never sees the expected ones."""
    name = tests.function or settings.entry
    if name is None:
        raise DataError(
            "the tests call a function that they do not name; expected fn_name, or its name in the entry column"
        )
    requests = [
        {"do": "call_named", "name": name, "words": [packed(each) for each in words], "named": {}}
        for words, _ in tests.calls
    ]
    given = "".join(json.dumps(request) + "\n" for request in requests)
    ended = confined.run(HeldProgram(program_side(program), settings.limits), given.encode())
    results: list[Returned | str] = list(results_in(ended.output))[: len(tests.calls)]
    results += [went_wrong(ended) or CRASHED] * (len(tests.calls) - len(results))
    problems = [
        of_result(result, expected, settings.tolerance)
        for result, (_, expected) in zip(results, tests.calls, strict=True)
    ]
    return TestOutcome(problems.count(None), len(problems), next(filter(None, problems), None))


def of_result(result: "Returned | str", expected: Any, tolerance: float) -> str | None:
    """What is wrong with the result of a call; None where it is the expected one."""
    if isinstance(result, str):
        return result
    return None if comparing.same_result(result.value, expected, tolerance) else WRONG


def packed(value: Any) -> Any:
    """A value of JSON as the program's side reads it."""
    return values.packed(value, refuse)


def refuse(value: Any) -> int:
    """DataError: the tests hold what is no plain data."""
    raise DataError(f"an argument of the tests is a {type(value).__name__}; expected plain data")


class Returned(NamedTuple):
    """What a call returned."""

    value: Any


NOT_PLAIN = object()
"""Stands for a returned value that is no plain data, and equals none."""


def results_in(output: bytes) -> Iterator[Returned | str]:
    """What each call returned, or CRASHED where it raised or wrote what no result is."""
    for line in output.split(b"\n")[:-1]:
        try:
            answer = json.loads(line)
            yield Returned(values.unpacked(answer["is"]["gave"], lambda _: NOT_PLAIN))
        except (ValueError, KeyError, TypeError, RecursionError, ArithmeticError):
            yield CRASHED


def of_source(program: str, tests: SourceTests, settings: RunSettings) -> TestOutcome:
    """Tests in a sandbox of their own, the program in another."""
    longer = replace(settings.limits, seconds=settings.limits.seconds + 1)  # the program is the one to be late
    ended_tests, ended = confined.run_joined(
        HeldProgram(tests_side(settings.setup, tests.sources, settings.entry), longer),
        HeldProgram(program_side(program), settings.limits),
    )
    facts = [json.loads(line) for line in ended_tests.errors.split(b"\n") if line.startswith(b"{")]
    total = total_of(facts, tests, settings)
    passed = sum(fact.get("passed") is True for fact in facts)
    if passed == total:
        return TestOutcome(passed, total, None)
    through = any("count" in fact for fact in facts)
    return TestOutcome(passed, total, WRONG if through else gone_wrong(ended_tests, ended))


def total_of(facts: Sequence[dict[str, Any]], tests: SourceTests, settings: RunSettings) -> int:
    """How many tests there are, by their source and by what was run; DataError where they cannot be run, or are none."""
    for fact in facts:
        if "module" in fact:
            raise DataError(f"the tests need the module {fact['module']}, which is not installed in the sandbox")
    total = max(tests.count(settings.entry), sum("passed" in fact for fact in facts))
    if total == 0:
        raise DataError(
            "the tests define check(candidate), and no function is named; expected its name in the entry column"
        )
    return total


def gone_wrong(tests: Ended, program: Ended) -> str:
    """Why tests did not come to their end."""
    if program.how in OF_END:
        return OF_END[program.how]
    if tests.how in OF_END:
        return OF_END[tests.how]
    return WRONG if program.how == confined.TOLD else went_wrong(program) or CRASHED


def program_side(program: str) -> dict[str, str]:
    """The files of a sandbox that answers calls of a program."""
    start = f"from rewardsmith.verifiable.code.inside.program_side import main\nmain({program!r})\n"
    return {**inside_files(), "main.py": start}


def tests_side(setup: str, sources: Sequence[str], entry: str | None) -> dict[str, str]:
    """The files of a sandbox that runs tests."""
    start = "from rewardsmith.verifiable.code.inside.tests_side import main\n"
    return {**inside_files(), "main.py": f"{start}main({setup!r}, {list(sources)!r}, {entry!r})\n"}


@functools.cache
def inside_files() -> dict[str, str]:
    """The modules of `inside`, where a program in a sandbox imports them from."""
    folder = Path(str(inside.__file__)).parent
    return {
        f"{inside.__name__.replace('.', '/')}/{path.name}": path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("*.py"))
    }
