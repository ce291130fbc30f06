"""Rows in Parquet are the rows in JSON Lines."""

import orjson
import pyarrow.parquet as pq
import pytest

from rewardsmith.errors import DataError
from rewardsmith.files import parquet
from rewardsmith.files.parquet import write_rows

ROWS = [
    {"prompt": "a", "rewards": [0.1, -2.5], "n": 1, "meta": {"k": 1}},
    {"prompt": "李子", "error": "no response", "n": 2.5, "meta": {"j": "x"}, "empty": []},
    {"prompt": "c", "rewards": [], "flag": True, "nothing": None},
]


def lines(rows):
    return (orjson.dumps(row) + b"\n" for row in rows)


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_the_same_rows_in_the_same_order(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(parquet, "AT_ONCE", at_once)
    path = tmp_path / "rows.parquet"
    assert write_rows(path, lines(ROWS)) == 3
    assert [without_nulls(row) for row in pq.read_table(path).to_pylist()] == [without_nulls(row) for row in ROWS]
    assert [one.name for one in tmp_path.iterdir()] == ["rows.parquet"]


def test_other_names_are_json_lines(tmp_path):
    write_rows(tmp_path / "rows.jsonl", lines(ROWS))
    assert [orjson.loads(line) for line in (tmp_path / "rows.jsonl").read_bytes().splitlines()] == ROWS


@pytest.mark.parametrize("values", [[1, "a"], [[1], "a"], [{"a": 1}, 5], [2**60 + 1, 0.5], [2**63 + 1, -1], [{}]])
@pytest.mark.parametrize("at_once", [1, 100])
def test_what_no_column_can_hold_is_refused_and_nothing_written(tmp_path, monkeypatch, values, at_once):
    monkeypatch.setattr(parquet, "AT_ONCE", at_once)
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"old")
    with pytest.raises(DataError, match="JSON Lines"):
        write_rows(path, lines([{"x": value} for value in values]))
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_failure_of_the_source_is_its_own(tmp_path):
    def broken():
        yield b'{"a": 1}\n'
        raise ValueError("the source")

    with pytest.raises(ValueError, match="the source"):
        write_rows(tmp_path / "rows.parquet", broken())
