"""Names of files and folders: what is UTF-8 works everywhere, what is not is refused in one line before any work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builders import tiny
from rewardsmith.cli import main
from rewardsmith.data.loading.load import load
from rewardsmith.errors import DataError, OutputError
from rewardsmith.files import check_output, check_output_file
from rewardsmith.files.kinds import RUN

ROOT = Path(__file__).parents[2]
NAMES = [
    "new\nline",
    "two  spaces",
    "quo\"te's",
    "中文 名字",
    "-dash",
    "--output",
    "col:on:2",
    "star*[x]?",
    "tab\tand\\slash",
    "$HOME",
    "~",
    "{x}",
    "%41#",
    "e\u0301\u202e",
]
BYTES = b"\xff\xfe".decode(errors="surrogateescape")


def write_rows(path: Path, n: int = 60) -> Path:
    rows = [{"prompt": f"q {k}?", "chosen": f"good {k}", "rejected": f"bad {k}"} for k in range(n)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "plain"
    tiny(n_layer=1).save(folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_inputs_outputs_and_models_may_be_called_anything(name, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = write_rows(tmp_path / f"{name}.jsonl")
    (tmp_path / name).symlink_to(model)
    assert main(["prepare", str(data), "-o", str(tmp_path / f"clean {name}")]) == 0
    assert main(["score", f"./{name}", f"./{name}.jsonl", "-o", f"./{name}.out.jsonl"]) == 0
    scored = [json.loads(line) for line in (tmp_path / f"{name}.out.jsonl").read_bytes().splitlines()]
    assert len(scored) == 60
    assert all(len(row["rewards"]) == 2 for row in scored)
    names = {name, f"{name}.jsonl", f"{name}.out.jsonl", f"clean {name}"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.slow
@pytest.mark.parametrize("name", ["new\nline", "中文 -名"])
def test_a_run_may_be_called_anything(name, tmp_path, capsys):
    data = write_rows(tmp_path / f"{name}.jsonl")
    run = str(tmp_path / name)
    arguments = ["train", "--model", "tiny", "--n-embd", "16", "--n-layer", "1", "--dataset", str(data), "--max-steps",
                 "2", "--threads", "1", "--output", run]  # fmt: skip
    assert main(arguments) == 0
    assert main([*arguments, "--resume"]) == 0
    assert main(["evaluate", run, str(data), "-o", str(tmp_path / f"ev {name}")]) == 0
    assert main(["compare", run, run]) == 0
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["prepare", "{bytes}.jsonl", "-o", "out"],
        ["prepare", "rows.jsonl", "-o", "{bytes}"],
        ["train", "--model", "{bytes}", "--dataset", "rows.jsonl", "--output", "out"],
        ["train", "--model", "tiny", "--dataset", "rows.jsonl", "--output", "{bytes}/run"],
        ["score", "{bytes}", "rows.jsonl", "-o", "out.jsonl"],
        ["diagnose", "{bytes}"],
    ],
)
def test_a_name_that_is_not_utf8_is_refused_before_any_work(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "rows.jsonl")
    write_rows(tmp_path / f"{BYTES}.jsonl")
    (tmp_path / BYTES).mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert main([word.format(bytes=BYTES) for word in arguments]) == 2
    said = capsys.readouterr().err
    assert said.strip().count("\n") == 0
    assert r"\udcff\udcfe" in said
    assert "is not UTF-8; expected a name in UTF-8; rename the file or folder" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_files_of_a_folder_and_places_inside_one_that_are_not_utf8_are_refused(tmp_path, monkeypatch):
    folder = tmp_path / BYTES
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_rows(tmp_path / "rows.jsonl")
    write_rows(folder / "rows.jsonl")
    (tmp_path / "mixed").mkdir()
    write_rows(tmp_path / "mixed" / f"{BYTES}.jsonl")
    with pytest.raises(DataError, match="is not UTF-8"):
        load(str(tmp_path / "mixed"))
    assert len(load("rows.jsonl").records) == 60  # the name is plain, only the current folder is not
    with pytest.raises(OutputError, match="is not UTF-8"):
        check_output(Path("run"), RUN, overwrite=True)
    with pytest.raises(OutputError, match="is not UTF-8"):
        check_output_file(Path("out.jsonl"), overwrite=False)


LOCALES = {
    "C": {"LC_ALL": "C"},
    "ascii streams": {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    "no UTF-8 at all": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("locale", LOCALES)
def test_chinese_is_written_under_any_locale(locale, tmp_path):
    data = write_rows(tmp_path / "rows.jsonl", 3)
    (tmp_path / "数据.jsonl").write_bytes(data.read_bytes().replace(b"good", "好".encode()))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    environment = {**kept, **LOCALES[locale], "PYTHONPATH": str(ROOT / "src")}

    def run(*words):
        command = [sys.executable, "-m", "rewardsmith", *words]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, timeout=600)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done.returncode, (done.stdout + done.stderr).decode()

    def same(text, said):
        return text in said or text.encode("unicode_escape").decode() in said

    code, said = run("prepare", "rows.jsonl", "--fractions", "1", "0", "0", "-o", "out", "--lang", "zh")
    assert code == 0
    assert same("已写入", said)
    code, said = run("prepare", "数据.jsonl", "--fractions", "1", "0", "0", "-o", "净", "--lang", "zh")
    if "PYTHONUTF8" in environment:
        assert code == 2
        assert "ascii" in said
        assert "PYTHONUTF8=1" in said
    else:
        assert code == 0
        assert "好" in (tmp_path / "净" / "train.jsonl").read_text(encoding="utf-8")
