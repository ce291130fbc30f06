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
