"""Every scoring rule on rows made by hand, whose scores are worked out in the comments."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import kendalltau

from rewardsmith.errors import DataError
from rewardsmith.evaluate.benchmarks import pairs
from rewardsmith.evaluate.benchmarks.cheemsbench import cheemsbench
from rewardsmith.evaluate.benchmarks.credits import best_of, kendall_tau_b
from rewardsmith.evaluate.benchmarks.if_rewardbench import if_rewardbench
from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.judgebench import judgebench, two_orders
from rewardsmith.evaluate.benchmarks.leaderboard import columns_of, place_of, published
from rewardsmith.evaluate.benchmarks.long_rewardbench import exact_ranks, long_rewardbench
from rewardsmith.evaluate.benchmarks.ppe import ppe
from rewardsmith.evaluate.benchmarks.rewardbench import ENGLISH, MULTILINGUAL, SECTIONS, m_rewardbench, rewardbench
from rewardsmith.evaluate.benchmarks.rewardbench_2 import rewardbench_2, ties
from rewardsmith.evaluate.benchmarks.rm_bench import rm_bench
from rewardsmith.evaluate.benchmarks.rmb import rmb
from rewardsmith.evaluate.benchmarks.scores import Average, Mean, combined, measured, value_of


def made(*rows, graded=True):
    """Items from (subset, part, rewards, grades) or (…, cluster); pairs are all of different grades."""
    rewards, grades, item, better, worse = [], [], [], [], []
    for number, row in enumerate(rows):
        start = len(rewards)
        rewards += row[2]
        grades += row[3]
        item += [number] * len(row[2])
        for i, high in enumerate(row[3]):
            for j, low in enumerate(row[3]):
                if high > low:
                    better.append(start + i)
                    worse.append(start + j)
    return BenchmarkItems(
        reward=np.array(rewards, dtype=np.float64),
        item=np.array(item),
        grade=np.array(grades, dtype=np.float64) if graded else np.full(len(grades), np.nan),
        better=np.array(better, dtype=np.int64),
        worse=np.array(worse, dtype=np.int64),
        subset=np.array([row[0] for row in rows], dtype=str),
        part=np.array([row[1] for row in rows], dtype=str),
        cluster=np.array([row[4] if len(row) > 4 else number for number, row in enumerate(rows)]),
    )


def pair(subset, margin, part=""):
    return (subset, part, [float(margin), 0.0], [1, 0])


def sections_of(scores):
    return {part.name: value_of(part) for part in scores.overall.parts if part.used.any()}


def groups_of(scores):
    return {part.name: value_of(part) for part in scores.groups}


def test_subsets_of_rewardbench_are_weighted_by_the_published_counts():
    # Chat: alpacaeval-easy 1 of 1, mt-bench-easy 1 of 2 → (100·1 + 28·½) / 128; Reasoning: math 0, cpp 1 → 164 / (984 + 164)
    items = made(
        pair("alpacaeval-easy", 1), pair("mt-bench-easy", 1), pair("mt-bench-easy", -1),
        pair("math-prm", -1), pair("hep-cpp", 2),
    )  # fmt: skip
    found = sections_of(rewardbench(items))
    assert found["Chat"] == pytest.approx(114 / 128)
    assert found["Reasoning"] == pytest.approx(164 / 1148)
    assert value_of(rewardbench(items).overall) == pytest.approx((114 / 128 + 164 / 1148) / 2)
    assert "donotanswer" in rewardbench(items).missing
    assert rewardbench(items).also == ()


def test_a_tie_is_wrong_on_rewardbench():
    assert value_of(rewardbench(made(pair("donotanswer", 0), pair("donotanswer", 1))).overall) == 0.5


def test_prior_sets_count_half_a_section_and_both_numbers_are_given():
    # four sections at 1, prior sets at mean(0, 1) = ½ → (4·1 + ½·½) / 4.5
    rows = [pair(name, 1) for names in SECTIONS.values() for name in names]
    scores = rewardbench(made(*rows, pair("shp", -1), pair("summarize", 1)))
    assert value_of(scores.overall) == pytest.approx(4.25 / 4.5)
    assert value_of(scores.also[0].node) == pytest.approx(1.0)
    assert set(scores.missing) == {"anthropic_helpful", "anthropic_hhh"}


def test_the_counts_sum_to_the_published_sizes():
    # 2,985 pairs, math-prm with 984 in place of its 447; each language one pair fewer than the paper's 2,870
    assert sum(ENGLISH) - 984 + 447 == 2985
    assert sum(MULTILINGUAL) - 983 + 447 == 2869


def test_m_rewardbench_is_the_mean_over_languages():
    items = made(pair("donotanswer", 1, "zho_Hans"), pair("donotanswer", -1, "deu_Latn"), pair("hep-go", 1, "deu_Latn"))
    assert sections_of(m_rewardbench(items)) == {"deu_Latn": 0.5, "zho_Hans": 1.0}
    assert value_of(m_rewardbench(items).overall) == 0.75


@pytest.mark.parametrize(
    ("rewards", "credit"),
    [([2, 1, 1, 0], 1.0), ([1, 1, 0, 0], 0.5), ([3, 3, 3, 3], 0.25), ([0, 1, 0, 0], 0.0), ([1, 1, 1, 2], 0.0)],
)
def test_a_correct_response_that_shares_the_maximum_with_others_earns_its_part(rewards, credit):
    items = made(("Math", "", rewards, [1, 0, 0, 0]))
    assert best_of(items)[0] == credit
    assert sections_of(rewardbench_2(items))["Math"] == credit


TIED = ("Ties", "tied", [5.0, 4.0, 1.0, 0.0], [1, 1, 0, 0], 7)
REFERENCE = ("Ties", "ref", [3.0, 0.0], [1, 0], 7)


def test_the_score_of_ties_adds_up_as_published():
    # tied: worst correct 4 - best wrong 1 = gap 3, spread 1; ref: gap 3; least gap 3 > 1; tanh(3/1 - 1)
    assert value_of(ties(made(TIED, REFERENCE))) == pytest.approx(0.3 + 0.3 + 0.2 + 0.2 + 0.01 * math.tanh(2))


def test_ties_are_accurate_only_if_the_worst_correct_response_beats_the_best_wrong_one():
    # tied: correct 5 and 2, wrong 3: gap -1, spread 3 → not accurate; ref: gap ½ accurate; tanh(-1/3 - 1)
    items = made(("Ties", "tied", [5, 2, 3], [1, 1, 0], 1), ("Ties", "ref", [1, 0.5], [1, 0], 1))
    assert value_of(ties(items)) == pytest.approx(0.3 + 0.01 * math.tanh(-1 / 3 - 1))


def test_a_hard_gap_is_the_smaller_of_both_prompts():
    # tied gap 3 > spread 1, but the reference's gap ½ is not → no 0.20, and tanh(½ - 1)
    items = made(TIED, ("Ties", "ref", [0.5, 0.0], [1, 0], 7))
    assert value_of(ties(items)) == pytest.approx(0.3 + 0.3 + 0.2 + 0.01 * math.tanh(-0.5))


def test_zero_by_zero_counts_as_zero_and_a_constant_model_gets_nothing():
    assert value_of(ties(made(TIED, REFERENCE).with_rewards(np.zeros(6)))) == 0.0


def test_rewardbench_2_is_the_mean_of_its_subsets():
    rows = [(name, "", [1, 0, 0, 0], [1, 0, 0, 0]) for name in ("Factuality", "Precise IF", "Math", "Safety", "Focus")]
    scores = rewardbench_2(made(*rows, TIED, REFERENCE))
    assert value_of(scores.overall) == pytest.approx((5 + 1 + 0.01 * math.tanh(2)) / 6)
    assert scores.missing == ()
    low, high = combined(scores.overall, np.arange(7)).bounds
    assert high == pytest.approx(6.01 / 6)
    assert low == pytest.approx(-0.01 / 6)


def test_rm_bench_compares_three_styles_with_three():
    # chosen (1, 2, 3), rejected (1.5, 1.5, 1.5): rows of the matrix: 0 0 0 / 1 1 1 / 1 1 1
    # hard: cells (0,1) (0,2) (1,2) → 1/3; normal: (0,0) (1,1) (2,2) → 2/3; easy: (1,0) (2,0) (2,1) → 1
    items = made(("chat", "", [1, 2, 3, 1.5, 1.5, 1.5], [1, 1, 1, 0, 0, 0]))
    scores = rm_bench(items)
    assert groups_of(scores) == {"hard": pytest.approx(1 / 3), "normal": pytest.approx(2 / 3), "easy": 1.0}
    assert value_of(scores.overall) == pytest.approx(2 / 3)
    assert scores.missing == ("math", "code", "safety")


def test_rm_bench_pools_both_halves_of_safety_and_averages_domains():
    right, wrong = [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]
    rows = [(name, "", rewards, [1, 1, 1, 0, 0, 0]) for name, rewards in (
        ("safety", right), ("safety", wrong), ("safety", wrong), ("safety", wrong), ("math", right))]  # fmt: skip
    scores = rm_bench(made(*rows))
    assert sections_of(scores) == {"math": 1.0, "safety": 0.25}
    assert value_of(scores.overall) == pytest.approx(0.625)


def test_equal_rewards_are_wrong_on_rm_bench():
    assert value_of(rm_bench(made(("code", "", [0] * 6, [1, 1, 1, 0, 0, 0]))).overall) == 0.0


def test_two_orders_right_and_tie_is_right_and_right_and_wrong_is_not():
    first = np.array([1.0, 1.0, 1.0, 0.0, -1.0])
    second = np.array([1.0, 0.0, -1.0, 0.0, 0.0])
    assert two_orders(first, second).tolist() == [1, 1, 0, 0, 0]


def test_judgebench_takes_one_margin_and_a_tie_is_wrong():
    items = made(pair("Math", 1, "m"), pair("Math", 0, "m"), pair("Coding", -1, "n"), pair("Coding", 3, "n"))
    scores = judgebench(items)
    assert value_of(scores.overall) == 0.5
    assert groups_of(scores)["Coding"] == 0.5
    assert groups_of(scores)["m"] == 0.5
    assert scores.missing == ("Knowledge", "Reasoning")


def test_rmb_asks_the_best_response_to_beat_every_other():
    items = made(
        ("Helpfulness", "BoN_set", [3, 2, 1], [1, 0, 0]),
        ("Helpfulness", "BoN_set", [3, 1, 3], [1, 0, 0]),
        ("Harmlessness", "Pairwise_set", [1, 0], [1, 0]),
    )
    found = sections_of(rmb(items))
    assert found == {"Helpfulness best of N": 0.5, "Harmlessness pairwise": 1.0}
    assert value_of(rmb(items).overall) == 0.75
    assert rmb(items).missing == ("Helpfulness pairwise", "Harmlessness best of N")


def test_llmbar_averages_its_five_subsets():
    items = made(pair("Natural", 1), pair("Natural", 1), pair("Manual", -1), pair("GPTOut", 1), pair("GPTOut", 0))
    scores = pairs.llmbar(items)
    # A tie is right in one of the two orders in which the authors' script shows the outputs.
    assert value_of(scores.overall) == pytest.approx((1 + 0 + 0.75) / 3)
    assert groups_of(scores) == {"Adversarial": 0.375}


def test_hhh_pools_its_items():
    items = made(pair("honest", 1), pair("honest", 1), pair("helpful", -1))
    assert value_of(pairs.hhh(items).overall) == pytest.approx(2 / 3)
    assert groups_of(pairs.hhh(items))["honest"] == 1.0


def test_hhh_gives_the_mean_of_its_subsets_beside_the_pooled_accuracy():
    items = made(*(pair(name, 1) for name in pairs.HHH), *[pair("honest", -1)] * 3)
    scores = pairs.hhh(items)
    assert value_of(scores.overall) == pytest.approx(4 / 7)
    assert value_of(scores.also[0].node) == pytest.approx((1 + 1 + 1 + 1 / 4) / 4)


def test_a_custom_file_is_scored_by_category_and_by_attribute():
    items = made(
        pair("a", 1, "overall"), pair("b", 0, "overall"), pair("a", -1, "safer"), pair("b", -1, "safer"),
    )  # fmt: skip
    scores = pairs.by_category(items)
    assert value_of(scores.overall) == 0.5
    assert groups_of(scores) == {"a": 1.0, "b": 0.0, "overall": 0.5, "safer": 0.0}
    assert value_of(scores.also[0].node) == 0.75


def test_ppe_averages_preference_and_the_domains_of_correctness():
    # math: 3 pairs of which 2 right; gpqa: 1 of 1 → correctness 5/6; preference 0 → 5/12
    items = made(
        ("human preference", "", [0, 1], [1, 0]),
        ("math", "", [2, 1, 1.5, 3], [1, 0, 0, 0]),
        ("gpqa", "", [2, 1], [1, 0]),
    )
    scores = ppe(items)
    assert sections_of(scores) == {"human preference": 0.0, "correctness": pytest.approx(5 / 6)}
    assert value_of(scores.overall) == pytest.approx(5 / 12)
    assert groups_of(scores)["best of K"] == 0.5  # math picks the wrong one, gpqa the right one


def test_tau_b_of_a_preference_graph_counts_equal_rewards_as_ties():
    # 3 pairs: 1 right, 0 wrong, 2 equal: 1 / sqrt(1 · 3)
    items = made(("Single_Turn", "", [1, 1, 0], [3, 2, 1]))
    assert kendall_tau_b(items)[0] == pytest.approx((2 - 0) / math.sqrt(2 * 3))
    constant = items.with_rewards(np.zeros(3))
    assert kendall_tau_b(constant)[0] == 0.0


def test_tau_b_agrees_with_scipy_where_the_truth_has_no_ties():
    rng = np.random.default_rng(0)
    for _ in range(20):
        size = int(rng.integers(3, 8))
        rewards = rng.integers(0, 4, size).astype(float)
        items = made(("Single_Turn", "", rewards.tolist(), rng.permutation(size).tolist()))
        expected = kendalltau(items.grade, rewards).statistic
        assert kendall_tau_b(items)[0] == pytest.approx(0.0 if math.isnan(expected) else expected)


def test_if_rewardbench_averages_items_and_then_types():
    # Single_Turn: τ 1 and -1 → 0; System_Prompt: τ 1 → mean ½; accuracy (1 + 0)/2 and 1 → ¾
    items = made(
        ("Single_Turn", "", [2, 1, 0], [3, 2, 1]),
        ("Single_Turn", "", [0, 1], [2, 1]),
        ("System_Prompt", "", [1, 0], [2, 1]),
    )
    scores = if_rewardbench(items)
    assert value_of(scores.overall) == 0.5
    assert groups_of(scores) == {"accuracy": 0.75}
    assert scores.missing == ("Multi_Turn",)
    assert combined(scores.overall, items.cluster).bounds == (-1.0, 1.0)


def test_a_constant_model_gets_the_published_exact_match_and_not_the_strict_one():
    items = made(
        ("math", "human", [1, 1, 1], [3, 2, 1]), ("chat", "human", [1, 1], [2, 1]), ("chat", "open", [1, 1], [2, 1]),
    )  # fmt: skip
    scores = cheemsbench(items)
    assert value_of(scores.overall) == 0.5  # accuracy 0, exact match 1
    assert value_of(scores.also[0].node) == 0.0
    assert "constant" in scores.also[0].why


def test_cheemsbench_averages_categories_in_each_file_and_then_the_files():
    # human: math 3 pairs, 2 right, no exact match; chat 1 of 1, exact → accuracy (2/3 + 1)/2, exact ½
    # open: 0 and 0 → overall ½ · ((5/6 + ½)/2)
    items = made(
        ("math", "human", [3, 1, 2], [3, 2, 1]), ("chat", "human", [2, 1], [2, 1]), ("chat", "open", [1, 2], [2, 1]),
    )  # fmt: skip
    assert value_of(cheemsbench(items).overall) == pytest.approx((5 / 6 + 0.5) / 4)
    assert cheemsbench(items).missing == ()


@pytest.mark.parametrize(
    ("rewards", "credit"),
    [
        ([3, 2, 1], 1.0),
        ([1, 2, 3], 1 / 3),  # the middle one is in its place
        ([2, 3, 1], 1 / 3),
        ([1, 1, 1], 1 / 3),  # each has one chance in three
        ([2, 2, 1], 2 / 3),  # two halves and one
        ([1, 2, 2], (0 + 1 / 2 + 0) / 3),  # 3rd or never; 1st or 2nd; 1st or 2nd
    ],
)
def test_long_rewardbench_counts_the_exact_ranks(rewards, credit):
    assert exact_ranks(made(("Cite", "BestOfN", rewards, [0, -1, -2])))[0] == pytest.approx(credit)


def test_exact_ranks_are_what_a_random_order_of_equal_rewards_gives_on_average():
    rng = np.random.default_rng(1)
    rewards, grades = [1.0, 1.0, 2.0, 1.0], [0, -1, -2, -3]
    expected = exact_ranks(made(("Cite", "BestOfN", rewards, grades)))[0]
    drawn = []
    for _ in range(4000):
        order = rng.permutation(4)  # the published shuffle, then a stable sort
        ranks = order[np.argsort(-np.array(rewards)[order], kind="stable")]
        drawn.append(np.mean(ranks == np.arange(4)))
    assert np.mean(drawn) == pytest.approx(expected, abs=0.02)


def test_long_rewardbench_pools_all_items():
    items = made(("Cite", "PairWise", [1, 0], [0, -1]), ("Code", "PairWise", [0, 1], [0, -1]),
                 ("Code", "BestOfN", [1, 1], [0, -1]))  # fmt: skip
    scores = long_rewardbench(items)
    assert value_of(scores.overall) == pytest.approx((1 + 0 + 0.5) / 3)
    assert groups_of(scores) == {"PairWise": 0.5, "BestOfN": 0.5, "Cite": 1.0, "Code": 0.0}
    assert value_of(scores.also[0].node) == pytest.approx(1 / 3)


def test_the_interval_of_a_mean_of_sections_is_that_of_sections_and_not_of_a_pool():
    """One section of 30 and one of 3,000 pairs: the small one decides the width, se ≈ ½ · sqrt(¼ / 30) = 0.046."""
    rng = np.random.default_rng(2)
    sizes = {"small": 30, "large": 3000}
    right = rng.integers(0, 2, sum(sizes.values())).astype(float)
    where = np.repeat(list(sizes), list(sizes.values()))
    parts = [Mean(name, right, (where == name) * 1.0) for name in sizes]
    found = {each.name: each for each in measured(Average("overall", parts), np.arange(len(right)))}
    width = found[""].interval.high - found[""].interval.low
    assert width == pytest.approx(2 * 1.96 * 0.046, rel=0.2)
    assert found["large"].interval.clusters == 3000
    assert found["small"].interval.clusters == 30


def test_items_that_share_a_prompt_are_one_cluster():
    """100 copies of each of 40 prompts carry the information of 40."""
    right = np.repeat(np.random.default_rng(3).integers(0, 2, 40).astype(float), 100)
    alone = next(measured(Mean("all", right[::100], np.ones(40)), np.arange(40)))
    copied = next(measured(Mean("all", right, np.ones(4000)), np.repeat(np.arange(40), 100)))
    assert (copied.interval.low, copied.interval.high) == (alone.interval.low, alone.interval.high)


def test_rewards_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match="not finite"):
        made(pair("a", float("nan")))


def test_a_place_on_the_leaderboard_follows_from_the_interval():
    scores = [0.9, 0.8, 0.7, 0.6]
    place = place_of(0.65, 0.85, scores)
    assert (place.best, place.worst, place.of) == (2, 4, 5)
    assert place.in_words() == "rank 2 to 4 of 5"
    assert place_of(0.95, 0.99, scores).in_words() == "rank 1 of 5"


def test_published_scores_have_sources_and_are_shares():
    for benchmark in ("rewardbench", "rewardbench-2", "rm-bench", "judgebench", "rmb", "ppe"):
        for column in columns_of(benchmark).values():
            rows = published(column)
            assert len(rows) >= 10
            assert all(0 < row.score < 1 and row.source and row.url for row in rows)
            assert all(one.score >= two.score for one, two in pairwise(rows))


def test_the_leaderboard_has_the_corrected_scores():
    by_model = {row.model: row.score for row in published("rewardbench")}
    assert by_model["ArmoRM-Llama3-8B-v0.1"] == pytest.approx(0.904)
    assert by_model["Internlm2-20b-reward"] == pytest.approx(0.902)
