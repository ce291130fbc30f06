"""Files of a run that are damaged, or written by somebody else: one line that names the file, and never a traceback.

`make torture` tries more: REWARDSMITH_CASES=500 pytest tests/test_damaged_runs.py.
"""

import json
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from mutations import MUTATIONS
from rewardsmith.cli import main
from rewardsmith.errors import DataError
from rewardsmith.files.reading import MOST_BYTES, read_lines, read_object
from rewardsmith.track.rows import Rows
from rewardsmith.train.loop import lines_up_to

CASES = int(os.environ.get("REWARDSMITH_CASES", "60"))
SECONDS = 20.0
TRAIN = [
    "train",
    "--model",
    "tiny",
    "--batch",
    "7",
    "--n-embd",
    "16",
    "--n-layer",
    "1",
    "--threads",
    "1",
    "--evals",
    "2",
]
OF_THE_MODEL = ("reward.json", "README.md")
"""What of the model's folder is ours; weights, config and tokenizer have tests of their own."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A prepared data set and a finished run on it, diagnosed, so that not every copy of it is measured again."""
    folder = tmp_path_factory.mktemp("finished")
    assert main(["prepare", "synthetic:60", "-o", str(folder / "data")]) == 0
    assert main([*TRAIN, "--dataset", str(folder / "data"), "-o", str(folder / "run")]) == 0
    assert main(["diagnose", str(folder / "run"), "--overwrite"]) == 0
    return folder


@pytest.fixture(scope="module")
def of_an_older_version(finished, tmp_path_factory):
    """That run without manifests, diagnosed: who reads a file of it is on their own."""
    run = copy_of(finished, tmp_path_factory.mktemp("older"))
    for folder in (run, run / "model"):
        (folder / "manifest.json").unlink()
    assert main(["diagnose", str(run), "--overwrite"]) == 0
    return run


def files_of(run):
    """The files that some command reads back."""
    found = [
        path.relative_to(run) for path in sorted(run.rglob("*")) if path.suffix in (".json", ".jsonl", ".yaml", ".md")
    ]
    return [
        path
        for path in found
        if "checkpoints" not in path.parts and ("model" not in path.parts or path.name in OF_THE_MODEL)
    ]


def commands(finished, run):
    """The command lines that read a run."""
    return {
        "diagnose": ["diagnose", str(run), "--overwrite"],
        "card": ["card", str(run), "--overwrite"],
        "compare": ["compare", str(run), str(finished / "run")],
        "resume": [*TRAIN, "--dataset", str(finished / "data"), "-o", str(run), "--resume", "--no-report"],
    }


def copy_of(finished, tmp_path):
    return Path(shutil.copytree(finished / "run", tmp_path / "run"))  # with its times, by which measurements are known


@pytest.mark.parametrize("seed", range(CASES))
def test_whatever_is_damaged_ends_in_one_line(finished, tmp_path, capsys, seed):
    rng = random.Random(seed)
    run = copy_of(finished, tmp_path)
    file, damage = rng.choice(files_of(run)), rng.choice(list(MUTATIONS))
    (run / file).write_bytes(MUTATIONS[damage]((run / file).read_bytes(), rng))
    # Each file is read by several commands: one of them a case, and training again, which takes longer, now and then.
    name = "resume" if seed % 12 == 0 else rng.choice(["diagnose", "diagnose", "card", "compare"])
    began = time.process_time()
    code = main(commands(finished, run)[name])
    shown = capsys.readouterr()
    told = f"{name} after {damage} of {file}: {shown.err}"
    assert code in (0, 1, 2), told
    assert "Traceback" not in shown.err, told
    assert time.process_time() - began < SECONDS, told
    if code:
        assert shown.err.splitlines()[-1].startswith("error: "), told


ALL = ("metrics.jsonl", "train.json", "evaluation.json", "config.yaml", "data/prepare.json", "data/quality.json")
READERS = {
    "diagnose": ("comparisons.jsonl", *ALL),
    "card": ("settings.json", "data/data.json", "model/reward.json", "evaluation.json"),
    "compare": ("comparisons.jsonl",),
    "resume": ("settings.json", "metrics.jsonl"),
}
DAMAGE = {
    "list": b"[]\n",
    "number": b"5\n",
    "null": b"null\n",
    "deep": b"[" * 100_000 + b"]" * 100_000 + b"\n",
    "deep_object": b'{"step":' * 100_000 + b"1" + b"}" * 100_000 + b"\n",
    "cut": b'{"step": 1, "lo\n',
    "binary": b"\xff\xfe\x00\x01\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_is_something_else_is_named(finished, of_an_older_version, tmp_path, capsys, damage):
    run = Path(shutil.copytree(of_an_older_version, tmp_path / "run"))
    for command, files in READERS.items():
        for file in files:
            whole, kept = (run / file).read_bytes(), (run / file).stat()
            # Of lines, the second one: the others stay.
            first, _, rest = whole.partition(b"\n")
            lines = file.endswith(".jsonl")
            (run / file).write_bytes(first + b"\n" + DAMAGE[damage] + rest if lines else DAMAGE[damage])
            assert main(commands(finished, run)[command]) == 1, (command, file)
            said = capsys.readouterr().err.splitlines()[-1]
            assert said.startswith("error: "), (command, file, said)
            assert f"{run / file}{':2' if lines else ''}" in said, (command, file, said)
            (run / file).write_bytes(whole)
            os.utime(run / file, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert main(commands(finished, run)["diagnose"]) == 0


ROWS = {
    "number": b"5",
    "list": b"[]",
    "null": b"null",
    "text": b'"x"',
    "half": b'{"step": 2, "lo',
    "step": b'{"step": "x", "loss": 1.0}',
    "fraction": b'{"step": 1.5, "loss": 1.0}',
    "none": b'{"loss": 1.0}',
}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_the_metrics_that_is_none_is_named_by_whoever_reads_it(tmp_path, row):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1, "loss": 0.5}\n' + ROWS[row] + b'\n{"step": 3, "loss": 0.5}\n')
    for read in (lambda: list(lines_up_to(path, 9)), lambda: Rows(path).new()):
        with pytest.raises(DataError) as caught:
            read()
        assert f"{path}:2" in str(caught.value)


def test_figures_of_another_type_are_refused_where_curves_are_made(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1, "loss": "high"}\n')
    with pytest.raises(DataError, match=r"metrics.jsonl:1: loss: got the text 'high', expected a number"):
        Rows(path).new()


def test_trimming_keeps_what_stands_before_a_kill_and_nothing_later(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"step": step}).encode() + b"\n" for step in (1, 1, 2, 3)]
    path.write_bytes(b"".join(lines) + b'{"step": 2')
    assert list(lines_up_to(path, 2)) == lines[:3]


def test_a_file_that_is_absurdly_large_is_not_read(tmp_path):
    path = tmp_path / "train.json"
    with path.open("wb") as file:
        file.truncate(50 * MOST_BYTES)  # takes no space
    began = time.monotonic()
    with pytest.raises(DataError, match=r"train.json is larger than 100 MB"):
        read_object(path)
    assert time.monotonic() - began < 5


def test_a_file_that_is_not_there_is_empty_and_a_folder_is_named(tmp_path):
    assert read_object(tmp_path / "train.json") == {}
    with pytest.raises(DataError, match=r"cannot read .*: Is a directory"):
        read_object(tmp_path)
    with pytest.raises(DataError, match=r"cannot read .*none.jsonl: No such file"):
        list(read_lines(tmp_path / "none.jsonl"))
