"""A scored file is made of parts: whatever is killed, each row is scored once, and the bytes are the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

import forked
from builders import tiny
from rewardsmith.commands import score
from rewardsmith.errors import UsageError
from rewardsmith.pipelines.score import pipeline, reading

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "m"
    tiny(seed=3).save(folder)
    return folder


@pytest.fixture
def rows(tmp_path):
    """130 rows, two of which cannot be scored and one of which is cut."""
    lines = [orjson.dumps({"prompt": f"{k}?", "chosen": f"It is {k}. 好", "rejected": "No."}) for k in range(130)]
    lines[7], lines[77] = b'{"broken', orjson.dumps({"prompt": "q", "chosen": "a", "rejected": None})
    lines[90] = orjson.dumps({"prompt": "long", "chosen": "a" * 900, "rejected": "b"})
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def settings(model, rows, name="out.jsonl", **changes):
    return score.Config(model=str(model), source=str(rows), output=rows.parent / name, device="cpu", **changes)


@pytest.fixture
def whole(model, rows, monkeypatch):
    """What an undisturbed run writes, in parts of 20 rows."""
    monkeypatch.setattr(reading, "WINDOW", 20)
    result = score.run(settings(model, rows, "whole.jsonl"))
    assert (result.rows, result.responses, result.not_scored, result.responses_cut) == (130, 256, 2, 1)
    assert not (rows.parent / "whole.jsonl.parts").exists()
    return (rows.parent / "whole.jsonl").read_bytes()


def stopping_after(monkeypatch, parts):
    """Let scoring end after so many parts, as a power cut would."""
    part_of, done = pipeline.part_of, []

    def counted(*arguments):
        if len(done) == parts:
            raise RuntimeError("power cut")
        done.append(1)
        return part_of(*arguments)

    monkeypatch.setattr(pipeline, "part_of", counted)
    return done


def test_the_same_command_goes_on_after_a_power_cut(model, rows, whole, monkeypatch):
    with monkeypatch.context() as cut:
        stopping_after(cut, 3)
        with pytest.raises(RuntimeError, match="power cut"):
            score.run(settings(model, rows))
    assert not (rows.parent / "out.jsonl").exists()
    kept = sorted((rows.parent / "out.jsonl.parts").iterdir())
    assert len(kept) == 3
    done = stopping_after(monkeypatch, 99)
    result = score.run(settings(model, rows))
    assert len(done) == 4  # of seven; no row is scored twice
    assert (result.rows, result.responses, result.not_scored, result.responses_cut) == (130, 256, 2, 1)
    assert (rows.parent / "out.jsonl").read_bytes() == whole
    assert not (rows.parent / "out.jsonl.parts").exists()


def test_parts_of_other_rows_weights_or_settings_are_not_taken(model, rows, whole, monkeypatch, tmp_path):
    with monkeypatch.context() as cut:
        stopping_after(cut, 6)
        with pytest.raises(RuntimeError, match="power cut"):
            score.run(settings(model, rows))
    lines = rows.read_bytes().splitlines()
    lines[25] = orjson.dumps({"prompt": "new", "chosen": "a", "rejected": "b"})
    rows.write_bytes(b"\n".join(lines) + b"\n")
    other = tmp_path / "other"
    tiny(seed=4).save(other)
    for config, computed in (
        (settings(other, rows), 7),
        (settings(model, rows, best_of=True), 7),
        (settings(model, rows), 2),  # the part with the new row, and the one that was missing
    ):
        with monkeypatch.context() as counted:
            done = stopping_after(counted, 99)
            folder = rows.parent / "out.jsonl.parts"
            before = {path.name: path.read_bytes() for path in folder.iterdir()}
            score.run(config)
            assert len(done) == computed
        (rows.parent / "out.jsonl").unlink()
        folder.mkdir()
        for name, content in before.items():
            (folder / name).write_bytes(content)


def test_parquet_has_the_same_rows_also_after_a_power_cut(model, rows, whole, monkeypatch):
    with monkeypatch.context() as cut:
        stopping_after(cut, 3)
        with pytest.raises(RuntimeError, match="power cut"):
            score.run(settings(model, rows, "out.parquet"))
    assert not (rows.parent / "out.parquet").exists()
    score.run(settings(model, rows, "out.parquet"))
    written = [
        {name: value for name, value in row.items() if value is not None}
        for row in pq.read_table(rows.parent / "out.parquet").to_pylist()
    ]
    expected = [orjson.loads(line) for line in whole.splitlines()]
    assert written == [{name: value for name, value in row.items() if value is not None} for row in expected]


def test_workers_without_ray_are_refused(model, rows):
    with pytest.raises(UsageError, match="--workers applies to --engine ray only"):
        settings(model, rows, workers=2)
    with pytest.raises(UsageError, match="expected at least 1"):
        settings(model, rows, workers=0, engine="ray")


RUN = """
import os, signal, sys, threading, time
from pathlib import Path
from rewardsmith.commands import score
from rewardsmith.pipelines.score import pipeline, reading

model, rows, output, victim = sys.argv[1:]
reading.WINDOW = 20
parts = Path(output + ".parts")

def workers():
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(b"ray::Map(work)"):
                yield int(entry.name)
        except OSError:
            pass

def mine(pid):
    while pid > 1:
        if pid == os.getpid():
            return True
        pid = int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    return False

def kill():
    while not (parts.is_dir() and any(parts.glob("*.jsonl"))):
        time.sleep(0.001)
    if victim == "driver":
        os.kill(os.getpid(), signal.SIGKILL)
    while not (found := [pid for pid in workers() if mine(pid)]):
        time.sleep(0.01)
    os.kill(found[0], signal.SIGKILL)
    print("killed a worker", flush=True)

if victim != "nobody":
    threading.Thread(target=kill, daemon=True).start()
config = score.Config(model=model, source=rows, output=Path(output), device="cpu", engine="ray", workers=2)
print(score.run(config).to_json())
"""


def on_ray(model, rows, victim):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    words = [str(model), str(rows), str(rows.parent / "ray.jsonl"), victim]
    return subprocess.run(
        [sys.executable, "-c", RUN, *words], env=environment, capture_output=True, text=True, timeout=1200
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the processes to kill in /proc")
def test_ray_scores_each_row_once_though_the_driver_and_a_worker_are_killed(model, rows, whole):
    pytest.importorskip("ray", reason="ray is not installed")
    first = on_ray(model, rows, "driver")
    assert first.returncode == -signal.SIGKILL
    kept = list((rows.parent / "ray.jsonl.parts").glob("*.jsonl"))
    assert 1 <= len(kept) < 7
    second = on_ray(model, rows, "worker")
    assert second.returncode == 0, second.stderr[-3000:]
    assert second.stdout.startswith("killed a worker")
    assert "'rows': 130, 'responses': 256, 'not_scored': 2" in second.stdout
    assert (rows.parent / "ray.jsonl").read_bytes() == whole


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_killed_run_leaves_no_half_part(model, rows, number, code):
    words = ["score", str(model), str(rows), "-o", str(rows.parent / "out.jsonl"), "--device", "cpu"]
    program = (
        "import sys; from rewardsmith import __main__; from rewardsmith.pipelines.score import reading; "
        "reading.WINDOW = 2; sys.exit(__main__.main())"
    )
    process = forked.program(program, words, rows.parent / "log")
    folder = rows.parent / "out.jsonl.parts"
    until = time.monotonic() + 60
    while not list(folder.glob("*.jsonl")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(number)
    assert process.wait() == code
    errors = process.log.read_text().splitlines()
    if number != signal.SIGKILL:
        said = f"interrupted by {number.name}; finished work is kept; run the same command to continue"
        assert errors[-1] == said
    assert list(folder.glob("*.jsonl"))
    for path in folder.glob("*.jsonl"):
        counts, *scored = path.read_bytes().splitlines()
        assert orjson.loads(counts)["rows"] == len(scored) == 2
