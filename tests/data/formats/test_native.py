import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.data.formats.native import from_row, to_row
from rewardsmith.data.input.rows import RowError
from rewardsmith.data.loading.load import load
from rewardsmith.records import ROLES, Comparison, Message, Record, Response

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False)
messages = st.lists(st.builds(Message, st.sampled_from(ROLES), texts), max_size=3).map(tuple)


@st.composite
def records(draw):
    count = draw(st.integers(1, 4))
    indices = st.integers(0, count - 1)
    pairs = st.tuples(indices, indices).filter(lambda pair: pair[0] != pair[1])
    comparisons = [] if count == 1 else draw(st.lists(pairs, max_size=3))
    rating = st.tuples(*[st.none() | numbers] * count)
    return Record(
        prompt=draw(messages),
        responses=tuple(Response(draw(messages), draw(st.none() | texts)) for _ in range(count)),
        comparisons=tuple(
            Comparison(
                i,
                j,
                draw(st.floats(0.5, 1)),
                weight=draw(st.floats(0, 9)),
                margin=draw(st.none() | numbers),
                attribute=draw(texts),
                votes=draw(st.none() | st.tuples(*[st.integers(0, 9)] * 3)),
                shown_first=draw(st.none() | indices),
            )
            for i, j in comparisons
        ),
        ratings=draw(st.dictionaries(texts, rating, max_size=2)),
        fields=draw(st.dictionaries(texts, texts | numbers | st.booleans() | st.integers(0, 9), max_size=2)),
        source=draw(texts),
        line=draw(st.integers(0, 10**9)),
    )


@given(records())
def test_a_record_comes_back_equal_through_json(record):
    assert from_row(orjson.loads(orjson.dumps(to_row(record)))) == record


@pytest.mark.parametrize("turns", [(), (Message("assistant", " "),), (Message("user", "a"),)])
def test_an_answer_without_words_is_refused_when_it_is_read(tmp_path, turns):
    record = Record((), (Response((Message("assistant", "a"),)), Response(turns)))
    (tmp_path / "a.jsonl").write_bytes(orjson.dumps(to_row(record)))
    assert [row.code for row in load(tmp_path / "a.jsonl").quarantined] == ["empty_response"]


def test_rows_read_from_a_file_keep_their_first_origin(tmp_path):
    record = Record((), (Response((Message("assistant", "a"),)),), source="first.csv", line=7)
    (tmp_path / "a.jsonl").write_bytes(orjson.dumps(to_row(record)))
    assert load(tmp_path / "a.jsonl").records == (record,)


@pytest.mark.parametrize(
    "change",
    [{"prompt": "text"}, {"responses": ["text"]}, {"comparisons": [{"i": 0}]}, {"comparisons": [{"i": True, "j": 1}]}],
)
def test_damaged_native_rows_are_refused(change):
    row = {"prompt": [], "responses": [{"messages": [{"role": "assistant", "content": "a"}]}] * 2, "comparisons": []}
    with pytest.raises(RowError):
        from_row(row | change)
