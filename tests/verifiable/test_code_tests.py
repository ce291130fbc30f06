"""Tests of programs: every form passes what is right, fails what is wrong, and cannot be talked into a pass."""

import sys

import pytest

from forged_results import FORGERIES
from rewardsmith.errors import DataError
from rewardsmith.rewards.checked import problem
from rewardsmith.verifiable.checks import CHECKS, Given
from rewardsmith.verifiable.code.cases import tests_of as read_tests
from rewardsmith.verifiable.code.check import OPTIONS
from rewardsmith.verifiable.code.check import tested as run_tests
from rewardsmith.verifiable.code.running import TestOutcome
from rewardsmith.verifiable.definition import definition_of
from rewardsmith.verifiable.reward import VerifiableReward
from sandbox_here import sandbox

__all__ = ["sandbox"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")
ADD = "def add(a, b):\n    return a + b\n"
IN_SOLUTION = "class Solution:\n    def add(self, a, b):\n        return a + b\n"
PRINTS = "print(sum(map(int, input().split())))\n"
STREAMS = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}
CALLS = {"inputs": [[1, 2], [3, 4]], "outputs": [3, [7]], "fn_name": "add"}
ASSERTS = ["assert add(1, 2) == 3", "assert add('a', 'b') == 'ab'"]
FUNCTIONS = """
from solution import add
import solution

def test_numbers():
    assert add(1, 2) == 3

def test_lists():
    assert solution.add([1], [2]) == [1, 2]
"""
CASES = """
import unittest
from solution import *

class TestAdd(unittest.TestCase):
    def test_numbers(self):
        self.assertEqual(add(1, 2), 3)

    def test_kinds(self):
        with self.assertRaises(TypeError):
            add(1, "a")

if __name__ == "__main__":
    unittest.main()
"""
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-1, 1) == 0\n"


def run(program, tests, row=None, **options):
    """The outcome of a program, which is the whole text."""
    return run_tests(program, row or {}, {**OPTIONS, "whole": True, "timeout": 20.0, **options}, read_tests(tests))


@pytest.mark.parametrize(
    ("program", "tests", "row", "count"),
    [
        (PRINTS, STREAMS, {}, 2),
        (PRINTS, [{"input": "1 2", "output": "3", "type": "stdin_stdout"}], {}, 1),
        (ADD, CALLS, {}, 2),
        (IN_SOLUTION, CALLS, {}, 2),
        (ADD, [{"input": "1\n2", "output": "3", "testtype": "functional"}], {"entry_point": "add"}, 1),
        (ADD, ASSERTS, {}, 2),
        (ADD, "\n".join(ASSERTS), {}, 2),
        (ADD, ["assert add(one, two) == 3"] * 2, {"test_setup_code": "one, two = 1, 2"}, 2),
        (ADD, FUNCTIONS, {}, 2),
        (ADD, CASES, {}, 2),
        (ADD, CHECK, {"entry_point": "add"}, 1),
    ],
)
def test_every_form_of_tests_passes_the_right_program_and_fails_a_wrong_one(program, tests, row, count, sandbox):
    assert run(program, tests, row) == TestOutcome(count, count, None)
    wrong = program.replace("a + b", "a - b").replace("sum", "max")
    assert run(wrong, tests, row).problem in ("wrong_answer", "crashed")


@pytest.mark.parametrize("name", FORGERIES)
def test_a_program_cannot_make_up_a_pass(name, sandbox):
    program = FORGERIES[name]
    tests = ["assert add(20, 17) == 37", "assert 37 == add(20, 17)", "assert not add(1, 2) != 3"]
    for form in (tests, "\n".join(tests), {"inputs": [[20, 17], [1, 2]], "outputs": [37, 3], "fn_name": "add"}):
        outcome = run(program, form, share=True, timeout=6.0)
        assert outcome.passed == 0, (form, outcome)
        assert outcome.problem is not None, (form, outcome)
    assert run(program, {"inputs": [""], "outputs": ["37"]}, timeout=6.0).passed == 0


OBJECTS = """
class Vector:
    def __init__(self, x):
        self.x = x
    def __add__(self, other):
        return Vector(self.x + other.x)
    def __eq__(self, other):
        return self.x == other.x
    def __len__(self):
        return 3
    def numbers(self):
        yield from (1, 2)

class TooLarge(ValueError):
    pass

LIMIT = 5

def refuse(x):
    raise TooLarge(f"{x} is above {LIMIT}")

def apply(function, x):
    return function(x)

def sort(values):
    values.sort()

def reverse(node):
    last = None
    while node:
        node.next, last, node = last, node, node.next
    return last
"""
OF_OBJECTS = """
assert (Vector(1) + Vector(2)).x == 3
assert Vector(3) == Vector(1) + Vector(2)
assert Vector(3) != 3 and not Vector(3) == Vector(4)
assert isinstance(Vector(1), Vector)
assert len(Vector(1)) == 3 and list(Vector(1).numbers()) == [1, 2]
assert apply(lambda x: x * 2, 4) == 8
assert LIMIT == 5
values = [3, 1]
sort(values)
assert values == [1, 3]
try:
    refuse(7)
except TooLarge as error:
    said = str(error)
assert said == "7 is above 5"

class Node:
    def __init__(self, value, next=None):
        self.value, self.next = value, next

last = reverse(Node(1, Node(2, Node(3))))
assert (last.value, last.next.value, last.next.next.value, last.next.next.next) == (3, 2, 1, None)
"""


def test_objects_functions_changed_arguments_and_exceptions_cross_between_program_and_tests(sandbox):
    assert run(OBJECTS, OF_OBJECTS) == TestOutcome(10, 10, None)


def test_a_share_counts_the_tests_that_pass_and_all_stops_at_the_first(sandbox):
    three = {"inputs": ["1 2", "2 2", "3 4"], "outputs": ["4", "4", "7"]}
    assert run(PRINTS, three, share=True) == TestOutcome(2, 3, "wrong_answer")
    assert run(PRINTS, three) == TestOutcome(0, 3, "wrong_answer")
    assert run("def f(x):\n    return 1 // x\n", ["assert f(1) == 1", "assert f(0) == 1"], share=True).passed == 1


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("def add(a, b):\n    while True: pass\n", "timed_out"),
        ("def add(a, b):\n    return [0] * 10**9\n", "out_of_memory"),
        ("def add(a, b) return", "crashed"),
        ("def plus(a, b):\n    return a + b\n", "wrong_answer"),
        ("import os\ndef add(a, b):\n    os.abort()\n", "crashed"),
        ("held = bytearray(10**10)\n", "out_of_memory"),
    ],
)
def test_what_went_wrong_is_told_apart(program, problem, sandbox):
    outcome = run(program, ["assert add(1, 2) == 3", "assert add(2, 2) == 4"], timeout=3.0, share=True)
    assert outcome.passed == 0
    assert outcome.problem in (problem, "wrong_answer") if "10**9" in program else outcome.problem == problem


def test_tests_that_cannot_be_run_are_no_reward(sandbox):
    with pytest.raises(DataError, match="need the module surely_not_there"):
        run(ADD, "import surely_not_there\nassert add(1, 2) == 3\n")
    with pytest.raises(DataError, match="no function is named"):
        run(ADD, CHECK)
    with pytest.raises(DataError, match="call a function that they do not name"):
        run(ADD, [{"input": "1\n2", "output": "3", "testtype": "functional"}])


def test_the_check_gives_rewards_and_counts_what_went_wrong(sandbox):
    file = {"kind": "verifiable", "gold": "tests", "rewards": [{"check": "code", "timeout": 20.0}]}
    reward = VerifiableReward(definition_of(file, "file"))
    right = f"Here:\n```python\n{ADD}```\n"
    texts = [right, right.replace("+", "-"), "no program", "", "```python\nwhile\n```"]
    assert reward(prompts=[""] * 5, completions=texts, tests=[ASSERTS] * 5) == [1.0, 0.0, 0.0, 0.0, 0.0]
    problems = {each["problem"]: each["count"] for each in reward.counts.to_json()["problems"]}
    assert problems == {"wrong_answer": 1, "no_code": 1, "empty": 1, "crashed": 1}
    assert problem("code", "wrong_answer", 1) == "code: 1 programs failed a test"
    share = CHECKS["code"].function(
        Given(right), {**OPTIONS, "share": True}, read_tests([*ASSERTS, "assert add(1, 1) == 3"])
    )
    assert share.value == pytest.approx(2 / 3)
