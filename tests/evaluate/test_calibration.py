import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from rewardsmith.evaluate import calibration
from rewardsmith.evaluate.inference.noise_floor import calibrated_noise_floor, ece_noise_floor
from rewardsmith.evaluate.metrics import nll, sigmoid
from rewardsmith.evaluate.statistics import clustered_mean


def calibrated(n, seed=0, scale=1.5):
    """Margins of a model whose sigma(margin) is the truth: the side that wins is drawn with that probability."""
    rng = np.random.default_rng(seed)
    difference = rng.normal(0, scale, n)
    first_wins = rng.random(n) < sigmoid(difference)
    return np.where(first_wins, difference, -difference)


def unfolded_ece(margin, bins=10):
    """The formula to avoid: confidence sigma(margin), right where margin > 0."""
    p, right = sigmoid(margin), (margin > 0).astype(float)
    place = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs((right - p)[place == b].mean()) * (place == b).mean() for b in range(bins) if (place == b).any())


def test_a_calibrated_model_has_an_error_near_zero_and_the_unfolded_formula_does_not():
    margin = calibrated(200_000)
    assert calibration.ece(margin, np.ones(margin.size)) < 0.005
    assert unfolded_ece(margin) > 0.2


def test_one_confident_mistake_in_four_by_hand():
    # All margins log 9: confidence 0.9, right in 3 of 4: |0.75 - 0.9| = 0.15.
    margin = math.log(9) * np.array([1.0, 1.0, 1.0, -1.0])
    assert calibration.ece(margin, np.ones(4)) == pytest.approx(0.15)
    (row,) = calibration.reliability(margin, np.ones(4))
    assert (row.confidence, row.accuracy, row.n) == (pytest.approx(0.9), 0.75, 4)
    assert row.low < 0.75 < row.high


def test_two_bins_by_hand():
    # Bin 1: confidences 0.6, 0.6, one right of two, gap 0.1. Bin 2: 0.9, 0.9, both right, gap 0.1.
    margin = np.array([math.log(1.5), -math.log(1.5), math.log(9), math.log(9)])
    assert calibration.ece(margin, np.ones(4), bins=2) == pytest.approx(0.1)


def test_a_share_of_judges_is_matched_by_its_own_probability():
    margin = np.full(20, math.log(3))
    assert calibration.ece(margin, np.full(20, 0.75)) == pytest.approx(0.0)


def test_label_ties_and_zero_weights_play_no_part():
    margin = math.log(9) * np.array([1.0, 1.0, 1.0, -1.0, 5.0, -5.0])
    preference, weight = np.array([1.0, 1, 1, 1, 0.5, 1]), np.array([1.0, 1, 1, 1, 1, 0])
    assert calibration.ece(margin, preference, weight=weight) == pytest.approx(0.15)
    assert sum(row.n for row in calibration.reliability(margin, preference, weight=weight)) == 4


def test_a_constant_model_is_calibrated():
    assert calibration.ece(np.zeros(50), np.ones(50)) == 0.0
    assert ece_noise_floor(np.zeros(50), np.ones(50), rng=np.random.default_rng(0)).limit == 0.0


def test_nothing_gives_nan():
    nothing = np.zeros(0)
    assert math.isnan(calibration.ece(nothing, nothing))
    assert math.isnan(ece_noise_floor(nothing, nothing, rng=np.random.default_rng(0)).mean)
    assert math.isnan(calibration.fit_temperature(nothing, nothing))
    assert calibration.reliability(nothing, nothing) == ()


@given(st.integers(0, 1000), st.integers(1, 200))
@settings(max_examples=40)
def test_bins_have_equal_mass_and_the_order_of_rows_does_not_matter(seed, n):
    rng = np.random.default_rng(seed)
    margin = rng.normal(size=n)
    table = calibration.reliability(margin, np.ones(n))
    assert sum(row.n for row in table) == n
    assert max(row.n for row in table) - min(row.n for row in table) <= 1
    order = rng.permutation(n)
    assert calibration.ece(margin[order], np.ones(n)) == pytest.approx(calibration.ece(margin, np.ones(n)))


def test_equal_confidences_share_a_bin_in_any_order():
    margin = np.array([1.0, -1.0] * 30)
    assert len(calibration.reliability(margin, np.ones(60))) == 1
    shuffled = np.sort(margin)
    assert calibration.ece(shuffled, np.ones(60)) == pytest.approx(calibration.ece(margin, np.ones(60)))


def test_the_noise_floor_is_what_calibrated_models_show_on_average():
    seen = [calibration.ece(calibrated(300, seed), np.ones(300)) for seed in range(60)]
    margin = calibrated(300, 999)
    floor = ece_noise_floor(margin, np.ones(300), rng=np.random.default_rng(1)).mean
    assert floor == pytest.approx(np.mean(seen), rel=0.15)
    large = ece_noise_floor(calibrated(30_000), np.ones(30_000), rng=np.random.default_rng(1), draws=20)
    assert large.mean == pytest.approx(floor / 10, rel=0.2)


@given(st.floats(0.2, 8.0))
@settings(max_examples=15, deadline=None)
def test_the_temperature_undoes_a_scale(factor):
    margin, preference = calibrated(3000, 3), np.ones(3000)
    once = calibration.fit_temperature(margin, preference)
    assert calibration.fit_temperature(margin * factor, preference) == pytest.approx(once * factor, rel=1e-4)


def test_an_overconfident_model_is_mended_and_its_temperature_found():
    margin = 3 * calibrated(20_000, 5)
    preference = np.ones(margin.size)
    temperature = calibration.fit_temperature(margin[:10_000], preference[:10_000])
    assert temperature == pytest.approx(3.0, rel=0.1)
    test = margin[10_000:]
    assert calibration.ece(test, preference[10_000:]) > 0.08
    assert calibration.ece(test / temperature, preference[10_000:]) < 0.03


def test_the_temperature_agrees_with_sklearns_logistic_regression():
    margin = 2 * calibrated(500, 7)
    side = np.where(np.arange(500) % 2 == 0, 1.0, -1.0)
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit((margin * side)[:, None], side)
    assert calibration.fit_temperature(margin, np.ones(500)) == pytest.approx(1 / model.coef_[0, 0], rel=1e-4)


def test_soft_labels_and_weights_enter_the_temperature():
    # One margin m = 1 with share s has its best temperature where sigma(1/T) = s: T = 1 / logit(s).
    share = np.array([0.8])
    assert calibration.fit_temperature(np.ones(1), share) == pytest.approx(1 / math.log(4), rel=1e-5)
    mixed = calibration.fit_temperature(np.array([1.0, -1.0]), np.ones(2), weight=np.array([4.0, 1.0]))
    assert mixed == pytest.approx(1 / math.log(4), rel=1e-5)


def test_a_model_that_is_always_right_or_no_better_than_chance_has_an_extreme_temperature():
    assert calibration.fit_temperature(np.array([1.0, 2.0]), np.ones(2)) < 0.1
    assert calibration.fit_temperature(np.array([1.0, -2.0]), np.ones(2)) > 100
    assert math.isnan(calibration.fit_temperature(np.zeros(5), np.ones(5)))


def test_cross_fitting_never_uses_a_rows_own_prompt():
    margin, cluster = 3 * calibrated(400, 11), np.arange(400) // 4
    before = calibration.cross_fitted_margin(margin, np.ones(400), cluster=cluster)
    changed = margin.copy()
    changed[cluster == 17] *= -2
    after = calibration.cross_fitted_margin(changed, np.ones(400), cluster=cluster)
    same = cluster == 17
    assert after[same] == pytest.approx(-2 * before[same])
    assert nll(before, np.ones(400)) < nll(margin, np.ones(400))


def test_cross_fitting_one_prompt_is_not_possible():
    found = calibration.cross_fitted_margin(np.ones(4), np.ones(4), cluster=np.zeros(4, dtype=int))
    assert np.isnan(found).all()


def test_comparisons_of_one_prompt_are_one_trial_of_a_bin():
    margin, right = np.full(200, math.log(9)), np.repeat([1.0, 1.0, -1.0, 1.0], 50)
    alone = calibration.reliability(margin * right, np.ones(200), bins=1)[0]
    together = calibration.reliability(margin * right, np.ones(200), cluster=np.arange(200) // 10, bins=1)[0]
    same = clustered_mean(np.repeat([1.0, 0.0], [15, 5]), np.ones(20), cluster=np.arange(20)).interval()
    assert (together.low, together.high) == (pytest.approx(same.low), pytest.approx(same.high))
    assert together.n == alone.n == 200
    assert alone.high - alone.low < together.high - together.low


@pytest.mark.parametrize(("prompts", "size"), [(40, 1), (40, 5)])
def test_a_calibrated_model_exceeds_its_limit_as_rarely_as_said(prompts, size):
    rng, beyond, repeats = np.random.default_rng(prompts + size), 0, 200
    cluster = np.repeat(np.arange(prompts), size)
    for _ in range(repeats):
        margin = np.abs(rng.normal(0, 1.5, cluster.size))
        shared = rng.random(cluster.size) < math.sqrt(0.3 if size > 1 else 0.0)
        number = np.where(shared, rng.random(prompts)[cluster], rng.random(cluster.size))
        margin = np.where(number < 1 / (1 + np.exp(-margin)), margin, -margin)
        limit = ece_noise_floor(margin, np.ones(margin.size), cluster=cluster, rng=rng, draws=200).limit
        beyond += calibration.ece(margin, np.ones(margin.size)) > limit
    # 5 % are expected, with a standard error of 1.5 %.
    assert beyond / repeats <= 0.095


def test_the_error_of_a_fitted_temperature_is_part_of_the_floor_after_it():
    rng = np.random.default_rng(4)
    scaled, everything = calibrated(60, 5), np.ones(60, dtype=bool)
    fixed = ece_noise_floor(scaled, np.ones(60), rng=rng)
    more = {"judged": everything, "weight": np.ones(60), "cluster": np.arange(60), "draws": 400}
    apart = [(np.arange(60) % 5 != number, np.arange(60) % 5 == number) for number in range(5)]
    by_folds = calibrated_noise_floor(scaled, np.ones(60), rng=rng, parts=apart, **more)
    assert by_folds.limit > fixed.limit
    large = calibrated(20_000, 6)
    more = {"judged": np.ones(20_000, dtype=bool), "weight": np.ones(20_000), "cluster": np.arange(20_000), "draws": 30}
    halves = [(np.arange(20_000) % 2 == number, np.arange(20_000) % 2 != number) for number in range(2)]
    surer = calibrated_noise_floor(large, np.ones(20_000), rng=rng, parts=halves, **more)
    plain = ece_noise_floor(large, np.ones(20_000), rng=rng, draws=30)
    assert surer.mean == pytest.approx(plain.mean, rel=0.25)


def test_after_a_temperature_of_few_validation_rows_a_calibrated_model_exceeds_its_limit_as_rarely_as_said():
    # Were labels drawn at the temperature of the 12 rows alone, 17 % would exceed the limit.
    rng, beyond, repeats = np.random.default_rng(0), 0, 160
    held, every = np.arange(112) < 12, np.ones(112)
    more = {"parts": [(held, ~held)], "judged": ~held, "weight": every, "cluster": np.arange(112), "draws": 80}
    for _ in range(repeats):
        size = np.abs(rng.normal(0, 1.5, 112))
        margin = np.where(rng.random(112) < 1 / (1 + np.exp(-size)), size, -size)
        scaled = margin / calibration.fit_temperature(margin[held], every[held])
        limit = calibrated_noise_floor(scaled, every, rng=rng, **more).limit
        beyond += calibration.ece(scaled[~held], every[~held]) > limit
    # 5 % are expected, with a standard error of 1.7 %.
    assert beyond / repeats <= 0.105
