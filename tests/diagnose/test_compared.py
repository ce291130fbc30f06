import math

import numpy as np
import pytest

from rewardsmith.diagnose.compared import WORST_KEPT, gather
from rewardsmith.errors import DataError


def row(margin, *, preference=1.0, **more):
    return {"preference": preference, "margin": margin, "reward_i": margin, "reward_j": 0.0, **more}


def test_errors_are_kept_worst_first_and_label_ties_are_none():
    compared = gather([("f:1", row(-1)), ("f:2", row(2)), ("f:3", row(-3)), ("f:4", row(-9, preference=0.5))])
    assert [m.margin for m in compared.worst] == [-3, -1]
    assert [m.place for m in compared.worst] == ["f:3", "f:1"]
    assert compared.errors == 2


def test_only_the_worst_texts_are_kept_but_every_error_is_counted():
    margins = np.random.default_rng(0).permutation(3 * WORST_KEPT) + 1.0
    compared = gather((f"f:{n}", row(-float(m), text_i=str(m))) for n, m in enumerate(margins))
    expected = sorted(-margins)[:WORST_KEPT]
    assert [m.margin for m in compared.worst] == expected
    assert compared.errors == 3 * WORST_KEPT
    assert compared.margin.tolist() == (-margins).tolist()


def test_a_missing_margin_is_the_difference_of_the_rewards():
    compared = gather([("f:1", {"reward_i": 1.5, "reward_j": 2.0})])
    assert compared.margin.tolist() == [-0.5]


def test_a_comparison_without_reward_is_counted_and_left_out_of_the_accuracy():
    compared = gather([("f:1", row(None) | {"reward_i": None}), ("f:2", row(1.0)), ("f:3", row(0.0))])
    assert compared.unscored == 1
    assert compared.accuracy(compared.decided) == 0.75


def test_the_accuracy_of_nothing_is_not_a_number():
    compared = gather([])
    assert math.isnan(compared.accuracy(compared.decided))


def test_messages_become_text():
    compared = gather([("f:1", row(-1, prompt=[{"role": "user", "content": "你好"}], source="a.jsonl", line=7))])
    assert compared.worst[0].prompt == "user: 你好"
    assert compared.worst[0].place == "a.jsonl:7"


def test_a_margin_that_is_a_text_is_refused():
    with pytest.raises(DataError, match="f:1: margin is 'high'; expected a number"):
        gather([("f:1", {"margin": "high"})])


def test_weights_decide_the_accuracy_and_0_takes_a_comparison_out():
    unscored = row(None, weight=0) | {"reward_i": None}
    compared = gather([("f:1", row(1, weight=3)), ("f:2", row(-1)), ("f:3", row(-5, weight=0)), ("f:4", unscored)])
    assert compared.accuracy(compared.decided) == 0.75
    assert (compared.errors, [m.margin for m in compared.worst]) == (1, [-1])
    assert compared.unscored == 0


def test_a_weight_that_is_no_number_from_0_on_is_refused():
    with pytest.raises(DataError, match="f:1: weight is -1"):
        gather([("f:1", row(1, weight=-1))])


def test_comparisons_of_one_prompt_are_one_cluster():
    rows = [("f", row(1 if prompt % 2 else -1, prompt_id=str(prompt))) for prompt in range(40) for _ in range(10)]
    together, alone = gather(rows), gather((f"f:{n}", {**r, "prompt_id": None}) for n, (_, r) in enumerate(rows))
    wide, narrow = (one.interval(one.decided) for one in (together, alone))
    # One half of 40 prompts: 1.96 * sqrt(1/4 / 40) = 0.155; of 400 comparisons 0.049.
    assert wide.half_width == pytest.approx(0.155, abs=0.02)
    assert narrow.half_width == pytest.approx(0.049, abs=0.01)


def test_the_interval_of_a_gap_between_groups_covers_it_where_prompts_weigh_unequally():
    """100 draws of 60 prompts: 80 % right where the longer one is preferred, 60 % where the shorter one is."""
    rng, covered = np.random.default_rng(1), 0
    for _ in range(100):
        rows = []
        for prompt in range(60):
            weight, shift = float(rng.choice([0.3, 1.0, 2.0])), rng.uniform(-0.2, 0.2)
            for longer, share in ((True, 0.8), (False, 0.6)):
                lengths = {"length_i": 9 if longer else 1, "length_j": 5}
                margin = 1 if rng.random() < share + shift else -1
                rows.append(("f", row(margin, prompt_id=str(prompt), weight=weight, **lengths)))
        compared = gather(rows)
        longer = compared.decided & (compared.length_difference > 0)
        covered += 0.2 in compared.difference(longer, compared.decided & ~longer)
    assert covered >= 88  # 95 are expected, with a standard deviation of 2.2
