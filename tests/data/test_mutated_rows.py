"""Whatever happens to a row of any format, it comes out once: kept, quarantined or removed."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas as s
from rewardsmith.commands.prepare import Config, run
from rewardsmith.data.loading.load import load

IDS = [f"{name}-{number}" for number, (name, _) in enumerate(s.ROWS)]
VALUES = [None, "", " ", "x", 0, 1, -1, 2.5, True, [], {}, ["x"], [None], [["a", "b"]], {"role": "user"}, "[", '["x"]']


def places(value, path=()):
    """The path of every value inside a row."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


@st.composite
def mutated(draw, row):
    """A row with a few of its values, at any depth, replaced, removed or doubled."""
    row = copy.deepcopy(row)
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(row))
        if not found:
            break
        *path, last = draw(st.sampled_from(found))
        target = row
        for key in path:
            target = target[key]
        action = draw(st.sampled_from(["replace", "remove", "double"]))
        if action == "remove":
            del target[last]
        elif action == "double" and isinstance(target, list):
            target.append(copy.deepcopy(target[last]))
        else:
            target[last] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return row


@pytest.mark.parametrize(("name", "row"), s.ROWS, ids=IDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_mutated_rows_are_read_or_quarantined_and_all_accounted_for(name, row, data):
    # More whole rows than mutated ones: a file is of the format that most of its rows have.
    rows = [row, row, row, *(data.draw(mutated(row)) for _ in range(4)), row, row]
    loaded = load(rows)  # Loaded itself asserts that the counts add up
    assert loaded.rows == 9
    assert loaded.records
    for bad in loaded.quarantined:
        assert bad.code
        assert "\n" not in bad.reason


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_prepare_adds_up_for_files_of_mutated_rows(tmp_path_factory, data):
    name, row = data.draw(st.sampled_from(s.ROWS))
    folder = tmp_path_factory.mktemp(name)
    rows = [row, *(data.draw(mutated(row)) for _ in range(6)), row]
    (folder / "one.jsonl").write_text(json.dumps(s.OPENRLHF))
    (folder / "a.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    result = run(
        Config(
            sources=(f"{folder}/one.jsonl", f"{folder}/a.jsonl{data.draw(st.sampled_from(['', ':0.5', ':1']))}"),
            output=folder / "out",
            fractions=(1, 0, 0),
            max_per_source=data.draw(st.sampled_from([None, 2])),
        )
    )
    assert result.kept + result.quarantined + result.removed == result.rows == 9
    assert result.records + result.joined == result.kept
    ledgers = {n: len((folder / f"out/{n}.jsonl").read_bytes().splitlines()) for n in ("quarantine", "removed")}
    assert ledgers == {"quarantine": result.quarantined, "removed": result.removed}
