"""Make the projects: one after the other, each once, with what became of it in an index beside the folders."""

import json
import shutil
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from planted.clean import CLEAN
from planted.governing import MEASURES, figures
from planted.kinds import KINDS, SEEDS
from planted.project import SOUND, Project, make_backbone, opaque
from rewardsmith.errors import RewardsmithError
from rewardsmith.files import write_json


@dataclass(frozen=True)
class Job:
    """One project to make."""

    half: str
    kind: str
    dose: Any
    seed: int

    @property
    def name(self) -> str:
        """Its folder."""
        return opaque(self.half, self.kind, self.dose, self.seed)


def jobs_of(halves: Sequence[str], kinds: Sequence[str] | None, seeds: int | None) -> Iterator[Job]:
    """All jobs, in rounds: every kind once before any a second time."""
    for half in halves:
        clean = [Job(half, "clean", name, seed) for name, one in CLEAN.items() for seed in one.seeds(half)]
        wanted = {name: kind for name, kind in KINDS.items() if kinds is None or name in kinds}
        rounds = [
            Job(half, name, dose, seed)
            for seed in SEEDS[half][:seeds]
            for turn in range(max((len(kind.doses(half)) for kind in wanted.values()), default=0))
            for name, kind in wanted.items()
            for dose in kind.doses(half)[turn : turn + 1]
        ]
        yield from rounds
        yield from clean if kinds is None or "clean" in kinds else ()


def read_index(root: Path, half: str) -> dict[str, dict[str, Any]]:
    """The entries of a half, by folder."""
    path = root / f"{half}-index.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {entry["name"]: entry for entry in map(json.loads, lines)}


def healthy_figures(root: Path, seed: int) -> dict[str, Any]:
    """The figures of a sound project of this seed, measured once."""
    kept = root / "healthy" / f"{seed}.json"
    if not kept.is_file():
        folder = root / "healthy" / str(seed)
        shutil.rmtree(folder, ignore_errors=True)
        project = Project(folder, seed, root / "backbone")
        project.healthy(**SOUND)
        write_json(kept, figures(folder / "run" / "model", seed))
    return dict(json.loads(kept.read_text()))


def make(root: Path, job: Job) -> dict[str, Any]:
    """Make one project and measure whether its fault governs; a failure is an entry too."""
    torch.set_num_threads(1)
    began = time.process_time()
    folder = root / job.half / job.name
    shutil.rmtree(folder, ignore_errors=True)
    entry: dict[str, Any] = {"name": job.name, **asdict(job)}
    try:
        entry |= planted(root, folder, job)
    except Exception:
        entry |= {"failed": traceback.format_exc(limit=-4)}
    return {**entry, "seconds": round(time.process_time() - began, 1)}


def planted(root: Path, folder: Path, job: Job) -> dict[str, Any]:
    """The project's entry: how its user asks, whether the fault governs, and what was measured."""
    if job.kind == "clean":
        project = Project(folder, job.seed, root / "backbone")
        CLEAN[job.dose].make(project)
        return {"argv": project.argv, "governs": False, "measured": {}}
    kind, healthy = KINDS[job.kind], healthy_figures(root, job.seed)
    project = Project(folder, job.seed, root / "backbone", root / "healthy" / str(job.seed))
    try:
        kind.plant(project, job.dose)
        governs, measured = MEASURES[kind.measure](project, healthy)
    except RewardsmithError as error:  # the program itself stopped it: a run without a model is what its user has
        begun = (folder / "run" / "metrics.jsonl").is_file()
        governs = begun and not (folder / "run" / "model").exists()
        measured = {"stopped": str(error)}
    return {"argv": project.argv, "governs": governs, "measured": {**measured, "healthy": healthy}}


def plant_all(root: Path, halves: Sequence[str], kinds: Sequence[str] | None, seeds: int | None, processes: int) -> int:
    """Make every project that the index does not have; 1 where one failed."""
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "backbone").is_dir():
        make_backbone(root / "backbone")
    known = {half: read_index(root, half) for half in halves}
    waiting = [
        job
        for job in jobs_of(halves, kinds, seeds)
        if job.name not in known[job.half] or "failed" in known[job.half][job.name]
    ]
    for seed in sorted({job.seed for job in waiting if job.kind != "clean"}):
        healthy_figures(root, seed)  # before any process could begin the same
    failed = 0
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(make, root, job) for job in waiting]):
            entry = future.result()
            with (root / f"{entry['half']}-index.jsonl").open("a", encoding="utf-8") as index:
                index.write(json.dumps(entry, ensure_ascii=False) + "\n")
            failed += "failed" in entry
            print(told(entry), flush=True)
    print(f"{len(waiting)} projects made, {failed} failed")
    return int(failed > 0)


def told(entry: dict[str, Any]) -> str:
    """One line about a project."""
    if "failed" in entry:
        ended = entry["failed"].strip().splitlines()[-1]
    else:
        ended = "" if entry["kind"] == "clean" else ("governs" if entry["governs"] else "did not govern")
    return f"{entry['seconds']:>6} s  {entry['name']}  {entry['kind']} {entry['dose']} {entry['seed']}  {ended}"
