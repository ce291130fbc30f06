"""A damaged place in a file costs its own row: rows before and after it are read, and every one is counted."""

import csv
import gzip
import io
import json
import random
import zlib

import pytest

from rewardsmith.commands.prepare import Config, run
from rewardsmith.data.input import csv_rows, lines
from rewardsmith.data.input.readers import read_file
from rewardsmith.data.input.rows import Raw
from rewardsmith.data.loading.load import load
from rewardsmith.errors import DataError
from rewardsmith.records import Quarantined

COLUMNS = ("prompt", "chosen", "rejected")


def jsonl(rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def numbered(count):
    return [{name: f"{name} {n}, of {count}" for name in COLUMNS} for n in range(count)]


def csv_lines(rows, quoting=csv.QUOTE_MINIMAL, end="\n"):
    found = []
    for row in [COLUMNS, *(row.values() for row in rows)]:
        text = io.StringIO()
        csv.writer(text, quoting=quoting, lineterminator=end).writerow(row)
        found.append(text.getvalue().encode())
    return found


def plain(count):
    """Rows without a comma or quote, as csv writes them without quotes."""
    return [{name: f"{name} {n} of {count}" for name in COLUMNS} for n in range(count)]


def found_in(path, data):
    path.write_bytes(data)
    items = list(read_file(path))
    return [item.row for item in items if isinstance(item, Raw)], [i for i in items if isinstance(i, Quarantined)]


# --- gzip -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 8, 9, 500, 3000])
def test_every_line_that_unpacks_before_a_cut_is_read(tmp_path, cut):
    packed = gzip.compress(jsonl(numbered(2000)))[:-cut]
    there = zlib.decompressobj(31).decompress(packed)
    kept, bad = found_in(tmp_path / "a.jsonl.gz", packed)
    assert kept == numbered(2000)[: there.count(b"\n")]
    assert [(one.code, one.line, one.byte) for one in bad] == [
        ("damaged_gzip", len(kept) + 1, there.rfind(b"\n") + 1),
    ]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda packed: packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:], "gzip checksum does not match"),
        (lambda packed: packed + b"something else", "are not gzip data"),
        (lambda packed: packed + packed[:5], "ends before the end-of-stream marker"),
    ],
)
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_damage_behind_the_last_row_loses_no_row_and_is_named(tmp_path, damage, words, end):
    packed = damage(gzip.compress(jsonl(numbered(50)).rstrip() + end))
    kept, bad = found_in(tmp_path / "a.jsonl.gz", packed)
    if words.startswith("ends before") and not end:  # whether the last line is whole cannot be known
        kept += [json.loads(bad[0].excerpt)]
    assert kept == numbered(50)
    assert [one.code for one in bad] == ["damaged_gzip"]
    assert words in bad[0].reason


def test_lines_before_a_flipped_bit_are_those_that_zlib_gives(tmp_path):
    draw = random.Random(0)
    packed = gzip.compress(jsonl([{"a": draw.random()} for _ in range(3000)]))
    for _ in range(20):
        damaged = bytearray(packed)
        damaged[draw.randrange(10, len(packed))] ^= 1 << draw.randrange(8)
        member, before = zlib.decompressobj(31), bytearray()
        try:
            for at in range(len(damaged)):
                before += member.decompress(damaged[at : at + 1])
        except zlib.error:
            pass
        (tmp_path / "a.jsonl.gz").write_bytes(damaged)
        found = list(lines.lines(tmp_path / "a.jsonl.gz", blank=True))
        assert found[-1].error is not None
        whole = [line.data for line in found if line.error is None]
        assert whole == before.split(b"\n")[: len(whole)]
        assert len(whole) >= before.count(b"\n")


def test_members_that_follow_each_other_are_one_file_with_zeros_between(tmp_path):
    rows = numbered(40)
    data = (
        gzip.compress(jsonl(rows[:20])) + bytes(700) + gzip.compress(b"") + gzip.compress(jsonl(rows[20:])) + bytes(9)
    )
    assert found_in(tmp_path / "a.jsonl.gz", data) == (rows, [])


# --- CSV --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("place", [0, 9, 10, 14, 18, -1])  # starts, insides and ends of cells
@pytest.mark.parametrize("row", [1, 2, 10, 499, 1000])
def test_one_stray_quote_costs_one_row_of_a_thousand(tmp_path, end, place, row):
    rows = plain(1000)
    found = csv_lines(rows, end=end)
    body = found[row].removesuffix(end.encode())
    at = place % (len(body) + 1)
    found[row] = body[:at] + b'"' + body[at:] + end.encode()
    kept, bad = found_in(tmp_path / "a.csv", b"".join(found))
    assert len(kept) + len(bad) == 1000
    assert [one for one in kept if one in rows] == [each for n, each in enumerate(rows, 1) if n != row]
    for one in bad:
        assert (one.line, one.byte) == (row + 1, sum(map(len, found[:row])))
        assert one.excerpt.startswith(found[row].decode().rstrip()[:20])


@pytest.mark.parametrize("row", [1, 10, 1000])
@pytest.mark.parametrize("at", ["start", "end", "inside", "removed"])
def test_the_same_where_every_cell_is_quoted(tmp_path, at, row):
    rows = numbered(1000)
    found = csv_lines(rows, csv.QUOTE_ALL)
    body = found[row].rstrip()
    found[row] = {
        "start": b'"' + body,
        "end": body + b'"',
        "inside": body[:5] + b'"' + body[5:],
        "removed": body[:-1],
    }[at] + b"\n"
    kept, bad = found_in(tmp_path / "a.csv", b"".join(found))
    assert kept == [each for n, each in enumerate(rows, 1) if n != row]
    assert [(one.line, one.code, bool(one.excerpt)) for one in bad] == [(row + 1, "broken_csv", True)]


def test_rows_between_two_stray_quotes_in_one_column_are_rows(tmp_path):
    rows = plain(100)
    found = csv_lines(rows)
    found[20] = found[20].replace(b",rejected", b',"rejected')
    found[60] = found[60].rstrip() + b'"\n'
    assert len(list(csv.reader(io.StringIO(b"".join(found).decode()), strict=True))) == 61  # no error for csv
    kept, bad = found_in(tmp_path / "a.csv", b"".join(found))
    assert len(kept) + len(bad) == 100
    assert [row for row in rows if row not in kept] == [rows[19], rows[59]]
    assert [(one.line, one.code) for one in bad] == [(21, "broken_csv")]
    assert "closes only in line 61" in bad[0].reason


def test_a_quote_that_stays_open_at_the_end_costs_its_row(tmp_path):
    found = csv_lines(plain(30))
    kept, bad = found_in(tmp_path / "a.csv", b"".join(found) + b'p,"one\ntwo, three, four, five\n')
    assert kept == plain(30)
    assert [(one.line, one.code) for one in bad] == [(32, "broken_csv")]
    assert "lines 32 to 33" in bad[0].reason


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_cells_over_several_lines_are_read_as_the_csv_module_reads_them(tmp_path, quoting, end):
    draw = random.Random(f"{quoting}{end}")
    pieces = ['say ""', "a,b,c\n1,2,3\n4,5,6", "\n\n", "\r\n", "Roses are red,\nviolets are blue", '5"', "好，的", " "]
    rows = [{name: "".join(draw.choices(pieces, k=draw.randint(1, 6))) for name in COLUMNS} for _ in range(300)]
    assert found_in(tmp_path / "a.csv", b"".join(csv_lines(rows, quoting, end))) == (rows, [])


def test_random_damage_to_quotes_loses_no_other_row(tmp_path):
    draw = random.Random(1)
    for number in range(40):
        quoting = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        rows = [{name: f"{n} " + draw.choice(["x", "x, y", '5" z']) for name in COLUMNS} for n in range(100)]
        found = csv_lines(rows, quoting)
        hit = draw.randrange(1, 101)
        at = draw.randrange(len(found[hit]))
        found[hit] = found[hit][:at] + b'"' + found[hit][at:]
        kept, bad = found_in(tmp_path / f"{number}.csv", b"".join(found))
        assert len(kept) + len(bad) == 100
        assert [row for row in rows if row not in kept] in ([], [rows[hit - 1]])


def test_a_line_that_is_too_long_costs_its_row_and_not_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_ROW_BYTES", 3000)
    monkeypatch.setattr(lines, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(csv_rows, "MAX_ROW_BYTES", 3000)
    found = csv_lines(plain(10))
    found[4] = b"x" * 9000 + b",c,r\n"
    kept, bad = found_in(tmp_path / "a.csv", b"".join(found))
    assert len(kept) == 9
    assert [(one.line, one.code) for one in bad] == [(5, "too_long")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"prompt,chosen,rejected\n", "repeated_header"),
        (b"\xef\xbb\xbfp,c,r\n", "byte_order_mark"),
        (b"p,c\0\0,r\n", "nul_bytes"),
        (b"p,c,r,\n", "wrong_columns"),
        (b"p\rp,c,r\n", "broken_csv"),
    ],
)
def test_rows_that_would_be_read_as_something_else_are_refused(tmp_path, line, code):
    found = csv_lines(plain(10))
    kept, bad = found_in(tmp_path / "a.csv", b"\xef\xbb\xbf" + b"".join([*found[:5], line, *found[5:]]))
    assert kept == plain(10)
    assert [(one.line, one.code, one.byte) for one in bad] == [(6, code, 3 + sum(map(len, found[:5])))]


def test_columns_without_a_name_are_no_columns_where_they_are_empty(tmp_path):
    (tmp_path / "a.csv").write_text("prompt,chosen,rejected,,\np,c,r,,\n")
    assert [item.row for item in read_file(tmp_path / "a.csv")] == [{"prompt": "p", "chosen": "c", "rejected": "r"}]
    kept, bad = found_in(tmp_path / "b.csv", b",prompt,chosen,rejected,\n0,p,c,r,\n1,p,c,r,x\n")
    assert kept == [{"": "0", "prompt": "p", "chosen": "c", "rejected": "r"}]
    assert [one.code for one in bad] == ["wrong_columns"]


@pytest.mark.parametrize("header", [b'"prompt,chosen,rejected\n', b'prompt,"chosen\n', b"pro\0mpt,chosen,rejected\n"])
def test_a_damaged_header_is_one_line(tmp_path, header):
    (tmp_path / "a.csv").write_bytes(header + b"".join(csv_lines(numbered(20))[1:]))
    with pytest.raises(DataError, match="header"):
        list(read_file(tmp_path / "a.csv"))


# --- arrays -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("row", [0, 5, 99])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace('"chosen": "', '"chosen": ""', 1),
        lambda text: text.replace('"chosen"', '"chosen', 1),
        lambda text: text[:-1],
        lambda text: text[: len(text) // 2],
        lambda text: text[1:],
        lambda text: text.replace('"chosen": ', '"chosen": [', 1),
        lambda text: text + "}",
        lambda text: text.replace('"rejected"', '}, "rejected"', 1),
    ],
)
def test_a_broken_element_costs_one_row_of_an_array(tmp_path, damage, row, indent):
    rows = [
        {"prompt": [{"role": "user", "content": f"a }}, {{ {n} ]"}], "chosen": "c", "rejected": '"r"'}
        for n in range(100)
    ]
    texts = [json.dumps(each, indent=indent) for each in rows]
    texts[row] = damage(texts[row])
    kept, bad = found_in(tmp_path / "a.json", f"[{', '.join(texts)}]".encode())
    assert kept == [each for n, each in enumerate(rows) if n != row]
    before = 1 + sum(len(text) + 2 for text in texts[:row])
    assert [(one.line, one.byte) for one in bad] == [(row + 1, before + texts[row].startswith("\n") * 2)]


def test_an_array_without_its_first_bracket_and_one_cut_off_keep_their_rows(tmp_path):
    rows = numbered(20)
    text = json.dumps(rows)
    kept, bad = found_in(tmp_path / "a.json", text[1:].encode())
    assert (kept, [one.code for one in bad]) == (rows, ["broken_json"])
    for cut in (1, 2, 40):
        kept, bad = found_in(tmp_path / "a.json", text[:-cut].encode())
        assert kept == rows[: 20 if cut == 1 else 19]
        assert [one.code for one in bad] == ["broken_json"]
    kept, bad = found_in(tmp_path / "a.json", text.replace("}, {", "}], {", 1).encode())
    assert (kept, [one.code for one in bad]) == (rows, ["broken_json"])


def test_a_missing_comma_costs_nothing(tmp_path):
    kept, bad = found_in(tmp_path / "a.json", json.dumps(numbered(5)).replace("}, {", "} {", 2).encode())
    assert (kept, bad) == (numbered(5), [])


def test_json_lines_under_another_name_keep_their_rows_if_the_first_is_broken(tmp_path):
    kept, bad = found_in(tmp_path / "a.json", b'{"prompt": "p"\n' + jsonl(numbered(9)))
    assert kept == numbered(9)
    assert [(one.line, one.byte) for one in bad] == [(1, 0)]


def test_an_element_that_is_too_long_costs_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("rewardsmith.data.input.arrays.MAX_ROW_BYTES", 5000)
    monkeypatch.setattr(lines, "CHUNK_BYTES", 1000)
    rows = [{"a": n} for n in range(5)]
    rows[2] = {"a": "x" * 20_000}
    kept, bad = found_in(tmp_path / "a.json", json.dumps(rows).encode())
    assert kept == [rows[0], rows[1], rows[3], rows[4]]
    assert [one.code for one in bad] == ["too_long"]


# --- the rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
def test_lines_that_end_in_carriage_returns_alone_are_refused_in_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(b"prompt,chosen\rp,c\rp,c\r")
    with pytest.raises(DataError, match=r"end with \\r only"):
        list(read_file(tmp_path / name))


def test_a_byte_order_mark_inside_of_a_file_is_named(tmp_path):
    first, second = jsonl(numbered(3)), jsonl(numbered(2))
    kept, bad = found_in(tmp_path / "a.jsonl", first + b"\xef\xbb\xbf" + second)
    assert len(kept) == 4
    assert [(one.line, one.code, one.byte) for one in bad] == [(4, "byte_order_mark", len(first))]


def test_quarantined_rows_tell_where_they_begin_in_the_unpacked_file(tmp_path):
    good, bad = b'{"prompt": "p", "chosen": "c", "rejected": "r"}', b'{"prompt": "p", "chosen": 5, "rejected": "r"}'
    data = b"\xef\xbb\xbf" + good + b"\n\n" + bad + b"\nx\n"
    for name, content in (("a.jsonl", data), ("b.jsonl.gz", gzip.compress(data))):
        (tmp_path / name).write_bytes(content)
        loaded = load(tmp_path / name)
        assert [data[one.byte :].split(b"\n")[0] for one in loaded.quarantined] == [bad, b"x"]
        assert loaded.records[0].byte == 3


def test_a_damaged_row_group_costs_its_rows_and_no_others(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    table = pa.Table.from_pylist(numbered(300))
    pq.write_table(table, path, row_group_size=100, compression="zstd", use_dictionary=False)
    group = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    at = group.data_page_offset + group.total_compressed_size // 2
    data[at : at + 30] = bytes(30)
    kept, bad = found_in(path, bytes(data))
    assert kept == numbered(300)[:100] + numbered(300)[200:]
    assert [(one.line, one.code) for one in bad] == [(n, "damaged_parquet") for n in range(101, 201)]
    path.write_bytes(bytes(data[:-100]))
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        list(read_file(path))


def test_text_in_parquet_that_is_not_utf8_is_shown(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    bad = pa.array([b"ok", b"caf\xe9"])
    table = pa.table(
        {"prompt": bad.view(pa.string()), "n": [1, 2], "l": pa.array([[b"a"], [b"\xff"]]).cast(pa.list_(pa.binary()))}
    )
    table = table.set_column(2, "l", pa.ListArray.from_arrays([0, 1, 2], pa.array([b"a", b"\xff"]).view(pa.string())))
    pq.write_table(table, tmp_path / "a.parquet")
    kept, one = list(read_file(tmp_path / "a.parquet"))
    assert kept.row == {"prompt": "ok", "n": 1, "l": ["a"]}
    assert (one.line, one.code) == (2, "invalid_utf8")
    assert one.excerpt == '{"prompt":"caf\ufffd","n":2,"l":["\ufffd"]}'


@pytest.mark.parametrize("name", ["a.csv.gz", "a.json.gz", "a.txt.gz"])
@pytest.mark.parametrize("start", [b"", b'prompt,chosen\n"', b"["])
def test_a_bomb_is_refused_before_its_first_row(tmp_path, name, start):
    (tmp_path / name).write_bytes(gzip.compress(start + b"\n" * (80 << 20)))
    with pytest.raises(DataError, match="200 times its size"):
        next(read_file(tmp_path / name))


def test_prepare_writes_where_a_row_begins(tmp_path):
    rows = csv_lines(plain(40))
    rows[7] = rows[7].replace(b"chosen", b'"chosen')
    (tmp_path / "a.csv").write_bytes(b"".join(rows))
    result = run(Config(sources=(str(tmp_path / "a.csv"),), output=tmp_path / "out"))
    assert (result.rows, result.kept, result.quarantined) == (40, 39, 1)
    (entry,) = map(json.loads, (tmp_path / "out/quarantine.jsonl").read_bytes().splitlines())
    assert (entry["line"], entry["byte"], entry["code"]) == (8, sum(map(len, rows[:7])), "broken_csv")
    assert entry["excerpt"].startswith('prompt 6 of 40,"chosen')
