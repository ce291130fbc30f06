"""A kill before every file operation of a checkpoint, of the best weights, and of the finished model; then --resume."""

import functools
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from outcome import Outcome
from small_run import ended, forked, fresh, last_line, problem_after, ready, train, whole_run

EVENTS = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "os.utime"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
PARTS = {"checkpoint": ("_checkpoint", 4), "best weights": ("_validate", 2), "finished model": ("finish_model", 1)}
"""What writes it, and which of its calls is meant: one that finds an older checkpoint to delete, and weights to replace."""
MOST = 400


def outcomes(scale: float, seed: int) -> list[Outcome]:
    """A line for each thing that is written."""
    ready()
    root = fresh("crash")
    try:
        whole_run(root / "whole", root / "log")
        return [killed_at_every_operation(root, part, max(1, round(1 / scale))) for part in PARTS]
    finally:
        shutil.rmtree(root)


def killed_at_every_operation(root: Path, part: str, stride: int) -> Outcome:
    """The operations of one time that a part is written, each with a run of its own."""
    found = Outcome(f"kill -9 before each file operation of writing the {part}", "same weights and log as without")
    began = time.monotonic()
    for at in range(1, MOST, stride):
        folder, log = root / f"{part}-{at}", root / f"{part}-{at}.log"
        code = ended(forked(functools.partial(killed_training, folder, part, at), log))
        if code == 0:
            break  # there is no such operation any more
        if code != -signal.SIGKILL:
            found.add(f"operation {at}: exit {code}: {last_line(log)}")
            continue
        problem = problem_after(folder, root / "whole", log)
        found.add(None if problem is None else f"operation {at}: {problem}")
        shutil.rmtree(folder)
    found.seconds = time.monotonic() - began
    return found


def killed_training(folder: Path, part: str, at: int) -> int:
    """Train, and die before operation number `at` of the part."""
    from rewardsmith.files import folders
    from rewardsmith.pipelines.train import pipeline as command
    from rewardsmith.train import loop

    writer, nth = PARTS[part]
    counting = {"on": False, "count": 0, "calls": 0}

    def operation() -> None:
        if counting["on"]:
            counting["count"] += 1
            if counting["count"] == at:
                os.kill(os.getpid(), signal.SIGKILL)

    def audited(event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING):
            operation()

    def before(real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            operation()
            return real(*arguments, **named)

        return call

    def while_counting(real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            counting["calls"] += 1
            counting["on"] = counting["calls"] == nth
            try:
                return real(*arguments, **named)
            finally:
                counting["on"] = False

        return call

    sys.addaudithook(audited)
    os.fsync, folders.exchange = before(os.fsync), before(folders.exchange)
    holder = loop.Fit if hasattr(loop.Fit, writer) else command
    setattr(holder, writer, while_counting(getattr(holder, writer)))
    return train(folder)
