"""A disk that is full after so many bytes of a file, while the second checkpoint is written."""

import functools
import resource
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from outcome import Outcome
from small_run import ended, forked, fresh, last_line, problem_after, ready, train, whole_run

OFFSETS = 10


def outcomes(scale: float, seed: int) -> list[Outcome]:
    """One line: a limit of the size of files stands for the disk, since it needs no right to mount one."""
    ready()
    root = fresh("disk")
    try:
        return [full_disks(root, max(1, round(OFFSETS * scale)))]
    finally:
        shutil.rmtree(root)


def full_disks(root: Path, offsets: int) -> Outcome:
    """Limits spread from nothing to just below the largest file of a checkpoint."""
    found = Outcome("disk full at a byte of a checkpoint", "one line with path and free space, exit 1; then same bits")
    began = time.monotonic()
    whole = whole_run(root / "whole", root / "log")
    checkpoint = max((whole / "checkpoints").glob("step-*"))
    largest = max(path.stat().st_size for path in checkpoint.iterdir())
    for number in range(offsets):
        limit = largest * number // offsets
        folder, log = root / f"run-{number}", root / f"run-{number}.log"
        code = ended(forked(functools.partial(limited_training, folder, limit), log))
        said = last_line(log)
        kept = sorted(path.name for path in (folder / "checkpoints").iterdir() if path.name != "best")
        if code != 1 or not said.startswith("error: cannot write ") or "MB free" not in said:
            found.add(f"limit {limit}: exit {code}: {said}")
        elif len(kept) != 1:
            found.add(f"limit {limit}: {', '.join(kept)} are left")
        else:
            problem = problem_after(folder, whole, log)
            found.add(None if problem is None else f"limit {limit}: {problem}")
    found.seconds = time.monotonic() - began
    return found


def limited_training(folder: Path, limit: int) -> int:
    """Train; from the second checkpoint on no file can grow beyond a size."""
    from rewardsmith.train import resume

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    real, calls = resume.save_checkpoint, []

    def limited(*arguments: Any, **named: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            real(*arguments, **named)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    resume.save_checkpoint = limited
    return train(folder)
