"""Readings → rewards: by hand, against other formulas, and invariant under what must not matter."""

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from rewardsmith.judge.counts import JudgeCounts
from rewardsmith.judge.definition import judge_of
from rewardsmith.judge.margins import consistent, joined, rewards_of_margins
from rewardsmith.judge.questions import questions_of
from rewardsmith.judge.readings import QuestionVerdicts, pair_margins, score_of
from rewardsmith.judge.verdicts import verdict_of
from rewardsmith.records import Message, Record, Response


def record(count=2, prompt="What is 2+2?"):
    return Record(
        (Message("user", prompt),), tuple(Response((Message("assistant", f"It is {k}."),)) for k in range(count))
    )


def judge(kind="pointwise", **value):
    return judge_of({"kind": kind, "model": "m", **value}, "j.yaml")


def verdict(definition, count, read):
    """The verdict where `read` gives the QuestionVerdicts of each question."""
    asked = questions_of(definition, record(count))
    return verdict_of(definition, [(each, read(each)) for each in asked], count)


def test_the_expected_score_and_its_spread_by_hand():
    values, weights = np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.1])
    mean, spread = score_of(values, weights, median=False)
    assert mean == pytest.approx(1 * 0.25 + 2 * 0.5 + 3 * 0.25)
    assert spread == pytest.approx(math.sqrt(0.5))
    assert score_of(values, 7 * weights, median=False) == pytest.approx((mean, spread))


@pytest.mark.parametrize("votes", [[3], [1, 9], [7, 1, 2], [5, 5, 1, 9], [2, 8, 8, 3, 1]])
def test_the_median_of_votes_is_that_of_numpy(votes):
    found, _ = score_of(np.array(votes, dtype=float), np.ones(len(votes)), median=True)
    assert found == np.median(votes)


def test_probabilities_of_the_best_give_the_log_odds_of_luce():
    reading = QuestionVerdicts("ABC", [0.2, 0.1, 0.4])
    margins = pair_margins(reading, "ABC", probabilities=True)
    assert margins == pytest.approx({(0, 1): math.log(2), (0, 2): -math.log(2), (1, 2): -math.log(4)})


def test_votes_give_log_odds_with_half_a_vote_on_either_side():
    margins = pair_margins(QuestionVerdicts(["A", "A", "tie"], [1.0] * 3), "AB", probabilities=False)
    assert margins[0, 1] == pytest.approx(math.log((2.5 + 0.5) / (0.5 + 0.5)))
    ranks = pair_margins(QuestionVerdicts([(1, 0, 1)], [1.0]), "ABC", probabilities=False)
    assert ranks == pytest.approx({(0, 1): -math.log(3), (0, 2): 0, (1, 2): math.log(3)})


def test_rewards_fit_the_margins_in_least_squares():
    rng = np.random.default_rng(3)
    pairs = [(0, 1), (1, 2), (0, 2), (2, 3), (0, 3)]
    margins = {pair: float(rng.normal()) for pair in pairs}
    found = rewards_of_margins(margins, 4)

    def loss(r):
        return sum((r[i] - r[j] - m) ** 2 for (i, j), m in margins.items()) + r.sum() ** 2

    assert found == pytest.approx(minimize(loss, np.zeros(4), tol=1e-12).x, abs=1e-5)
    assert found.sum() == pytest.approx(0)


def test_consistent_margins_come_back_and_two_responses_get_half_each():
    truth = np.array([1.0, -2.0, 0.5, 0.5])
    margins = {(i, j): float(truth[i] - truth[j]) for i, j in itertools.combinations(range(4), 2)}
    assert rewards_of_margins(margins, 4) == pytest.approx(truth - truth.mean())
    assert rewards_of_margins({(0, 1): 3.0}, 2) == pytest.approx([1.5, -1.5])


def test_what_no_chain_of_margins_joins_has_no_reward():
    found = rewards_of_margins({(1, 2): 1.0, (2, 4): 1.0, (0, 3): 5.0}, 6)
    assert np.isnan(found[[0, 3, 5]]).all()
    assert found[[1, 2, 4]] == pytest.approx([1, 0, -1])
    assert np.isnan(rewards_of_margins({}, 2)).all()


def test_orders_are_joined_by_pair_and_one_alone_does_not_count():
    assert joined([{(0, 1): 2.0}, {(1, 0): 3.0}], 2) == {(0, 1): [2.0, -3.0]}
    assert joined([{(0, 1): 2.0}], 2) == {}
    assert [consistent(each) for each in ([1.0, 2.0], [1.0, -2.0], [0.0, 0.0], [0.0, 1.0])] == [
        True,
        False,
        True,
        False,
    ]


def test_pointwise_scores_become_rewards_and_their_spreads_a_probability():
    definition = judge(scale=[1, 3])
    masses = {0: [0.0, 0.0, 0.5], 1: [0.1, 0.1, 0.2]}
    found = verdict(definition, 2, lambda q: QuestionVerdicts(q.labels, masses[q.shown[0]]))
    assert found.rewards == pytest.approx([3.0, 2.25])
    spread = math.sqrt(0.25 * 1.25**2 + 0.25 * 0.25**2 + 0.5 * 0.75**2)
    assert found.spread == pytest.approx([0.0, spread])
    assert found.probability(0, 1) == pytest.approx(0.5 * (1 + math.erf(0.75 / spread / math.sqrt(2))))
    assert found.probability(0, 1) + found.probability(1, 0) == pytest.approx(1)
    same = verdict(definition, 2, lambda q: QuestionVerdicts(q.labels, masses[0]))
    assert same.probability(0, 1) == 0.5


def test_criteria_are_weighted_and_a_gate_stops():
    rubric = [
        {"name": "facts", "text": "its facts", "weight": 3},
        {"name": "style", "text": "its style"},
        {"name": "safe", "text": "its safety", "gate": 4},
    ]
    definition = judge(rubric=rubric, failed=-5, reading="text")
    scores = {(0, 0): 8, (1, 0): 4, (2, 0): 9, (0, 1): 10, (1, 1): 10, (2, 1): 3}
    found = verdict(definition, 2, lambda q: QuestionVerdicts([float(scores[q.criterion, q.shown[0]])], [1.0]))
    assert list(found.rewards) == [7.0, -5.0]
    assert found.criteria["safe"].tolist() == [9, 3]
    missing = verdict(
        definition,
        2,
        lambda q: QuestionVerdicts() if (q.criterion, q.shown) == (2, (0,)) else QuestionVerdicts([5.0], [1.0]),
    )
    assert np.isnan(missing.rewards[0])  # nobody knows whether the gate would have stopped it
    assert missing.rewards[1] == 5


def test_pairs_are_asked_in_both_orders_and_a_favoured_place_cancels():
    definition = judge("pairwise")
    asked = questions_of(definition, record(3))
    assert sorted(each.shown for each in asked) == sorted(itertools.permutations(range(3), 2))
    favoured = verdict(definition, 2, lambda q: QuestionVerdicts("AB", [0.8, 0.2]))
    assert favoured.rewards == pytest.approx([0, 0])
    assert favoured.facts() == {"order_consistency": 0.0}
    assert (favoured.first, favoured.decided) == (2, 2)
    # a true margin of 1 under a bias of 2 for what is shown first
    truth = np.array([0.5, -0.5])

    def biased(q):
        p = expit(truth[q.shown[0]] - truth[q.shown[1]] + 2.0)
        return QuestionVerdicts("AB", [p, 1 - p])

    found = verdict(definition, 2, biased)
    assert found.rewards == pytest.approx(truth)
    assert found.probability(0, 1) == pytest.approx(expit(1.0))


def test_the_rewards_do_not_depend_on_the_order_of_the_record():
    definition = judge("pairwise")
    strength = {"It is 0.": 0.3, "It is 1.": 2.0, "It is 2.": -1.0}
    texts = list(strength)

    def rewards_in(order):
        one = Record((Message("user", "?"),), tuple(Response((Message("assistant", texts[k]),)) for k in order))

        def read(q):
            a, b = (strength[one.responses[k].text] for k in q.shown)
            return QuestionVerdicts("AB", [expit(a - b + 0.7), expit(b - a - 0.7)])

        found = verdict_of(definition, [(q, read(q)) for q in questions_of(definition, one)], 3)
        return {texts[k]: found.rewards[at] for at, k in enumerate(order)}

    base = rewards_in((0, 1, 2))
    for order in itertools.permutations(range(3)):
        assert rewards_in(order) == pytest.approx(base)


def test_a_pair_that_one_order_leaves_open_has_no_reward():
    found = verdict(
        judge("pairwise"), 2, lambda q: QuestionVerdicts("AB", [0.9, 0.1]) if q.shown == (0, 1) else QuestionVerdicts()
    )
    assert np.isnan(found.rewards).all()
    assert math.isnan(found.probability(0, 1))


def test_lists_are_shown_in_an_order_and_its_reverse():
    definition = judge("listwise", permutations=4)
    orders = [each.shown for each in questions_of(definition, record(5))]
    assert len(set(orders)) == 4
    assert orders[1] == orders[0][::-1]
    assert orders[3] == orders[2][::-1]
    assert orders == [each.shown for each in questions_of(definition, record(5))]
    assert len(questions_of(judge("listwise", permutations=24), record(3))) == 6
    assert len(questions_of(judge("listwise", permutations=24), record(2))) == 2
    truth = np.array([0.2, 1.0, -1.0, 0.4, -0.6])

    def luce(q):
        power = np.exp(truth[list(q.shown)])
        return QuestionVerdicts(q.labels, list(power / power.sum()))

    assert verdict(definition, 5, luce).rewards == pytest.approx(truth)
    assert verdict(definition, 5, luce).facts() == {"order_consistency": 1.0}


def test_ties_alone_say_nothing_of_a_place():
    """Without a decided verdict there is no share for what is shown first, and none is told."""
    counts = JudgeCounts(pairs=2, agreeing=2)
    assert not list(counts.place_lines())
    assert not any("shown first" in line for line in counts.lines())
    counts.decided, counts.first = 4, 1
    assert any("25.0%" in line and "4" in line for line in counts.lines())
