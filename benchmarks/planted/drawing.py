"""Plant and judge project by project in a random order, so that what is there whenever it ends is a random sample."""

import json
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from planted import tables
from planted.judging import answers_of, ask
from planted.planting import Job, healthy_figures, jobs_of, make, read_index, told
from planted.project import make_backbone


def draw_all(root: Path, halves: Sequence[str], *, minutes: float) -> int:
    """Every job of the halves in `order_of` that has no answer yet, until the CPU time is spent; 0.

    One process plants and another judges, in turns, so that each imports its libraries once.
    """
    root.mkdir(parents=True, exist_ok=True)
    context = get_context("spawn")
    spent = 0.0
    with ProcessPoolExecutor(1, mp_context=context) as planter, ProcessPoolExecutor(1, mp_context=context) as judge:
        if not (root / "backbone").is_dir():
            planter.submit(make_backbone, root / "backbone").result()
        for job in order_of(halves, tables.judged(halves)):
            if spent > 60 * minutes:
                break
            if job.kind != "clean":
                planter.submit(healthy_figures, root, job.seed).result()
            spent += drawn(root, job, planter, judge)
    return 0


def order_of(halves: Sequence[str], done: Collection[str] = ()) -> list[Job]:
    """The jobs with one seed by the hashes of their names, without those that are `done` (see `tables.key_of`); sound ones
    of real sets take the first of the places of sound ones.
    """
    jobs = [job for job in sorted(jobs_of(halves, None, 1), key=lambda job: job.name) if key_of_job(job) not in done]
    sound = sorted(
        (job for job in jobs if job.kind == "clean"), key=lambda job: (not str(job.dose).startswith("real"), job.name)
    )
    waiting = iter(sound)
    return [next(waiting) if job.kind == "clean" else job for job in jobs]


def key_of_job(job: Job) -> str:
    """The key that a project of this job has in the results file."""
    return tables.key_of({"kind": job.kind, "dose": job.dose, "seed": job.seed})


def drawn(root: Path, job: Job, planter: ProcessPoolExecutor, judge: ProcessPoolExecutor) -> float:
    """Plant one project and ask about it, where that is not done; the CPU seconds that it took."""
    entry = read_index(root, job.half).get(job.name)
    seconds = 0.0
    if entry is None or "failed" in entry:
        entry = planter.submit(make, root, job).result()
        append(root / f"{job.half}-index.jsonl", entry)
        seconds += entry["seconds"]
    print(told(entry), flush=True)
    counts = "failed" not in entry and (job.kind == "clean" or entry["governs"])
    if counts and job.name not in answers_of(root, job.half):
        answer = judge.submit(ask, root, entry).result()
        append(root / f"{job.half}-answers.jsonl", answer)
        seconds += answer["cpu"]
    return seconds


def append(path: Path, row: dict[str, Any]) -> None:
    """One more line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
