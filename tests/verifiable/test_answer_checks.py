"""Each check by hand, and against math-verify itself."""

import threading
import time

import pytest

from rewardsmith.errors import DataError
from rewardsmith.verifiable.checks import CHECKS, TIMED_OUT, UNPARSABLE, Given
from rewardsmith.verifiable.killable import HELPER, Failure, Helper, TimedOut


def checked(name, text, gold=None, **options):
    check = CHECKS[name]
    settings = {**check.options, **options}
    read = None if check.gold is None else check.gold(gold)
    extra = {key: settings.pop(key) for key in ("tokens", "reasoning", "row") if key in settings}
    return check.function(Given(text, **extra), settings, read)


def test_numbers_with_and_without_tolerance():
    assert checked("numeric", "#### 42", "42") == (1.0, None)
    assert checked("numeric", "#### 41", 42) == (0.0, None)
    assert checked("numeric", "no idea", 42) == (0.0, UNPARSABLE)
    assert checked("numeric", "the answer is 3.14", "3.14159", tolerance=0.001).value == 1.0
    assert checked("numeric", "the answer is 3.14", "3.14159").value == 0.0


@pytest.mark.parametrize(
    ("name", "gold"),
    [
        ("numeric", "many"),
        ("numeric", ""),
        ("numeric", "3 or 4"),
        ("numeric", True),
        ("choice", "BC"),
        ("exact", []),
        ("exact", " "),
    ],
)
def test_an_unreadable_gold_answer_is_an_error_and_no_reward(name, gold):
    with pytest.raises(DataError, match="ground truth"):
        checked(name, "anything", gold)


def test_exact_texts_and_letters():
    assert checked("exact", " Paris. ", "paris").value == 1.0
    assert checked("exact", "Paris", "paris", case=True).value == 0.0
    assert checked("exact", "The answer is Paris.", ["London", "Paris"]).value == 1.0
    assert checked("exact", "It could be Paris or London", "Paris").value == 0.0
    assert checked("exact", "答案：北京。", "北京").value == 1.0
    assert checked("choice", "Answer: (B) because", "B").value == 1.0
    assert checked("choice", "\\boxed{C}", "B").value == 0.0
    assert checked("choice", "12", "B") == (0.0, UNPARSABLE)


def test_lengths_in_every_unit():
    assert checked("length", "你好 world", min=3, max=3, unit="words").value == 1.0
    assert checked("length", "abcd", max=3).value == 0.0
    assert checked("length", "abcd", min=2).value == 1.0
    assert checked("length", "a", tokens=7, max=6, unit="tokens").value == 0.0
    with pytest.raises(DataError, match="completion_tokens"):
        checked("length", "a", unit="tokens")


def test_form_reasoning_and_json():
    assert checked("format", "Answer: 4", pattern=r"^Answer: \d+$").value == 1.0
    assert checked("format", "x Answer: 4", pattern=r"Answer: \d+", whole=True).value == 0.0
    assert checked("reasoning", "x", reasoning="because").value == 1.0
    assert checked("reasoning", "x", required=False).value == 1.0
    assert checked("json", '```json\n{"a": 1}\n```').value == 1.0
    assert checked("json", "{a: 1}").value == 0.0


def test_a_pattern_that_never_ends_is_stopped():
    started = time.monotonic()
    assert checked("format", "a" * 40 + "b", pattern="(a+)+$", timeout=0.3) == (0.0, TIMED_OUT)
    assert time.monotonic() - started < 20
    assert checked("format", "aaa", pattern="(a+)+$").value == 1.0  # a new process answers


class TestMaths:
    pytest.importorskip("math_verify")

    @pytest.mark.parametrize(
        ("gold", "response", "value"),
        [
            ("1/2", "so it is \\boxed{0.5}", 1.0),
            ("\\frac{1}{2}", "$\\frac{2}{4}$", 1.0),
            ("x^2+2x+1", "$(x+1)^2$", 1.0),
            ("\\{1,2\\}", "$\\{2,1\\}$", 1.0),
            ("2", "\\boxed{3}", 0.0),
        ],
    )
    def test_equal_expressions(self, gold, response, value):
        assert checked("maths", response, gold).value == value

    def test_it_works_off_the_main_thread(self):
        found = []
        thread = threading.Thread(target=lambda: found.append(checked("maths", "\\boxed{\\frac12}", "0.5")))
        thread.start()
        thread.join()
        assert found == [(1.0, None)]

    def test_no_expression_is_counted_and_a_gold_one_refused(self):
        assert checked("maths", "no idea", "1") == (0.0, UNPARSABLE)
        with pytest.raises(DataError, match="ground truth"):
            checked("maths", "1", "")

    def test_an_endless_computation_is_killed(self):
        assert HELPER.ask("understood", timeout=60, gold="1")
        tower = "\\boxed{9^{9^{9^{9^9}}}}"
        started = time.monotonic()
        assert checked("maths", tower, "1", timeout=1.0).value == 0.0
        assert time.monotonic() - started < 20
        assert checked("maths", "\\boxed{1}", "1").value == 1.0


def test_a_process_that_dies_is_named_and_replaced():
    helper = Helper()
    assert helper.ask("matches", timeout=30, pattern="a", text="a", whole=True) is True
    helper.process.kill()
    helper.process.wait()
    with pytest.raises(Failure, match="died"):
        helper.ask("matches", timeout=30, pattern="a", text="a", whole=True)
    assert helper.ask("matches", timeout=30, pattern="a", text="b", whole=True) is False
    with pytest.raises(Failure):
        helper.ask("matches", timeout=30, pattern="(", text="b", whole=True)
    with pytest.raises(TimedOut):
        helper.ask("matches", timeout=0.2, pattern="(a+)+$", text="a" * 40 + "b", whole=False)
    helper.close()


def test_an_interrupted_question_leaves_no_answer_to_the_next(monkeypatch):
    helper = Helper()
    assert helper.ask("matches", timeout=30, pattern="a", text="b", whole=True) is False

    def interrupted(timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr(helper.answers, "get", interrupted)
    with pytest.raises(KeyboardInterrupt):
        helper.ask("matches", timeout=30, pattern="a", text="b", whole=True)
    assert helper.ask("matches", timeout=30, pattern="a", text="a", whole=True) is True
    helper.close()


def test_a_question_that_cannot_be_answered_is_counted():
    assert checked("format", "a", pattern="(") == (0.0, UNPARSABLE)
