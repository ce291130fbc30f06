import json
import math
import time

import numpy as np
import orjson
import pytest

from rewardsmith.errors import DataError
from rewardsmith.evaluate.baselines import Baseline, TextPairs
from rewardsmith.evaluate.comparisons import Comparisons, Rankings
from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.evaluate.rankings import order_of
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
    assert found.calibration.ece < found.calibration.floor.limit
    assert found.calibration.temperature == pytest.approx(1.0, rel=0.15)
    assert found.calibration.source == "5-fold by prompt"
    assert (found.intervals.accuracy.method, found.too_few_prompts) == ("t", False)
    assert found.best_of_n_accuracy != found.best_of_n_accuracy


def test_the_temperature_comes_from_validation():
    found = summarize(model(2000, heat=4.0), validation=model(2000, seed=1, heat=4.0), resamples=100)
    assert found.calibration.source == "validation"
    assert found.calibration.temperature == pytest.approx(4.0, rel=0.15)
    assert found.calibration.ece > 3 * found.calibration.floor.mean
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


def test_the_rule_by_length_goes_the_better_way():
    lengths = {"preferred_length": np.full(80, 3.0), "other_length": np.full(80, 9.0)}
    comparisons = minimal([1.0] * 80, **lengths)
    found = summarize(comparisons, resamples=50).to_json()["baselines"]["longer"]
    assert (found["accuracy"], found["difference"], found["direction"]) == (1.0, 0.0, "shorter")
    opposite = minimal([1.0] * 40, preferred_length=np.full(40, 9.0), other_length=np.full(40, 3.0))
    judged = summarize(comparisons, validation=opposite, resamples=50).to_json()["baselines"]["longer"]
    assert (judged["accuracy"], judged["direction"]) == (0.0, "longer")  # validation decides, not the judged set


def test_rules_of_others_stand_beside_ours_and_leave_out_the_same_rows():
    margin = np.array([1.0, 1.0, -1.0, -9.0, -9.0])
    weight, preference = np.array([1.0, 1.0, 1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0, 1.0, 0.5])
    comparisons = minimal(margin, weight=weight, preference=preference)
    found = summarize(comparisons, more=[Baseline("shortcuts", margin, "made")]).to_json()["baselines"]
    assert (found["shortcuts"]["accuracy"], found["shortcuts"]["difference"]) == (pytest.approx(2 / 3), 0.0)
    assert list(found) == ["longer", "tfidf", "shortcuts", "constant"]


def test_the_same_under_few_prompts_is_not_certain():
    """Three of four right under each of five prompts: no spread between prompts, and still no certainty."""
    found = summarize(minimal([1.0, 1.0, 1.0, -1.0] * 5, cluster=np.repeat(np.arange(5), 4)))
    assert found.intervals.accuracy.low < 0.5 < 0.75 < found.intervals.accuracy.high
    constant = found.baselines[-1]
    assert (constant.interval.low, constant.interval.high) == (0.5, 0.5)
    assert constant.difference_interval.low == pytest.approx(found.intervals.accuracy.low - 0.5)


def test_a_rule_that_copies_the_model_has_no_difference():
    margin = np.array([3.0, -1.0, 2.0, 1.0] * 20)
    lengths = {"preferred_length": 10 + margin, "other_length": np.full(80, 10.0)}
    (length, *_) = summarize(minimal(margin, **lengths), resamples=100).baselines
    low, high = length.difference_interval.low, length.difference_interval.high
    assert (length.difference, low) == (0.0, -high)  # no flip in 80 comparisons is not certain equality
    assert 0.01 < high < 0.05
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
    assert (found["n"], found["accuracy"], found["interval_method"]) == (1, 1.0, "t")
    assert found["accuracy_ci"] == [0.0, 1.0]


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


def ranked(n, *, right=None, weight=None):
    """Rankings of three responses; those of `right` in the true order, the others in its reverse."""
    reward = np.concatenate(
        [[3.0, 2, 1] if number < (n if right is None else right) else [1.0, 2, 3] for number in range(n)]
    )
    repeated = None if weight is None else np.repeat(np.array(weight, dtype=float), 3)
    return Rankings(np.repeat(np.arange(n), 3), np.tile([3.0, 2, 1], n), reward, repeated)


def test_tau_and_best_of_n_come_with_their_n_and_not_under_ten_rankings():
    few, enough = (summarize(minimal([1.0]), rankings=ranked(n, right=n - 1)).to_json() for n in (9, 10))
    for name in ("kendall_tau", "best_of_n_accuracy"):
        assert (few[name], few[f"{name}_ci"], few[f"{name}_n"]) == (None, [None, None], 9)
        assert enough[f"{name}_n"] == 10
    assert few["best_of_n_at_chance"] is None
    assert (enough["kendall_tau"], enough["best_of_n_accuracy"]) == (pytest.approx(0.8), pytest.approx(0.9))
    low, high = enough["kendall_tau_ci"]
    assert low < 0.8 < high


def test_rankings_count_with_their_weight():
    weight = [1.0] * 12 + [0.5] * 6 + [0.0] * 3
    found = summarize(minimal([1.0]), rankings=ranked(21, right=12, weight=weight))
    # 12 right of weight 1, 6 reversed of weight 1/2: (12 - 3) / 15.
    assert (found.kendall_tau, found.best_of_n_accuracy) == (pytest.approx(0.6), pytest.approx(0.8))
    assert found.to_json()["kendall_tau_n"] == 18


def test_tau_of_compared_pairs_hears_their_weights():
    ids = {"preferred_id": np.array([0, 0, 1]), "other_id": np.array([1, 2, 2]), "cluster": np.zeros(3, dtype=int)}
    # a > b > c, b against c wrong with weight 2 of 4: (1 + 1 - 2) / 4.
    found = summarize(minimal([1.0, 2.0, -1.0], weight=np.array([1.0, 1.0, 2.0]), **ids))
    assert found.kendall_tau == pytest.approx(0.0)


def test_the_interval_of_tau_covers_it():
    """100 draws of 40 weighted rankings, tau 1 with probability 0.7 and -1 else: the truth is 0.4."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(100):
        rankings = ranked(40, right=int((rng.random(40) < 0.7).sum()), weight=rng.choice([0.5, 1.0], 40))
        covered += 0.4 in order_of(minimal([1.0]), rankings).tau.interval
    assert covered >= 88  # 95 are expected, with a standard deviation of 2.2


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


def test_the_ceiling_comes_from_votes_label_ties_included():
    # 3:0 always agree, 2:1 in one of three pairs, 2:2 in two of six, 1:0 tells nothing, the last has the weight 0.
    votes = {"preferring": np.array([3, 2, 2, 1, 0]), "votes": np.array([3, 3, 4, 1, 0])}
    labels = {"preference": np.array([1.0, 2 / 3, 0.5, 1.0, 1.0]), "weight": np.array([1.0, 1.0, 1.0, 1.0, 0.0])}
    found = summarize(minimal([1.0, 2.0, 1.0, -1.0, 1.0], **votes, **labels), resamples=50).to_json()["noise_ceiling"]
    assert (found["agreement"], found["n"]) == (pytest.approx(5 / 9), 3)
    assert found["low"] == pytest.approx(5 / 9)
    assert found["high"] == pytest.approx((1 + math.sqrt(1 / 9)) / 2)
    assert found["agreement_ci"][0] < 5 / 9 < found["agreement_ci"][1]
    assert summarize(minimal([1.0, -1.0]), resamples=50).to_json()["noise_ceiling"] is None


def test_annotators_as_in_hh_set_a_ceiling_of_63_to_75_percent():
    # 63 of 100 pairs of annotators agree.
    votes = {"preferring": np.array([2] * 63 + [1] * 37), "votes": np.full(100, 2)}
    found = summarize(minimal(np.ones(100), **votes), resamples=50).to_json()["noise_ceiling"]
    assert [found[name] for name in ("agreement", "low", "high")] == pytest.approx([0.63, 0.63, 0.755], abs=1e-4)


def test_more_votes_for_one_than_there_are_is_refused():
    with pytest.raises(DataError, match=r"preferring\[1\] is 3; expected 0 to 2"):
        minimal([1.0, 1.0], preferring=np.array([1, 3]), votes=np.array([1, 2]))
