import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.evaluate.breakdown import by_category, by_difficulty, span_labels, value_bins
from rewardsmith.evaluate.comparisons import Comparisons


def build(margin, **more):
    n = len(margin)
    columns = {"preference": np.ones(n), "weight": np.ones(n), "cluster": np.arange(n)}
    return Comparisons(margin=np.array(margin, dtype=float), **{**columns, **more})


def table(groups):
    return {group.label: (group.n, group.accuracy) for group in groups}


def test_categories_by_hand():
    found = by_category(build([1, -1, 1, 0, 2], category=np.array(["safe", "safe", "chat", "chat", "安全"])))
    assert table(found) == {"chat": (2, 0.75), "safe": (2, 0.5), "安全": (1, 1.0)}
    assert all(group.accuracy in group.interval for group in found)


def test_label_ties_and_zero_weights_are_left_out_and_empty_bins_too():
    preference, weight = np.array([1.0, 0.5, 1.0]), np.array([1.0, 1.0, 0.0])
    found = by_category(build([1, 1, 1], preference=preference, weight=weight, category=np.array(["a", "b", "c"])))
    assert table(found) == {"a": (1, 1.0)}


def test_nothing_known_gives_nothing():
    assert by_category(build([1.0])) == ()
    assert by_difficulty(build([1.0])) == {}


def test_length_by_hand():
    found = by_difficulty(
        build([1, -1, 1, 1], preferred_length=np.array([9, 2, 5, 8]), other_length=np.array([3, 7, 5, 1]))
    )
    assert table(found["preferred_is"]) == {"shorter": (1, 0.0), "equal": (1, 1.0), "longer": (2, 1.0)}
    assert table(found["length_difference"]) == {"-5": (1, 0.0), "0": (1, 1.0), "6": (1, 1.0), "7": (1, 1.0)}


def test_judges_votes_and_turns():
    found = by_difficulty(
        build(
            [1, 1, -1, 1, -1],
            preference=np.array([0.6, 0.6, 0.8, 1.0, 0.5]),
            turns=np.array([1, 4, 9, 1, 1]),
            label_strength=np.array([1.0, np.nan, 3.0, 3.0, 3.0]),
        )
    )
    assert table(found["preference"]) == {"0.6": (2, 1.0), "0.8": (1, 0.0), "1": (1, 1.0)}
    assert table(found["turns"]) == {"1": (2, 1.0), "4+": (2, 0.5)}
    assert table(found["label_strength"]) == {"1": (1, 1.0), "3": (2, 0.5), "unknown": (1, 1.0)}


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=80))
def test_every_row_is_in_exactly_one_bin(numbers):
    value = np.array(numbers)
    bins = value_bins(value)
    known = ~np.isnan(value)
    if known.any():
        assert sum(where.astype(int) for where in bins.values()).tolist() == [1] * value.size


def test_many_values_make_bins_of_equal_size():
    bins = value_bins(np.arange(100.0))
    assert [int(where.sum()) for where in bins.values()] == [20] * 5
    assert next(iter(bins)) == "0 … 19"


def test_equal_values_are_never_parted():
    bins = value_bins(np.array([0.0] * 90 + list(range(1, 11))))
    assert int(next(iter(bins.values())).sum()) == 90


def test_labels_have_as_many_digits_as_they_need():
    assert span_labels([(0.123456789, 0.123456789), (0.5, 0.75)]) == ["0.1235", "0.5 … 0.75"]
    assert span_labels([(1.00001, 1.00001), (1.00002, 1.00002)]) == ["1.00001", "1.00002"]


def test_a_bins_interval_is_over_its_prompts():
    margin = [1.0] * 30 + [-1.0] * 10
    found = by_category(build(margin, cluster=np.arange(40) // 10, category=np.array(["a"] * 40)))
    assert found[0].interval.clusters == 4
    assert found[0].interval.high - found[0].interval.low > 0.5
    assert found[0].accuracy == pytest.approx(0.75)


def test_languages_are_groups_of_their_own_where_both_occur():
    language = np.array(["zh", "en", "zh", "other"])
    found = by_category(build([1, -1, -1, 1], language=language, category=np.array(["a", "a", "b", "b"])))
    assert table(found) == {
        "a": (2, 0.5),
        "b": (2, 0.5),
        "language: en": (1, 0.0),
        "language: other": (1, 1.0),
        "language: zh": (2, 0.5),
    }


@pytest.mark.parametrize("present", [["zh", "zh"], ["en", "other"], ["zh", "other"]])
def test_without_both_languages_there_are_no_such_groups(present):
    assert by_category(build([1, -1], language=np.array(present))) == ()


def test_twenty_three_equal_categories_rarely_alarm():
    """Two comparisons of each prompt, all equally hard: without a correction one of 23 is off in about 70 %."""
    rng, alarms = np.random.default_rng(0), 0
    category = np.array([f"c{number // 2 % 23:02}" for number in range(920)])
    for _ in range(20):
        margin = np.where(rng.random(920) < 0.75, 1.0, -1.0)
        found = by_category(build(margin, cluster=np.arange(920) // 2, category=category))
        alarms += any(group.p_value < 0.05 for group in found)
    assert alarms <= 3


def test_a_category_that_is_worse_is_found_with_its_gap():
    right = np.concatenate([np.tile([1.0, 1.0, 1.0, -1.0], 75), np.tile([1.0, -1.0, -1.0], 33)])
    found = by_category(build(right, category=np.array(["a"] * 200 + ["b"] * 100 + ["worse"] * 99)))
    worse = {group.label: group for group in found}["worse"]
    assert worse.gap == pytest.approx(1 / 3 - 0.75)
    assert worse.gap_interval.high < -0.25
    assert worse.p_value < 1e-6
