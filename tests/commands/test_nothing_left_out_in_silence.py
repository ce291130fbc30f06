"""Every command on data of which everything that can be left out is: what the terminal, JSON, report and card say."""

import json

import pytest

from builders import tiny
from rewardsmith.cli import main

TEMPLATE = (
    "{% for m in messages %}"
    "{% if m['role'] == 'system' and 'refuse' in m['content'] %}{{ raise_exception('no such system turn') }}{% endif %}"
    "{% if m['role'] != 'system' %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'].split('</think>')[-1] | trim + '<|im_end|>\n' }}"
    "{% endif %}{% endfor %}"
)


def rows():
    """Rows by what happens to them, under a max_length of 256 and a prompt budget of 128 tokens, of one byte each."""
    return {
        "plain": [pair(f"Which is larger, {k} or {k + 1}?", f"It is {k + 1}.", f"It is {k}.") for k in range(40)],
        "fits": [pair(f"{k}" + "p" * 180, "yes", "no") for k in range(2)],  # above the budget, and whole all the same
        "unreadable": ['{"broken'] * 9 + [json.dumps({"prompt": "q", "chosen": "a", "rejected": None})],
        "refused": [pair(f"q {k}", "a", "b", system="refuse") for k in range(8)],
        "too_long": [pair(f"w {k}", "w" * 300, "b") for k in range(5)],
        "prompt_cut": [pair(f"{k}" + "p" * 300, "yes", "no") for k in range(6)],
        "other_context": [pair(f"{k}" + "p" * 180, "yes", "n" * 60) for k in range(3)],
        "identical": [pair(f"s {k}", "yes", " yes \n") for k in range(4)],
        "thought": [pair(f"t {k}", "<think>hm</think>good", "bad") for k in range(3)],
        "system": [pair(f"u {k}", "good", "bad", system="be kind") for k in range(7)],
    }


def pair(prompt, chosen, rejected, **more):
    return json.dumps({"prompt": prompt, "chosen": chosen, "rejected": rejected, **more})


LINES = [line for lines in rows().values() for line in lines]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model, the data, a run on it, and what was printed."""
    folder = tmp_path_factory.mktemp("left_out")
    model = tiny(max_length=256)
    model.tokenizer.chat_template = TEMPLATE
    (folder / "start").mkdir()
    model.network.hf.save_pretrained(folder / "start")
    model.tokenizer.save_pretrained(folder / "start")
    (folder / "data.jsonl").write_text("\n".join(LINES) + "\n")
    (folder / "few.jsonl").write_text("\n".join(rows()["plain"]) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(place):
    code = main(
        [
            *("train", "--model", f"{place}/start", "--dataset", f"{place}/data.jsonl", "--output", f"{place}/run"),
            *("--validation", f"{place}/few.jsonl", "--test", f"{place}/data.jsonl"),
            *("--max-length", "256", "--epochs", "1", "--threads", "1", "--device", "cpu"),
        ]
    )
    assert code == 0
    return place / "run"


UNREADABLE = "10 of 88 rows could not be read: broken_json × 9, missing_field × 1"
EVALUATED = [
    UNREADABLE,
    "8 of 78 records were excluded: not_scorable × 8",
    "20 of 140 responses cut to max_length: prompt × 15, response × 5",
    "3 of 70 records have a prompt cut differently by response: prompt_cut × 3",
    "4 of 70 records have responses identical after rendering: rendering × 4",
    "10 of 70 records lose contents to the chat template: system × 7, response × 3",
]
TRAINED = [
    UNREADABLE,
    "17 of 78 records were excluded: not_scorable × 8, too_long × 5, identical_tokens × 4",
    "15 of 122 responses cut to max_length: prompt × 15",
    "3 of 61 records have a prompt cut differently by response: prompt_cut × 3",
    "10 of 61 records lose contents to the chat template: system × 7, response × 3",
]
COUNTS = {
    "unreadable": (10, 88, {"broken_json": 9, "missing_field": 1}),
    "unused": (8, 78, {"not_scorable": 8}),
    "cut": (20, 140, {"prompt": 15, "response": 5}),
    "different_context": (3, 70, {"prompt_cut": 3}),
    "identical": (4, 70, {"rendering": 4}),
    "not_shown": (10, 70, {"system": 7, "response": 3}),
}


def counts(told):
    """The counts of a `left_out` in JSON."""
    return {
        name: (tally["count"], tally["of"], {code: reason["count"] for code, reason in tally["reasons"].items()})
        for name, tally in told.items()
    }


def output(capsys, *arguments):
    """What a command prints, without the tool's own notes."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_evaluate_says_all_and_names_the_rows(run, place, capsys):
    common = ("evaluate", "--model", run, "--sources", place / "data.jsonl", "--device", "cpu")
    said = output(capsys, *common, "--output", place / "eval")
    assert [line for line in said.splitlines() if " of " in line and " × " in line] == EVALUATED
    assert "not_scorable: data.jsonl:53, 54, 55, …; the chat template rejects" in said
    assert "no such system turn" in said
    assert max(map(len, EVALUATED)) <= 80
    told = json.loads((place / "eval" / "evaluation.json").read_text())
    assert counts(told["left_out"]) == COUNTS
    assert told["left_out"]["unused"]["reasons"]["not_scorable"]["rows"] == [
        f"{place / 'data.jsonl'}:{line}" for line in range(53, 61)
    ]
    assert (told["prompts_cut"], told["responses_cut"], told["not_scorable"]) == (15, 5, 8)
    assert counts(json.loads(output(capsys, *common, "--json"))["left_out"]) == COUNTS


def test_validation_data_of_evaluate_is_told_by_itself(run, place, capsys):
    said = output(
        capsys,
        *("evaluate", "--model", run, "--sources", place / "few.jsonl", "--validation", place / "data.jsonl"),
        *("--device", "cpu"),
    )
    assert [line for line in said.splitlines() if " × " in line] == [f"validation data: {line}" for line in EVALUATED]


def test_score_says_the_same_and_its_rows_hold_their_cuts(run, place, capsys):
    arguments = ("score", "--model", run, "--source", place / "data.jsonl", "--device", "cpu")
    said = output(capsys, *arguments, "--output", place / "scored.jsonl")
    assert [line for line in said.splitlines() if " of " in line and " × " in line] == EVALUATED
    told = json.loads(output(capsys, *arguments, "--output", place / "again.jsonl", "--json"))
    assert counts(told["left_out"]) == COUNTS
    assert (told["rows"], told["not_scored"], told["prompts_cut"], told["responses_cut"]) == (88, 18, 15, 5)
    scored = [json.loads(line) for line in (place / "scored.jsonl").read_text().splitlines()]
    cut = [row["cut"] for row in scored if "cut" in row]
    assert len(cut) == 14
    for row in scored:
        if len(row.get("rejected") or "") == 60:  # that one alone does not fit, whatever order the record keeps them in
            assert row["cut"]["prompt_tokens"][0] == 0
            assert row["cut"]["prompt_tokens"][1] > 0
        if len(row.get("chosen") or "") == 300:
            assert row["cut"]["response_tokens"][0] > 0
            assert row["cut"]["response_tokens"][1] == 0
    assert sum("error" in row for row in scored) == 18


def test_train_says_it_before_and_after_and_keeps_it(run, capsys):
    told = json.loads((run / "train.json").read_text())
    assert counts(told["left_out"]) == {
        **{name: COUNTS[name] for name in ("unreadable",)},
        "unused": (17, 78, {"not_scorable": 8, "too_long": 5, "identical_tokens": 4}),
        "cut": (15, 122, {"prompt": 15}),
        "different_context": (3, 61, {"prompt_cut": 3}),
        "identical": (0, 61, {}),
        "not_shown": (10, 61, {"system": 7, "response": 3}),
    }
    assert all(not count for count, _, _ in counts(told["left_out_validation"]).values())
    refused = [json.loads(line) for line in (run / "data" / "refused.jsonl").read_text().splitlines()]
    assert len(refused) == 17
    assert told["records"] == 61


def test_train_notes_it_before_it_begins(place, capsys):
    main(
        [
            *("train", "--model", f"{place}/start", "--dataset", f"{place}/data.jsonl", "--output", f"{place}/short"),
            *("--validation", f"{place}/few.jsonl", "--test", f"{place}/few.jsonl", "--max-steps", "1"),
            *("--max-length", "256", "--threads", "1", "--device", "cpu", "--no-report"),
        ]
    )
    shown = capsys.readouterr()
    before, _, _ = shown.err.partition("step 1")
    for text in (before, shown.out):
        said = [line.strip() for line in text.splitlines() if " of " in line and " × " in line]
        assert said == [f"training data: {line}" for line in TRAINED]


def test_diagnose_report_and_card_say_it(run, capsys):
    said = output(capsys, "diagnose", run, "--overwrite")
    report = json.loads((run / "report.json").read_text())
    (finding,) = [finding for finding in report["findings"] if finding["id"] == "left_out"]
    assert finding["severity"] == "critical"  # more than a fifth was not used
    assert counts(finding["numbers"]["evaluated data"]) == COUNTS
    card = (run / "model" / "README.md").read_text().replace("\\", "")
    for name, lines in (("training data", TRAINED), ("evaluated data", EVALUATED)):
        for line in lines:
            assert f"- {name}: {line}\n" in card
            head = line.partition(": ")[0]
            assert all(f"{name}: {head}" in text for text in (said, (run / "report.html").read_text()))
    assert "too_long × 5 (data.jsonl:61, 62, 63, …)" in said
    told = [line for line in said.splitlines() if line.startswith(("    training data: ", "    evaluated data: "))]
    assert len(told) == len(TRAINED) + len(EVALUATED)  # a line each, as wide as they must be
    assert str(run.parent) not in card


def test_compare_repeats_what_either_side_did_not_use(run, place, capsys):
    folder = place / "compared"
    output(
        capsys, "evaluate", "--model", run, "--sources", place / "data.jsonl", "--output", folder, "--device", "cpu"
    )  # fmt: skip
    said = output(capsys, "compare", folder, run)
    assert [line for line in said.splitlines() if " × " in line] == [
        *(f"A: {line}" for line in EVALUATED),
        *(f"B: {line}" for line in EVALUATED),
    ]
    assert counts(json.loads(output(capsys, "compare", folder, run, "--json"))["left_out_b"]) == COUNTS


def test_a_little_is_a_note_and_no_warning(place, run, capsys):
    lines = [*rows()["plain"], rows()["refused"][0]]
    (place / "nearly.jsonl").write_text("\n".join(lines) + "\n")
    output(
        capsys, "evaluate", "--model", run, "--sources", place / "nearly.jsonl", "--output", place / "nearly",
        "--device", "cpu",
    )  # fmt: skip
    told = json.loads(output(capsys, "diagnose", place / "nearly", "--json"))
    (finding,) = [finding for finding in told["findings"] if finding["id"] == "left_out"]
    assert finding["severity"] == "info"
    assert "1 of 41 records were excluded" in finding["evidence"]


def test_where_nothing_is_left_out_nothing_is_said(place, run, capsys):
    said = output(capsys, "evaluate", "--model", run, "--sources", place / "few.jsonl", "--device", "cpu")
    assert "×" not in said
    assert " were excluded" not in said


def test_where_nothing_is_usable_every_reason_is_told(place, run, capsys):
    lines = [*rows()["refused"], *rows()["unreadable"]]
    (place / "none.jsonl").write_text("\n".join(lines) + "\n")
    assert main(["evaluate", "--model", str(run), "--sources", f"{place}/none.jsonl", "--device", "cpu"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "8 of 8 records were excluded: not_scorable × 8" in error
    assert "10 of 18 rows could not be read: broken_json × 9, missing_field × 1" in error
    arguments = ["train", "--model", f"{place}/start", "--dataset", f"{place}/none.jsonl", "--output", f"{place}/no"]
    few = ["--validation", f"{place}/few.jsonl", "--test", f"{place}/few.jsonl"]
    assert main([*arguments, *few, "--max-length", "256", "--threads", "1", "--device", "cpu"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "no training data" in error
    assert "8 of 8 records were excluded: not_scorable × 8" in error
    assert "10 of 18 rows could not be read" in error
    assert not (place / "no").exists()
