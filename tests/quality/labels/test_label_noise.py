"""Wrong labels: the model, its estimates, and what becomes of a label."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from rewardsmith.data.synthetic.generate import generate
from rewardsmith.errors import DataError
from rewardsmith.quality.labels.changes import changed, turned
from rewardsmith.quality.labels.noise import auc_allowed, find_label_noise, spread_of
from rewardsmith.quality.labels.share import wrong_probability
from rewardsmith.records import Comparison


def noisy_gold(made, *, spread, seed=0):
    """Margins of the labelled side by the gold reward with noise on it, prompts, and which labels were turned."""
    rng = np.random.default_rng(seed)
    planted = set(made.planted.get("label_noise", ()))
    margins, prompts, flipped = [], [], []
    for number, (record, gold) in enumerate(zip(made.records, made.gold, strict=True)):
        reward = np.array(gold) + rng.normal(0, spread, len(gold))
        for comparison in record.comparisons:
            margins.append(reward[comparison.i] - reward[comparison.j])
            prompts.append(number)
            flipped.append(number in planted)
    return np.array(margins), np.array(prompts), np.array(flipped)


def test_the_probability_of_a_wrong_label_by_hand():
    # rate 0.2, odds 3 to 1 for the label: 0.2 * 1/4 / (0.2 * 1/4 + 0.8 * 3/4) = 1/13
    assert wrong_probability(np.array([np.log(3.0), 0.0]), 0.2) == pytest.approx([1 / 13, 0.2])
    assert list(wrong_probability(np.array([-9.0]), 0.0)) == [0.0]


def test_sure_detectors_tell_the_rate_of_disagreement():
    """Where margins grow and agreement does not, what remains of disagreement is wrong labels, not close calls."""
    margins = np.repeat([100.0, -100.0, 10.0, -10.0, 0.01, -0.01], [400, 100, 400, 100, 250, 250])
    found = find_label_noise(margins[:, None], cluster=np.arange(1500))
    assert found.model.rate == pytest.approx(0.2)
    assert found.agreement == 0.7
    assert found.suspect.sum() == 200


def test_what_margins_cannot_tell_is_not_called_noise():
    """Margins of one size that agree with 60 %: a weak detector or wrong labels, nobody can tell."""
    margins = np.array([1.0] * 60 + [-1.0] * 40)
    found = find_label_noise(margins[:, None], cluster=np.arange(100))
    assert not found.model.shown
    assert not found.suspect.any()


@pytest.mark.parametrize("accuracy", [0.5, 0.6, 0.85])
def test_the_auc_that_an_accuracy_allows_is_that_of_normal_margins(accuracy):
    margin = NormalDist().inv_cdf(accuracy) + np.random.default_rng(0).normal(size=40_000)
    flipped = np.arange(40_000) % 5 == 0
    seen = roc_auc_score(flipped, -np.where(flipped, -margin, margin))
    assert auc_allowed(accuracy) == pytest.approx(seen, abs=0.01)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
def test_planted_noise_is_found_at_its_rate(rate):
    made = generate(1000, seed=4, noise=0.0, faults={"label_noise": rate})
    margins, prompts, flipped = noisy_gold(made, spread=1.0)
    found = find_label_noise(margins[:, None], cluster=prompts)
    assert found.model.shown
    assert rate in found.interval
    assert roc_auc_score(flipped, -found.combined) >= 0.95
    assert flipped[found.suspect].mean() >= found.wrong[found.suspect].mean() - 0.1


def test_what_is_called_wrong_is_wrong_about_as_often_as_the_probabilities_say():
    wrong, truth = [], []
    for seed in range(5):
        made = generate(1000, seed=seed, noise=0.0, faults={"label_noise": 0.1})
        margins, prompts, flipped = noisy_gold(made, spread=1.0, seed=seed)
        wrong.append(find_label_noise(margins[:, None], cluster=prompts).wrong)
        truth.append(flipped)
    wrong, truth = np.concatenate(wrong), np.concatenate(truth)
    for low, high in ((0.0, 0.05), (0.05, 0.5), (0.5, 1.0)):
        rows = (wrong >= low) & (wrong < high)
        assert truth[rows].mean() == pytest.approx(wrong[rows].mean(), abs=0.1)


def test_clean_labels_are_left_alone():
    """Judges that err near the border are no label noise: at most 1 % of the clean labels may be called wrong."""
    for seed in range(4):
        margins, prompts, _ = noisy_gold(generate(800, seed=seed), spread=1.0, seed=seed)
        found = find_label_noise(margins[:, None], cluster=prompts)
        assert found.suspect.mean() <= 0.01


def test_several_detectors_are_at_least_as_good_as_the_best():
    made = generate(1000, seed=6, noise=0.0, faults={"label_noise": 0.2})
    one, prompts, flipped = noisy_gold(made, spread=2.0, seed=1)
    two, _, _ = noisy_gold(made, spread=2.0, seed=2)
    useless = np.random.default_rng(3).normal(size=len(one))
    found = find_label_noise(np.stack([one, two * 100, useless], axis=1), cluster=prompts)
    alone = max(roc_auc_score(flipped, -each) for each in (one, two))
    assert roc_auc_score(flipped, -found.combined) > alone
    assert found.model.weight[2] < 0.2 * found.model.weight[:2].min()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1000))
def test_neither_order_nor_scale_matters(seed, scale):
    rng = np.random.default_rng(seed)
    margins, prompts = rng.normal(0.7, 1, size=(60, 2)), rng.integers(0, 40, 60)
    found = find_label_noise(margins, cluster=prompts)
    order = rng.permutation(60)
    again = find_label_noise(margins[order] * scale, cluster=prompts[order])
    assert again.combined == pytest.approx(found.combined[order], abs=1e-4)
    assert again.model.rate == pytest.approx(found.model.rate, abs=0.02)


def test_missing_margins_say_nothing():
    margins = np.array([[1.0, np.nan], [2.0, 4.0], [-1.0, np.nan]])
    assert spread_of(margins) == pytest.approx([np.nan, 1.0, np.nan], nan_ok=True)
    found = find_label_noise(margins, cluster=np.arange(3))
    assert np.isfinite(found.combined).all()


@pytest.mark.parametrize("margins", [np.zeros((3, 1)), np.ones((2, 1)), np.array([[1.0], [np.inf], [0.0]])])
def test_margins_that_tell_nothing_are_refused(margins):
    with pytest.raises(DataError, match="margin"):
        find_label_noise(margins, cluster=np.arange(3))


def test_what_becomes_of_a_label():
    label = Comparison(0, 1, margin=2.0, votes=(4, 1, 0))
    assert changed(label, "report", wrong=0.9, suspect=True) is label
    assert changed(label, "drop", wrong=0.9, suspect=True).weight == 0
    assert changed(label, "drop", wrong=0.4, suspect=False) is label
    assert changed(label, "flip", wrong=0.9, suspect=True) == Comparison(1, 0, votes=(1, 4, 0))
    assert changed(label, "soften", wrong=0.25, suspect=False) == Comparison(
        0, 1, preference=0.75, margin=2.0, votes=(4, 1, 0)
    )
    softened = changed(label, "soften", wrong=0.9, suspect=True)
    assert (softened.i, softened.j, softened.preference) == (1, 0, pytest.approx(0.9))


@given(st.floats(0.5, 1.0), st.floats(0.0, 1.0))
def test_a_softened_label_keeps_its_expectation(preference, wrong):
    label = Comparison(0, 1, preference=preference)
    new = changed(label, "soften", wrong=wrong, suspect=wrong > 0.5)
    share = new.preference if new.i == 0 else 1 - new.preference
    assert share == pytest.approx((1 - wrong) * preference + wrong * (1 - preference))


def test_turning_twice_is_no_change():
    label = Comparison(0, 1, preference=0.75, votes=(3, 1, 0))
    assert turned(turned(label)) == label


def drawn(rng, shape, accuracy, rate, count=600):
    """(margins of the labelled side, share that was turned) of a detector that is right in `accuracy` of cases."""
    mean = NormalDist().inv_cdf(accuracy)
    margin = mean + rng.normal(size=count)
    if shape == "size tells little":
        margin *= np.exp(0.7 * rng.normal(size=count))
    turned_labels = rng.random(count) < rate
    return np.where(turned_labels, -margin, margin), float(turned_labels.mean())


@pytest.mark.parametrize("shape", ["normal", "size tells little"])
def test_the_interval_of_the_share_holds_the_truth(shape):
    """Weak and strong detectors, 0 to 40 % turned: 24 intervals that are meant to hold in 95 % of cases."""
    rng, held = np.random.default_rng(0), 0
    for accuracy in (0.6, 0.75, 0.93):
        for rate in (0.0, 0.1, 0.2, 0.4) * 2:
            margins, share = drawn(rng, shape, accuracy, rate)
            held += share in find_label_noise(margins[:, None], cluster=np.arange(len(margins))).interval
    assert held >= 20


def test_no_wrong_label_seen_is_not_none_at_all():
    """All of 200 labels agree: the share may still be what 200 labels do not show, and not "0.0 to 0.0 %"."""
    margins = np.random.default_rng(0).exponential(size=200) + 0.01
    found = find_label_noise(margins[:, None], cluster=np.arange(200))
    assert found.model.rate == 0
    assert 0 < found.interval.high < 0.05


def test_weak_detectors_leave_every_share_open_down_to_none():
    margins, _ = drawn(np.random.default_rng(0), "normal", 0.6, 0.3)
    found = find_label_noise(margins[:, None], cluster=np.arange(len(margins)))
    assert not found.strong
    assert found.interval.low == 0
    assert 0.3 in found.interval


def test_labels_of_one_prompt_that_err_together_count_as_fewer():
    rng = np.random.default_rng(0)
    margin, wrong = rng.normal(2, 1.2, size=100), rng.random(100) < 0.2
    once = np.where(wrong, -margin, margin)
    alone = find_label_noise(once[:, None], cluster=np.arange(100)).interval
    repeated = find_label_noise(np.repeat(once, 8)[:, None], cluster=np.repeat(np.arange(100), 8)).interval
    assert repeated.high - repeated.low > 0.7 * (alone.high - alone.low)
