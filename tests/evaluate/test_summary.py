import json
import math
import time

import numpy as np
import orjson
import pytest

from rewardsmith.evaluate.baselines import TextPairs
from rewardsmith.evaluate.comparisons import Comparisons, Rankings
from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.evaluate.summary import summarize

PROMISED = """n label_ties accuracy accuracy_ci tie_rate auc nll brier ece ece_calibrated kendall_tau baselines by_category
auc_ci nll_ci nll_at_chance temperature ece_noise_floor reliability win_rate margin_mean margin_std reward_mean
reward_std clusters interval_method too_few_prompts by_difficulty"""


def model(n, *, seed=0, heat=1.0, prompts=None):
    """Comparisons of a model whose margins, divided by `heat`, are calibrated; the label has nothing to do with text."""
    rng = np.random.default_rng(seed)
    rewards = rng.normal(0, 1.2, (n, 2))
    first = rng.random(n) < sigmoid(rewards[:, 0] - rewards[:, 1])
    preferred = np.where(first, rewards[:, 0], rewards[:, 1]) * heat
    other = np.where(first, rewards[:, 1], rewards[:, 0]) * heat
    words = [" ".join(rng.choice(["red", "blue", "green", "gold", "pink"], 6)) for _ in range(2 * n)]
    lengths = rng.integers(5, 60, (n, 2))
    return Comparisons(
        margin=preferred - other,
        preference=np.ones(n),
        weight=np.ones(n),
        cluster=np.arange(n) % (prompts or n),
        category=np.where(np.arange(n) % 2 == 0, "chat", "安全"),
        preferred_reward=preferred,
        other_reward=other,
        preferred_length=lengths[:, 0],
        other_length=lengths[:, 1],
        turns=rng.integers(1, 6, n),
        preferred_text=words[:n],
        other_text=words[n:],
    )


def minimal(margin, **more):
    n = len(margin)
    columns = {"preference": np.ones(n), "weight": np.ones(n), "cluster": np.arange(n)}
    return Comparisons(margin=np.array(margin, dtype=float), **{**columns, **more})


def test_the_promised_keys_are_there_and_json_can_hold_them():
    found = summarize(model(200), resamples=200).to_json()
    assert set(PROMISED.split()) <= set(found)
    assert set(found["baselines"]) == {"longer", "tfidf", "constant"}
    assert set(found["by_category"]) == {"chat", "安全"}
    assert {"preferred_is", "length_difference", "turns"} == set(found["by_difficulty"])
    assert json.loads(orjson.dumps(found)) == found
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_calibrated_model_is_seen_as_one():
    found = summarize(model(3000), resamples=300)
    assert found.accuracy > 0.65
    assert found.accuracy in found.intervals.accuracy
    assert found.auc in found.intervals.auc
    assert found.nll in found.intervals.nll
    assert found.nll < found.to_json()["nll_at_chance"]
    assert found.calibration.ece < 2 * found.calibration.noise_floor
    assert found.calibration.temperature == pytest.approx(1.0, rel=0.15)
    assert found.calibration.source == "5-fold by prompt"
    assert (found.intervals.accuracy.method, found.too_few_prompts) == ("bootstrap", False)
    assert found.best_of_n_accuracy != found.best_of_n_accuracy


def test_the_temperature_comes_from_validation():
    found = summarize(model(2000, heat=4.0), validation=model(2000, seed=1, heat=4.0), resamples=100)
    assert found.calibration.source == "validation"
    assert found.calibration.temperature == pytest.approx(4.0, rel=0.15)
    assert found.calibration.ece > 3 * found.calibration.noise_floor
    assert found.calibration.ece_calibrated < found.calibration.ece / 2
    assert len(found.calibration.calibrated) == len(found.calibration.raw) == 15


def test_baselines_are_coins_here_and_the_model_beats_them():
    found = {rule.name: rule for rule in summarize(model(1500), resamples=300).baselines}
    for rule in found.values():
        assert rule.accuracy == pytest.approx(0.5, abs=0.06)
        assert rule.difference_interval.low > 0.05
        assert rule.accuracy in rule.interval
    assert found["tfidf"].fitted_on == "5-fold by prompt"
    assert found["constant"].interval.low == found["constant"].interval.high == 0.5


def test_tfidf_takes_the_training_split_where_there_is_one():
    texts = model(300, seed=5)
    found = summarize(model(100), training=TextPairs(texts.preferred_text, texts.other_text), resamples=100)
    assert found.to_json()["baselines"]["tfidf"]["fitted_on"] == "training split, 300 comparisons"


def test_a_rule_that_copies_the_model_has_no_difference():
    margin = np.array([3.0, -1.0, 2.0, 1.0] * 20)
    lengths = {"preferred_length": 10 + margin, "other_length": np.full(80, 10.0)}
    (length, *_) = summarize(minimal(margin, **lengths), resamples=100).baselines
    assert (length.difference, length.difference_interval.low, length.difference_interval.high) == (0.0, 0.0, 0.0)
    assert length.accuracy == 0.75


def test_few_prompts_are_said():
    found = summarize(model(200, prompts=6), resamples=100).to_json()
    assert (found["clusters"], found["too_few_prompts"], found["interval_method"]) == (6, True, "t")


def test_adding_a_constant_to_all_rewards_changes_nothing_but_their_mean():
    one = model(120)
    two = Comparisons(
        **{**vars(one), "preferred_reward": one.preferred_reward + 8.0, "other_reward": one.other_reward + 8.0}
    )
    before, after = summarize(one, resamples=100).to_json(), summarize(two, resamples=100).to_json()
    assert after.pop("reward_mean") == pytest.approx(before.pop("reward_mean") + 8)
    assert after.pop("reward_std") == pytest.approx(before.pop("reward_std"))
    assert after == before


def test_the_order_of_rows_does_not_matter():
    one = model(150)
    before, after = summarize(one, resamples=100), summarize(one.take(np.arange(149, -1, -1)), resamples=100)
    assert after.accuracy == before.accuracy
    assert (after.intervals.auc.low, after.intervals.auc.high) == pytest.approx(
        (before.intervals.auc.low, before.intervals.auc.high)
    )
    assert after.calibration.ece_calibrated == pytest.approx(before.calibration.ece_calibrated)


def test_the_same_seed_gives_the_same_summary():
    assert summarize(model(90), resamples=100).to_json() == summarize(model(90), resamples=100).to_json()


def test_label_ties_only_and_nothing_at_all_give_null():
    for comparisons in (minimal([1.0, -1.0], preference=np.full(2, 0.5)), minimal([])):
        found = summarize(comparisons).to_json()
        assert found["n"] == 0
        assert found["accuracy"] is None
        assert found["accuracy_ci"] == [None, None]
        assert found["ece"] is None
        assert found["temperature"] is None
        assert found["baselines"]["longer"]["accuracy"] is None
        assert found["reliability"] == {"raw": [], "calibrated": []}
        json.dumps(found, allow_nan=False)
    assert summarize(minimal([1.0, -1.0], preference=np.full(2, 0.5))).label_ties == 2
    assert summarize(minimal([1.0, -1.0], preference=np.full(2, 0.5))).nll == pytest.approx(0.813262, abs=1e-6)


def test_validation_without_a_decided_comparison_calibrates_nothing():
    found = summarize(model(50), validation=minimal([1.0], preference=np.array([0.5])), resamples=50)
    assert found.calibration.source is None
    assert math.isnan(found.calibration.temperature)


def test_one_comparison():
    found = summarize(minimal([2.0])).to_json()
    assert (found["n"], found["accuracy"], found["interval_method"]) == (1, 1.0, "wilson")
    # Wilson for 1 of 1: 1 / (1 + z^2) = 0.2065.
    assert found["accuracy_ci"] == [pytest.approx(0.2065, abs=1e-4), 1.0]


def test_a_constant_model_is_said_to_be_one():
    found = summarize(minimal([0.0] * 40, preferred_reward=np.ones(40), other_reward=np.ones(40)), resamples=100)
    assert (found.accuracy, found.tie_rate, found.win_rate, found.auc) == (0.5, 1.0, 0.0, 0.5)
    assert (found.nll, found.reward.std, found.calibration.ece) == (pytest.approx(math.log(2)), 0.0, 0.0)
    assert math.isnan(found.calibration.temperature)


def test_zero_weights_are_counted_and_left_out():
    found = summarize(minimal([1.0, -1.0, -1.0], weight=np.array([1.0, 0.0, 0.0])))
    assert (found.n, found.zero_weight, found.accuracy) == (1, 2, 1.0)


def test_kendall_and_best_of_n_from_rankings():
    rankings = Rankings(np.zeros(3, dtype=int), np.array([3.0, 2.0, 1.0]), np.array([5.0, 4.0, 3.0]))
    found = summarize(minimal([1.0]), rankings=rankings)
    assert (found.kendall_tau, found.best_of_n_accuracy) == (1.0, 1.0)
    assert found.best_of_n_at_chance == pytest.approx(1 / 3)


def test_kendall_from_response_ids():
    # a > b > c with all three pairs compared and one of them wrong: (2 - 1) / 3.
    ids = {"preferred_id": np.array([0, 0, 1]), "other_id": np.array([1, 2, 2])}
    found = summarize(minimal([1.0, 2.0, -1.0], cluster=np.zeros(3, dtype=int), **ids))
    assert found.kendall_tau == pytest.approx(1 / 3)


def test_single_precision_margins_are_measured_too():
    one = model(60)
    single = Comparisons(margin=one.margin.astype(np.float32), preference=one.preference, weight=one.weight,
                         cluster=one.cluster)  # fmt: skip
    assert summarize(single, resamples=50).nll == pytest.approx(summarize(one, resamples=50).nll, rel=1e-5)


def test_ten_thousand_comparisons_take_seconds():
    comparisons = model(10_000)
    start = time.process_time()
    summarize(comparisons)
    # About 6 s on one core, most of it intervals; the limit leaves room for slow and busy machines.
    assert time.process_time() - start < 30
