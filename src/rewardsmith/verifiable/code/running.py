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
from rewardsmith.verifiable.sandbox.confined import Ended, Program
from rewardsmith.verifiable.sandbox.limits import Limits

TIMED_OUT, OUT_OF_MEMORY, TOO_MUCH_OUTPUT, CRASHED, WRONG = (
    "timed_out", "out_of_memory", "too_much_output", "crashed", "wrong_answer",
)  # fmt: skip
OF_END = {confined.SECONDS: TIMED_OUT, confined.MEMORY: OUT_OF_MEMORY, confined.OUTPUT: TOO_MUCH_OUTPUT}


class Outcome(NamedTuple):
    """Of one program: tests passed, of how many, and what went wrong with the first that did not; None where all passed."""

    passed: int
    total: int
    problem: str | None


@dataclass(frozen=True)
class How:
    """How tests are run: limits of each run, relative tolerance of numbers, whether the first failed test ends it."""

    limits: Limits
    tolerance: float = 0.0
    until_first: bool = False
    entry: str | None = None
    setup: str = ""


def outcome_of(program: str, tests: Tests, how: How) -> Outcome:
    """Run a program against its tests; DataError where the tests themselves cannot be run."""
    if isinstance(tests, StreamTests):
        return of_streams(program, tests, how)
    return of_calls(program, tests, how) if isinstance(tests, CallTests) else of_source(program, tests, how)


def of_streams(program: str, tests: StreamTests, how: How) -> Outcome:
    """One run per pair of input and output."""
    passed, problem = 0, None
    for given, expected in tests.pairs:
        ended = confined.run(Program({"main.py": program}, how.limits), given.encode(errors="surrogatepass"))
        found = went_wrong(ended)
        if found is None and not comparing.same_text(ended.output.decode(errors="replace"), expected, how.tolerance):
            found = WRONG
        passed += found is None
        problem = problem or found
        if problem and how.until_first:
            break
    return Outcome(passed, len(tests.pairs), problem)


def went_wrong(ended: Ended) -> str | None:
    """What ended a program before it was through; None where nothing did."""
    if ended.how in OF_END:
        return OF_END[ended.how]
    if ended.how == confined.EXITED and ended.code == 0:
        return None
    last = ended.errors.rstrip().rsplit(b"\n", 1)[-1]
    return OUT_OF_MEMORY if last.startswith(b"MemoryError") else CRASHED


def of_calls(program: str, tests: CallTests, how: How) -> Outcome:
    """One run for all calls, whose requests are the program's input; it writes results, and never sees the expected ones."""
    name = tests.function or how.entry
    if name is None:
        raise DataError(
            "the tests call a function that they do not name; expected fn_name, or its name in the entry column"
        )
    requests = [
        {"do": "call_named", "name": name, "words": [packed(each) for each in words], "named": {}}
        for words, _ in tests.calls
    ]
    given = "".join(json.dumps(request) + "\n" for request in requests)
    ended = confined.run(Program(program_side(program), how.limits), given.encode())
    results = list(results_in(ended.output))
    passed, problem = 0, None
    for at, (_, expected) in enumerate(tests.calls):
        result = results[at] if at < len(results) else went_wrong(ended) or CRASHED
        found = result if isinstance(result, str) else None
        if isinstance(result, Returned) and not comparing.same_result(result.value, expected, how.tolerance):
            found = WRONG
        passed += found is None
        problem = problem or found
    return Outcome(passed, len(tests.calls), problem)


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


def of_source(program: str, tests: SourceTests, how: How) -> Outcome:
    """Tests in a sandbox of their own, the program in another."""
    ended_tests, ended = confined.run_joined(
        Program(tests_side(how.setup, tests.sources, how.entry), replace(how.limits, seconds=how.limits.seconds + 1)),
        Program(program_side(program), how.limits),
    )
    facts = [json.loads(line) for line in ended_tests.errors.split(b"\n") if line.startswith(b"{")]
    unusable = next((fact["unusable"] for fact in facts if "unusable" in fact), None)
    if unusable:
        raise DataError(f"the tests cannot be run: {unusable}")
    total = max(tests.count(how.entry), sum("passed" in fact for fact in facts))
    if total == 0:
        raise DataError(
            "the tests define check(candidate), and no function is named; expected its name in the entry column"
        )
    passed = sum(fact.get("passed") is True for fact in facts)
    if passed == total:
        return Outcome(passed, total, None)
    problem = WRONG if any("count" in fact for fact in facts) else gone_wrong(ended_tests, ended)
    return Outcome(passed, total, problem)


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
