"""Diversity and consistency by hand, and BLEU against torchmetrics."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rewardsmith.align.consistency import consistency_of
from rewardsmith.align.diversity import bleu, distinct_share, self_bleu, words_of

WORDS = st.lists(st.sampled_from(["a", "b"]), min_size=4, max_size=9)


def test_words_of_both_languages():
    assert words_of("Don't stop: 3 cats, 北京很大！") == ["don", "t", "stop", "3", "cats", "北", "京", "很", "大"]


def test_distinct_n_by_hand():
    texts = [["a", "b", "a"], ["a", "b"]]
    assert distinct_share(texts, 1) == 2 / 5
    assert distinct_share(texts, 2) == 2 / 3
    assert distinct_share([["a"]], 2) is None


def test_self_bleu_of_equal_and_of_unlike_texts():
    same = words_of("the cat sat on the mat")
    assert self_bleu([same, same, same]) == pytest.approx(1.0)
    assert self_bleu([words_of("one two three"), words_of("four five six")]) == 0.0
    assert self_bleu([same, []]) is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_bleu_is_that_of_torchmetrics(text, references):
    from torchmetrics.functional.text import bleu_score

    expected = bleu_score([" ".join(text)], [[" ".join(each) for each in references]], n_gram=4, smooth=True)
    assume(expected > 0)  # torchmetrics gives 0 where one length of n-gram has no match, smoothed or not
    assert bleu(text, references) == pytest.approx(float(expected), abs=1e-5)


def test_consistency_by_hand():
    now = [np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0]), np.array([1.0, 1.0]), np.array([np.nan, 1.0])]
    before = [np.array([30.0, 10.0, 20.0]), np.array([2.0, 1.0]), np.array([0.0, 1.0]), np.array([1.0, 2.0])]
    found = consistency_of(now, before)
    assert found.value == pytest.approx(((1 / 3 + 1) / 2 + 0) / 2)
    assert (found.prompts, found.skipped) == (2, 2)
    assert np.isnan(consistency_of([], []).value)
