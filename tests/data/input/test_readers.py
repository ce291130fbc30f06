import gzip
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewardsmith
from rewardsmith.data.input import arrays, lines
from rewardsmith.data.input.readers import files_of, read_file, read_objects
from rewardsmith.data.input.rows import Raw
from rewardsmith.errors import DataError
from rewardsmith.records import Document, Quarantined

ROWS = [{"chosen": f"好 {n}", "rejected": f"bad\u2028{n}"} for n in range(3)]


def jsonl(rows):
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def rows_of(path):
    return [item.row for item in read_file(path)]


def codes(path):
    return [item.code for item in read_file(path) if isinstance(item, Quarantined)]


def test_one_bad_line_costs_one_row_and_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + jsonl(ROWS[:1]) + b'\n  \n{"chosen": "a", \n' + jsonl(ROWS[1:]))
    first, bad, *rest = read_file(path)
    assert [first.row, *(item.row for item in rest)] == ROWS
    assert (bad.file, bad.line, bad.code, bad.excerpt) == (str(path), 4, "broken_json", '{"chosen": "a", ')
    assert [item.line for item in (first, *rest)] == [1, 5, 6]


def test_a_last_line_without_its_end_is_read_and_windows_line_ends_too(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\r\n{"a": 2}')
    assert rows_of(path) == [{"a": 1}, {"a": 2}]


def test_lines_that_span_chunks_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "CHUNK_BYTES", 7)
    for name, data in (("a.jsonl", jsonl(ROWS)), ("a.json", json.dumps(ROWS, ensure_ascii=False, indent=1).encode())):
        (tmp_path / name).write_bytes(data)
        assert rows_of(tmp_path / name) == ROWS


def test_gzip_is_known_by_its_bytes(tmp_path):
    for name in ("a.jsonl.gz", "b.jsonl"):
        (tmp_path / name).write_bytes(gzip.compress(jsonl(ROWS)))
        assert rows_of(tmp_path / name) == ROWS
    (tmp_path / "c.jsonl.gz").write_bytes(jsonl(ROWS))
    assert rows_of(tmp_path / "c.jsonl.gz") == ROWS


def test_a_cut_gzip_file_keeps_its_good_rows_and_names_the_loss(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    good = jsonl([{"a": str(n * 7919 % 10007) * 20} for n in range(20000)])
    path.write_bytes(gzip.compress(good)[:-2000])
    items = list(read_file(path))
    assert items[-1].code == "damaged_gzip"
    assert len(items) > 1
    assert all(isinstance(item, Raw) for item in items[:-1])


def test_a_decompression_bomb_stops_with_one_line(tmp_path):
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n" * (80 << 20)))
    with pytest.raises(DataError, match="200 times its size"):
        list(read_file(path))


def test_an_overlong_line_costs_one_row(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_ROW_BYTES", 2000)
    monkeypatch.setattr(lines, "CHUNK_BYTES", 1000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl([{"a": 1}, {"a": "x" * 9000}, {"a": 2}]))
    assert [getattr(item, "code", None) for item in read_file(path)] == [None, "too_long", None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"a": "x, ] } \\" ["}, {"a": [1, [2]]}]', [{"a": 'x, ] } " ['}, {"a": [1, [2]]}]),
        ("  []", []),
        ('{"a": 1}', [{"a": 1}]),
        ('{\n "a": [1,\n 2]\n}', [{"a": [1, 2]}]),
        ('{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ("\ufeff[{}]", [{}]),
    ],
)
def test_json_files_of_all_shapes(tmp_path, text, expected):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    assert rows_of(path) == expected


def test_a_broken_element_of_an_array_costs_one_row(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1}, {"a": oops}, 5, {"a": 2}, {"a": NaN}]')
    assert [getattr(item, "code", None) for item in read_file(path)] == [
        None,
        "broken_json",
        "not_an_object",
        None,
        "not_a_number",
    ]
    path.write_text('[{"a": 1}, {"a": 2')
    assert codes(path) == ["broken_json"]


@settings(max_examples=60)
@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.lists(st.text(max_size=5)), max_size=3)),
    st.integers(1, 40),
)
def test_array_splitting_equals_the_standard_parser(tmp_path_factory, rows, chunk):
    path = tmp_path_factory.mktemp("arrays") / "a.json"
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "CHUNK_BYTES", chunk)
        found = list(arrays.elements(path))
    assert [json.loads(line.data) for line in found] == rows
    data = path.read_bytes()
    assert all(data[line.byte : line.byte + len(line.data)] == line.data for line in found)


def test_csv_rows_with_quotes_line_breaks_and_damage(tmp_path):
    path = tmp_path / "a.csv"
    head = b'prompt,chosen,rejected,margin\n"a, ""b""\n\nc",5,no,0.5\nx,y\n'
    path.write_bytes(head + b'q,\xff,r,\nq,c,r,\nq,c,r,much\nq,"[{""role"": ""user""}]",r,1\n')
    items = list(read_file(path))
    assert items[0].row == {"prompt": 'a, "b"\n\nc', "chosen": "5", "rejected": "no", "margin": 0.5}
    assert [getattr(item, "code", None) for item in items] == [
        None,
        "wrong_columns",
        "invalid_utf8",
        None,
        "wrong_type",
        None,
    ]
    assert [item.line for item in items] == [2, 5, 6, 7, 8, 9]
    assert [bad.code for bad in rewardsmith.load(path).quarantined][
        -1
    ] == "wrong_type"  # messages written as text, without content
    assert items[3].row["margin"] is None


def test_csv_with_an_open_quote_is_quarantined(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('prompt,chosen\nok,ok\n"open,x\n')
    assert codes(path) == ["broken_csv"]


def test_parquet_equals_the_rows_it_was_made_from(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    assert rows_of(tmp_path / "a.parquet") == ROWS
    (tmp_path / "b.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        list(read_file(tmp_path / "b.parquet"))


def test_arrow_tables_and_lists_are_sources():
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_pylist(ROWS)
    assert [item.row for item in read_objects(table)] == ROWS
    assert [(item.file, item.line) for item in read_objects(table)] == [("dataset", 1), ("dataset", 2), ("dataset", 3)]
    assert [item.row for item in read_objects(ROWS)] == ROWS
    bad = pa.table({"a": pa.array([b"ok", b"\xff", b"ok"]).view(pa.string())})
    assert [getattr(item, "code", None) for item in read_objects(bad)] == [None, "invalid_utf8", None]


def test_text_lines_are_documents(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("一\n\n \ntwo\r\n".encode() + b"\xff\n")
    first, second, bad = read_file(path)
    assert first == Document("一", str(path), 1, byte=0)
    assert second == Document("two", str(path), 4, byte=7)
    assert (bad.line, bad.code) == (5, "invalid_utf8")


def test_sources_that_cannot_be_read_are_refused_in_one_line(tmp_path):
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "a.xyz").write_text("x")
    (tmp_path / "a.gz").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "utf16.jsonl").write_bytes('{"a": 1}'.encode("utf-16"))
    for name, words in (
        ("missing.jsonl", "does not exist"),
        ("empty.jsonl", "is empty"),
        ("a.xyz", "unknown extension '.xyz'"),
        ("a.gz", "unknown extension ''"),
        ("prompt=ask", "does not exist; expected"),  # a path, as the folder before it tells
        ("empty.jsonl:0.3", "only prepare and train accept a share"),
        ("folder", "no data files"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            files_of(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"write --map chosen=said\.best, and repeat the flag"):
        files_of("chosen=said.best")
    with pytest.raises(DataError, match="UTF-16"):
        list(read_file(tmp_path / "utf16.jsonl"))
    for source in (5, {"train": ROWS}):
        with pytest.raises(DataError, match="is not a data source"):
            read_objects(source)


def test_a_folder_stands_for_its_data_files_in_order(tmp_path):
    for name in ("b.jsonl", "sub/a.jsonl.gz", "a.txt", "README.md", ".hidden/c.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert [str(path.relative_to(tmp_path)) for path in files_of(tmp_path)] == ["a.txt", "b.jsonl", "sub/a.jsonl.gz"]


def test_a_file_that_is_not_there_is_answered_with_the_one_that_was_probably_meant(tmp_path):
    (tmp_path / "pairs.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"does not exist; did you mean .*/pairs\.jsonl\?"):
        files_of(tmp_path / "piars.jsonl")
    with pytest.raises(DataError, match="check the path"):
        files_of(tmp_path / "something-else.csv")
    with pytest.raises(DataError, match="check the path"):
        files_of(tmp_path / "no-folder" / "pairs.jsonl")
