import json
from types import SimpleNamespace

import orjson
import pytest

from rewardsmith.commands.prepare import Config, run
from rewardsmith.data.loading.load import load
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.progress import SILENT


def rows(count=200):
    return [{"prompt": f"p{n}", "chosen": f"好 {n}", "rejected": f"b{n}", "topic": f"t{n % 8}"} for n in range(count)]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.jsonl"
    damaged = [b"broken", b'{"prompt": "p", "chosen": "", "rejected": "b", "topic": "t0"}', orjson.dumps(rows()[3])]
    path.write_bytes(b"\n".join([*map(orjson.dumps, rows()), *damaged]))
    return path


def prepare(source, output, **settings):
    return run(Config(sources=(str(source),), output=output, **settings))


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_row_is_kept_quarantined_or_removed(source, tmp_path):
    result = prepare(source, tmp_path / "out")
    assert (result.rows, result.kept, result.quarantined, result.removed) == (203, 200, 2, 1)
    assert sum(result.splits.values()) == result.records == 200
    ledger = [orjson.loads(line) for line in (tmp_path / "out/quarantine.jsonl").read_bytes().splitlines()]
    assert [(row["line"], row["code"]) for row in ledger] == [(201, "broken_json"), (202, "empty_response")]
    (removed,) = (orjson.loads(line) for line in (tmp_path / "out/removed.jsonl").read_bytes().splitlines())
    assert removed["twin"] == f"{source}:4"
    json.dumps(result.to_json())
    assert "kept 200, quarantined 2, removed 1" in result.to_text()


def test_splits_share_no_prompt_and_load_again(source, tmp_path):
    result = prepare(source, tmp_path / "out")
    prompts = {name: {r.prompt for r in load(tmp_path / f"out/{name}.jsonl").records} for name in result.splits}
    assert list(prompts) == ["train", "validation", "test"]
    assert sum(map(len, prompts.values())) == len(set.union(*prompts.values())) == 200
    assert load(tmp_path / "out").rows == 200


def test_the_same_settings_give_the_same_bytes(source, tmp_path):
    prepare(source, tmp_path / "a")
    prepare(source, tmp_path / "b")
    prepare(source, tmp_path / "c", seed=1)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert bytes_of(tmp_path / "a")["train.jsonl"] != bytes_of(tmp_path / "c")["train.jsonl"]


def test_held_out_groups_are_in_test_only(source, tmp_path):
    result = prepare(source, tmp_path / "out", split_by="topic", test_groups=2)
    topics = {n: {r.fields["topic"] for r in load(tmp_path / f"out/{n}.jsonl").records} for n in result.splits}
    assert len(topics["test"]) == 2
    assert sum(map(len, topics.values())) == len(set.union(*topics.values()))  # validation has topics of its own too
    assert result.splits["test"] == 50


def test_splitting_by_a_field_keeps_its_values_apart(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(row | {"topic": str(n % 60)}) for n, row in enumerate(rows())))
    result = prepare(path, tmp_path / "out", split_by="topic")
    topics = [{r.fields["topic"] for r in load(tmp_path / f"out/{n}.jsonl").records} for n in result.splits]
    assert sum(map(len, topics)) == 60


def test_too_few_prompts_for_the_fractions_asked_for_are_an_error_that_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(orjson.dumps(rows()[0]))
    with pytest.raises(DataError, match="split is empty"):
        prepare(path, tmp_path / "out", fractions=(0.7, 0.2, 0.1))
    assert list(tmp_path.iterdir()) == [path]
    assert prepare(path, tmp_path / "out", fractions=(1.0, 0.0, 0.0)).splits == {"train": 1}


def test_few_rows_are_prepared_with_a_note_where_no_fractions_were_asked_for(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows()[:6]))
    notes = []
    progress = SimpleNamespace(note=notes.append, task=SILENT.task)
    result = run(Config(sources=(str(path),), output=tmp_path / "out"), progress)
    assert sum(result.splits.values()) == 6
    assert any("split is empty" in note for note in notes) == (0 in result.splits.values() or len(result.splits) < 3)


def test_plain_text_gets_a_report_and_no_splits(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("fine\nÃ©tÃ©\n", encoding="utf-8")
    result = prepare(path, tmp_path / "out")
    assert (result.rows, result.kept, result.records, result.splits) == (2, 2, 0, {})
    assert result.findings == {"damaged_text": 1}
    assert not (tmp_path / "out/train.jsonl").exists()
    report = json.loads((tmp_path / "out/quality.json").read_text())
    assert report["findings"][0]["examples"][0]["place"] == f"{path}:2"


def test_sources_without_one_good_row_are_refused_by_their_first_reason(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("null\n{}\n")
    with pytest.raises(
        DataError, match=r"none of the 2 rows can be used: .*; the first, .*a\.jsonl:1: the row is null"
    ):
        prepare(path, tmp_path / "out")


def test_strict_and_max_rows(source, tmp_path):
    with pytest.raises(DataError, match=r"in\.jsonl:201"):
        prepare(source, tmp_path / "a", strict=True)
    assert prepare(source, tmp_path / "b", strict=True, max_rows=150).rows == 150


def test_duplicates_can_be_kept(source, tmp_path):
    result = prepare(source, tmp_path / "out", keep_duplicates=True)
    assert (result.removed, result.records, result.findings["duplicate"]) == (0, 201, 1)


def test_nothing_is_overwritten_unasked_and_never_a_foreign_folder(source, tmp_path):
    prepare(source, tmp_path / "out")
    with pytest.raises(OutputError, match="--overwrite"):
        prepare(source, tmp_path / "out")
    prepare(source, tmp_path / "out", overwrite=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.tex").touch()
    with pytest.raises(OutputError, match="is not prepared data of rewardsmith"):
        prepare(source, tmp_path / "home", overwrite=True)
    with pytest.raises(OutputError, match="is inside the output folder"):
        prepare(tmp_path / "out/train.jsonl", tmp_path / "out", overwrite=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"test_groups": 2}, "needs --split-by"), ({"max_rows": 0}, "max_rows"), ({"fractions": (1, 1, 1)}, "sum to 1")],
)
def test_contradicting_settings_are_refused(source, tmp_path, settings, words):
    with pytest.raises(UsageError, match=words):
        prepare(source, tmp_path / "out", **settings)


def test_a_missing_group_field_is_named(source, tmp_path):
    with pytest.raises(DataError, match="no field 'subject'"):
        prepare(source, tmp_path / "out", split_by="subject")
