"""Damaged and mutated rows in every kind of file: each comes out once, and what is refused says where, why and how it began.

REWARDSMITH_MUTATED_ROWS=25000 python -m pytest tests/data/input/test_every_row_counts.py    # 100,000 rows
"""

import csv
import gzip
import io
import json
import os
import random

import pytest

from rewardsmith.data.input.readers import read_file
from rewardsmith.data.input.rows import Raw
from rewardsmith.data.loading.load import load

ROWS = int(os.environ.get("REWARDSMITH_MUTATED_ROWS", "400"))
TEXTS = (
    "Say why.",
    "Because it is warm.",
    "因为今天很暖和。",
    "あたたかいから。",
    "따뜻하니까.",
    "потому что",
    "لأنه دافئ",
    '5" — “ja”',
    "😀",
)
VALUES = (
    None,
    "",
    " ",
    0,
    -1,
    2.5,
    True,
    [],
    {},
    ["x"],
    {"role": "user"},
    "\x00",
    "\ufffd",
    "\u2028",
    "a\r\nb",
    10**30,
)
INSIDE = (b"\xff", b"\xe4\xbd", b'"', b"{", b"}", b"\\", b"\\ud83d", b"\0", b",", b"\xef\xbb\xbf", b"1e999", b"NaN")


def pair(draw):
    prompt, chosen, rejected = draw.sample(TEXTS, 3)
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, "topic": "t"}


def mutated(draw):
    """A pair, one time in two with a value replaced, taken out, or under another name."""
    row = pair(draw)
    name = draw.choice(list(row))
    kind = draw.randrange(6)
    if kind == 0:
        del row[name]
    elif kind == 1:
        row[name] = draw.choice(VALUES)
    elif kind == 2:
        row["other"] = row.pop(name)
    return row


def damaged(draw, line):
    """A line, one time in three with bytes put in, taken out, or cut off; never without any, and never two."""
    at = draw.randrange(1, len(line))
    kinds = (line[:at] + draw.choice(INSIDE) + line[at:], line[:at], line[:at] + line[at + 3 :])
    return draw.choice(kinds) if draw.random() < 1 / 3 else line


def json_lines(draw, rows):
    return b"".join(damaged(draw, json.dumps(row, ensure_ascii=draw.random() < 0.5).encode()) + b"\n" for row in rows)


def csv_file(rows):
    """The rows as CSV writes them; a value that is no text as its JSON."""
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow(["prompt", "chosen", "rejected", "topic"])
    for row in rows:
        cells = [row.get(name, "") for name in ("prompt", "chosen", "rejected", "topic")]
        out.writerow([cell if isinstance(cell, str) else json.dumps(cell) for cell in cells])
    return text.getvalue().encode()


def write(path, rows, draw):
    if path.suffix == ".csv":
        path.write_bytes(csv_file(rows))
    elif path.suffix == ".parquet":
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        texts = [{name: value if isinstance(value, str) else None for name, value in row.items()} for row in rows]
        pq.write_table(pa.Table.from_pylist(texts, schema=pa.schema(dict.fromkeys(pair(draw), pa.string()))), path)
    else:
        data = json_lines(draw, rows)
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet"])
def test_every_mutated_row_comes_out_once_and_says_where_it_stood(tmp_path, name):
    draw = random.Random(name)
    rows = [pair(draw), *(mutated(draw) for _ in range(ROWS - 1))]
    write(tmp_path / name, rows, draw)
    loaded = load(tmp_path / name)
    assert loaded.rows == len(loaded.records) + len(loaded.quarantined) == ROWS
    assert len(loaded.records) > ROWS / 4
    assert loaded.quarantined
    for bad in loaded.quarantined:
        assert (bad.file, bool(bad.code), "\n" in bad.reason) == (str(tmp_path / name), True, False)
        assert 0 < len(bad.excerpt) <= 200
        assert (bad.byte is None) == (name == "a.parquet")
    if name.endswith((".jsonl", ".gz")):
        assert sorted(one.line for one in (*loaded.records, *loaded.quarantined)) == list(range(1, ROWS + 1))
        data = (tmp_path / name).read_bytes()
        lines = (gzip.decompress(data) if name.endswith(".gz") else data).split(b"\n")
        begins = [0]
        for line in lines:
            begins.append(begins[-1] + len(line) + 1)
        assert all(one.byte == begins[one.line - 1] for one in (*loaded.records, *loaded.quarantined))


def test_rows_in_every_language_are_what_the_standard_parser_reads(tmp_path):
    draw = random.Random(3)
    extra = ("\u2028", "\x85", "\0", "👩‍👩‍👧", "\U0001f1e8\U0001f1f3", "é", "\\", '"', "\t", "\ufeff", "\r\n")
    rows = [{name: text + draw.choice(extra) + text for name, text in pair(draw).items()} for _ in range(ROWS)]
    lines = [json.dumps(row, ensure_ascii=draw.random() < 0.5).encode() for row in rows]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    found = list(read_file(tmp_path / "a.jsonl"))
    assert all(isinstance(one, Raw) for one in found)
    assert [one.row for one in found] == [json.loads(line) for line in lines] == rows
