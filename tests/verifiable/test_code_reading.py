"""The parts of code tests that run nothing: the program in a response, tests of a row, comparing."""

import json

import pytest

from rewardsmith.errors import DataError, UsageError
from rewardsmith.verifiable.code.cases import CallTests, SourceTests, StreamTests
from rewardsmith.verifiable.code.cases import tests_of as read_tests
from rewardsmith.verifiable.code.comparing import same_result, same_text
from rewardsmith.verifiable.code.extraction import program_in
from rewardsmith.verifiable.code.inside.values import packed, unpacked
from rewardsmith.verifiable.definition import definition_of


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("a\n```python\nx = 1\n```\nb", "x = 1\n"),
        ("```py\nx = 1\n```\n```\ny = 2\n```", "y = 2\n"),
        ("```python\nx = 1\n```\nruns as\n```text\n1\n```", "x = 1\n"),
        ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''\n"),
        ("~~~Python\nx\n~~~", "x\n"),
        ("```python\nx = 1\n", None),
        ("x = 1", None),
        ("```bash\nls\n```", None),
        ("inline ```x = 1``` only", None),
    ],
)
def test_the_program_is_the_last_closed_block_of_python(text, program):
    assert program_in(text) == program


def test_forms_of_public_data_sets_are_read():
    streams = StreamTests([("1\n2", "3")])
    assert read_tests({"inputs": ["1\n2"], "outputs": ["3"]}) == streams
    assert read_tests('{"inputs": [["1", "2"]], "outputs": [["3"]]}') == streams
    assert read_tests([{"input": "1\n2", "output": "3", "testtype": "stdin"}]) == streams
    cases = {"language": "python", "test_cases": [{"type": "stdin_stdout", "input": "1\n2", "output": "3"}]}
    assert read_tests(json.dumps(cases)) == streams
    calls = CallTests("f", [([[1], "a"], True)])
    assert read_tests({"inputs": [[[1], "a"]], "outputs": [True], "fn_name": "f"}) == calls
    assert read_tests([{"type": "function_call", "fn_name": "f", "input": [[1], "a"], "output": True}]) == calls
    assert read_tests('[{"testtype": "functional", "input": "[1]\\n\\"a\\"", "output": "true"}]') == CallTests(
        None, calls.calls
    )
    assert read_tests(["assert f(1)", "assert f(2)"]) == SourceTests(("assert f(1)", "assert f(2)"))
    assert read_tests("assert f(1)\ndef test_x(): pass\nclass T:\n    def test_y(self): pass\n").count(None) == 3


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ({"inputs": ["1"], "outputs": []}, "of the same length"),
        ({"inputs": [], "outputs": []}, "at least one test"),
        ("def f(:", "are no Python"),
        ("x = 1", "contain no assertion"),
        ([], "no known form"),
        (7, "no known form"),
        ([{"input": "1"}], "lack input or output"),
        ([{"input": "1", "output": "1", "type": "interactive"}], "the type of the tests is 'interactive'"),
        ({"language": "cpp", "test_cases": []}, "only Python is run"),
        ([{"input": "1 2", "output": "1", "testtype": "functional"}], "one JSON value per line"),
    ],
)
def test_tests_that_say_nothing_are_an_error_and_no_reward(tests, said):
    with pytest.raises(DataError, match=said):
        read_tests(tests)


@pytest.mark.parametrize(
    ("written", "expected", "tolerance", "same"),
    [
        ("3\n", "3", 0.0, True),
        ("3  4 \n\n", "3 4", 0.0, True),
        ("3\n4", "3 4", 0.0, False),
        ("3.0", "3", 0.0, True),
        ("1e2", "100", 0.0, True),
        ("0.3333", "0.33333333", 0.0, False),
        ("0.3333", "0.33333333", 1e-3, True),
        ("yes", "YES", 0.0, False),
        ("", "", 0.0, True),
        ("", "0", 0.0, False),
        ("nan", "nan", 0.0, True),
        ("1e999999999", "1e99999999", 0.0, False),
    ],
)
def test_outputs_are_compared_by_lines_and_words(written, expected, tolerance, same):
    assert same_text(written, expected, tolerance) is same


def test_results_are_compared_by_value():
    assert same_result((1, [2]), [1, [2]], 0.0)
    assert same_result(3, [3], 0.0)
    assert not same_result([3], 3, 0.0)
    assert same_result({1: "a"}, {"1": "a"}, 0.0)
    assert same_result(0.1 + 0.2, 0.3, 1e-9)
    assert not same_result(0.1 + 0.2, 0.3, 0.0)
    assert not same_result(True, 1, 0.0)
    assert not same_result("1", 1, 0.0)
    assert not same_result(float("inf"), 1e308, 0.5)
    assert same_result(float("inf"), float("inf"), 0.0)
    assert not same_result(object(), [], 0.0)


@pytest.mark.parametrize(
    "value",
    [None, True, 2**100, -7, 0.5, "é\n", b"\x00", 1j, [1, (2, {3}), {"a": [None], (1, 2): "b"}], frozenset({1})],
)
def test_plain_data_crosses_by_value(value):
    crossed = unpacked(json.loads(json.dumps(packed(value, lambda _: 0))), lambda _: None)
    assert crossed == value
    assert type(crossed) is type(value)


def test_a_subclass_crosses_as_what_it_is_made_of():
    class Equal(int):
        def __eq__(self, other):
            return True

        __hash__ = int.__hash__

    crossed = unpacked(packed([Equal(1)], lambda _: 0), lambda _: None)
    assert type(crossed[0]) is int
    assert crossed != [2]


@pytest.mark.parametrize(("option", "said"), [({"timeout": 0}, "timeout is 0"), ({"memory": 63}, "at least 64")])
def test_limits_of_programs_are_large_enough_to_run_one(option, said):
    with pytest.raises(UsageError, match=said):
        definition_of({"kind": "verifiable", "gold": "t", "rewards": [{"check": "code", **option}]}, "file")
