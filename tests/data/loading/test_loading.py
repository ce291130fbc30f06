import os
import random
from collections import Counter
from itertools import combinations
from pathlib import Path

import orjson
import pytest

import schemas as s
from rewardsmith.data.loading.load import iterate, load, reading
from rewardsmith.errors import DataError
from rewardsmith.records import Record

GOOD = {"prompt": "p", "chosen": "a", "rejected": "b"}


def test_rows_are_conserved_and_bad_ones_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(orjson.dumps(GOOD) + b'\n{"prompt": "p", "chosen": 5, "rejected": "b"}\nnull\n')
    loaded = load(path)
    assert (loaded.rows, len(loaded.records)) == (3, 1)
    assert [(bad.line, bad.code) for bad in loaded.quarantined] == [(2, "wrong_type"), (3, "not_an_object")]


def test_strict_stops_at_the_first_bad_row(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(orjson.dumps(GOOD) + b"\n{}\n")
    with pytest.raises(DataError, match=r"a\.jsonl:2: "):
        load(path, strict=True)


def test_what_was_understood_names_every_column(tmp_path):
    rows = [GOOD | {"topic": "t", "tags": ["x"]}] * 150 + [GOOD | {"late": {}}]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    first, second = load(path).understood
    assert "pair" in first
    assert "used: prompt, chosen, rejected; kept as fields: topic; ignored: tags" in first
    assert second.endswith(":151: ignored from here on: late")


def test_records_lists_and_files_mix():
    loaded = load([GOOD], [Record((), load([GOOD]).records[0].responses)])
    assert [type(record) for record in loaded.records] == [Record, Record]


def test_unknown_columns_are_refused_with_advice():
    loaded = load([{"instruction": "x", "output": "y"}])
    assert loaded.quarantined[0].code == "unknown_format"
    assert "instruction, output" in loaded.quarantined[0].reason


def test_a_row_of_another_format_says_so():
    question = {"question": "q", "response_j": "a", "response_k": "b"}
    loaded = load([GOOD, GOOD, question, {"prompt": "p", "chosen": "a", "rejected": None}])
    assert len(loaded.records) == 2
    other, empty = loaded.quarantined
    assert (other.code, empty.code) == ("missing_field", "missing_field")
    assert "has the columns of the format stack-exchange, but the file is read as pair" in other.reason
    assert "'rejected' is missing or null" in empty.reason


def test_a_hub_name_that_cannot_be_had_is_one_line(monkeypatch):
    datasets = pytest.importorskip("datasets")

    def refuse(*_, **__):
        raise ConnectionError("no network\nmore")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(DataError, match=r"owner/name is neither a local file or folder nor") as caught:
        load("owner/name")
    assert "\n" not in str(caught.value)


def test_mutated_bytes_never_crash_and_rows_are_conserved(tmp_path):
    rng = random.Random(0)
    line = orjson.dumps(GOOD | {"margin": 1.5, "chosen": "好 \\ud83d \n"}) + b"\n"
    data = bytearray(line * 3000)
    for _ in range(3000):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    loaded = load(path)
    assert loaded.rows == sum(bool(piece.strip()) for piece in bytes(data).split(b"\n"))
    assert len(loaded.records) > 500
    for bad in loaded.quarantined:
        assert bad.code
        bad.excerpt.encode()


def real(name):
    folder = os.environ.get("REWARDSMITH_DATA")
    if not folder:
        pytest.skip("REWARDSMITH_DATA is not set")
    return Path(folder) / name


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "rows", "codes", "ties"),
    [
        ("hh-rlhf/harmless-base.jsonl.gz", 2312, {"empty_response": 4}, 0),
        ("hh-rlhf/helpful.jsonl.gz", 2352, {"empty_response": 4}, 0),
        ("ukp-convarg/strict.jsonl.gz", 11642, {}, 0),
        ("ultrafeedback-noise/clean.jsonl.gz", 1000, {"identical_responses": 4, "empty_response": 2}, 0),
        ("ultrafeedback-noise/label_flip_20.jsonl.gz", 1000, {"identical_responses": 4, "empty_response": 2}, 0),
        ("ultrafeedback-noise/label_flip_20.truth.jsonl.gz", 1000, {"unknown_format": 1000}, 0),
        ("webgpt/comparisons.jsonl.gz", 901, {}, 245),
        ("alpaca-eval/pairs_raw.jsonl.gz", 3476, {}, 0),
        ("alpaca-eval/pairs_length_balanced.jsonl.gz", 2839, {}, 0),
        ("alpaca-eval/null_model.jsonl.gz", 300, {}, 0),
        ("order-swapped-verdicts/gpt4.jsonl.gz", 1120, {"no_judgement": 2}, 215),
    ],
)
def test_real_files_give_the_counts_of_their_description(name, rows, codes, ties):
    loaded = load(real(name))
    assert loaded.rows == rows
    assert Counter(bad.code for bad in loaded.quarantined) == codes
    assert sum(c.is_tie for record in loaded.records for c in record.comparisons) == ties


@pytest.mark.real_data
def test_dialogues_that_diverge_before_the_last_turn_are_kept_whole():
    # Five pairs of the original file diverge early; nine answers of the other file hold a further turn inside.
    records = load(real("hh-rlhf/harmless-base.jsonl.gz")).records
    assert sum(any(len(each.messages) > 1 for each in record.responses) for record in records) == 5
    helpful = load(real("hh-rlhf/helpful.jsonl.gz")).records
    assert sum("\n\nHuman:" in each.text or "\n\nAssistant:" in each.text for r in helpful for each in r.responses) == 9


@pytest.mark.real_data
def test_best_of_n_rows_compare_all_pairs():
    records = [item for item in iterate(real("zeroeval-gsm8k/best_of_n.jsonl.gz")) if isinstance(item, Record)]
    assert len(records) == 120
    assert {len(record.responses) for record in records} == {43, 44}
    for record in records:
        texts = [response.text for response in record.responses]
        assert len(record.comparisons) == sum(a != b for a, b in combinations(texts, 2))  # no text with itself


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_are_read_through_arrow_with_their_nested_columns(library):
    frames = pytest.importorskip(library)
    rows = [
        {"prompt": f"问 {n}", "chosen": [s.assistant(f"a{n}")], "rejected": [s.assistant("b")], "n": n}
        for n in range(3)
    ]
    loaded = load(frames.DataFrame(rows))
    assert [record.prompt[0].content for record in loaded.records] == ["问 0", "问 1", "问 2"]
    assert [record.fields for record in loaded.records] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert loaded.records == tuple(record.at("dataset", n) for n, record in enumerate(load(rows).records, 1))
    missing = load(frames.DataFrame({"prompt": ["p", None], "chosen": ["a", "a"], "rejected": ["b", "b"]}))
    assert [bad.code for bad in missing.quarantined] == ["missing_field"]


@pytest.mark.parametrize(
    ("sources", "label"),
    [
        (["data/pairs.jsonl"], "reading pairs.jsonl"),
        ([Path("a.csv"), "b.jsonl", "folder"], "reading a.csv and 2 more"),
        ([[{"chosen": "a", "rejected": "b"}]], "reading"),
        (["https://host/rows.jsonl?token=secret"], "reading"),
    ],
)
def test_a_bar_names_its_file(sources, label):
    assert reading(sources) == label
