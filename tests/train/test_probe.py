"""The fitted head to start from."""

from dataclasses import replace

import numpy as np
import orjson
import pytest
from sklearn.linear_model import LogisticRegression
from test_loop import examples, fit, records, weights

from builders import tiny
from rewardsmith.evaluate.metrics import nll
from rewardsmith.train.fitting import linear, probe


def problem(n=200, width=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, width)).astype(np.float32)
    preference = np.where(rng.random(n) < 1 / (1 + np.exp(-x[:, 0] * 2)), 1.0, 0.0)
    return linear.Differences(x, preference, rng.random(n) + 0.5, np.arange(n) // 4)


@pytest.mark.parametrize("penalty", [1.0, 0.01])
def test_the_linear_model_is_that_of_scikit_learn(penalty):
    data = problem()
    share = data.weight / data.weight.sum()
    oracle = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-8)
    oracle.fit(data.x, data.preference, sample_weight=share)
    np.testing.assert_allclose(linear.fit_linear(data, penalty), oracle.coef_[0], atol=2e-3)


def test_a_soft_label_is_the_mixture_of_two_hard_ones():
    x = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    soft = linear.Differences(x, np.full(40, 0.75), np.ones(40), np.arange(40))
    hard = linear.Differences(
        np.concatenate([x, x]), np.repeat([1.0, 0.0], 40), np.repeat([0.75, 0.25], 40), np.arange(80)
    )  # fmt: skip
    np.testing.assert_allclose(linear.fit_linear(soft, 0.1), linear.fit_linear(hard, 0.1), atol=1e-4)


def test_turning_a_comparison_round_changes_nothing():
    data = problem()
    turned = replace(data, x=-data.x, preference=1 - data.preference)
    np.testing.assert_allclose(linear.fit_linear(data, 0.1), linear.fit_linear(turned, 0.1), atol=1e-4)


def test_the_fitted_head_gives_the_margins_of_the_linear_model():
    model = tiny(seed=1)
    train, held = examples(model, records(30)), examples(model, records(10, start=100))
    backbone = [p.clone() for p in model.network.hf.base_model.parameters()]
    figures = probe.fit_head(model.network, train, held, budget=400, seed=0)
    features = probe.pair_features(model.network, held, 400, probe.SILENT)
    margin = features.differences().x @ model.network.head.weight.detach().numpy()[0]
    assert figures.eval_loss == pytest.approx(nll(margin, features.preference, weight=features.weight), abs=1e-5)
    assert all((a == b).all() for a, b in zip(backbone, model.network.hf.base_model.parameters(), strict=True))


def test_the_penalty_is_that_of_the_smallest_loss_on_prompts_left_out():
    rng = np.random.default_rng(0)
    noise = linear.Differences(
        rng.normal(size=(300, 40)).astype(np.float32), rng.integers(0, 2, 300) * 1.0, np.ones(300), np.arange(300)
    )
    assert linear.chosen_penalty(noise, seed=0) >= 1.0  # nothing to learn
    clear = problem(n=2000)
    assert linear.chosen_penalty(clear, seed=0) < 0.1
    assert linear.chosen_penalty(replace(clear, cluster=np.zeros(2000, int)), seed=0) == linear.DEFAULT_PENALTY


def test_without_validation_the_head_is_fitted_all_the_same():
    model = tiny(seed=1)
    before = model.network.head.weight.detach().clone()
    figures = probe.fit_head(model.network, examples(model, records(8)), [], budget=400, seed=0)
    assert (figures.eval_loss, figures.eval_accuracy) == (None, None)
    assert not (model.network.head.weight == before).all()


def test_the_number_of_comparisons_is_bounded(monkeypatch):
    train = examples(tiny(), records(30))
    monkeypatch.setattr(probe, "LIMIT", 10)
    assert len(probe.limited(train, seed=0)) == 10
    assert [e.id for e in probe.limited(train, seed=0)] == [e.id for e in probe.limited(train[::-1], seed=0)]


def test_the_curve_begins_at_step_0_and_that_may_be_the_best(tmp_path):
    trainer = fit(tmp_path / "run", head_start="probe", lr=1e-12)
    trainer.run()
    rows = [orjson.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_bytes().splitlines()]
    first = rows[0]
    assert first["step"] == 0
    assert trainer.state.best_loss <= first["eval_loss"]
    assert next(row["step"] for row in rows if "eval_loss" in row) == 0
    random = fit(tmp_path / "random", lr=1e-12)
    random.run()
    assert first["eval_loss"] < random.state.best_loss


def test_a_run_stopped_before_its_first_checkpoint_starts_with_the_same_head(tmp_path):
    whole = fit(tmp_path / "whole", head_start="probe")
    whole.run()
    stopped = fit(tmp_path / "stopped", head_start="probe")
    stopped._fit_head(probe.SILENT)
    again = fit(tmp_path / "stopped", head_start="probe")
    again.run(resuming=True)
    assert weights(whole) == weights(again)
    lines = (tmp_path / "stopped/metrics.jsonl").read_bytes().splitlines()
    assert sum(orjson.loads(line)["step"] == 0 for line in lines) == 1


@pytest.mark.parametrize("texts", [12, 60])
def test_fewer_texts_than_features_give_the_same_weights_in_fewer_coordinates(texts):
    rng = np.random.default_rng(3)
    pairs = rng.integers(0, texts, size=(150, 2))
    features = rng.normal(size=(texts, 40)).astype(np.float32)
    preference = (features[pairs[:, 0], 0] > features[pairs[:, 1], 0]).astype(float)
    known = linear.PairFeatures(features, pairs[:, 0], pairs[:, 1], preference, np.ones(150), np.arange(150))
    rotated, back = linear.rotate(known)
    assert rotated.features.shape[1] == min(texts, 40)
    found = back(linear.fit_linear(rotated.differences(), 0.1))
    np.testing.assert_allclose(found, linear.fit_linear(known.differences(), 0.1), atol=2e-3)
    np.testing.assert_allclose(known.margins(found), known.differences().x @ found, atol=1e-4)
    np.testing.assert_allclose(known.spread(), known.differences().x.std(axis=0), rtol=1e-3)


def test_equal_texts_are_one_text():
    model = tiny(seed=1)
    rows = examples(model, [*records(6), *records(6)])
    known = probe.pair_features(model.network, rows, 400, probe.SILENT)
    assert len(known.preferred) == 2 * len(known.features) / 2 == 12
    assert (known.preferred[:6] == known.preferred[6:]).all()
