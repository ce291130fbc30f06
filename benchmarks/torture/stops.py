"""SIGTERM, SIGINT and SIGHUP at every step of a training, and inside of each thing that a step does; then --resume."""

import functools
import itertools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from outcome import Outcome
from small_run import LORA, ended, forked, fresh, last_line, log_of, problem_after, ready, train, whole_run

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
MOMENTS = ("step", "gradient", "validation", "best", "checkpoint")


def outcomes(scale: float, seed: int) -> list[Outcome]:
    """A line for training all weights, and one for an adapter."""
    ready()
    root = fresh("stops")
    try:
        return [
            stopped_runs(root, "all weights", (), scale),
            stopped_runs(root, "LoRA", LORA, scale),
        ]
    finally:
        shutil.rmtree(root)


def stopped_runs(root: Path, what: str, more: tuple[str, ...], scale: float) -> Outcome:
    """Every place of a stop once; with a smaller scale every second, third, …"""
    found = Outcome(
        f"a signal at every place of a step ({what})", "its exit code, a checkpoint of that step, same bits"
    )
    began = time.monotonic()
    whole = whole_run(root / f"{what}-whole", root / "log", *more)
    steps = max(int(row["step"]) for row in log_of(whole))
    evaluated = {int(row["step"]) for row in log_of(whole) if "eval_loss" in row}
    every = list(places(steps, evaluated))
    for number, (moment, step) in enumerate(every[:: max(1, round(1 / scale))]):
        folder, log = root / f"{what}-{number}", root / f"{what}-{number}.log"
        sent = SIGNALS[number % len(SIGNALS)]
        code = ended(forked(functools.partial(stopped_training, folder, more, moment, step, sent), log))
        if code != 128 + sent:
            found.add(f"{moment} {step}: exit {code} after {sent.name}: {last_line(log)}")
            continue
        problem = problem_after(folder, whole, log, *more)
        found.add(None if problem is None else f"{moment} {step} {sent.name}: {problem}")
        shutil.rmtree(folder)
    found.seconds = time.monotonic() - began
    found.measured = {"places": len(every), "steps": steps}
    return found


def places(steps: int, evaluated: set[int]) -> Iterator[tuple[str, int]]:
    """Where a signal can come: before any step, inside any gradient, and in what follows a step that is validated."""
    for moment, step in itertools.product(MOMENTS, range(1, steps + 1)):
        if moment in ("step", "gradient") or step in evaluated:
            yield moment, step


def stopped_training(folder: Path, more: tuple[str, ...], moment: str, step: int, sent: signal.Signals) -> int:
    """Train, and send this process a signal at a place."""
    from rewardsmith.train import loop, resume

    holder, name = {
        "step": (loop.Fit, "_one_step"),
        "gradient": (loop, "add_gradient"),
        "validation": (loop, "validation_figures"),
        "best": (resume, "save_best"),
        "checkpoint": (resume, "save_checkpoint"),
    }[moment]
    count = itertools.count(1)
    nth = step if moment in ("step", "gradient") else None
    real: Callable[..., Any] = getattr(holder, name)

    def with_signal(*arguments: Any, **named: Any) -> Any:
        if (next(count) == nth) if nth else (len(steps_seen) == step and not sent_already):
            sent_already.append(True)
            os.kill(os.getpid(), sent)
        return real(*arguments, **named)

    steps_seen: list[int] = []
    sent_already: list[bool] = []
    counted_step = loop.Fit._record

    def recorded(self: Any, *arguments: Any) -> None:
        steps_seen.append(1)
        counted_step(self, *arguments)

    loop.Fit._record = recorded  # type: ignore[method-assign]
    setattr(holder, name, with_signal)
    code = train(folder, *more)
    # Not every validated step is the best one so far: where nothing was sent, the run is simply whole.
    return code if sent_already else 128 + sent
