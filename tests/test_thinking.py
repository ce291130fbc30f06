"""Reasoning is kept apart however it is written, and nothing of it is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.thinking import apart, opened_by


@pytest.mark.parametrize(
    ("written", "awaited", "text", "reasoning", "closed"),
    [
        ("4", None, "4", None, True),
        ("<think>\n2+2\n</think>\n\n4", None, "4", "2+2", True),
        ("\n<think>2+2</think>4", None, "4", "2+2", True),
        ("2+2\n</think>\n\n4", "</think>", "4", "2+2", True),  # the template wrote the opening tag
        ("2+2\n</think>\n\n4", None, "4", "2+2", True),  # a server's template did, which says nothing of it
        ("2+2 and then", "</think>", "", "2+2 and then", False),  # stopped while it reasons
        ("<think>2+2 and", None, "", "2+2 and", False),
        ("<think>\n\n</think>\n\n4", None, "4", None, True),  # Qwen3 without reasoning
        ("[THINK]一加一[/THINK]二", None, "二", "一加一", True),
        ("Use <think> tags.", None, "Use <think> tags.", None, True),
        ("Write <think>x</think> so.", None, "Write <think>x</think> so.", None, True),
        ("", "</think>", "", None, False),
    ],
)
def test_reasoning_is_split_from_the_response(written, awaited, text, reasoning, closed):
    assert apart(written, awaited) == (text, reasoning, closed)


@given(st.text(alphabet="<think>/ab\n", max_size=60), st.sampled_from([None, "</think>"]))
def test_every_word_is_in_the_response_or_in_the_reasoning(written, awaited):
    found = apart(written, awaited)
    kept = (found.reasoning or "") + found.text
    assert written.replace("<think>", "").replace("</think>", "").count("a") <= kept.count("a")
    assert found.closed or found.text == ""


def test_a_prompt_says_whether_its_template_began_the_reasoning():
    assert opened_by("<|assistant|>\n<think>\n") == "</think>"
    assert opened_by("<|assistant|>\n") is None
    assert opened_by("explain <think> tags<|end|><|assistant|>") is None
