"""prepare over several processes and on Ray: the same bytes, one clear end, and no memory per row."""

import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import orjson
import pytest

from rewardsmith.commands.prepare import Config, run
from rewardsmith.data.loading import chunks
from rewardsmith.errors import UsageError
from rewardsmith.parallel import processes
from rewardsmith.quality.shortcuts.sample import Sample

WORDS = [f"w{n}" for n in range(3000)]


def text(draw, count=20):
    return " ".join(draw.choices(WORDS, k=count))


def made(count, seed=0):
    """Pairs with repeats, near-duplicates, contradictions, refusals, a late column and damage of several kinds."""
    draw = random.Random(seed)
    rows = []
    for n in range(count):
        row = {"prompt": text(draw), "chosen": text(draw), "rejected": text(draw), "topic": n % 7}
        before = rows[-3] if len(rows) > 3 else row
        if n % 10 == 1:
            row = dict(before)
        elif n % 10 == 2:
            row = {**before, "chosen": f"{before['chosen']} more"}
        elif n % 10 == 3:
            row = {**before, "chosen": before["rejected"], "rejected": before["chosen"]}
        elif n % 10 == 4:
            row["chosen"] = "I'm sorry, but I can't help with that."
        elif n == count // 2:
            row["late"] = {"b": 1, "a": 2}
        rows.append(row)
    lines = [orjson.dumps(row) for row in rows]
    return [
        line if n % 50 != 5 else (b'{"prompt": "a"}', b"\xff", b"", b"{")[n // 50 % 4] for n, line in enumerate(lines)
    ]


def write(path, lines):
    path.write_bytes(b"\n".join(lines))
    return path


def ranked(path):
    """Rows of which adjacent ones are one record."""
    rows = [
        {"qid": n // 3, "question": f"q {n // 3}", "response_j": f"yes {n}", "response_k": f"no {n}"}
        for n in range(700)
    ]
    return write(path, map(orjson.dumps, rows))


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def prepared(tmp_path, name, **settings):
    sources = tuple(str(tmp_path / each) for each in ("a.jsonl", "b.jsonl", "c.txt"))
    given = {"sources": sources, "remove": ("near_duplicate", "refusal", "contradiction"), "fractions": (0.6, 0.2, 0.2)}
    result = run(Config(output=tmp_path / name, **(given | settings)))
    return result.to_json() | {"output": ""}, bytes_of(tmp_path / name)


@pytest.fixture
def sources(tmp_path):
    write(tmp_path / "a.jsonl", made(1500))
    ranked(tmp_path / "b.jsonl")
    (tmp_path / "c.txt").write_text("a line\nÃ©tÃ©\n", encoding="utf-8")
    return tmp_path


def test_any_number_of_workers_writes_the_same_bytes(sources, monkeypatch):
    alone = prepared(sources, "one", workers=1)
    monkeypatch.setattr(processes, "ALONE", 1)
    two = prepared(sources, "two", workers=2)
    assert two == alone
    assert alone[0]["removed_by"].keys() >= {"duplicate", "near_duplicate", "refusal", "contradiction"}
    assert any("ignored from here on: late" in sentence for sentence in alone[0]["understood"])
    assert prepared(sources, "three", workers=3) == alone


@pytest.mark.parametrize(
    "settings", [{"max_rows": 700}, {"max_per_source": 300}, {"split_by": "topic", "test_groups": 2}]
)
def test_limits_and_caps_hold_whatever_looks_at_the_rows(sources, monkeypatch, settings):
    settings = settings | {"sources": (str(sources / "a.jsonl"),)}
    alone = prepared(sources, "one", workers=1, **settings)
    monkeypatch.setattr(processes, "ALONE", 1)
    assert prepared(sources, "two", workers=2, **settings) == alone
    if "max_rows" in settings:
        assert alone[0]["rows"] == 700


def test_values_of_an_earlier_run_reach_the_workers(sources, monkeypatch):
    first = prepared(sources, "first", workers=1)
    monkeypatch.setattr(processes, "ALONE", 1)
    again = prepared(sources, "again", workers=2, signals=sources / "first")
    assert again[1] == first[1]
    assert again[0]["reused"] == len(first[1]["signals.jsonl"].splitlines())


def test_a_bad_row_stops_strict_workers_at_the_same_row(sources, monkeypatch):
    monkeypatch.setattr(processes, "ALONE", 1)
    messages = []
    for workers in (1, 2):
        with pytest.raises(ValueError, match=r"a\.jsonl:6: ") as caught:
            prepared(sources, "strict", workers=workers, strict=True)
        messages.append(str(caught.value))
        assert not (sources / "strict/train.jsonl").exists()
    assert messages[0] == messages[1]


def test_no_worker_is_refused(tmp_path):
    with pytest.raises(UsageError, match="workers is 0; expected at least 1"):
        prepared(tmp_path, "out", workers=0)


def test_memory_does_not_hold_the_rows(tmp_path, monkeypatch):
    """A row of 220 words takes more than 1.2 KB in whatever form; what stays of it are hashes."""
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 32)
    monkeypatch.setattr(Sample, "add", lambda self, record: None)  # bounded by itself, far above what is read here
    peak_of(tmp_path / "0", 64)  # imports what is imported once; files are read by the megabyte
    # What other tests of this process left running may allocate in between; rows that are held show every time.
    grown = (peak_of(tmp_path / f"{k}-2", 2048) - peak_of(tmp_path / f"{k}-1", 1024) for k in (1, 2))
    assert any(bytes_more / 1024 < 600 for bytes_more in grown)


def peak_of(place, count):
    """The largest number of bytes that `prepare` holds at once of so many rows."""
    draw = random.Random(count)
    rows = ({"prompt": text(draw), "chosen": text(draw, 100), "rejected": text(draw, 100)} for _ in range(count))
    source = write(place.with_suffix(".jsonl"), map(orjson.dumps, rows))
    tracemalloc.start()
    try:
        run(Config(sources=(str(source),), output=place, workers=1))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """More rows than `prepare` reads before a signal reaches it."""
    return write(tmp_path_factory.mktemp("big") / "big.jsonl", made(3000) * 60)


def started(big, tmp_path):
    """`prepare` with workers, once they are there: the process and the ids of its workers."""
    command = [sys.executable, "-m", "rewardsmith", "prepare", str(big), "-o", str(tmp_path / "out"), "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    begin = time.monotonic()
    while len(found := children(process.pid)) < 2:
        assert process.poll() is None, "it ended before its workers came"
        assert time.monotonic() - begin < 120, "no workers came"
        time.sleep(0.05)
    return process, found


def children(parent):
    """The ids of the processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def gone(pids):
    begin = time.monotonic()
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() - begin > 20:
            return False
        time.sleep(0.05)
    return True


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see other processes")


@needs_proc
@pytest.mark.parametrize(
    ("signalled", "code", "words"),
    [
        ("worker", 1, "a worker process exited early (SIGKILL)"),
        (signal.SIGINT, 130, "interrupted by SIGINT"),
        (signal.SIGTERM, 143, "interrupted by SIGTERM"),
        (signal.SIGHUP, 129, "interrupted by SIGHUP"),
    ],
)
def test_a_dead_worker_and_a_signal_end_everything(big, tmp_path, signalled, code, words):
    process, workers = started(big, tmp_path)
    if signalled == "worker":
        os.kill(workers[0], signal.SIGKILL)
    else:
        process.send_signal(signalled)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code
    assert out == ""
    assert words in err.splitlines()[-1]
    assert "Traceback" not in err
    assert gone(workers)
    assert [path.name for path in tmp_path.iterdir() if path.name != "out"] == []
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


@needs_proc
def test_workers_end_when_the_command_is_killed(big, tmp_path):
    process, workers = started(big, tmp_path)
    process.kill()
    process.communicate()
    assert gone(workers)


@pytest.mark.slow
def test_ray_writes_the_same_bytes(sources):
    pytest.importorskip("ray")
    alone = prepared(sources, "one", workers=1)
    command = [sys.executable, "-m", "rewardsmith", "prepare"]
    command += [str(sources / name) for name in ("a.jsonl", "b.jsonl", "c.txt")]
    command += ["--remove", "near_duplicate", "--remove", "refusal", "--remove", "contradiction"]
    command += [
        "--fractions",
        "0.6",
        "0.2",
        "0.2",
        "-o",
        str(sources / "ray"),
        "--engine",
        "ray",
        "--workers",
        "2",
        "--json",
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert result.returncode == 0, result.stderr
    assert orjson.loads(result.stdout) | {"output": ""} == orjson.loads(orjson.dumps(alone[0]))
    assert bytes_of(sources / "ray") == alone[1]
    bars = ("reading a.jsonl and 2 more: ", "writing the splits: ")
    assert all(line.startswith(bars) for line in result.stderr.splitlines())
