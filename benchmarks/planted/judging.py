"""Ask `rewardsmith diagnose` about every project, in its folder, as its user would; answers are kept beside the folders."""

import contextlib
import io
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from planted.planting import read_index
from rewardsmith import cli


def answers_of(root: Path, half: str) -> dict[str, dict[str, Any]]:
    """The newest answer about each project of a half."""
    path = root / f"{half}-answers.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {answer["name"]: answer for answer in map(json.loads, lines)}


@contextlib.contextmanager
def captured() -> Iterator[io.BytesIO]:
    """What is written to standard output, in bytes."""
    kept, before = io.BytesIO(), sys.stdout
    sys.stdout = wrapper = io.TextIOWrapper(kept, encoding="utf-8", write_through=True)
    try:
        yield kept
    finally:
        sys.stdout = before
        wrapper.detach()  # else the bytes would be closed with it


def ask(root: Path, entry: dict[str, Any], more: Sequence[str] = ()) -> dict[str, Any]:
    """The answer of the command line, given `more` options, to one project: its JSON, or the error that it ended with."""
    torch.set_num_threads(1)
    began, cpu = time.monotonic(), time.process_time()
    report = root / "reports" / entry["half"] / entry["name"]
    report.mkdir(parents=True, exist_ok=True)
    words = ["diagnose", *entry["argv"], "--output", str(report), "--overwrite", "--json", *more]
    with contextlib.chdir(root / entry["half"] / entry["name"]), captured() as written:
        code = cli.main(words)
    text = written.getvalue().decode()
    try:
        said = json.loads(text)
    except ValueError:
        said = {"error": text[-500:] or f"exit code {code}"}
    timing = {"seconds": round(time.monotonic() - began, 1), "cpu": round(time.process_time() - cpu, 1)}
    return {"name": entry["name"], "code": code, "said": said, **timing}


def judge_all(
    root: Path,
    halves: Sequence[str],
    kinds: Sequence[str] | None,
    processes: int,
    *,
    again: bool = False,
    more: Sequence[str] = (),
) -> int:
    """Ask about every sound project and every governing one that has no answer yet (or `again` about all of them)."""
    for half in halves:
        known = {} if again else answers_of(root, half)
        entries = [
            entry
            for entry in read_index(root, half).values()
            if "failed" not in entry
            and (entry["kind"] == "clean" or entry["governs"])  # what did not govern is not counted
            and entry["name"] not in known
            and (kinds is None or entry["kind"] in kinds)
        ]
        with (
            ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
            (root / f"{half}-answers.jsonl").open("a", encoding="utf-8") as kept,
        ):
            asked = {pool.submit(ask, root, entry, more): entry for entry in entries}
            for future in as_completed(asked):
                kept.write(json.dumps(future.result(), ensure_ascii=False) + "\n")
                kept.flush()
        print(f"{half}: {len(entries)} projects judged")
    return 0
