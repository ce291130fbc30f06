import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from rewardsmith.errors import DataError
from rewardsmith.evaluate import metrics
from rewardsmith.evaluate.corrections.calibration import RewardCalibration, calibration_from
from rewardsmith.evaluate.corrections.effect import measure_effect
from rewardsmith.evaluate.corrections.fitting import (
    FitChoices,
    ScoredPairs,
    apply_calibration,
    cross_fitted,
    fit_calibration,
)
from rewardsmith.evaluate.corrections.isotonic import fit_isotonic
from rewardsmith.evaluate.corrections.length import fit_length_curve


def drawn(n=600, *, bias=0.0, scale=1.0, seed=0):
    """Pairs whose gold difference decides as Bradley and Terry say; rewards are gold x scale plus bias x log length."""
    rng = np.random.default_rng(seed)
    gold = rng.normal(0, 1.0, (n, 2))
    length = np.round(rng.gamma(2.0, 50.0, (n, 2))) + 5
    reward = scale * gold + bias * np.log(length)
    first = rng.random(n) < metrics.sigmoid(gold[:, 0] - gold[:, 1])
    one, two = 2 * np.arange(n), 2 * np.arange(n) + 1
    return ScoredPairs(
        reward.reshape(-1),
        length.reshape(-1),
        np.repeat(np.arange(n), 2),
        np.where(first, one, two),
        np.where(first, two, one),
        np.ones(n),
        np.ones(n),
    ), gold.reshape(-1)


def test_a_bias_of_length_is_taken_out_and_the_gold_order_comes_back():
    pairs, gold = drawn(bias=2.0)
    choices = FitChoices(("length",))
    found = apply_calibration(fit_calibration(pairs, choices), pairs)
    effect = measure_effect(pairs, found)
    assert effect.length_correlation.before > 0.5
    assert abs(effect.length_correlation.after) < 0.1
    held = cross_fitted(pairs, choices)
    right = metrics.correctness(pairs.margin(gold) * pairs.margin(held.reward)).mean()
    assert right > metrics.correctness(pairs.margin(gold) * pairs.margin(pairs.reward)).mean() + 0.1
    assert measure_effect(pairs, held).accuracy.interval.low > 0.03


def test_without_a_bias_the_correction_changes_little():
    pairs, _ = drawn()
    effect = measure_effect(pairs, cross_fitted(pairs, FitChoices(("length",))))
    assert abs(effect.accuracy.after - effect.accuracy.before) < 0.02
    assert 0.0 in effect.accuracy.interval


@pytest.mark.parametrize("smoother", ["lowess", "local-average"])
def test_the_mean_reward_stays_and_a_level_moves_nothing(smoother):
    pairs, _ = drawn(200, bias=1.0)
    fit = {
        "cluster": pairs.prompt,
        "gap": 50.0,
        "smoother": smoother,
        "smoothing": 0.5 if smoother == "lowess" else 30.0,
    }
    curve = fit_length_curve(pairs.reward, pairs.length, **fit)
    corrected = curve.corrected(pairs.reward, pairs.length)
    assert corrected.mean() == pytest.approx(pairs.reward.mean(), abs=0.15)
    higher = fit_length_curve(pairs.reward + 9, pairs.length, **fit)
    assert higher.corrected(pairs.reward + 9, pairs.length) == pytest.approx(corrected + 9)


def test_outside_the_fitted_lengths_the_curve_is_constant_and_counted():
    pairs, _ = drawn(100, bias=1.0)
    curve = fit_length_curve(pairs.reward, pairs.length, cluster=pairs.prompt, gap=50.0)
    ends = np.array([curve.lengths[0], 0.0, curve.lengths[-1], 1e6])
    corrected = curve.corrected(np.zeros(4), ends)
    assert corrected[0] == corrected[1]
    assert corrected[2] == corrected[3]
    assert curve.outside(ends).tolist() == [False, True, False, True]


def test_the_smoothing_is_chosen_on_other_prompts():
    rng = np.random.default_rng(0)
    length = np.repeat(rng.uniform(0, 100, 150), 2)
    wave = np.sin(length / 5) + rng.normal(0, 0.1, 300)
    flat = rng.normal(0, 1.0, 300)
    fit = {"cluster": np.repeat(np.arange(150), 2), "gap": 10.0}
    assert fit_length_curve(wave, length, **fit).smoothing == 0.2
    assert fit_length_curve(flat, length, **fit).smoothing > 0.2


def test_temperature_after_length_makes_probabilities_of_corrected_margins():
    pairs, _ = drawn(2000, bias=1.0, scale=3.0)
    fitted = fit_calibration(pairs, FitChoices(("length", "temperature")))
    assert fitted.methods == ("length", "temperature")
    assert fitted.temperature == pytest.approx(3.0, abs=0.4)
    found = apply_calibration(fitted, pairs)
    assert found.probability == pytest.approx(metrics.sigmoid(pairs.margin(found.reward)))
    effect = measure_effect(pairs, found)
    assert effect.nll.interval.high < 0
    assert effect.ece.after < 0.03 < effect.ece.before


def test_isotonic_is_the_rising_fit_of_scikit_learn_with_two_predictions_added_to_each_pool():
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 2, 1500)
    won = rng.random(1500) < 0.5 + 0.4 * np.minimum(np.abs(margin) / 3, 1)
    margin = np.where(won, np.abs(margin), -np.abs(margin))
    fitted = fit_isotonic(margin, np.ones(1500))
    size, right = np.abs(margin), won.astype(float)
    pooled = IsotonicRegression().fit(size, right).predict(size)
    expected = {}
    for value in np.unique(pooled):
        pool = pooled == value
        expected[value] = ((right[pool].sum() + 1) / (pool.sum() + 2), pool.sum())
    levels, masses = np.array(list(expected.values())).T
    again = IsotonicRegression().fit_transform(np.arange(levels.size), levels, sample_weight=masses)
    by_hand = np.maximum(again[np.searchsorted(np.unique(pooled), pooled)], 0.5)
    assert fitted.probability(size) == pytest.approx(by_hand, abs=1e-9)


def test_isotonic_probabilities_are_symmetric_rising_and_change_no_prediction():
    pairs, _ = drawn(800, scale=2.0)
    margin = pairs.margin(pairs.reward)
    fitted = fit_isotonic(margin, pairs.preference)
    values = np.linspace(-8, 8, 401)
    p = fitted.probability(values)
    assert p + fitted.probability(-values) == pytest.approx(1.0)
    assert (np.diff(p) >= 0).all()
    assert 0 < p.min() < p.max() < 1
    changed = metrics.correctness(margin) != metrics.correctness(fitted.probability(margin) - 0.5)
    assert (fitted.probability(margin)[changed] == 0.5).all()


def test_swapping_the_sides_of_all_comparisons_changes_no_isotonic_fit():
    rng = np.random.default_rng(1)
    margin, share = rng.normal(0, 1, 300), rng.uniform(0.5, 1, 300)
    one, two = fit_isotonic(margin, share), fit_isotonic(-margin, 1 - share)
    assert one.probabilities == pytest.approx(two.probabilities)


def test_a_calibration_comes_back_from_json_and_gives_the_same_numbers():
    pairs, _ = drawn(200, bias=1.0)
    fitted = fit_calibration(pairs, FitChoices(("length", "isotonic")), fitted_on="made")
    again = calibration_from(json.loads(json.dumps(fitted.to_json())))
    assert (again.fitted_on, again.methods, again.comparisons, again.prompts) == (
        "made",
        ("length", "isotonic"),
        200,
        200,
    )
    one, two = apply_calibration(fitted, pairs), apply_calibration(again, pairs)
    assert np.array_equal(one.reward, two.reward)
    assert np.array_equal(one.probability, two.probability)


def test_what_older_models_hold_is_read():
    assert calibration_from({"temperature": 1.5, "fitted_on": "validation"}).temperature == 1.5
    assert calibration_from(None) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"temperature": -1.0},
        {"temperature": "hot"},
        {"temperature": 1.0, "isotonic": {"margins": [0.0, 1.0], "probabilities": [0.5, 0.9]}},
        {"isotonic": {"margins": [1.0, 0.0], "probabilities": [0.5, 0.9]}},
        {"isotonic": {"margins": [0.0, 1.0], "probabilities": [0.9, 0.5]}},
        {"length": {"smoother": "lowess", "smoothing": 0.5, "chosen": True, "unit": "tokens", "mean": 0.0, "lengths": [2.0],
                    "values": []}},
        {"length": {"smoother": "spline", "smoothing": 0.5, "chosen": True, "unit": "tokens", "mean": 0.0, "lengths": [2.0],
                    "values": [1.0]}},
    ],
)  # fmt: skip
def test_a_damaged_calibration_is_refused(damage):
    with pytest.raises(DataError):
        calibration_from({"fitted_on": "validation", **damage})


def test_too_little_to_fit_on_is_said():
    pairs, _ = drawn(20)
    with pytest.raises(DataError, match="at least 50 responses"):
        fit_calibration(pairs, FitChoices(("length",)))
    with pytest.raises(DataError, match="at least 100"):
        fit_calibration(pairs, FitChoices(("isotonic",)))
    assert cross_fitted(pairs, FitChoices(("isotonic",))) is None


def test_without_parts_nothing_changes():
    pairs, _ = drawn(50)
    found = apply_calibration(RewardCalibration("nothing"), pairs)
    assert np.array_equal(found.reward, pairs.reward)
    assert found.probability == pytest.approx(metrics.sigmoid(pairs.margin(pairs.reward)))
