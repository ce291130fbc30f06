"""`--dry-run`: what is told beforehand is what happens, of large data about, and nothing is written."""

import gzip
import json
import os
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from pyarrow import parquet

import rewardsmith as rs
from rewardsmith import cli
from rewardsmith.commands import prepare as prepare_command
from rewardsmith.commands import train as train_command
from rewardsmith.errors import OutputError, UsageError
from rewardsmith.pipelines.dry_run import sampling
from rewardsmith.pipelines.dry_run import train as train_plans
from rewardsmith.pipelines.dry_run.words import about, duration

SMALL = {"n_embd": 16, "n_layer": 1, "threads": 1, "model": "tiny", "max_length": 64}


def rows(count, *, long=()):
    """Pairs, those numbered `long` with a prompt that does not fit; the last one is damaged."""
    made = [
        {
            "prompt": f"Add {k} and {k}." * (9 if k in long else 1),
            "chosen": f"It is {2 * k}.",
            "rejected": f"No, {k}{k}.",
        }
        for k in range(count)
    ]
    return [*made[:-1], {"prompt": "damaged"}]


def write(path, lines):
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return str(path)


def everything(folder):
    """All files below a folder, with their sizes."""
    return {str(path): path.stat().st_size for path in Path(folder).rglob("*")}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cache of one's own, to see whether it is written to."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_training_is_what_was_planned(home):
    source = write(home / "pairs.jsonl", rows(120, long={3, 50, 51}))
    settings = {**SMALL, "dataset": (source,), "output": home / "run", "epochs": 2, "batch": 8, "report": False}
    before = everything(home)
    plan = train_command.run(train_command.Config(dry_run=True, **settings))
    assert everything(home) == before
    real = train_command.run(train_command.Config(**settings)).to_json()
    told = plan.to_json()
    assert (told["rows"], told["share_read"], told["unusable"]) == (120, 1, {"missing_field": 1})
    assert told["steps"] == real["steps"]
    assert told["comparisons"]["train"] == real["pairs"] / 2
    assert told["left_out"]["cut"] == real["left_out"]["cut"]
    assert told["left_out"]["cut"]["count"] > 0
    assert told["memory"]["trainable"] == real["trainable_parameters"]
    assert told["seconds"] > 0
    assert told["memory"]["peak_bytes"] > 1e8


def test_of_large_data_a_sample_is_read_and_the_rest_estimated(home, monkeypatch):
    monkeypatch.setattr(sampling, "FEW_BYTES", 10_000)
    monkeypatch.setattr(sampling, "SAMPLE_ROWS", 300)
    one, two = write(home / "one.jsonl", rows(2000)), write(home / "two.jsonl", rows(1000))
    config = train_command.Config(**SMALL, dry_run=True, dataset=(one, f"{two}:0.5"), output=home / "run")
    plan = train_command.run(config)
    assert plan.rows == 3000
    assert plan.share == pytest.approx(0.1)
    # 2,000 rows and half of 1,000, of which eight in ten are for training
    assert sum(plan.records.values()) == pytest.approx(2500, rel=0.02)
    assert plan.records["train"] == pytest.approx(2000, rel=0.1)
    assert plan.steps == pytest.approx(plan.records["train"] / 16, abs=1)
    text = plan.to_text()
    assert "rows: ≈3,000" in text
    assert "10.0% of the rows were read" in text


def test_the_splits_of_a_prepared_folder_are_sampled_each(home, monkeypatch):
    prepare_command.run(prepare_command.Config(sources=(write(home / "raw.jsonl", rows(400)),), output=home / "data"))
    files = {name: home / "data" / f"{name}.jsonl" for name in ("train", "validation", "test")}
    counts = {name: len(path.read_text().splitlines()) for name, path in files.items()}
    monkeypatch.setattr(sampling, "FEW_BYTES", 1000)
    monkeypatch.setattr(sampling, "SAMPLE_ROWS", 100)
    plan = train_command.run(
        train_command.Config(**SMALL, dry_run=True, dataset=(str(home / "data"),), output=home / "run")
    )
    for name, count in counts.items():
        assert plan.records[name] == pytest.approx(count, abs=4)
    assert plan.share < 1


def test_preparation_is_what_was_planned(home):
    source = write(home / "pairs.jsonl", [*rows(150), *rows(3)])
    settings = {"sources": (source,), "output": home / "data"}
    before = everything(home)
    plan = prepare_command.run(prepare_command.Config(dry_run=True, **settings)).to_json()
    assert everything(home) == before
    real = prepare_command.run(prepare_command.Config(**settings)).to_json()
    assert plan["exact"]
    assert plan["rows"] == 153
    for key in ("kept", "quarantined_by", "removed_by", "splits", "understood"):
        assert plan["sample"][key] == real[key], key


def test_of_large_sources_the_first_rows_are_prepared(home):
    source = write(home / "pairs.jsonl", [{**row, "note": "x" * 800} for row in rows(1500)])
    plan = prepare_command.run(prepare_command.Config(dry_run=True, sources=(source,), output=home / "data", workers=2))
    assert (plan.rows, plan.exact, plan.sample.rows, plan.workers) == (1500, False, 1000, 2)
    assert plan.seconds > 0
    assert "the figures below are of the first 1,000 rows" in plan.to_text()


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "csv", "parquet", "json"])
def test_rows_are_counted_in_every_kind_of_file(tmp_path, ending):
    made, path = rows(3000)[:-1], tmp_path / f"a.{ending}"
    lines = b"".join(orjson.dumps(row) + b"\n" for row in made)
    if ending == "parquet":
        parquet.write_table(pa.Table.from_pylist(made), path)
    elif ending == "json":
        path.write_bytes(orjson.dumps(made))
    elif ending == "csv":
        path.write_text("\n".join(["prompt,chosen,rejected", *(",".join(row.values()) for row in made)]))
    else:
        path.write_bytes(gzip.compress(lines) if ending.endswith("gz") else lines)
    assert sampling.row_count(path) == pytest.approx(2999, rel=0.15 if ending == "json" else 0, abs=1)


def test_a_compressed_file_that_is_read_in_part_is_estimated(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "BLOCK", 65536)
    lines = b"".join(orjson.dumps({"n": k, "noise": os.urandom(20).hex()}) + b"\n" for k in range(90_000))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    assert sampling.row_count(tmp_path / "a.jsonl.gz") == pytest.approx(90_000, rel=0.1)


def test_a_model_that_is_not_here_or_too_large_is_not_opened(home, monkeypatch):
    source = write(home / "pairs.jsonl", rows(120))
    settings = {"dry_run": True, "dataset": (source,), "output": home / "run"}
    plan = train_command.run(train_command.Config(model="org/never-downloaded", **settings))
    assert plan.to_json()["not_measured_because"] == "org/never-downloaded is not on this disk"
    assert plan.steps > 0
    (home / "large").mkdir()
    (home / "large" / "model.safetensors").write_bytes(bytes(4096))
    monkeypatch.setattr(train_plans, "MOST_WEIGHTS", 4000)
    plan = train_command.run(train_command.Config(model=str(home / "large"), **settings))
    assert "tokens, time and memory were not measured: the weights of" in plan.to_text()


def test_what_the_command_refuses_the_dry_run_refuses(home):
    source = write(home / "pairs.jsonl", rows(120))
    (home / "taken").mkdir()
    (home / "taken" / "letter.txt").write_text("mine")
    with pytest.raises(OutputError):
        train_command.run(train_command.Config(**SMALL, dry_run=True, dataset=(source,), output=home / "taken"))
    with pytest.raises(OutputError):
        prepare_command.run(prepare_command.Config(dry_run=True, sources=(source,), output=home / "taken"))
    with pytest.raises(UsageError, match="remove --resume"):
        train_command.run(
            train_command.Config(**SMALL, dry_run=True, resume=True, dataset=(source,), output=home / "a")
        )
    with pytest.raises(UsageError, match="downloads nothing"):
        train_command.run(train_command.Config(**SMALL, dry_run=True, dataset=("owner/name",), output=home / "a"))
    with pytest.raises(UsageError, match="option of the command line"):
        rs.train("tiny", source, home / "a", dry_run=True)


def test_json_and_both_languages(home, capsys):
    source = write(home / "pairs.jsonl", rows(60))
    words = ["train", "--model", "tiny", "--dataset", source, "-o", "run", "--dry-run", "--threads", "1"]
    assert cli.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dry_run"] is True
    assert cli.main([*words, "--lang", "zh"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("试运行：没有写入任何内容")
    assert [line for line in shown.splitlines() if line.isascii()] == []
    assert not (home / "run").exists()


def test_estimates_are_said_with_the_digits_they_have():
    assert about(47_853, exact=False) == "≈47,900"
    assert about(812, exact=False) == "≈812"
    assert about(47_853, exact=True) == "47,853"
    assert [duration(s) for s in (0.2, 59, 600, 36_000)] == ["1 s", "59 s", "10.0 min", "10.0 h"]
