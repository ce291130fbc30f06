"""What a step and a run say of themselves: weighted, without label ties, and of the whole run."""

import math

import numpy as np
import orjson
import pytest
from test_loop import LOSS, NO_DROPOUT, examples, fit, settings

from builders import pair, tiny
from rewardsmith.train.loop import Fit
from rewardsmith.train.resume import since_the_start
from rewardsmith.train.step import accumulate


def figures_of_step(model, rows):
    return accumulate(model.network, examples(model, rows), LOSS, dropout=NO_DROPOUT, budget=10**6)


def test_accuracy_and_margin_of_a_step_hear_weights_and_leave_label_ties_out():
    model = tiny(head_scale=20.0)
    rows = [pair(f"q{k}", f"yes {k}", f"no {k * k}", weight=1.0 + k) for k in range(6)]
    tied = pair("tie?", "first " * 9, "second", preference=0.5)
    rewards = [model.score([[*record.prompt, *one.messages] for one in record.responses]) for record in rows]
    margin = np.array([first - second for first, second in rewards])
    weight = np.arange(1.0, 7.0)
    assert 0 < (margin > 0).sum() < 6
    seen = figures_of_step(model, [*rows, tied])
    assert seen.accuracy == pytest.approx(float(((margin > 0) * weight).sum() / weight.sum()))
    assert seen.margin == pytest.approx(float((margin * weight).sum() / weight.sum()), rel=1e-3)
    assert seen.comparisons == 7  # the loss hears the tie


def test_a_step_of_ties_has_no_accuracy_and_says_none(tmp_path):
    model = tiny(seed=1)
    ties = [pair(f"q{k}", "a", "b", preference=0.5) for k in range(4)]
    assert math.isnan(figures_of_step(model, ties).accuracy)
    trainer = Fit(
        model.network, settings(epochs=1), train=examples(model, ties), validation=examples(model, ties),
        folder=tmp_path, fingerprint={},
    )  # fmt: skip
    trainer.run()
    first, validation = (orjson.loads(line) for line in (tmp_path / "metrics.jsonl").read_bytes().splitlines())
    assert "accuracy" not in first
    assert math.isfinite(first["loss"])
    assert validation["eval_accuracy"] is None


def test_the_train_loss_is_the_mean_of_the_whole_run_also_where_it_stops_early_or_is_resumed(tmp_path):
    def losses(folder):
        rows = (orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines())
        return [row["loss"] for row in rows if "loss" in row]

    whole = fit(tmp_path / "whole", epochs=3).run()
    assert len(losses(tmp_path / "whole")) == 15
    assert whole.state.train_loss == pytest.approx(np.mean(losses(tmp_path / "whole")))
    early = fit(tmp_path / "early", epochs=3, eval_every=1, patience=1, lr=0.9).run()
    assert early.state.stopped_early
    assert early.state.step < 5  # within the first epoch
    assert early.state.train_loss == pytest.approx(np.mean(losses(tmp_path / "early")))


def test_a_state_of_0_3_0_goes_on_with_the_losses_of_its_curve(tmp_path):
    fit(tmp_path, epochs=2, max_steps=6).run()
    losses = [
        row["loss"]
        for row in map(orjson.loads, (tmp_path / "metrics.jsonl").read_bytes().splitlines())
        if "loss" in row
    ]
    state = {"step": 6, "epoch_loss": 0.1, "epoch_steps": 1, "train_loss": 0.2}
    assert since_the_start(state, tmp_path / "metrics.jsonl") == {
        "step": 6, "train_loss": 0.2, "loss_sum": pytest.approx(sum(losses)),
    }  # fmt: skip
