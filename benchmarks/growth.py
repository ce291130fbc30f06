"""How cost grows with rows: CPU time and peak memory of prepare, score and train at N, 10 N and 100 N rows.

    python benchmarks/growth.py [--rows 100] [--commands prepare score train]

Each command is a process of its own on built-in data. The exponent is that of the CPU time above a run on 100 rows (start,
model, report): log(ratio of times) / log(ratio of rows) over the two larger sizes, and over the two smaller ones. CPU time
(all threads), so that other programs on the machine matter less; Linux and macOS.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rewardsmith.files import write_json

RESULT = Path(__file__).parent / "results" / "growth.json"
EXPONENT = 1.05
LEAST = 100
WORKER = """
import json, resource, sys
from rewardsmith.cli import main
code = main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
children = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = used.ru_utime + used.ru_stime + children.ru_utime + children.ru_stime
print(json.dumps([code, seconds, used.ru_maxrss, children.ru_maxrss]), file=sys.stderr)
"""


def write_rows(path: Path, rows: int) -> None:
    """Pairs from the built-in generator: every row a prompt of its own."""
    from rewardsmith.data.synthetic.generate import generate

    with path.open("w") as file:
        for record in generate(rows).records:
            best, worst = record.comparisons[0].i, record.comparisons[0].j
            row = {"prompt": record.prompt[0].content, "chosen": record.responses[best].text}
            file.write(json.dumps({**row, "rejected": record.responses[worst].text}) + "\n")


def command_of(name: str, data: Path, model: Path, output: Path) -> list[str]:
    """The command line of one measurement."""
    if name == "prepare":
        return ["prepare", str(data), "-o", str(output)]
    if name == "score":
        return ["score", str(model), str(data), "-o", str(output / "scored.jsonl")]
    given = ["train", "--model", "tiny", "--dataset", str(data), "--output", str(output)]
    return [*given, "--n-layer", "1", "--no-report", "--evals", "1"]


def measure(arguments: list[str]) -> tuple[float, int]:
    """CPU seconds and peak bytes of one run."""
    done = subprocess.run([sys.executable, "-c", WORKER, *arguments], capture_output=True, text=True)
    code, seconds, own, children = json.loads(done.stderr.splitlines()[-1])
    if code:
        raise SystemExit(done.stderr[-2000:])
    return seconds, max(own, children) * (1 if sys.platform == "darwin" else 1024)


def exponent(low: tuple[int, float], high: tuple[int, float], start: float) -> float:
    """Growth of the time above the start between two sizes."""
    return math.log((high[1] - start) / (low[1] - start)) / math.log(high[0] / low[0])


def grow(name: str, sizes: list[int], folder: Path) -> dict[str, Any]:
    """One command at all sizes."""
    model, runs = folder / "model", []
    if name == "score" and not model.exists():
        write_rows(folder / "fit.jsonl", 64)
        measure(command_of("train", folder / "fit.jsonl", model, model))
    for rows in (LEAST, *sizes):
        data, output = folder / f"{rows}.jsonl", folder / f"{name}-{rows}"
        if not data.exists():
            write_rows(data, rows)
        if name == "score":
            output.mkdir()
        seconds, peak = measure(command_of(name, data, model, output))
        runs.append({"rows": rows, "cpu_seconds": seconds, "peak_mb": peak / 1e6})
        print(f"{name:<10}{rows:>10} rows {seconds:>9.1f} s {peak / 1e6:>9.0f} MB", flush=True)
    start = runs[0]["cpu_seconds"]
    points = [(run["rows"], run["cpu_seconds"]) for run in runs[1:]]
    found = exponent(points[-2], points[-1], start)
    return {
        "name": f"growth of {name}, {sizes[-2]} to {sizes[-1]} rows, exponent",
        "ours": found,
        "peer": 1.0,
        "ratio": found,
        "goal": EXPONENT,
        "met": found <= EXPONENT,
        "n": 1,
        "exponent_of_smaller_sizes": exponent(points[0], points[1], start),
        "memory_ratio": runs[-1]["peak_mb"] / runs[1]["peak_mb"],
        "runs": runs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300, help="the smallest size; 10 and 100 times as many follow")
    parser.add_argument("--commands", nargs="+", default=["prepare", "score", "train"])
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    sizes = [arguments.rows * factor for factor in (1, 10, 100)]
    with tempfile.TemporaryDirectory() as folder:
        rows = [grow(name, sizes, Path(folder)) for name in arguments.commands]
    for row in rows:
        print(f"{row['name']}: {row['ours']:.2f} (goal {EXPONENT}), memory x {row['memory_ratio']:.2f}")
    write_json(arguments.output, {"comparisons": rows, "load_average": os.getloadavg()})


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
