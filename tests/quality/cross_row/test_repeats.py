import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.quality.cross_row.repeats import Repeats
from rewardsmith.quality.row.fingerprints import Places, fingerprint_of, located
from rewardsmith.records import Comparison, Message, Record, Response

FIRST = (Comparison(0, 1),)


def record(*answers, line=1, prompt="p", comparisons=FIRST, **other):
    responses = tuple(Response((Message("assistant", text),)) for text in answers)
    return Record((Message("user", prompt),), responses, comparisons, source="f", line=line, **other)


def settled(rows, refused=(), gone=()):
    places = Places()
    found = Repeats(places)
    fingerprints = [fingerprint_of(row) for row in rows]
    places.extend(located(rows))
    found.extend(b"".join(one.row for one in fingerprints))
    out = [np.isin(np.arange(len(rows)), each) for each in (refused, gone)]
    found.settle(*out)
    return found


def twins(rows, **out):
    found = settled(rows, **out)
    return [None if (one := found.duplicate(at, row)) is None else one.twin for at, row in enumerate(rows)]


def test_the_second_of_two_equal_rows_is_removed_and_names_its_twin():
    rows = [
        record("a", "b", line=1),
        record("a", "b", line=9, fields={"id": 2}),
        record("a", "b", line=10, comparisons=(Comparison(1, 0),)),
        record("a", "b", line=11, prompt="other"),
        record("a", "b", line=12, ratings={"overall": (2.0, 1.0)}),
        record("a", "b", line=13),
    ]
    assert twins(rows) == [None, "f:1", None, None, None, "f:1"]


def test_a_row_that_is_gone_or_refused_is_nobodys_twin():
    rows = [record("a", "b", line=line) for line in (1, 2, 3, 4)]
    assert twins(rows, gone=[0]) == [None, None, "f:2", "f:2"]
    assert twins(rows, refused=[0, 2]) == [None, None, None, "f:2"]
    # A row that its own checks take out counts as a repeat where it comes after one that stays.
    assert twins(rows, gone=[2]) == [None, "f:1", "f:1", "f:1"]


def test_turns_that_read_alike_are_not_the_same_row():
    one = record("a", "b")
    two = Record((Message("user", "p"), Message("assistant", "q")), one.responses, one.comparisons)
    glued = Record((Message("user", "p\x1eassistant\x1fq"),), one.responses, one.comparisons)
    assert len({fingerprint_of(each).row for each in (one, two, glued)}) == 3


@given(st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from(["ab", "ba", "cd"]), st.booleans()), max_size=12))
def test_the_arrays_agree_with_a_walk_through_the_rows(drawn):
    """The plain way, row by row: a repeat of a row that stays goes."""
    rows = [record(*pair, prompt=prompt, line=line) for line, (prompt, pair, _) in enumerate(drawn)]
    gone = [at for at, (_, _, out) in enumerate(drawn) if out]
    kept, expected = {}, []
    for at, (prompt, pair, out) in enumerate(drawn):
        expected.append(None if (prompt, pair) not in kept else f"f:{kept[prompt, pair]}")
        if not out:
            kept.setdefault((prompt, pair), at)
    assert twins(rows, gone=gone) == expected
