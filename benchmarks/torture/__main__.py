"""Faults by the thousand, from one seed: what a training, a checkpoint, a model, a file and a command bear.

    make torture                 everything (about 30 minutes on two cores)
    make torture N=0.05          a twentieth of it
    python benchmarks/torture --scale 1 --only kills damage --seed 0

Each line of the table is one kind of fault, how often it was tried, and how often it ended as it should. The exit code is 1
where one did not. Figures go to `benchmarks/results/torture.json`; docs/reliability.md says what they mean.
"""

import argparse
import functools
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULT = HERE.parent / "results" / "torture.json"
GROUPS = {
    "kills": "kills",
    "stops": "stops",
    "crashes": "crash_points",
    "disk": "full_disk",
    "damage": "bit_rot",
    "rows": "rows_of_formats",
    "tests": "tests_at_length",
    "sizes": "sizes",
}
"""By name: the module whose `outcomes(scale, seed)` tries it."""


ALONE = "sizes"
"""It measures time, so nothing runs beside it."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full numbers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--rows-to", type=Path, help=argparse.SUPPRESS)  # a group in a process of its own
    arguments = parser.parse_args()
    if arguments.rows_to is not None:
        arguments.rows_to.write_text(json.dumps(outcomes_of(arguments.only[0], arguments.scale, arguments.seed)))
        return 0
    began = time.time()
    print(f"{'tried':>8} {'right':>8} {'seconds':>8}  fault", flush=True)
    with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        together = [group for group in arguments.only if group != ALONE]
        found = dict(zip(together, pool.map(functools.partial(started, arguments), together), strict=True))
    if ALONE in arguments.only:
        found[ALONE] = started(arguments, ALONE)
    rows = [row for group in arguments.only for row in found[group]]
    wrong = [row for row in rows if row["wrong"] or row["tried"] != row["right"]]
    if arguments.scale == 1.0:
        keep(found, seed=arguments.seed)
    ended = f"{len(wrong)} kinds of faults did not end as they should" if wrong else "all right"
    print(f"{time.time() - began:.0f} s; {ended}")
    return int(bool(wrong))


def keep(found: dict[str, list[dict[str, Any]]], *, seed: int) -> None:
    """Write the outcomes of groups that were tried in full beside those of the others."""
    old = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load_average": list(os.getloadavg())}
    new = {group: {"seed": seed, "machine": machine, "outcomes": rows} for group, rows in found.items()}
    RESULT.write_text(json.dumps({**old, **new}, indent=1, ensure_ascii=False) + "\n")


def started(arguments: argparse.Namespace, group: str) -> list[dict[str, Any]]:
    """The outcomes of a group, tried by a program of its own: faults of one group must not meet what another imported."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        words = f"--scale {arguments.scale} --seed {arguments.seed} --only {group} --rows-to".split()
        # Forked processes may have no threads, and the code is that beside this file.
        environment = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run([sys.executable, str(HERE), *words, str(rows)], env={**os.environ, **environment})
        found = json.loads(rows.read_text()) if rows.is_file() else []
    if not found:
        found = [
            {"fault": group, "tried": 1, "right": 0, "seconds": 0, "wrong": [f"exit {done.returncode}"], "measured": {}}
        ]
    for row in found:
        lines = [f"{row['tried']:>8} {row['right']:>8} {row['seconds']:>8}  {row['fault']}"]
        print("\n".join([*lines, *(f"{'':>27}{problem}" for problem in row["wrong"])]), flush=True)
    return found


def outcomes_of(group: str, scale: float, seed: int) -> list[dict[str, Any]]:
    """The outcomes of a group, tried by this process."""
    sys.path[:0] = [str(HERE.parent), str(ROOT / "tests")]
    return [found.to_json() for found in importlib.import_module(GROUPS[group]).outcomes(scale, seed)]


if __name__ == "__main__":
    sys.exit(main())
