"""Our figures against other libraries' on random data with ties, soft labels and weights."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import kendalltau
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from rewardsmith.evaluate import calibration, metrics

SEEDS = range(6)


def data(seed, n=400):
    """Margins with ties, preferences from 0.5 to 1, and weights; every judge's vote becomes two weighted hard labels."""
    rng = np.random.default_rng(seed)
    margin = np.round(rng.normal(0.4, 1.5, n), 1)
    preference = rng.choice([0.5, 0.6, 0.8, 1.0], n)
    return margin, preference, rng.uniform(0.1, 3.0, n)


def hard(margin, preference, weight):
    """(labels, probabilities, weights): a soft label t is a label 1 of weight t w and a label 0 of weight (1 - t) w."""
    chance = np.tile(1 / (1 + np.exp(-margin)), 2)
    labels = np.repeat([1, 0], margin.size)
    return labels, chance, np.concatenate([weight * preference, weight * (1 - preference)])


@pytest.mark.parametrize("seed", SEEDS)
def test_nll_is_scikit_learns_weighted_log_loss(seed):
    margin, preference, weight = data(seed)
    labels, chance, weights = hard(margin, preference, weight)
    theirs = log_loss(labels, chance, sample_weight=weights)
    assert metrics.nll(margin, preference, weight=weight) == pytest.approx(theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_brier_is_scikit_learns_less_the_variance_of_soft_labels(seed):
    margin, preference, weight = data(seed)
    labels, chance, weights = hard(margin, preference, weight)
    theirs = brier_score_loss(labels, chance, sample_weight=weights)
    spread = float(weight @ (preference * (1 - preference)) / weight.sum())
    assert metrics.brier(margin, preference, weight=weight) == pytest.approx(theirs - spread)


@pytest.mark.parametrize("seed", SEEDS)
def test_auc_is_scikit_learns_with_ties_and_weights(seed):
    rng = np.random.default_rng(seed)
    preferred, other = (np.round(rng.normal(shift, 1, 300), 1) for shift in (0.5, 0.0))
    weight = rng.uniform(0.1, 3.0, 300)
    theirs = roc_auc_score(
        np.repeat([1, 0], 300), np.concatenate([preferred, other]), sample_weight=np.concatenate([weight, weight])
    )
    assert metrics.auc(preferred, other, weight=weight) == pytest.approx(theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_tau_is_scipys_with_ties(seed):
    rng = np.random.default_rng(seed)
    quality, reward = (rng.integers(0, 6, 40).astype(float) for _ in range(2))
    assert metrics.kendall_tau_b(quality, reward) == pytest.approx(kendalltau(quality, reward).statistic)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_reliability_table_is_scikit_learns_curve(seed):
    margin = np.random.default_rng(seed).normal(0.5, 1.5, 600)  # without ties, so that the bins are the same
    table = calibration.reliability(margin, np.ones(600), bins=10)
    share, confidence = calibration_curve(margin > 0, 1 / (1 + np.exp(-np.abs(margin))), n_bins=10, strategy="quantile")
    assert [row.accuracy for row in table] == pytest.approx(share.tolist())
    assert [row.confidence for row in table] == pytest.approx(confidence.tolist())
    error = float(np.abs(share - confidence).mean())  # bins of 60 each
    assert calibration.ece(margin, np.ones(600), bins=10) == pytest.approx(error)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_temperature_is_the_inverse_slope_of_a_logistic_regression(seed):
    margin, preference, weight = data(seed)
    used = preference != 0.5
    margin, preference, weight = margin[used], preference[used], weight[used]
    labels, _, weights = hard(margin, preference, weight)
    model = LogisticRegression(C=1e9, fit_intercept=False, tol=1e-10, max_iter=1000)
    slope = model.fit(np.tile(margin, 2)[:, None], labels, sample_weight=weights).coef_[0, 0]
    found = calibration.fit_temperature(margin, preference, weight=weight)
    assert found == pytest.approx(1 / slope, rel=1e-3)
    by_scipy = minimize_scalar(
        lambda t: log_loss(labels, 1 / (1 + np.exp(-np.tile(margin, 2) / t)), sample_weight=weights),
        bounds=(0.2 * found, 5 * found),
        method="bounded",
        options={"xatol": 1e-6},
    )
    assert found == pytest.approx(by_scipy.x, rel=1e-3)


def repeated(margin, preference, weight):
    """Hard rows in place of soft, weighted ones: of weight w and label t 5 t w right and 5 (1 - t) w wrong ones."""
    right, wrong = np.rint(5 * preference * weight).astype(int), np.rint(5 * (1 - preference) * weight).astype(int)
    return np.concatenate([np.repeat(margin, right), np.repeat(-margin, wrong)])


def tied(seed, n=600):
    """Confidences of 15 values, one in each of 15 bins of one width over [0.5, 1], each with the same weight; soft labels
    in fifths and whole weights."""
    rng = np.random.default_rng(seed)
    confidence = np.tile((np.arange(15) + 0.5) / 30 + 0.5, n // 15)
    margin = np.log(confidence / (1 - confidence)) * rng.choice([-1.0, 1.0], confidence.size)
    weight = np.repeat(rng.integers(1, 4, n // 15), 15).astype(float)
    return margin, rng.choice([0.6, 0.8, 1.0], confidence.size), weight


@pytest.mark.parametrize("seed", SEEDS)
def test_ece_is_torchmetrics_with_ties_soft_labels_and_weights(seed):
    torch = pytest.importorskip("torch")
    oracle = pytest.importorskip("torchmetrics.functional.classification")
    margin, preference, weight = tied(seed)
    hard_margin = repeated(margin, preference, weight)
    confidence = torch.tensor(1 / (1 + np.exp(-np.abs(hard_margin))))
    theirs = oracle.binary_calibration_error(confidence, torch.tensor((hard_margin > 0).astype(int)), n_bins=30)
    assert calibration.ece(margin, preference, weight=weight) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_ece_is_netcals_in_bins_of_equal_mass(seed):
    netcal = pytest.importorskip("netcal.metrics")
    margin = np.random.default_rng(seed).normal(0.5, 1.5, 600)
    confidence, right = 1 / (1 + np.exp(-np.abs(margin))), (margin > 0).astype(int)
    theirs = netcal.ECE(bins=15, equal_intervals=False, detection=True).measure(confidence, right)
    # The edges of their bins are quantiles, so that a row may stand on the other side of one.
    assert calibration.ece(margin, np.ones(600)) == pytest.approx(float(theirs), abs=2e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_auc_and_tau_are_torchmetrics_with_ties(seed):
    torch = pytest.importorskip("torch")
    area = pytest.importorskip("torchmetrics.functional.classification").binary_auroc
    tau = pytest.importorskip("torchmetrics.functional").kendall_rank_corrcoef
    rng = np.random.default_rng(seed)
    preferred, other = (np.round(rng.normal(shift, 1, 200), 1) for shift in (0.5, 0.0))
    chance = torch.sigmoid(torch.tensor(np.concatenate([preferred, other])))
    theirs = area(chance, torch.tensor(np.repeat([1, 0], 200)))
    assert metrics.auc(preferred, other) == pytest.approx(float(theirs), abs=1e-6)
    quality, reward = (rng.integers(0, 6, 40).astype(float) for _ in range(2))
    assert metrics.kendall_tau_b(quality, reward) == pytest.approx(
        float(tau(torch.tensor(quality), torch.tensor(reward), variant="b")), abs=1e-6
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_brier_is_torchmetrics_squared_error_of_soft_labels(seed):
    torch = pytest.importorskip("torch")
    oracle = pytest.importorskip("torchmetrics.functional")
    margin, preference, _ = data(seed)
    chance = torch.sigmoid(torch.tensor(margin))
    theirs = oracle.mean_squared_error(chance, torch.tensor(preference))
    assert metrics.brier(margin, preference) == pytest.approx(float(theirs), abs=1e-9)
