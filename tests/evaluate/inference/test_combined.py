import math

import numpy as np
import pytest

from rewardsmith.errors import DataError
from rewardsmith.evaluate.statistics import clustered_mean, group_gap, macro_average


def coins(share, n):
    return np.repeat([1.0, 0.0], [round(share * n), n - round(share * n)])


def test_the_gap_of_two_separate_groups_is_near_agresti_and_caffos():
    # 40 of 50 and 30 of 60; with one of each added, 41/52 and 31/62: 0.2885 and the root of the summed variances, 0.0850.
    value, one = np.concatenate([coins(0.8, 50), coins(0.5, 60)]), np.arange(110) < 50
    found = group_gap(value, np.ones(110), cluster=np.arange(110), one=one, other=~one)
    assert found.value == pytest.approx(0.3)
    assert found.standard_error == pytest.approx(math.hypot(0.05658, 0.06350), abs=1e-4)
    assert found.interval().low == pytest.approx(0.2885 - 1.99 * 0.0850, abs=0.01)
    assert found.interval().high == pytest.approx(0.2885 + 1.99 * 0.0850, abs=0.01)


def test_swapping_the_groups_negates_the_gap():
    rng = np.random.default_rng(0)
    value, cluster, one = (rng.random(90) < 0.8).astype(float), np.repeat(np.arange(30), 3), rng.random(90) < 0.4
    there = group_gap(value, np.ones(90), cluster=cluster, one=one, other=~one)
    back = group_gap(value, np.ones(90), cluster=cluster, one=~one, other=one)
    assert there.interval().low == pytest.approx(-back.interval().high)
    assert there.p_value() == pytest.approx(back.p_value())


def test_prompts_in_both_groups_make_a_gap_surer():
    # Each prompt is easy or hard as a whole, and has a row in both groups: their difference is hardly uncertain.
    easy = np.repeat([1.0, 0.0], [60, 40])
    value, cluster, one = np.concatenate([easy, easy]), np.tile(np.arange(100), 2), np.arange(200) < 100
    together = group_gap(value, np.ones(200), cluster=cluster, one=one, other=~one).interval()
    apart = group_gap(value, np.ones(200), cluster=np.arange(200), one=one, other=~one).interval()
    assert together.half_width < 0.5 * apart.half_width


def test_prompts_whose_rows_are_copies_do_not_count_more_often():
    value, one = np.concatenate([coins(0.8, 50), coins(0.5, 60)]), np.arange(110) < 50
    plain = group_gap(value, np.ones(110), cluster=np.arange(110), one=one, other=~one).interval()
    copied = group_gap(
        np.repeat(value, 20),
        np.ones(2200),
        cluster=np.repeat(np.arange(110), 20),
        one=np.repeat(one, 20),
        other=np.repeat(~one, 20),
    ).interval()
    assert (copied.low, copied.high) == pytest.approx((plain.low, plain.high), abs=1e-9)


def test_a_group_without_rows_has_no_gap():
    one = np.zeros(4, dtype=bool)
    found = group_gap(np.ones(4), np.ones(4), cluster=np.arange(4), one=one, other=~one)
    assert math.isnan(found.value)
    assert found.interval().method == "none"
    assert math.isnan(found.p_value())


def test_sections_count_the_same_however_large():
    value, section = np.concatenate([coins(0.9, 100), coins(0.5, 10)]), np.repeat(["a", "b"], [100, 10])
    found = macro_average(value, np.ones(110), cluster=np.arange(110), section=section)
    assert found.value == pytest.approx(0.7)
    shares = {"a": 3.0, "b": 1.0, "not there": 5.0}
    weighted = macro_average(value, np.ones(110), cluster=np.arange(110), section=section, shares=shares)
    assert weighted.value == pytest.approx((3 * 0.9 + 0.5) / 4)
    # Each part's variance with two observations added: 0.0302^2 and 0.1443^2.
    assert found.standard_error == pytest.approx(math.hypot(0.0302, 0.1443) / 2, abs=5e-4)


def test_one_section_is_a_plain_mean():
    value, section = coins(0.8, 40), np.full(40, "all")
    found = macro_average(value, np.ones(40), cluster=np.arange(40), section=section).interval()
    plain = clustered_mean(value, np.ones(40), cluster=np.arange(40)).interval()
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def test_shares_have_to_name_each_section():
    value, section = np.ones(2), np.array(["a", "b"])
    with pytest.raises(DataError, match="no share for the sections b"):
        macro_average(value, np.ones(2), cluster=np.arange(2), section=section, shares={"a": 1.0})
    with pytest.raises(DataError, match="above 0"):
        macro_average(value, np.ones(2), cluster=np.arange(2), section=section, shares={"a": 0.0, "b": 0.0})


@pytest.mark.parametrize(("prompts", "size", "shared"), [(10, 6, True), (60, 4, False), (150, 4, True)])
def test_gaps_contain_the_truth_as_often_as_they_say(prompts, size, shared):
    rng = np.random.default_rng(prompts)
    hits, repeats = 0, 500
    cluster = np.repeat(np.arange(prompts), size)
    for _ in range(repeats):
        one = rng.random(cluster.size) < 0.3 if shared else cluster % 3 == 0
        copies = rng.random(cluster.size) < math.sqrt(0.3)
        draw = np.where(copies, rng.random(prompts)[cluster], rng.random(cluster.size))
        value = (draw < np.where(one, 0.9, 0.8)).astype(float)
        hits += 0.1 in group_gap(value, np.ones(value.size), cluster=cluster, one=one, other=~one).interval()
    assert hits / repeats >= 0.935 - 2 * 0.0106
