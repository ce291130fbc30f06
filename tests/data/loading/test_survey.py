"""What `survey` says of rows is what `load` says of them, for rows that cannot be read and for columns and their types."""

from collections import Counter

import orjson
import pytest

import schemas as s
from rewardsmith.data.loading.load import load
from rewardsmith.data.loading.survey import COLUMNS_AND_TYPES, survey

READING = {"broken_json", "duplicate_key", "lone_surrogate", "not_an_object", "not_a_number", "number_out_of_range"}
GOOD = {"prompt": "p", "chosen": "a", "rejected": "b", "n": 1}
LINES = [
    *[orjson.dumps(GOOD)] * 200,
    b'{"prompt": "p"',
    b'{"prompt": "p", "chosen": "a", "chosen": "c", "rejected": "b"}',
    b'{"prompt": "p", "chosen": "\\ud800", "rejected": "b"}',
    b"5",
    b'{"prompt": "p", "chosen": "a", "rejected": "b", "n": 99999999999999999999}',
    b'{"prompt": "p", "chosen": 5, "rejected": "b"}',
    b'{"prompt": "p", "chosen": 6, "rejected": "b"}',
    b'{"prompt": "p", "rejected": "b"}',
    b'{"prompt": "p", "chosen": null, "rejected": "b"}',
    b'{"prompt": [{"role": "user", "content": "p"}], "chosen": "a", "rejected": "b"}',
    b'{"prompt": [{"role": "user", "content": 5}], "chosen": "a", "rejected": "b"}',
    b'{"prompt": [{"role": "user"}], "chosen": "a", "rejected": "b"}',
    b'{"prompt": "p", "chosen": "a", "rejected": "b", "margin": "much"}',
    orjson.dumps({**GOOD, "chosen": "b"}),  # the same text twice: not for a survey to say
]


def test_rows_that_cannot_be_read_or_lack_a_column_are_told_as_load_tells_them(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(LINES))
    found, loaded = survey(path), load(path)
    expected = Counter(bad.code for bad in loaded.quarantined if bad.code in COLUMNS_AND_TYPES | READING)
    assert (found.rows, found.refused, tuple(found.understood)) == (len(LINES), expected, loaded.understood)
    assert expected == {**dict.fromkeys(sorted(READING - {"not_a_number"}), 1), "wrong_type": 4, "missing_field": 3}
    first = {bad.code: bad for bad in reversed(loaded.quarantined)}
    assert all(found.first[code] == first[code] for code in found.refused)


@pytest.mark.parametrize("number", range(len(s.ROWS)))
def test_every_schema_is_surveyed_without_a_complaint(number):
    assert survey([s.ROWS[number][1]] * 3).refused == {}
