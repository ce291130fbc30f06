"""What is judged beside what was trained on, on rows whose relation is known by hand."""

import pytest

from near_pairs import pair
from rewardsmith.quality.cross_row.overlap import overlap_with
from rewardsmith.records import Message, Record, Response

LONG = "please tell me in simple words how the old river bridge near our town was built and who paid for it then"
OTHER = "write a short letter to the mayor about the broken lamps on the market square and ask for new ones soon"
TRAINING = [
    pair("What is the capital of France?", "It is Paris.", "It is Rome.", line=1, source="train"),
    pair(LONG, "It was built by hand.", "Nobody knows.", line=2, source="train"),
    pair("Hi", "Hello!", "Go away.", line=3, source="train"),
]


@pytest.mark.parametrize(
    ("judged", "kind", "twin", "similarity"),
    [
        (("What is the capital of France?", "It is Paris.", "It is Rome."), "same_pair", "train:1", 1.0),
        (("what is the CAPITAL of France", "it is Rome", "It is Paris!"), "same_pair", "train:1", 1.0),
        (("What is the capital of France?", "It is Paris.", "It is Bonn."), "same_prompt", "train:1", 1.0),
        ((f"{LONG} now", "Yes.", "No."), "near_prompt", "train:2", None),
        ((f"{LONG} now", "it was built by HAND", "Nobody knows!"), "near_pair", "train:2", None),
        ((f"{LONG} now", "Nobody knows.", "Somebody does."), "near_prompt", "train:2", None),  # one response is not two
        ((OTHER, "It is Paris.", "It is Rome."), "new", None, None),
        (("Hi", "Hello!", "Go away."), "same_pair", "train:3", 1.0),
        (("Hi", "Good day.", "Go away."), "new", None, None),  # a greeting that everybody uses
    ],
)
def test_the_kind_of_a_judged_row_and_the_row_that_it_is_alike(judged, kind, twin, similarity):
    found = overlap_with([pair(*judged, line=9, source="test")], TRAINING)
    assert found.kinds == (kind,)
    if twin is None:
        assert found.examples == ()
        return
    ((place, other, value),) = found.examples
    assert (place, other) == ("test:9", twin)
    assert value == similarity if similarity is not None else 0.8 <= value < 1


def test_one_response_that_was_trained_on_is_enough_where_there_is_only_one():
    alone = Record(
        (Message("user", LONG),), (Response((Message("assistant", "Nobody knows!"),)),), source="test", line=1
    )
    assert overlap_with([alone], TRAINING).kinds == ("same_pair",)


def test_responses_that_were_edited_a_little_under_a_prompt_that_was_are_the_same_comparison():
    one, two = f"{OTHER} then", f"{OTHER[::-1]} and {LONG[::-1]}"
    training = [pair(LONG, one, two, line=1, source="train"), pair(OTHER, "An answer of four words", two, line=2)]
    judged = [pair(f"{LONG} now", f"{one} again", f"{two} again"), pair(f"{LONG} now", "An answer of four words", two)]
    # The second has only one response of the twin; the other one was given to another prompt.
    assert overlap_with(judged, training).kinds == ("near_pair", "near_prompt")


def test_kinds_keep_the_order_of_the_rows_and_examples_are_few():
    rows = [pair(OTHER, "a", "b"), pair(f"{LONG} now", "a", "b"), pair(LONG, "a", "b")]
    found = overlap_with(rows * 3, TRAINING, shown=2)
    assert found.kinds == ("new", "near_prompt", "same_prompt") * 3
    assert [other for _, other, _ in found.examples] == ["train:2", "train:2"]


def test_nothing_beside_nothing():
    assert overlap_with([], TRAINING).kinds == ()
    assert overlap_with([pair(LONG, "a", "b")], []).kinds == ("new",)
