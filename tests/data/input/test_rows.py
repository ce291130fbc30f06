import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.data.input.rows import RowError, excerpt, parse, trusted

DAMAGED = [
    (b"garbage", "broken_json"),
    (b'{"chosen": "a", "rejec', "broken_json"),
    (b'{"a": 1} x', "broken_json"),
    (b'{"a": "\x00"}', "broken_json"),
    (b"{'a': 1}", "broken_json"),
    (b'{"a": "\xff"}', "invalid_utf8"),
    ("你好".encode("gb18030"), "invalid_utf8"),
    (b'{"a": "\\ud800"}', "lone_surrogate"),
    (b'{"\\udfff": 1}', "lone_surrogate"),
    (b'{"a": ["x", {"b": "\\ud83d x"}]}', "lone_surrogate"),
    (b'{"a": 1, "a": 2}', "duplicate_key"),
    (b'{"a": 1, "\\u0061": 2}', "duplicate_key"),
    (b'{"m": [{"role": "user", "role" : "system"}]}', "duplicate_key"),
    (b'{"a": NaN}', "not_a_number"),
    (b'{"a": -Infinity}', "not_a_number"),
    (b'{"a": 1e999}', "not_a_number"),
    (b'{"a": 18446744073709551616}', "number_out_of_range"),
    (b"null", "not_an_object"),
    (b'["a"]', "not_an_object"),
    (b'"text"', "not_an_object"),
    (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep"),
    (b'{"a":' * 200 + b"1" + b"}" * 200, "too_deep"),
]


@pytest.mark.parametrize(("line", "code"), DAMAGED)
def test_each_damage_has_its_code(line, code):
    with pytest.raises(RowError) as caught:
        parse(line)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": "quoted \\": colon", "b": "x\\" : y"}',
        b'{"a" : 1, "b"\t: 2}',
        '{"a": "\u2028\x85 \U0001f600 你好"}'.encode(),
        b'{"a": 9223372036854775807, "b": 0.1}',
        b'{"a": "12345678901234567890123"}',
        b'{"a": "\\ud83d\\ude00"}',
    ],
)
def test_good_rows_equal_the_standard_parser(line):
    assert parse(line) == json.loads(line)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_what_json_writes_is_read_back_unchanged(row):
    assert parse(json.dumps(row).encode()) == row
    assert trusted(row) == row


@given(st.binary(max_size=60))
def test_no_bytes_crash_the_parser(data):
    for line in (data, b'{"a": ' + data + b"}", b'{"a": "' + data + b'"}'):
        with contextlib.suppress(RowError):
            assert isinstance(parse(line), dict)
        excerpt(line).encode()


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"a": float("nan")}, "not_a_number"),
        ({"a": ["\ud800"]}, "lone_surrogate"),
        ({1: "a"}, "wrong_type"),
        ({"a": b"bytes"}, "wrong_type"),
        ({"a": 2**70}, "number_out_of_range"),
        (["a"], "not_an_object"),
        (None, "not_an_object"),
    ],
)
def test_python_rows_are_held_to_the_same_rules(row, code):
    with pytest.raises(RowError) as caught:
        trusted(row)
    assert caught.value.code == code
