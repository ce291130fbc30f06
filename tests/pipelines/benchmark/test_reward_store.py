"""A text has one reward for a run and for the run after it, whatever batch it stood in."""

import sqlite3

import numpy as np
import pytest

from rewardsmith.model import scorer
from rewardsmith.model.scorer import Sequences
from rewardsmith.pipelines.benchmark.reward_store import RewardStore, scored_window


def texts(*numbers):
    return Sequences("prompt", tuple(np.array([1, number], dtype=np.int32) for number in numbers))


class Model:
    network = None


@pytest.fixture
def rounding(monkeypatch):
    """Rewards that differ in the last place from pass to pass, as those of other batches do."""
    passes = []

    def score(network, records):
        passes.append(len(records))
        return [np.array([ids[1] + 1e-7 * len(passes) for ids in record.ids]) for record in records]

    monkeypatch.setattr(scorer, "score", score)
    return passes


def test_a_text_of_two_records_has_the_reward_that_is_kept(rounding):
    store = RewardStore("ab", sqlite3.connect(":memory:"))
    asked = [[texts(1, 2)], [texts(2, 3), texts(3, 4)]]
    first = [scored_window(Model, window, store)[1] for window in asked]
    again = [scored_window(Model, window, store) for window in asked]
    assert [known for known, _ in again] == [1, 2]
    assert rounding == [1, 2, 0, 0]
    assert [values.tolist() for window in first for values in window] == [
        values.tolist() for _, window in again for values in window
    ]
    assert first[1][0][0] == first[0][0][1]


def test_without_a_file_the_computed_rewards_are_given(rounding):
    store = RewardStore("ab", None)
    known, (values,) = scored_window(Model, [texts(1, 2)], store)
    assert known == 0
    assert values == pytest.approx([1, 2], abs=1e-6)
