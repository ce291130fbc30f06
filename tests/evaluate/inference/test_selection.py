"""The best of several equal models: expected lead by a formula where there is one, size and power of the test."""

import numpy as np
import pytest

from rewardsmith.evaluate.statistics import best_of_equal

SIXTEEN_NORMALS = 1.76599
"""Expected maximum of 16 independent standard normal values (Harter 1961, Biometrika 48, table 1)."""


def found(values, *, cluster=None, weight=None, seed=0):
    count = values.shape[1]
    return best_of_equal(
        values,
        weight=np.ones(count) if weight is None else weight,
        cluster=np.arange(count) if cluster is None else cluster,
        rng=np.random.default_rng(seed),
    )


def test_independent_equal_models_lead_as_the_formula_says():
    n = 1500
    values = (np.random.default_rng(0).random((16, n)) < 0.7).astype(float)
    expected = SIXTEEN_NORMALS * np.sqrt(0.7 * 0.3 / n)
    assert found(values).expected == pytest.approx(expected, rel=0.06)


def test_models_that_agree_on_every_comparison_have_no_lead():
    row = (np.random.default_rng(1).random(200) < 0.6).astype(float)
    one = found(np.stack([row] * 5))
    assert (one.gap, one.models) == (0, 5)
    assert one.expected == pytest.approx(0, abs=1e-12)
    assert one.p_value == 1


def test_correlated_models_lead_by_less_than_independent_ones():
    rng = np.random.default_rng(2)
    shared = rng.random(2000)
    alike = (np.where(rng.random((8, 2000)) < 0.8, shared, rng.random((8, 2000))) < 0.7).astype(float)
    alone = (rng.random((8, 2000)) < 0.7).astype(float)
    assert found(alike).expected < 0.7 * found(alone).expected


def test_comparisons_of_one_prompt_count_together():
    values = np.repeat((np.random.default_rng(3).random((6, 100)) < 0.7).astype(float), 4, axis=1)
    by_prompt = found(values, cluster=np.repeat(np.arange(100), 4))
    alone = found(values)
    assert by_prompt.expected == pytest.approx(2 * alone.expected, rel=0.1)  # four copies: a quarter of the information


def test_the_p_value_is_uniform_for_equal_models_and_small_for_a_better_one():
    rng = np.random.default_rng(4)
    p_values = [found((rng.random((5, 300)) < 0.7).astype(float), seed=k).p_value for k in range(120)]
    assert 0.0 <= np.mean(np.array(p_values) < 0.05) <= 0.12
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.1)
    better = (rng.random((5, 300)) < np.array([0.7, 0.7, 0.7, 0.7, 0.85])[:, None]).astype(float)
    assert found(better).p_value < 0.01


def test_weights_scale_and_rows_of_weight_zero_play_no_part():
    values = (np.random.default_rng(5).random((3, 50)) < 0.6).astype(float)
    weight = np.ones(50)
    weight[25:] = 0
    half = found(values[:, :25], cluster=np.arange(25))
    whole = found(values, weight=3 * weight)
    assert whole.gap == pytest.approx(half.gap)
    assert whole.expected == pytest.approx(half.expected, rel=0.1)
