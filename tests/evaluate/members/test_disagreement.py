"""What the members' disagreement says of wrong comparisons: by hand, against scikit-learn and scipy, and its limits."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from rewardsmith.evaluate.members.measures import MemberMargins, disagreement_of, separation
from rewardsmith.evaluate.members.spread import SpreadFit, cross_fitted_spread, fit_spread
from rewardsmith.evaluate.metrics import nll, sigmoid


def noisy(comparisons, *, seed=0, heteroscedastic=True):
    """Margins whose error has the standard deviation that the members show; labels follow the true margin."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(-12, 12, comparisons)
    error = rng.gamma(2, 1.0, comparisons) if heteroscedastic else np.ones(comparisons)
    centre = true + error * rng.normal(size=comparisons)
    members = centre[:, None] + error[:, None] * rng.normal(size=(comparisons, 6))
    side = np.where(rng.random(comparisons) < sigmoid(true), 1.0, -1.0)
    members = members * side[:, None]
    ones = np.ones(comparisons)
    return MemberMargins(members.mean(axis=1), members, ones, ones, np.arange(comparisons))


def by_hand():
    members = np.array([[1.0, 3.0], [2.0, 2.0], [-1.0, 3.0], [-4.0, 1.0]])
    ones = np.ones(4)
    return MemberMargins(members.mean(axis=1), members, ones, ones, np.arange(4))


def test_a_comparison_disagrees_by_the_spread_of_the_margins_whatever_the_levels():
    np.testing.assert_allclose(by_hand().std, [1, 0, 2, 2.5])


def test_the_figures_of_four_comparisons_by_hand():
    found = disagreement_of(by_hand(), resamples=50)
    assert found.accuracies == (0.5, 1.0)  # signs ++--, ++++
    assert found.agreement == 0.5
    assert found.auroc.value == 1.0  # the last one is wrong (-1.5), and spreads the most
    assert found.auroc_margin.value == pytest.approx(2 / 3)  # |margins| 2, 2, 1, 1.5: one right one has a smaller
    assert found.mean_std == pytest.approx(5.5 / 4)


def test_label_ties_and_weightless_comparisons_play_no_part():
    rows = by_hand()
    more = MemberMargins(
        np.append(rows.margin, [9.0, -9.0]),
        np.vstack([rows.members, [[9.0, 9.0], [-9.0, 9.0]]]),
        np.append(rows.preference, [0.5, 1.0]),
        np.append(rows.weight, [1.0, 0.0]),
        np.arange(6),
    )
    assert disagreement_of(more, resamples=50).to_json() == disagreement_of(rows, resamples=50).to_json()


def test_the_areas_and_the_rank_correlation_are_those_of_outside_implementations():
    rows = noisy(300)
    found = disagreement_of(rows, resamples=50)
    wrong = rows.margin < 0
    assert found.auroc.value == pytest.approx(roc_auc_score(wrong, rows.std))
    assert found.auroc_margin.value == pytest.approx(roc_auc_score(wrong, -np.abs(rows.margin)))
    weight = np.random.default_rng(1).integers(1, 4, 300).astype(float)
    area = separation(rows.std, wrong, weight, np.arange(300))
    assert area(np.ones((1, 300)))[0] == pytest.approx(roc_auc_score(wrong, rows.std, sample_weight=weight))
    held = noisy(300, seed=5)
    told = disagreement_of(rows, validation=held, resamples=50)
    from rewardsmith.evaluate.calibration import fit_temperature

    scaled = rows.margin / fit_temperature(held.margin, held.preference, weight=held.weight)
    assert told.spearman == pytest.approx(spearmanr(rows.std, 1 - sigmoid(scaled)).statistic)


def test_a_spread_that_is_the_error_is_found_and_helps():
    rows, held = noisy(4000), noisy(4000, seed=1)
    found = disagreement_of(rows, validation=held, resamples=200)
    assert found.fit is not None
    assert 0.5 < found.fit.factor < 2  # the error is as large as the members show, times the noise of six of them
    assert found.nll_gain.interval.low > 0
    low, middle, high = (found.thirds[name].value for name in ("low", "middle", "high"))
    assert low > middle > high


def test_a_spread_that_says_nothing_is_not_believed():
    rows = noisy(4000, heteroscedastic=False)
    shuffled = np.random.default_rng(3).permutation(rows.std)
    fit = fit_spread(rows.margin, shuffled, rows.preference, weight=rows.weight)
    assert fit is not None
    plain = nll(rows.margin / fit.temperature, rows.preference)
    assert nll(fit.scaled(rows.margin, shuffled), rows.preference) == pytest.approx(plain, abs=5e-3)


def test_the_fit_is_the_best_one_and_does_not_depend_on_the_unit():
    rows = noisy(800)
    fit = fit_spread(rows.margin, rows.std, rows.preference, weight=rows.weight)
    best = nll(fit.scaled(rows.margin, rows.std), rows.preference)
    for temperature in (0.8, 1.0, 1.25):
        for factor in (0.8, 1.0, 1.25):
            other = SpreadFit(fit.temperature * temperature, fit.factor * factor)
            assert nll(other.scaled(rows.margin, rows.std), rows.preference) >= best - 1e-7
    ten = fit_spread(10 * rows.margin, 10 * rows.std, rows.preference, weight=rows.weight)
    assert ten.temperature == pytest.approx(10 * fit.temperature, rel=1e-3)
    assert ten.factor == pytest.approx(fit.factor, rel=1e-3)


def test_no_spread_leaves_the_temperature_alone():
    assert SpreadFit(2.0, 3.0).scaled(np.array([4.0]), np.array([0.0]))[0] == 2.0
    assert SpreadFit(2.0, 0.0).scaled(np.array([4.0]), np.array([5.0]))[0] == 2.0
    # MacKay: m / T / sqrt(1 + pi / 8 (f s / T)^2)
    assert SpreadFit(2.0, 3.0).scaled(np.array([4.0]), np.array([1.0]))[0] == pytest.approx(
        2 / np.sqrt(1 + np.pi / 8 * 2.25)
    )


def test_what_cannot_be_told_is_nan_and_not_a_number():
    rows = noisy(5)
    same = MemberMargins(rows.margin, np.repeat(rows.margin[:, None], 3, axis=1), *[np.ones(5)] * 2, np.arange(5))
    found = disagreement_of(same, resamples=20)
    assert found.fit is None
    assert np.isnan([found.spearman, found.nll_gain.value]).all()
    assert found.thirds == {}
    assert cross_fitted_spread(*[np.ones(1)] * 3, cluster=np.zeros(1, dtype=int), weight=np.ones(1)) is None
    none = rows.take(np.zeros(5, dtype=bool))
    assert disagreement_of(none, resamples=20).to_json()["auroc"] is None
