"""The learning-rate range test: each rule on a curve that is known, and a model that learns at some rates only."""

import numpy as np
import pytest
import torch

from builders import pair, tiny
from rewardsmith.progress import SilentTask
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.fitting import range_test
from rewardsmith.train.fitting.range_test import (
    RangeSettings,
    RangeTest,
    noise_of,
    run_range_test,
    smooth,
    steepest,
    too_high,
    valley,
)
from rewardsmith.train.losses import LOSSES

LOSS = LOSSES["bradley-terry"]


def test_smoothing_keeps_lines_and_means_and_removes_noise():
    line = np.linspace(1, 3, 60)
    np.testing.assert_allclose(smooth(line, 2.0)[10:-10], line[10:-10], atol=1e-6)
    noise = np.random.default_rng(0).standard_normal(3000)
    assert smooth(noise, 5.0).std() == pytest.approx(1 / np.sqrt(2 * np.sqrt(np.pi) * 5), rel=0.15)


def test_the_noise_of_a_smoothed_value_is_that_of_its_kernel():
    noise = 0.1 * np.random.default_rng(1).standard_normal(1000)
    width = range_test.WIDTH * 1000
    assert noise_of(noise) == pytest.approx(0.1 / np.sqrt(2 * np.sqrt(np.pi) * width), rel=0.1)
    assert noise_of(np.zeros(2)) == 0


def test_the_valley_is_the_middle_of_the_longest_fall():
    # flat for 10 steps, 30 steps down, then up; the fall of 31 values ends at 40 and begins, by fastai's count, at 9
    curve = np.concatenate([np.ones(10), np.linspace(1, 0, 31), np.linspace(0.1, 1, 10)])
    assert valley(curve) == 9 + 10 + 5


def test_the_steepest_fall_is_found_where_it_is():
    places = np.arange(100)
    assert abs(steepest(-1 / (1 + np.exp(-(places - 60) / 5))) - 60) <= 1
    assert steepest(np.array([1.0])) == 0


def test_a_test_that_never_falls_suggests_nothing():
    noisy = 0.7 + 0.02 * np.random.default_rng(2).standard_normal(100)
    assert not RangeTest(tuple(np.geomspace(1e-5, 1, 100)), tuple(noisy), (0.7,) * 100).learned
    falling = noisy - np.concatenate([np.zeros(50), np.linspace(0, 0.3, 50)])
    found = RangeTest(tuple(np.geomspace(1e-5, 1, 100)), tuple(falling), (0.7,) * 100)
    assert found.learned
    assert found.suggestions()["minimum"] == pytest.approx(0.1)


def test_records_that_are_harder_leave_no_mark_on_the_curve():
    hard = tuple(np.random.default_rng(3).uniform(0.4, 1.0, 40))
    found = RangeTest(tuple(np.geomspace(1e-5, 1, 40)), hard, hard)
    np.testing.assert_allclose(found.curve, np.mean(hard))


def examples_of(model, count=32):
    rows = [
        pair(f"Which is larger, {k} or {k + 3}?", f"It is {k + 3}.", f"It is {k}, I think so.") for k in range(count)
    ]
    return encode_examples(rows, model.encoder, share=model.network.packed).examples


def run(low, high, steps=30, **changes):
    model = tiny(seed=1, n_layer=1)
    settings = RangeSettings(
        low=low, high=high, steps=steps, batch=8, weight_decay=0.0, clip=1.0, dropout=0.0, seed=0,
        tokens_per_microbatch=2000, **changes,
    )  # fmt: skip
    return run_range_test(model.network, examples_of(model), LOSS, settings, SilentTask())


def test_rates_grow_exponentially_and_the_first_loss_is_that_of_the_start():
    found = run(1e-6, 1e-2, steps=9)
    np.testing.assert_allclose(found.rates, np.geomspace(1e-6, 1e-2, 9))
    assert found.losses[0] == pytest.approx(found.starts[0], abs=1e-5)
    assert len(found.losses) == len(found.starts) == 9


def test_a_model_that_learns_is_seen_to_and_one_that_hardly_moves_is_not():
    assert run(1e-4, 3e-2, steps=60).learned
    assert not run(1e-12, 1e-10).learned


def test_the_test_ends_where_the_loss_has_left_its_valley():
    assert not too_high([50.0] * 9)
    assert not too_high([0.7] * 20)
    assert not too_high([0.7] * 10 + [0.0001] * 10 + [0.01] * 3)  # near 0 a factor says nothing
    assert too_high([0.7] * 20 + [5.0] * 3)


def test_the_same_seed_gives_the_same_test():
    torch.manual_seed(5)
    assert run(1e-4, 1e-2, steps=5) == run(1e-4, 1e-2, steps=5)
