"""Runs tests against a program that answers from another sandbox; the report of each goes where only this side can write."""

import ast
import builtins
import json
import os
import sys
import types
import unittest
from collections.abc import Callable, Iterator
from typing import Any

from rewardsmith.verifiable.code.inside.peer import Gone, Peer, PeerRequest
from rewardsmith.verifiable.code.inside.program_side import NAME

Test = Callable[[], object]
NAMESPACE = "tests"


def main(setup: str, sources: list[str], entry: str | None) -> None:
    """Run the tests; `sources` of one text are taken apart, of several each is one test."""
    report = os.dup(2)
    incoming, outgoing = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):  # tests may print
        os.dup2(null, descriptor)
    peer = Peer(os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb"), serve)
    try:
        space = namespace(peer)
        count = 0
        for test in tests_in(setup, sources, entry, space):
            tell(report, {"passed": passes(test)})
            count += 1
        tell(report, {"count": count})
    except Gone:
        tell(report, {"gone": True})
    except ModuleNotFoundError as error:
        tell(report, {"module": error.name})
    except BaseException as error:
        tell(report, {"setup": f"{type(error).__name__}: {error}"[:300]})
    os._exit(0)


def tell(report: int, fact: dict[str, Any]) -> None:
    """Report a fact as a line."""
    os.write(report, json.dumps(fact).encode() + b"\n")


def serve(peer: Peer, request: PeerRequest) -> Any:
    """Of what tests hand to a program it may call functions, and use objects of the tests' own classes; nothing else."""
    on, what = peer.held[request["on"]], request["do"]
    if what == "call" and callable(on):
        return peer.called(on, request)
    public = not str(request.get("name", "")).startswith("_")
    if type(on).__module__ != NAMESPACE or not public or what not in LENT:
        raise AttributeError(what)
    return LENT[what](peer, on, request)


LENT: dict[str, Callable[[Peer, Any, PeerRequest], Any]] = {
    "get": lambda peer, on, request: peer.pack(getattr(on, request["name"])),
    "set": lambda peer, on, request: setattr(on, request["name"], peer.unpack(request["value"])),
    "truth": lambda peer, on, request: bool(on),
}
"""What a program may do with an object of a class that the tests define."""


def namespace(peer: Peer) -> dict[str, Any]:
    """Where tests run: the names of the program, which is also the module `solution`."""
    told = peer.ask({"do": "names"})
    found: dict[str, Any] = {}
    for name, kinds in told["exceptions"].items():
        parents = [getattr(builtins, str(kind), None) for kind in kinds[1:]]
        parent = next((each for each in parents if isinstance(each, type) and issubclass(each, Exception)), Exception)
        found[name] = peer.exceptions[name] = type(name, (parent,), {})
    for name, value in told["values"].items():
        found[name] = peer.unpack(value)
    module = types.ModuleType(NAME)
    vars(module).update(found)
    sys.modules[NAME] = module
    tests = types.ModuleType(NAMESPACE)
    sys.modules[NAMESPACE] = tests
    vars(tests).update(found)
    return vars(tests)


def passes(test: Test) -> bool:
    """Whether a test ends without an exception."""
    try:
        test()
    except Gone:
        raise
    except BaseException:  # SystemExit too: a test that does not end as it should has not passed
        return False
    return True


def tests_in(setup: str, sources: list[str], entry: str | None, space: dict[str, Any]) -> Iterator[Test]:
    """The tests one after the other; what is no test runs before those behind it."""
    exec(compile(setup, "setup", "exec"), space)
    if len(sources) > 1:
        for source in sources:
            code = compile(source, "tests", "exec")
            yield lambda code=code: exec(code, space)  # type: ignore[misc]
        return
    given = set(space)
    for statement in ast.parse(sources[0]).body:
        code = compile(ast.Module([statement], []), "tests", "exec")
        if isinstance(statement, ast.Assert):
            yield lambda code=code: exec(code, space)  # type: ignore[misc]
        elif not is_main(statement):
            exec(code, space)
    if entry is not None and "check" in space:
        yield lambda: space["check"](space[entry])
    for name in sorted(set(space) - given, key=list(space).index):
        yield from tests_of(name, space[name])


def is_main(statement: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__":`, which starts a test program."""
    return isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)


def tests_of(name: str, value: Any) -> Iterator[Test]:
    """The tests that a name stands for: a function `test…`, or the methods of a TestCase."""
    if isinstance(value, type) and issubclass(value, unittest.TestCase):
        for case in unittest.defaultTestLoader.loadTestsFromTestCase(value):
            yield lambda case=case: run_case(case)  # type: ignore[misc]
    elif name.startswith("test") and isinstance(value, types.FunctionType):
        yield value
    elif name.startswith("Test") and isinstance(value, type):
        for method in vars(value):
            if method.startswith("test"):
                yield lambda value=value, method=method: getattr(value(), method)()  # type: ignore[misc]


def run_case(case: Any) -> None:
    """Run one method of a TestCase; AssertionError where it does not pass."""
    result = unittest.TestResult()
    case.run(result)
    if not result.wasSuccessful() or result.skipped:
        raise AssertionError("the test case failed")
