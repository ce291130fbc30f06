import json
import re
import subprocess
import sys

import pytest

import rewardsmith
from builders import tiny
from rewardsmith.cli import main
from rewardsmith.commands.diagnose import Config, run
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.language import display_width, speaking
from rewardsmith.report.text import TEXTS, coloured_severities

SEED_FIGURES = {"train_loss": 0.9122, "val_loss": 0.5590, "val_acc": 0.7063}


@pytest.fixture
def figures(tmp_path):
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(SEED_FIGURES))
    return path


def test_a_file_of_figures_is_judged(figures):
    result = run(Config(figures))
    said = result.to_json()
    assert said["verdict"] == "cannot_judge"
    assert said["report"] == str(figures.parent / "report.html")
    assert (figures.parent / "report.html").is_file()
    assert {"id", "severity", "evidence", "cause", "action"} <= set(said["findings"][0])
    json.dumps(said)


def test_the_text_names_headline_findings_and_next_action(figures, tmp_path):
    text = run(Config(figures, output=tmp_path / "out")).to_text()
    lines = text.splitlines()
    assert lines[0].startswith("Cannot be judged without n and baselines")
    assert any(line.startswith("[warning] no baseline to compare with") for line in lines)
    assert lines[-3].startswith("Next action: Measure accuracy, interval and baselines")
    assert lines[-2].startswith("  $ rewardsmith evaluate MODEL TEST_DATA")
    with speaking("zh"):
        chinese = run(Config(figures, output=tmp_path / "zh")).to_text()
    assert chinese.startswith("缺少比较数 n、基线，无法判断")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_terminal_sees_each_severity_in_its_colour(figures, language):
    with speaking(language):
        result = run(Config(figures))
    text, coloured = result.to_text(), result.to_coloured_text()
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == text
    labels = [TEXTS[language][finding["severity"]] for finding in result.findings]
    marked = re.findall(r"^\x1b\[([\d;]+)m\[(.+?)\]\x1b\[0m ", coloured, re.MULTILINE)
    assert [label for _, label in marked] == labels
    assert len({colour for colour, _ in marked}) == len(set(labels)) > 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_terminal_gets_lines_of_80_columns_and_commands_whole(figures, language):
    with speaking(language):
        result = run(Config(figures))
    lines = result.to_text().splitlines()
    assert [line for line in lines if display_width(line) > 80 and not line.lstrip().startswith(("$", "→"))] == []
    finding = max(result.findings, key=lambda one: display_width(one["evidence"]))
    assert display_width(finding["evidence"]) > 80
    at = next(at for at, line in enumerate(lines) if line.endswith(finding["title"]))
    assert re.match(r" {4}\S", lines[at + 1])
    assert re.match(r" {6}\S", lines[at + 2])
    for one in result.findings:
        assert "".join(one["evidence"].split()) in "".join(result.to_text().split())


def test_a_label_inside_a_text_keeps_its_colour():
    assert (
        coloured_severities("see [critical] below\n    [good] x\n[other]")
        == "see [critical] below\n    [good] x\n[other]"
    )
    assert coloured_severities("model: m\n[critical] x") == "model: m\n\x1b[1;31m[critical]\x1b[0m x"


def test_a_run_folder_is_judged_and_its_other_files_stay(tmp_path):
    (tmp_path / "train.json").write_text(json.dumps({"train_loss": 0.6931, "steps": 20}))
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": null}\n')
    result = run(Config(tmp_path))
    assert result.verdict == "broken"
    assert json.loads((tmp_path / "train.json").read_text())["steps"] == 20


def test_a_report_is_not_overwritten_unless_asked(figures):
    run(Config(figures))
    with pytest.raises(OutputError, match="pass --overwrite"):
        run(Config(figures))
    run(Config(figures, overwrite=True))


@pytest.fixture(scope="module")
def model_and_data(tmp_path_factory):
    """A saved model in no run folder, and a file of pairs."""
    place = tmp_path_factory.mktemp("bare")
    tiny(seed=1, max_length=64).save(place / "model")
    rows = [
        {"prompt": f"Is {k} an even number?", "chosen": f"It is {k % 2 == 0}.", "rejected": "No."} for k in range(40)
    ]
    (place / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place / "model", place / "pairs.jsonl"


def test_a_model_outside_of_a_run_is_evaluated_on_a_file_and_judged(model_and_data, tmp_path, capsys):
    model, data = map(str, model_and_data)
    out = str(tmp_path / "out")
    assert main(["diagnose", model]) == 1
    assert "add --data SOURCE" in capsys.readouterr().err
    assert main(["diagnose", model, "--data", data, "--output", out, "--json"]) == 0
    shown = capsys.readouterr()
    said = json.loads(shown.out)
    assert "is missing" not in shown.err
    names = {"evaluation.json", "comparisons.jsonl", "measurements.json", "report.html", "report.md", "report.json"}
    assert names <= {path.name for path in (tmp_path / "out").iterdir()}
    assert {"best_of_n", "dpo", "rl"} == said["ready_for"].keys()
    commands = [one["bring"] for one in said["not_checked"]] + [one["command"] for one in said["findings"]]
    audits = [command for command in commands if command.startswith("rewardsmith audit")]
    assert audits == [f"rewardsmith audit {model} TEST_DATA --output {out}-audit"]
    measured = json.loads((tmp_path / "out" / "measurements.json").read_text())
    assert measured["rescored"]["n"] == 80
    assert measured["rescored"]["largest"] == pytest.approx(0, abs=1e-5)

    assert main(["diagnose", model, "--data", data, "--output", out]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main(["diagnose", out, "--overwrite", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in again["findings"]] == [one["id"] for one in said["findings"]]


def test_data_without_a_place_for_the_evaluation_is_refused(model_and_data, capsys):
    assert main(["diagnose", *map(str, (model_and_data[0], "--data", model_and_data[1]))]) == 2
    assert "--data needs --output" in capsys.readouterr().err


def test_an_unknown_language_is_refused(figures):
    with pytest.raises(UsageError, match="lang: got 'fr', expected one of en, zh"):
        rewardsmith.diagnose(figures, lang="fr")


def test_a_run_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="no run folder"):
        run(Config(tmp_path / "nowhere"))


def test_the_command_module_is_light():
    code = (
        "import sys, rewardsmith.commands.diagnose;"
        "print([m for m in ('numpy', 'matplotlib', 'jinja2', 'torch', 'yaml') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
