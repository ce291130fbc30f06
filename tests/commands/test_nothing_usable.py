"""Data of which no row can be used: every reason is told with its count, and no empty folder stays."""

import pytest

from rewardsmith import cli

BAD = """{"prompt": "p", "chosen": "a"}
{"prompt": "p", "chosen": 5, "rejected": "b"}
{"prompt": "p", "chosen": "a", "rejected": "b", "tools": [{}]}
broken
{"prompt": "p", "chosen": "a"}
"""
REASONS = "missing_field × 2, broken_json × 1, tool_calls × 1, wrong_type × 1"


@pytest.mark.parametrize(
    "command",
    [
        ("prepare", "bad.jsonl", "-o", "new/deep/out"),
        ("train", "--model", "tiny", "--dataset", "bad.jsonl", "--output", "new/deep/run"),
    ],
)
def test_all_reasons_are_told_and_no_folder_is_left(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jsonl").write_text(BAD)
    assert cli.main(list(command)) != 0
    said = capsys.readouterr().err
    assert REASONS in said
    assert "bad.jsonl:1" in said
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]


def test_a_folder_that_was_there_stays(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jsonl").write_text(BAD)
    (tmp_path / "mine").mkdir()
    assert cli.main(["prepare", "bad.jsonl", "-o", "mine/new/out"]) != 0
    assert [path.name for path in (tmp_path / "mine").iterdir()] == []


def test_rows_that_checks_removed_are_told_beside_those_that_could_not_be_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jsonl").write_text(BAD + '{"prompt": "p", "chosen": "a", "rejected": "b"}\n' * 2)
    assert cli.main(["prepare", "bad.jsonl", "-o", "out", "--remove", "too_few_words", "--min-words", "3"]) != 0
    said = capsys.readouterr().err
    assert all(f"{code} × 2" in said for code in ("missing_field", "too_few_words"))


def test_score_says_which_columns_it_cannot_write_back(tmp_path, monkeypatch, capsys):
    from decimal import Decimal

    import pyarrow as pa
    import pyarrow.parquet as pq

    from builders import tiny

    monkeypatch.chdir(tmp_path)
    tiny().save(tmp_path / "model")
    row = {"prompt": "p", "chosen": "a", "rejected": "b", "price": Decimal("1.5")}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    assert cli.main(["score", "model", "a.parquet", "-o", "s.jsonl"]) == 0
    assert "ignored: price" in capsys.readouterr().err
