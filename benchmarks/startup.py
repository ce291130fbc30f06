"""Start-up: `rewardsmith --help` beside `import transformers`, in turns, and which libraries it loads.

python benchmarks/startup.py [--repetitions 9]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rewardsmith.files import write_json

RESULT = Path(__file__).parent / "results" / "startup.json"
COMMANDS = {
    "ours": [sys.executable, "-m", "rewardsmith", "--help"],
    "peer": [sys.executable, "-c", "import transformers"],
    "python": [sys.executable, "-c", "pass"],
}
HEAVY = ("torch", "numpy", "pydantic", "transformers")
SECONDS, RATIO = 0.3, 0.4
LOADED = "import sys, rewardsmith.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\n" + (
    f"sys.stderr.write(','.join(n for n in {HEAVY!r} if n in sys.modules))"
)


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    for command in COMMANDS.values():
        seconds(command)  # files into the cache
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(arguments.repetitions):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    median = {name: statistics.median(values) for name, values in times.items()}
    done = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True)
    ratio = median["ours"] / median["peer"]
    row = {
        "name": "start-up, rewardsmith --help against import transformers, seconds",
        "ours": median["ours"],
        "peer": median["peer"],
        "ratio": ratio,
        "goal": RATIO,
        "met": ratio <= RATIO and median["ours"] <= SECONDS and not done.stderr,
        "n": arguments.repetitions,
        "heavy_libraries_loaded": done.stderr,
        "python_alone": median["python"],
        "seconds": times,
    }
    print(
        f"--help {median['ours']:.3f} s, import transformers {median['peer']:.3f} s, ratio {ratio:.2f}; "
        f"heavy libraries loaded: {done.stderr or 'none'}"
    )
    write_json(arguments.output, {"comparisons": [row], "load_average": os.getloadavg()})


if __name__ == "__main__":
    main()
