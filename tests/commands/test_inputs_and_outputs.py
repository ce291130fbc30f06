"""What the commands take as inputs and write as outputs: nothing given is deleted, ignored, overwritten or mixed up."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import rewardsmith as rs
from builders import tiny
from rewardsmith.commands import compare, evaluate, prepare, score
from rewardsmith.data.splits.sources import SplitRule, Splits, load_splits
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.files import refuse_inside
from rewardsmith.progress import SILENT


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pairs(path: Path, n: int, word: str = "q") -> Path:
    rows = [{"prompt": f"{word} {k}", "chosen": f"good {k}", "rejected": f"bad {k}"} for k in range(n)]
    return write_rows(path, rows)


def prompts(records) -> set[str]:
    return {record.prompt[0].content for record in records}


def split(*dataset: Path, validation=(), test=(), rule: SplitRule | None = None) -> Splits:
    return load_splits(
        [str(path) for path in dataset],
        validation=[str(path) for path in validation],
        test=[str(path) for path in test],
        rule=rule or SplitRule(),
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A run folder, as far as its model goes."""
    folder = tmp_path_factory.mktemp("model") / "run"
    tiny(n_layer=1).save(folder / "model")
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    prepare.run(prepare.Config(sources=(str(pairs(folder / "in.jsonl", 100)),), output=folder / "clean"))
    return folder / "clean"


# Outputs and inputs


def test_an_input_may_not_be_the_output_nor_lie_inside_it(tmp_path):
    data = pairs(tmp_path / "data.jsonl", 1)
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "linked.jsonl").symlink_to(data)
    for output, name in (
        (tmp_path, data),
        (data, data),
        (tmp_path / "link", data),
        (tmp_path, tmp_path / "link"),
        (tmp_path / "other", tmp_path / "other" / "linked.jsonl"),
        (tmp_path / "other" / "..", data),
    ):
        with pytest.raises(OutputError, match=r"contains the input .*; choose another output"):
            refuse_inside(output, [str(name)])
    refuse_inside(tmp_path / "other", [str(data), "synthetic:9", "owner/name", str(tmp_path / "other" / "missing")])


@pytest.mark.parametrize(
    ("output", "source"),
    [
        ("run", "data/a.jsonl"),
        ("run/model", "data/a.jsonl"),
        ("data", "data/a.jsonl"),
        ("data", "data"),
        ("data/deep", "data"),
    ],
)
def test_evaluate_never_empties_a_folder_that_it_reads(output, source, model, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model").symlink_to(model / "model")
    (tmp_path / "data" / "deep").mkdir(parents=True)
    pairs(tmp_path / "data" / "a.jsonl", 3)
    pairs(tmp_path / "data" / "deep" / "b.jsonl", 3)
    before = sorted(tmp_path.rglob("*"))
    config = evaluate.Config(
        model=str(tmp_path / "run"), sources=(str(tmp_path / source),), output=tmp_path / output, overwrite=True
    )
    with pytest.raises(OutputError, match="contains the input"):
        evaluate.run(config)
    assert sorted(tmp_path.rglob("*")) == before


def test_evaluate_does_not_delete_its_own_validation_data(model, tmp_path):
    (tmp_path / "out").mkdir()
    validation = pairs(tmp_path / "out" / "validation.jsonl", 3)
    data = pairs(tmp_path / "data.jsonl", 3)
    config = evaluate.Config(
        model=str(model),
        sources=(str(data),),
        validation=(str(validation),),
        output=tmp_path / "out",
        overwrite=True,
    )
    with pytest.raises(OutputError, match=r"contains the input .*validation\.jsonl"):
        evaluate.run(config)
    assert validation.is_file()


def test_evaluate_keeps_the_old_output_until_model_and_data_are_read(model, tmp_path):
    (tmp_path / "out").mkdir()
    old = json.dumps({"n": 1, "accuracy": 1.0, "records": 1})
    (tmp_path / "out" / "evaluation.json").write_text(old)
    data = str(pairs(tmp_path / "data.jsonl", 12))
    for wrong in (
        {"model": str(tmp_path / "nothing"), "sources": (data,)},
        {"model": str(model), "sources": ("no.csv",)},
    ):
        with pytest.raises(Exception, match=r"nothing|no\.csv"):
            evaluate.run(evaluate.Config(**wrong, output=tmp_path / "out", overwrite=True))
        assert (tmp_path / "out" / "evaluation.json").read_text() == old
    evaluate.run(evaluate.Config(model=str(model), sources=(data,), output=tmp_path / "out", overwrite=True))
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["n"] == 12


def test_evaluate_refuses_a_filled_output_before_it_opens_the_model(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "evaluation.json").write_text("old")
    with pytest.raises(OutputError, match="pass --overwrite"):
        evaluate.run(evaluate.Config(model="no/such model", sources=("synthetic:9",), output=tmp_path / "out"))


def test_score_does_not_replace_what_it_reads(model, tmp_path):
    data = pairs(tmp_path / "data.jsonl", 2)
    before = data.read_bytes()
    for source in (data, tmp_path):
        with pytest.raises(OutputError, match="contains the input"):
            score.run(score.Config(model=str(model), source=str(source), output=data, overwrite=True))
    assert data.read_bytes() == before


# Splits


def test_own_files_take_the_place_of_prepared_splits(prepared, tmp_path):
    validation, test = pairs(tmp_path / "v.jsonl", 4, "validation"), pairs(tmp_path / "t.jsonl", 5, "test")
    as_prepared = split(prepared)
    both = split(prepared, validation=[validation], test=[test])
    assert prompts(both.validation) == {f"validation {k}" for k in range(4)}
    assert prompts(both.test) == {f"test {k}" for k in range(5)}
    assert both.train == as_prepared.train
    one = split(prepared, test=[test])
    assert one.validation == as_prepared.validation
    assert prompts(one.test) == {f"test {k}" for k in range(5)}
    assert "except test, which come from separate files" in one.understood[0]


@pytest.mark.parametrize(
    "rule", [SplitRule(by="topic"), SplitRule(test_groups=2), SplitRule(by="topic", test_groups=2)]
)
def test_prepared_data_is_not_split_by_another_rule(rule, prepared):
    with pytest.raises(UsageError, match=r"is already split; run rewardsmith prepare with --split-by"):
        split(prepared, rule=rule)


def test_groups_held_out_and_a_test_file_exclude_each_other(tmp_path):
    data = pairs(tmp_path / "data.jsonl", 30)
    with pytest.raises(UsageError, match="--test-groups and --test cannot be combined"):
        split(data, test=[data], rule=SplitRule(test_groups=2))


def test_small_training_data_with_own_validation_and_test_is_all_for_training(tmp_path):
    data, other = pairs(tmp_path / "data.jsonl", 3), pairs(tmp_path / "other.jsonl", 1, "other")
    splits = split(data, validation=[other], test=[other])
    assert prompts(splits.train) == {"q 0", "q 1", "q 2"}
    assert prompts(splits.validation) == prompts(splits.test) == {"other 0"}


def test_a_part_with_its_own_file_takes_no_share_and_loses_no_record(tmp_path):
    data, other = pairs(tmp_path / "data.jsonl", 200), pairs(tmp_path / "other.jsonl", 1, "other")
    everything = {f"q {k}" for k in range(200)}
    own_test = split(data, test=[other])
    assert prompts(own_test.train) | prompts(own_test.validation) == everything
    assert not prompts(own_test.train) & prompts(own_test.validation)
    own_validation = split(data, validation=[other])
    assert prompts(own_validation.train) | prompts(own_validation.test) == everything
    assert prompts(own_validation.test) == prompts(split(data).test)
    # A tenth each, by hash: 20 of 200, standard deviation 4.2.
    assert 5 <= len(own_test.validation) <= 35
    assert 5 <= len(own_validation.test) <= 35


def test_held_out_groups_go_with_an_own_validation_file(tmp_path):
    rows = [{"prompt": f"q {k}", "chosen": "a", "rejected": "b", "topic": f"t{k % 3}"} for k in range(6)]
    data, other = write_rows(tmp_path / "data.jsonl", rows), pairs(tmp_path / "other.jsonl", 1, "other")
    splits = split(data, validation=[other], rule=SplitRule(by="topic", test_groups=1))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (4, 1, 2)
    assert len({record.fields["topic"] for record in splits.test}) == 1


def test_an_empty_part_is_answered_with_options_that_the_command_has(model, tmp_path):
    data = pairs(tmp_path / "data.jsonl", 2)
    with pytest.raises(DataError, match=r"split is empty .* separate files with --validation and --test$") as caught:
        split(data)
    assert "--fractions" not in str(caught.value)
    with pytest.raises(DataError, match=r"split is empty .*remove --split") as caught:
        evaluate.run(evaluate.Config(model=str(model), sources=(str(data),), split="test"))
    assert "--fractions" not in str(caught.value)


def test_the_train_file_of_prepare_is_not_said_to_have_too_few_prompts(tmp_path):
    rs.prepare("synthetic:200", tmp_path / "data")
    train = str(tmp_path / "data" / "train.jsonl")
    with pytest.raises(DataError, match=r"with this seed.*; pass more data, a folder that rewardsmith prepare wrote"):
        split(train)
    notes = []
    prepare.run(
        prepare.Config(sources=(train,), output=tmp_path / "again"),
        SimpleNamespace(note=notes.append, task=SILENT.task),
    )
    assert any("with this seed" in note for note in notes)


def test_data_without_a_usable_row_is_not_called_too_small(tmp_path):
    data = write_rows(tmp_path / "data.jsonl", [{"prompt": "q", "chosen": "a", "rejected": None}] * 2)
    with pytest.raises(DataError, match=r"none of the 2 rows can be used: .*; the first, .*data\.jsonl:1"):
        split(data)


# Columns that score writes


def scored(model: Path, tmp_path: Path, rows: list[dict], **settings) -> tuple[score.Result, list[dict]]:
    source = write_rows(tmp_path / "in.jsonl", rows)
    output = tmp_path / "out.jsonl"
    result = score.run(score.Config(model=str(model), source=str(source), output=output, **settings))
    return result, [json.loads(line) for line in output.read_text().splitlines()]


GOOD = {"prompt": "q", "chosen": "a", "rejected": "b"}


@pytest.mark.parametrize(
    ("row", "column", "settings"),
    [
        ({**GOOD, "rewards": [1, 2]}, "rewards", {}),
        ({**GOOD, "best": "a"}, "best", {"best_of": True}),
        ({**GOOD, "prompt": "long " * 400, "cut": 1}, "cut", {}),
        ({"prompt": "q", "chosen": "a", "rejected": None, "error": "mine"}, "error", {}),
    ],
)
def test_a_column_of_the_input_is_not_overwritten(row, column, settings, model, tmp_path):
    with pytest.raises(DataError, match=rf"in\.jsonl:2 already has a column '{column}'.*rename it"):
        scored(model, tmp_path, [GOOD, row], **settings)
    assert not (tmp_path / "out.jsonl").exists()


def test_columns_that_would_not_be_written_are_kept_and_an_error_column_is_no_failure(model, tmp_path):
    mine = {**GOOD, "best": "a", "cut": 1, "error": "mine"}
    result, rows = scored(model, tmp_path, [mine, {"prompt": "q", "chosen": "a", "rejected": None}])
    assert (result.rows, result.not_scored) == (2, 1)
    assert {name: rows[0][name] for name in mine} == mine
    assert len(rows[0]["rewards"]) == 2
    assert "in.jsonl:2" in rows[1]["error"]


# Pairs of comparisons


def judged(folder: Path, *rows: dict) -> Path:
    folder.mkdir()
    plain = {"source": "x", "line": 1, "prompt_id": "p", "i": 0, "j": 1, "preference": 1.0}
    write_rows(folder / "comparisons.jsonl", [{**plain, **row} for row in rows])
    return folder


def test_the_same_file_under_another_path_pairs_up(model, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        data = pairs(tmp_path / name / f"{name}.jsonl", 12)
        evaluate.run(evaluate.Config(model=str(model), sources=(str(data),), output=tmp_path / name / "out"))
    figures = compare.run(compare.Config(a=tmp_path / "a" / "out", b=tmp_path / "b" / "out")).to_json()
    assert (figures["n"], figures["only_in_a"], figures["only_in_b"], figures["flipped"]) == (12, 0, 0, 0)


def test_repeated_comparisons_pair_up_in_file_order(tmp_path):
    a = judged(tmp_path / "a", {"id": "r", "margin": 1.0}, {"id": "s", "margin": 1.0}, {"id": "r", "margin": 1.0})
    b = judged(tmp_path / "b", {"id": "r", "margin": 1.0}, {"id": "r", "margin": -1.0, "source": "y", "line": 7})
    figures = compare.run(compare.Config(a=a, b=b)).to_json()
    assert (figures["n"], figures["flipped"]) == (2, 1)
    assert (figures["only_in_a"], figures["only_in_b"]) == (1, 0)


def test_pairs_with_other_labels_are_refused(tmp_path):
    a = judged(tmp_path / "a", {"id": "r", "margin": 1.0}, {"id": "s", "margin": 1.0})
    b = judged(tmp_path / "b", {"id": "r", "margin": 1.0}, {"id": "s", "margin": 1.0, "preference": 0.5})
    with pytest.raises(
        DataError, match=r"a/comparisons\.jsonl:2 has preference 1, but .*b/comparisons\.jsonl:2 has 0\.5"
    ):
        compare.run(compare.Config(a=a, b=b))


@pytest.mark.parametrize(
    "line", ['{"id": "r", "i"', "[1]", "", "\xff", '{"id": "r"}', json.dumps({**GOOD, "id": ["r"], "i": 0, "j": 1})]
)
def test_a_damaged_line_is_named(line, tmp_path):
    a = judged(tmp_path / "a", {"id": "r", "margin": 1.0})
    with (a / "comparisons.jsonl").open("ab") as file:
        file.write(line.encode("latin-1") + b"\n")
    with pytest.raises(DataError, match=r"a/comparisons\.jsonl:2 "):
        compare.run(compare.Config(a=a, b=a))
