"""Times that can be compared: warmed up, interleaved, medians, and within a limit of time."""

import math
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rewardsmith.progress import SILENT, Progress, Task

K = TypeVar("K", bound=Hashable)
SHORTEST = 0.05  # seconds that one repetition lasts at least; a clock's noise is then under a percent


@dataclass(frozen=True)
class Timing:
    """Seconds per call: median, fastest and slowest of `repetitions`, each the mean of `calls` calls."""

    median: float
    fastest: float
    slowest: float
    repetitions: int
    calls: int


@dataclass(frozen=True)
class Timings:
    """A timing per job, and the jobs that were left out because they would have broken the limit of time."""

    by_job: Mapping[Hashable, Timing]
    left_out: tuple[Hashable, ...]


def interleaved(
    families: Sequence[Mapping[K, Callable[[], object]]],
    *,
    repetitions: int,
    limit: float,
    clock: Callable[[], float] = time.perf_counter,
    progress: Progress = SILENT,
) -> Timings:
    """Time every job `repetitions` times, all jobs in turn, so that a slow minute of the machine hits all alike.

    A family's jobs come from the cheapest to the dearest. `limit` is in seconds, without the warm-up (two calls a job,
    one where it lasts over a second): jobs that do not fit are left out, dearest first.
    """
    jobs = {key: job for family in families for key, job in family.items()}
    with progress.task("warming up", len(jobs), "jobs") as task:
        estimates = warmed_up(families, repetitions=repetitions, longest=limit / 2, clock=clock, task=task)
    chosen = fitting(estimates, repetitions=repetitions, limit=limit)
    seen: dict[K, list[float]] = {key: [] for key in chosen}
    calls = {key: calls_for(estimates[key]) for key in chosen}
    with progress.task("measuring", repetitions, "repetitions") as task:
        for _ in range(repetitions):
            for key in chosen:
                seen[key].append(seconds_of(jobs[key], calls[key], clock))
            task.advance()
    timed: dict[Hashable, Timing] = {
        key: Timing(statistics.median(times), min(times), max(times), repetitions, calls[key])
        for key, times in seen.items()
    }
    return Timings(timed, tuple(key for key in jobs if key not in timed))


def warmed_up(
    families: Sequence[Mapping[K, Callable[[], object]]],
    *,
    repetitions: int,
    longest: float,
    clock: Callable[[], float],
    task: Task,
) -> dict[K, float]:
    """Seconds per call of each job, down each family to the first of which all repetitions last over `longest` seconds."""
    estimates: dict[K, float] = {}
    for family in families:
        for key, job in family.items():
            estimates[key] = seconds_of(job, 1, clock)
            if estimates[key] < 1:
                estimates[key] = seconds_of(job, 1, clock)
            task.advance()
            if cost(estimates[key], repetitions) > longest:
                break  # the next ones are dearer still
    return estimates


def seconds_of(job: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    """Mean seconds per call over `calls` calls."""
    started = clock()
    for _ in range(calls):
        job()
    return (clock() - started) / calls


def calls_for(seconds: float) -> int:
    """How many calls a repetition makes of a job that lasts so long."""
    return max(1, math.ceil(SHORTEST / max(seconds, 1e-9)))


def cost(seconds: float, repetitions: int) -> float:
    """Seconds that all repetitions of a job take."""
    return repetitions * calls_for(seconds) * seconds


def fitting(estimates: Mapping[K, float], *, repetitions: int, limit: float) -> list[K]:
    """The jobs that fit into `limit` seconds together, without the dearest where not all do; at least one."""
    chosen = list(estimates)
    while len(chosen) > 1 and sum(cost(estimates[key], repetitions) for key in chosen) > limit:
        chosen.remove(max(chosen, key=lambda key: estimates[key]))
    return chosen
