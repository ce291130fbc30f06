"""Faults by the thousand, from one seed: what a training, a checkpoint, a model, a file and a command bear.

    make torture                 everything (about 30 minutes on two cores)
    make torture N=0.05          a twentieth of it
    python benchmarks/torture --scale 1 --only kills damage --seed 0

Each line of the table is one kind of fault, how often it was tried, and how often it ended as it should. The exit code is 1
where one did not. Figures go to `benchmarks/results/torture.json`; docs/reliability.md says what they mean.
"""

import argparse
import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULT = HERE.parent / "results" / "torture.json"
GROUPS = {
    "kills": "kills",
    "stops": "stops",
    "crashes": "crash_points",
    "disk": "full_disk",
    "damage": "bit_rot",
    "mutations": "mutations_of_data",
    "sizes": "sizes",
}
"""By name: the module whose `outcomes(scale, seed)` tries it."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full numbers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    arguments = parser.parse_args()
    # Before anything is imported: forked processes may have no threads, and no cache may hide what is computed.
    os.environ.update({"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": str(ROOT / "src")})
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests"), str(HERE.parent), str(HERE)]
    began, rows = time.time(), []
    print(f"{'tried':>8} {'right':>8} {'seconds':>8}  fault", flush=True)
    for group in arguments.only:
        # A process of its own for each group, since kinds of faults must not meet each other's imports and threads.
        rows += group_in_a_process(group, arguments.scale, arguments.seed)
    wrong = sum(row["tried"] - row["right"] for row in rows) + sum(bool(row["wrong"]) for row in rows)
    result = {
        "scale": arguments.scale, "seed": arguments.seed, "groups": arguments.only, "outcomes": rows,
        "machine": {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version()},
        "seconds": round(time.time() - began),
    }  # fmt: skip
    if arguments.scale == 1.0 and len(arguments.only) == len(GROUPS):
        RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(f"{result['seconds']} s; {'all as they should' if not wrong else 'SOME NOT AS THEY SHOULD'}")
    return int(wrong > 0)


def group_in_a_process(group: str, scale: float, seed: int) -> list[dict[str, object]]:
    """The outcomes of a group, printed as they come, from a forked process."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            found = [one.to_json() for one in importlib.import_module(GROUPS[group]).outcomes(scale, seed)]
        except BaseException as error:
            import traceback

            traceback.print_exc()
            found = [{"fault": group, "tried": 1, "right": 0, "seconds": 0, "wrong": [f"{error!r}"], "measured": {}}]
        for row in found:
            print(f"{row['tried']:>8} {row['right']:>8} {row['seconds']:>8}  {row['fault']}", flush=True)
            for problem in row["wrong"]:
                print(f"{'':>27}{problem}", flush=True)
        with os.fdopen(writing, "w") as pipe:
            pipe.write(json.dumps(found))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else [{"fault": group, "tried": 1, "right": 0, "seconds": 0, "wrong": ["it died"]}]


if __name__ == "__main__":
    sys.exit(main())
