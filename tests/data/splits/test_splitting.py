import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.data.splits.splitter import Splitter, group_of, hold_out, position
from rewardsmith.errors import DataError, UsageError
from rewardsmith.records import Message, Record, Response


def assign(record, **rule):
    return Splitter(**rule).side(record)


def record(*turns, answer="a", **fields):
    roles = ("user", "assistant")
    prompt = tuple(Message(roles[at % 2], text) for at, text in enumerate(turns))
    return Record(prompt, (Response((Message("assistant", answer),)),), fields=fields, source="f", line=3)


def test_the_position_is_the_head_of_a_sha256():
    head = hashlib.sha256(b"7:topic").hexdigest()[:16]
    assert position("topic", 7) == pytest.approx(int(head, 16) / 2**64, abs=1e-15)


@given(st.text(min_size=1, max_size=20), st.integers(0, 99))
def test_dialogues_that_grow_from_one_opening_stay_together(opening, seed):
    if not opening.strip():
        return
    side = assign(record(opening), seed=seed)
    assert assign(record(opening, "x", "more"), seed=seed) == side
    assert assign(record(f"  {opening}\n ", answer="other"), seed=seed) == side


def test_case_and_spacing_do_not_make_a_new_group():
    assert group_of(record("Hello  World")) == group_of(record(" hello\nworld"))
    assert group_of(record("Hello")) != group_of(record("Hallo"))
    with_system = Record((Message("system", "s"), Message("user", "Hello")), record("x").responses)
    assert group_of(with_system) != group_of(record("Hello"))


def test_rows_without_a_prompt_are_not_all_on_one_side():
    sides = Counter(assign(record(answer=str(n))) for n in range(1000))
    assert len(sides) == 3


def test_shares_are_near_the_fractions():
    sides = Counter(assign(record(f"prompt {n}"), fractions=(0.5, 0.25, 0.25)) for n in range(4000))
    # five standard deviations of a binomial
    assert abs(sides["train"] - 2000) < 160
    assert abs(sides["test"] - 1000) < 140


def test_a_fraction_of_zero_leaves_a_split_out():
    assert {assign(record(str(n)), fractions=(0.9, 0.1, 0.0)) for n in range(500)} == {"train", "validation"}


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.2), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)])
def test_fractions_that_are_no_split_are_refused(fractions):
    with pytest.raises(UsageError, match="sum to 1"):
        assign(record("x"), fractions=fractions)


def test_a_field_keeps_rows_together_and_has_to_be_there():
    assert len({assign(record(str(n), topic="t"), by="topic") for n in range(50)}) == 1
    with pytest.raises(DataError, match=r"f:3 has no field 'topic' .* its fields: x"):
        assign(record("p", x=1), by="topic")


def test_held_out_groups_are_those_whose_hash_sorts_last():
    names = [f"topic {n}" for n in range(16)]
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    held = hold_out(names * 3, 4, fractions=(0.8, 0.1, 0.1))
    assert held.test == frozenset(ordered[-4:])
    # 12 are left: a ninth of them, rounded, is validation
    assert held.validation == frozenset(ordered[-5:-4])
    assert hold_out(names, 4, fractions=(0.5, 0.4, 0.1)).validation == frozenset(ordered[-9:-4])
    assert hold_out(names, 4, fractions=(0.9, 0.0, 0.1)).validation == frozenset()


def test_something_is_left_to_train_on_beside_held_out_groups():
    names = ["a", "b", "c", "d"]
    for n in (0, 3, 4):
        with pytest.raises(
            DataError, match=r"cannot hold out \d of 4 groups in addition to 1 for validation; expected 1 to 2"
        ):
            hold_out(names, n, fractions=(0.8, 0.1, 0.1))
    assert hold_out(names, 3, fractions=(0.9, 0.0, 0.1)).test < frozenset(names)


def test_a_record_of_a_held_out_group_goes_where_its_group_goes():
    splitter = Splitter(by="topic", held_out=hold_out("abcdef", 2, fractions=(0.8, 0.1, 0.1)))
    sides = {group: {splitter.side(record(str(n), topic=group)) for n in range(9)} for group in "abcdef"}
    assert sorted(side for found in sides.values() for side in found) == ["test"] * 2 + ["train"] * 3 + ["validation"]


def test_an_empty_split_has_a_reason():
    reason = Splitter().why_empty({"train": 3, "test": 1}, lambda: 4)
    assert reason.startswith("the validation split is empty (train 3, validation 0, test 1")
    assert "too few distinct prompts" in reason
    assert Splitter(fractions=(0.9, 0.0, 0.1)).why_empty({"train": 3, "validation": 0, "test": 1}, lambda: 4) is None


def test_the_part_of_an_earlier_split_is_not_called_too_few_prompts():
    parts = [record(f"question {k}") for k in range(500)]
    train = [each for each in parts if Splitter().side(each) == "train"]
    sizes = Counter(Splitter().side(each) for each in train)
    assert set(sizes) == {"train"}
    assert "lie in other parts of a split with this seed" in Splitter().why_empty(sizes, lambda: len(train))
    assert (
        Splitter(seed=1).why_empty(Counter(Splitter(seed=1).side(each) for each in train), lambda: len(train)) is None
    )
    # Few groups may all fall on one side by chance, and groups held out by name have no shares.
    assert "too few" in Splitter().why_empty({"train": 40}, lambda: 40)
    held = hold_out([str(k) for k in range(300)], 1, fractions=(0.8, 0.1, 0.1))
    assert "too few" in Splitter(by="topic", held_out=held).why_empty({"train": 300}, lambda: 300)
