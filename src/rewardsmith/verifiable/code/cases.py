"""The tests of a row, as public data sets have them.

Pairs of standard input and output, or calls of a function with expected results: `{"inputs": […], "outputs": […],
"fn_name": …}` (APPS, TACO, verl), or a list of `{"input": …, "output": …, "type": …}` (LiveCodeBench, SYNTHETIC-1), also
under `test_cases`.
Source: a list of assertions (MBPP), or a text of assertions, test functions, TestCases, or `check(candidate)` (HumanEval,
KodCode). All of it may be JSON in a text.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from rewardsmith.errors import DataError

PYTHON = ("python", "python3", "py")
OF_CALLS = ("functional", "function_call", "call")
OF_STREAMS = ("stdin", "stdin_stdout")


@dataclass(frozen=True)
class StreamTests:
    """Pairs of what a program reads and what it is expected to write."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class CallTests:
    """Calls of a function, of the program or of a class `Solution`, with the arguments and the expected result of each."""

    function: str | None
    calls: Sequence[tuple[Sequence[Any], Any]]


@dataclass(frozen=True)
class SourceTests:
    """Tests as Python: several sources are a test each, one is taken apart."""

    sources: Sequence[str]

    def count(self, entry: str | None) -> int:
        """How many tests there are."""
        return len(self.sources) if len(self.sources) > 1 else tests_in(ast.parse(self.sources[0]), entry)


Tests = StreamTests | CallTests | SourceTests


def tests_of(given: Any) -> Tests:
    """The tests that a column holds; DataError that says what is wrong with them."""
    value = of_python(of_json(given))
    for fits, read in FORMS:
        if fits(value):
            return read(value)
    raise DataError(
        f"the tests {str(given)[:60]!r} have no known form; expected inputs and outputs, a list of cases with input and "
        "output, assertions, or Python source"
    )


def of_python(value: Any) -> Any:
    """The cases of a mapping that says which language they are for; DataError for another one than Python."""
    if not isinstance(value, Mapping) or "test_cases" not in value:
        return value
    if str(value.get("language") or "python").lower() not in PYTHON:
        raise DataError(f"the tests are for programs in {value['language']!r}; only Python is run")
    return of_json(value["test_cases"])


def of_json(value: Any) -> Any:
    """A text of JSON objects or lists as what it holds; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def source_tests(sources: Sequence[str]) -> SourceTests:
    """Tests as Python; DataError for what is none, or holds no test."""
    for source in sources:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise DataError(f"the tests {source[:60]!r} are no Python: {error}") from error
        if len(sources) == 1 and not tests_in(tree, "check"):
            raise DataError(f"the tests {source[:60]!r} contain no assertion, test function or TestCase")
    return SourceTests(tuple(sources))


def tests_in(tree: ast.Module, entry: str | None) -> int:
    """How many tests a module holds: assertions, functions, methods, and `check(candidate)` where the function is known."""
    count = 0
    for each in tree.body:
        if isinstance(each, ast.Assert):
            count += 1
        elif isinstance(each, ast.FunctionDef):
            count += each.name.startswith("test") or (each.name == "check" and entry is not None)
        elif isinstance(each, ast.ClassDef):
            own = [part for part in each.body if isinstance(part, ast.FunctionDef)]
            count += sum(part.name.startswith("test") for part in own)
    return count


def of_columns(value: Mapping[str, Any]) -> Tests:
    """Tests as two lists."""
    inputs, outputs = value["inputs"], value["outputs"]
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs) or not inputs:
        raise DataError("inputs and outputs of the tests are not two lists of the same length, of at least one test")
    name = value.get("fn_name")
    if name is None:
        return StreamTests([(as_text(i), as_text(o)) for i, o in zip(inputs, outputs, strict=True)])
    calls = [(arguments(i), result_of(o)) for i, o in zip(inputs, outputs, strict=True)]
    return CallTests(str(name), calls)


def of_cases(cases: Sequence[Mapping[str, Any]]) -> Tests:
    """Tests as a list of cases, all of one form."""
    kind, name = kind_of(cases)
    if kind in OF_CALLS:
        return CallTests(name, [(arguments(case["input"]), result_of(case["output"])) for case in cases])
    if kind not in OF_STREAMS:
        raise DataError(f"the type of the tests is {kind!r}; expected one of {', '.join((*OF_STREAMS, *OF_CALLS))}")
    return StreamTests([(as_text(case["input"]), as_text(case["output"])) for case in cases])


def kind_of(cases: Sequence[Mapping[str, Any]]) -> tuple[str, str | None]:
    """The type of cases and the function that they call; DataError where they differ, or lack something."""
    kinds = {str(case.get("type") or case.get("testtype") or OF_STREAMS[0]) for case in cases}
    names = {case.get("fn_name") or None for case in cases}
    if len(kinds) > 1 or len(names) > 1 or not all({"input", "output"} <= set(case) for case in cases):
        raise DataError("the cases of the tests differ in form or function, or lack input or output")
    return kinds.pop(), names.pop()


def as_text(value: Any) -> str:
    """Input or output as one text; lists hold its lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def arguments(value: Any) -> list[Any]:
    """The arguments of a call: a list, or a text with one JSON value per line."""
    if isinstance(value, list):
        return value
    try:
        return [orjson.loads(line) for line in str(value).splitlines() if line.strip()]
    except orjson.JSONDecodeError as error:
        raise DataError(f"the arguments {str(value)[:60]!r} are not one JSON value per line") from error


def result_of(value: Any) -> Any:
    """The expected result; a text is JSON where it can be read as such."""
    if isinstance(value, str):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def is_list_of(kind: type) -> Callable[[Any], bool]:
    """Whether a value is a list of at least one item, each of a kind."""
    return lambda value: isinstance(value, list) and bool(value) and all(isinstance(each, kind) for each in value)


FORMS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Tests]], ...] = (
    (lambda value: isinstance(value, str), lambda value: source_tests([value])),
    (is_list_of(str), source_tests),
    (lambda value: isinstance(value, Mapping) and {"inputs", "outputs"} <= set(value), of_columns),
    (is_list_of(Mapping), of_cases),
)
"""How each form is recognised, and what reads it."""
