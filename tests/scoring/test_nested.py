"""The tokens of a solution by steps."""

import numpy as np
import pytest

from builders import tiny
from rewardsmith.data.formats.steps import by_steps
from rewardsmith.errors import ContractError
from rewardsmith.records import Message
from rewardsmith.scoring.trees import build_tree

QUESTION = (Message("user", "3 + 4 + 5?"),)


def encoded(*steps, model=None):
    return (model or tiny()).encoder.encode(by_steps(QUESTION, steps, [None] * len(steps)))


def test_each_step_begins_the_next_and_no_later_step_changes_it():
    model = tiny()
    three, two = encoded("3 + 4 = 7", "7 + 5 = 12", "12", model=model), encoded("3 + 4 = 7", "7 + 5 = 12", model=model)
    for before, after in zip(three.sequences, three.sequences[1:], strict=False):
        np.testing.assert_array_equal(after[: len(before)], before)
        assert len(after) > len(before)
    for a, b in zip(two.sequences, three.sequences, strict=False):
        np.testing.assert_array_equal(a, b)
    opening = model.encoder.opening(QUESTION)
    np.testing.assert_array_equal(three.sequences[0][: len(opening)], opening)
    assert model.tokenizer.decode(three.sequences[-1][len(opening) :]) == "3 + 4 = 7\n\n7 + 5 = 12\n\n12"


def test_a_solution_that_is_too_long_is_refused_whole():
    with pytest.raises(ContractError, match=r"more than max_length 256"):
        encoded("a" * 100, "b" * 200)


def test_a_step_cannot_write_a_control_token():
    model = tiny()
    mark = model.tokenizer.eos_token
    found = encoded("a", f"b {mark} c", model=model)
    assert model.tokenizer.eos_token_id not in found.sequences[-1][len(model.encoder.opening(QUESTION)) :]
    assert found.forged == 1


def test_the_tree_of_a_solution_is_its_longest_sequence():
    ids = [np.arange(1, 1 + n, dtype=np.int32) for n in (2, 5, 6)]
    tree = build_tree(ids, nested=True)
    assert (tree.tokens, tree.depth, tree.count) == (6, 6, 3)
    for made, given in zip(tree.sequences, ids, strict=True):
        np.testing.assert_array_equal(made, given)
    assert build_tree(ids, share=False, nested=True).tokens == 13
