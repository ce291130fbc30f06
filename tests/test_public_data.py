"""Data without a file goes into every function: frames, data sets, lists, what was loaded; open models go where paths do."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rewardsmith as rs
from builders import tiny
from rewardsmith.data.loading.objects import sources_of

ROWS = [{"prompt": f"What is {n}?", "chosen": f"It is {n}, I think.", "rejected": f"No idea, {n}."} for n in range(40)]
SMALL = {"epochs": 1, "n_layer": 1, "n_head": 1, "n_embd": 16, "block_size": 64, "report": False, "device": "cpu"}


def frame(name, rows=ROWS):
    """Rows in the form of a library that has to be installed for it."""
    library = pytest.importorskip(name)
    return library.Dataset.from_list(rows) if name == "datasets" else library.DataFrame(rows)


def lazy():
    return frame("polars").lazy()


def splits():
    datasets = pytest.importorskip("datasets")
    parts = {"train": ROWS[:30], "validation": ROWS[30:35], "test": ROWS[35:]}
    return datasets.DatasetDict({name: datasets.Dataset.from_list(rows) for name, rows in parts.items()})


FORMS = {
    "list": lambda: ROWS,
    "generator": lambda: (row for row in ROWS),
    "pandas": lambda: frame("pandas"),
    "polars": lambda: frame("polars"),
    "lazy": lazy,
    "arrow": lambda: frame("polars").to_arrow(),
    "datasets": lambda: frame("datasets"),
    "streamed": lambda: frame("datasets").to_iterable_dataset(),
    "loaded": lambda: rs.load(ROWS),
    "records": lambda: list(rs.load(ROWS).records),
    "one of several": lambda: [frame("pandas")],
}


@pytest.fixture(scope="module")
def model():
    return tiny(max_length=64, n_layer=1)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on rows in memory."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    rs.train("tiny", ROWS, folder, keep=1, **SMALL)
    return folder


@pytest.fixture(scope="module")
def from_file(model, file):
    return [row["rewards"] for row in rs.score(model, file)]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_data_is_scored_as_the_file_is(form, model, from_file):
    scored = rs.score(model, FORMS[form](), best_of=True)
    assert all(row["best"] == int(np.argmax(row["rewards"])) for row in scored)
    for row, expected in zip(scored, from_file, strict=True):
        assert row["rewards"] == [expected[place] for place in order_of(row)]


def order_of(row):
    """The places of chosen and rejected among the responses of a row."""
    if "comparisons" not in row:
        return [0, 1]
    return [0, 1] if row["comparisons"][0]["i"] == 0 else [1, 0]


@pytest.mark.parametrize("form", ["pandas", "loaded"])
def test_data_in_memory_is_evaluated_as_the_file_is(form, model, file):
    there, expected = rs.evaluate(model, FORMS[form](), validation=ROWS[:4]).summary, rs.evaluate(model, file).summary
    assert (there["n"], there["accuracy"], there["nll"]) == (expected["n"], expected["accuracy"], expected["nll"])
    assert "in memory (40 rows, sha256 " in there["source"]


def test_a_row_comes_back_with_all_that_it_had(model):
    (row,) = rs.score(model, [{**ROWS[0], "mine": [1, {"a": None}]}])
    assert len(row.pop("rewards")) == 2
    assert row == {**ROWS[0], "mine": [1, {"a": None}]}


@pytest.fixture(scope="module")
def kept_of_file(file, tmp_path_factory):
    """How many rows of the file are kept."""
    return rs.prepare(file, tmp_path_factory.mktemp("prepared") / "data").kept


@pytest.mark.parametrize("form", ["pandas", "loaded"])
def test_prepare_and_train_take_every_form_and_tell_the_same_of_it(form, kept_of_file, tmp_path):
    made = rs.prepare(FORMS[form](), tmp_path / "data")
    assert made.kept == kept_of_file == len(ROWS)
    told = json.loads((tmp_path / "data" / "prepare.json").read_text())
    (source,) = told["settings"]["sources"]
    assert "in memory (40 rows, sha256 " in source
    (hashed,) = told["inputs"]
    assert hashed["file"] == source
    assert hashed["sha256"][:8] in source
    rs.train("tiny", FORMS[form](), tmp_path / "run", **SMALL)
    data = json.loads((tmp_path / "run" / "data" / "data.json").read_text())
    assert [each["sha256"] for each in data["files"]] == [hashed["sha256"]]
    assert source in (tmp_path / "run" / "config.yaml").read_text()


def test_a_run_on_rows_in_memory_is_resumed_with_the_same_rows_and_with_no_others(run):
    other = [dict(ROWS[0], chosen="It is something else."), *ROWS[1:]]
    with pytest.raises(rs.TrainingError, match="data_"):
        rs.train("tiny", other, run, keep=1, resume=True, **SMALL)
    resumed = rs.train("tiny", (row for row in ROWS), run, keep=1, resume=True, **SMALL)
    assert resumed.summary["resumed_from"]


def test_the_name_of_rows_in_memory_changes_with_their_content_and_not_with_their_form(tmp_path):
    names = {sources_of(form(), "sources") for name, form in FORMS.items() if name not in ("loaded", "records")}
    assert len(names) == 1
    assert sources_of([*ROWS[1:], ROWS[0]], "sources") not in names
    assert sources_of([{**ROWS[0], "chosen": "x"}, *ROWS[1:]], "sources") not in names


def test_settings_that_name_rows_in_memory_say_so_when_they_are_used_again(run, tmp_path):
    from rewardsmith.cli import main

    (name,) = sources_of(ROWS, "sources")
    with pytest.raises(rs.DataError, match="a Python program passed"):
        rs.load(str(name))
    words = ["train", "--config", str(run / "config.yaml"), "--output", str(tmp_path / "again"), "--device", "cpu"]
    assert main(words) != 0
    assert not (tmp_path / "again").exists()


def test_train_takes_the_splits_of_a_mapping(tmp_path):
    rs.train("tiny", splits(), tmp_path / "a", **SMALL)
    data = json.loads((tmp_path / "a" / "data" / "data.json").read_text())
    assert data["records"] == {"train": 30, "validation": 5, "test": 5}
    assert [each["file"].split()[0] for each in data["files"]] == ["train", "validation", "test"]
    parts = {"train": ROWS[:14], "dev": ROWS[14:]}
    rs.train("tiny", parts, tmp_path / "b", test=ROWS[:3], **SMALL)
    data = json.loads((tmp_path / "b" / "data" / "data.json").read_text())
    assert data["records"] == {"train": 14, "validation": 26, "test": 3}


@pytest.mark.parametrize(
    ("dataset", "options", "said"),
    [
        ({"test": ROWS}, {}, "none of them is train"),
        ({"train": ROWS, "dev": ROWS, "valid": ROWS}, {}, "at most once"),
        ({"train": ROWS, "test": ROWS}, {"test": ROWS}, "test is given twice"),
        ({"prompt": ["a"], "chosen": ["b"]}, {}, "dataset: got dict"),
        ([*ROWS, "rows.jsonl"], {}, "contains rows and the text 'rows.jsonl'"),
        ([5], {}, "got the number 5 in a list"),
        (b"rows.jsonl", {}, "dataset: got bytes"),
        (None, {}, "dataset: got NoneType"),
    ],
)
def test_data_that_can_be_meant_in_two_ways_or_in_none_is_refused(dataset, options, said, tmp_path):
    with pytest.raises(rs.UsageError, match=said):
        rs.train("tiny", dataset, tmp_path / "out", **options, **SMALL)
    assert not (tmp_path / "out").exists()


def test_evaluate_reads_the_test_split_of_a_mapping_or_the_one_named_and_score_and_prepare_all(model, tmp_path):
    assert rs.evaluate(model, splits()).summary["n"] == 5
    assert rs.evaluate(model, splits(), split="train").summary["n"] == 30
    with pytest.raises(rs.UsageError, match="choose one of them with split="):
        rs.evaluate(model, {"train": ROWS, "dev": ROWS})
    assert [row["prompt"] for row in rs.score(model, splits())] == [row["prompt"] for row in ROWS]
    assert rs.prepare(splits(), tmp_path / "data").rows == 40


def test_an_index_without_a_name_is_no_column_and_one_with_a_name_is(model):
    pandas = pytest.importorskip("pandas")
    (row,) = rs.score(model, pandas.DataFrame(ROWS).iloc[7:8])
    assert set(row) == {"prompt", "chosen", "rejected", "rewards"}
    (row,) = rs.score(model, pandas.DataFrame(ROWS[:1]).set_index("prompt"))
    assert row["prompt"] == ROWS[0]["prompt"]


@pytest.mark.parametrize("columns", [{"prompt": ["a", 5]}, {"prompt": ["a", "b"], "x": [1, {"b": 2}]}])
def test_a_frame_that_arrow_cannot_take_is_refused_in_words(columns):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(rs.DataError, match="DataFrame cannot be read as rows"):
        rs.load(pandas.DataFrame(columns))


def test_one_column_of_a_frame_is_no_rows(model):
    with pytest.raises(rs.DataError, match="Series cannot be read as rows"):
        rs.score(model, frame("pandas")["chosen"])


def test_bad_rows_in_memory_are_named_by_their_number(model):
    scored = rs.score(model, [ROWS[0], {**ROWS[1], "chosen": 5}])
    assert "rows, sha256 " in scored[1]["error"]
    assert "):2: " in scored[1]["error"]


def test_a_path_goes_wherever_text_does(model, file, tmp_path, monkeypatch):
    monkeypatch.chdir(file.parent)
    near = Path(file.name)
    model.save(tmp_path / "model")
    (tmp_path / "bench.jsonl").write_text(json.dumps({"text": "which of these five words is it"}))
    prepared = rs.prepare([near], tmp_path / "data", decontaminate=tmp_path / "bench.jsonl")
    assert prepared.kept == len(ROWS)
    scored = rs.score(tmp_path / "model", near, tmp_path / "scored.jsonl")
    assert scored.rows == len((tmp_path / "scored.jsonl").read_text().splitlines()) == len(ROWS)
    assert rs.evaluate(tmp_path / "model", near, validation=near, output=tmp_path / "eval").summary["n"] == len(ROWS)
    rs.prepare(near, tmp_path / "judged", label_noise="report", margins=tmp_path / "scored.jsonl")
    model.save(str(tmp_path / "named"))
    assert rs.load_reward_model(tmp_path / "named").contract == model.contract


@pytest.mark.parametrize("option", [{"device": "cpu"}, {"dtype": "bf16"}, {"engine": "ray"}, {"allow_mismatch": True}])
def test_settings_of_opening_do_not_go_with_a_model_that_is_open(option, model):
    with pytest.raises(rs.UsageError, match=f"{next(iter(option))}: it does not apply to a model that is already open"):
        rs.score(model, ROWS, **option)


def test_training_does_not_start_from_a_model_that_is_open(model, tmp_path):
    with pytest.raises(rs.UsageError, match=r"model\.save\(folder\)"):
        rs.train(model, ROWS, tmp_path / "out")


NO_CONVERSATIONS = {
    "pandas": lambda: frame("pandas"),
    "polars": lambda: frame("polars"),
    "datasets": lambda: frame("datasets"),
    "splits": splits,
    "arrow": FORMS["arrow"],
    "loaded": FORMS["loaded"],
    "records": FORMS["records"],
    "rows": lambda: ROWS,
    "row": lambda: ROWS[0],
    "path": lambda: Path("rows.jsonl"),
    "text": lambda: "rows.jsonl",
    "bytes": lambda: b"text",
    "set": lambda: {"one", "two"},
    "numbers": lambda: [1, 2],
    "number": lambda: 5,
}


def refusals():
    """What `score` and `rank` say of each of NO_CONVERSATIONS, and how they take a column; as JSON, for another process."""
    model = tiny(max_length=64, n_layer=1)
    said = {}
    for name, make in NO_CONVERSATIONS.items():
        for function in (model.score, lambda given: model.rank("Why?", given)):
            try:
                given = make()
                said.setdefault(name, []).append(f"scored: {function(given)}")
            except rs.DataError as error:
                said.setdefault(name, []).append(str(error))
    texts = [row["chosen"] for row in ROWS[:3]]
    for library in ("pandas", "polars"):
        column = frame(library)["chosen"][:3]
        same = model.score(column).tolist() == model.score(texts).tolist()
        said[f"column of {library}"] = same and model.rank("Why?", column) == model.rank("Why?", texts)
    try:
        rs.RewardModel.load("tiny", dtype=16)
    except rs.UsageError as error:
        said["dtype"] = str(error)
    return json.dumps(said)


def test_no_column_name_is_scored_and_a_column_is():
    """In another process, as in these tests types are looked at before the function is called."""
    for library in ("pandas", "polars", "datasets"):
        pytest.importorskip(library)
    script = "import test_public_data; print(test_public_data.refusals())"
    command, folder = [sys.executable, "-c", script], Path(__file__).parent
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    said = json.loads(done.stdout.splitlines()[-1])
    assert said.pop("column of pandas") is said.pop("column of polars") is True
    assert "dtype: got the number 16" in said.pop("dtype")
    assert said.keys() == NO_CONVERSATIONS.keys()
    for name, sentences in said.items():
        assert len(sentences) == 2
        assert all("expected" in each and not each.startswith("scored") for each in sentences), (name, sentences)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda model: rs.load("synthetic:3", strict=1), "strict: got the number 1"),
        (lambda model: rs.load("synthetic:3", map=5), "map: got the number 5"),
        (lambda model: rs.load_reward_model("tiny", device=3), "device: got the number 3"),
        (lambda model: rs.load_reward_model(5), "path: got the number 5"),
        (lambda model: rs.evaluate(5, ROWS), "model: got the number 5"),
        (lambda model: rs.score(model, ROWS, best_of=1), "best_of: got the number 1"),
        (lambda model: rs.score(model, ROWS, output=5), "output: got the number 5"),
        (lambda model: rs.score(model, ["a.jsonl", "b.jsonl"]), "source: got 2 sources"),
        (lambda model: rs.prepare(ROWS, "out", max_rows=1.5), r"max_rows: got the number 1\.5"),
        (lambda model: rs.prepare(ROWS, "out", languages=frame("pandas")), "languages: got DataFrame"),
        (lambda model: rs.diagnose(5), "run: got the number 5"),
        (lambda model: rs.compare("a", 5), "b: got the number 5"),
        (lambda model: rs.verify("a", device=5), "device: got the number 5"),
        (lambda model: rs.compute_reward(model, None, "a", "text"), "response_ids: got the text"),
        (lambda model: rs.compute_reward(model, None, "a", [1], device=5), "device: got the number 5"),
        (lambda model: rs.diagnose("a", progress=True), "progress: got the switch true"),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_name_of_its_keyword(call, said, model):
    with pytest.raises(rs.UsageError, match=said):
        call(model)
