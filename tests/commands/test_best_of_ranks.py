"""Best-of-N and Kendall's tau where rows have ranks, or lists of chosen and rejected responses, and no ratings."""

import numpy as np
import pytest

from rewardsmith.data.loading.load import load
from rewardsmith.pipelines.evaluate.ranked_responses import rankings_of, wins_of

LISTED = {"prompt": "p", "responses": ["a", "b", "c", "d"]}


def quality(row):
    """The quality of each response by its text; empty where the row gives none."""
    (record,) = load([row]).records
    values = wins_of(record)
    return {answer.text: value for answer, value in zip(record.responses, values, strict=True)} if values else {}


def test_ranks_and_lists_order_the_responses():
    assert quality(LISTED | {"ranks": [2, 1, 4, 3]}) == {"a": 2, "b": 3, "c": 0, "d": 1}
    assert quality(LISTED | {"ranks": [1, 2, 2, 4]}) == {"a": 3, "b": 1.5, "c": 1.5, "d": 0}
    assert quality(LISTED | {"ranks": [2, 1, None, 3]}) == {"a": 1, "b": 2, "c": None, "d": 0}
    assert quality({"prompt": "p", "chosen": ["x", "y"], "rejected": ["z"]}) == {"x": 1, "y": 1, "z": 0}
    assert quality(LISTED | {"chosen": "c"}) == {"a": 0, "b": 0, "c": 3, "d": 0}
    assert quality(LISTED | {"pairs": [[0, 1], [1, 2]]}) == {}  # one win each says nothing of 0 and 1
    assert quality(LISTED) == dict.fromkeys("abcd")


@pytest.mark.parametrize("row", [LISTED | {"ranking": [1, 0, 3, 2]}, LISTED | {"ratings": [2, 3, 0, 1]}])
def test_they_are_ranked_as_ratings_are(row):
    (record,) = load([row]).records
    found = rankings_of([record], [np.array([0.0, 9.0, 1.0, 2.0])])
    assert found.quality.tolist() == [2, 3, 0, 1]
    assert found.reward.tolist() == [0, 9, 1, 2]
