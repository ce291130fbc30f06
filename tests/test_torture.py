"""`make torture` in its smallest form: its programs run, and a fault that goes wrong would be seen in its table."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TORTURE = ROOT / "benchmarks" / "torture"


def torture(*words):
    command = [sys.executable, str(TORTURE), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)


@pytest.mark.slow
def test_a_hundredth_of_it_ends_as_it_should():
    before = (ROOT / "benchmarks" / "results" / "torture.json").read_bytes()
    done = torture("--scale", "0.01", "--only", "kills", "stops", "crashes", "disk", "damage")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split(maxsplit=3) for line in done.stdout.splitlines()[1:-1]]
    assert len(rows) == 10
    assert all(tried == right and int(tried) > 0 for tried, right, *_ in rows)
    assert done.stdout.splitlines()[-1].endswith("all right")
    assert (ROOT / "benchmarks" / "results" / "torture.json").read_bytes() == before  # only full numbers are kept


def test_what_ends_otherwise_is_counted_and_shown(monkeypatch, tmp_path, capsys):
    """The negative control: a checkpoint of which nothing is ever refused."""
    monkeypatch.syspath_prepend(str(TORTURE))
    import bit_rot
    import outcome

    run = tmp_path / "checkpoint"
    run.mkdir()
    (run / "weights.safetensors").write_bytes(bytes(range(256)) * 32)
    found = bit_rot.damaged(tmp_path, "a checkpoint", run, lambda: False, (), 0.01, 0)
    assert isinstance(found, outcome.Outcome)
    assert (found.tried, found.right) == (10 + 2 + 2 + 1, 0)
    assert len(found.wrong) == found.tried
    assert found.wrong[0].startswith("weights.safetensors: bit ")


def test_every_group_has_its_program():
    groups = [path.stem for path in TORTURE.glob("*.py") if "def outcomes(" in path.read_text()]
    main = (TORTURE / "__main__.py").read_text()
    assert sorted(groups) == sorted(
        {line.split('"')[3] for line in main.split("GROUPS = {")[1].split("}")[0].splitlines() if '"' in line}
    )
