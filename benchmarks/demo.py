"""The demo, timed: `python benchmarks/demo.py` runs `rewardsmith demo` as a user does and keeps its figures."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rewardsmith.files import write_json

RESULT = Path(__file__).parent / "results" / "demo.json"
FIGURES = (
    "n", "clusters", "accuracy", "accuracy_ci", "auc", "nll", "nll_ci", "ece", "ece_calibrated", "ece_noise_floor",
    "kendall_tau", "baselines", "by_category",
)  # fmt: skip


def main() -> None:
    """Run the demo in an empty folder and write results/demo.json."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "demo"
        command = [sys.executable, "-m", "rewardsmith", "demo", "--output", str(output), "--json"]
        started = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        evaluation = json.loads((output / "run" / "evaluation.json").read_text())
    told = json.loads(done.stdout)
    write_json(
        RESULT,
        {
            "seconds": seconds,
            "cpu_count": os.cpu_count(),
            "ceiling": told["ceiling"],
            **{name: evaluation[name] for name in FIGURES},
            "train": {
                name: told["train"][name] for name in ("steps", "pairs", "seconds", "pairs_per_second", "parameters")
            },
        },
    )
    print(f"{evaluation['accuracy']:.4f} {evaluation['accuracy_ci']} of {told['ceiling']:.3f} in {seconds:.0f} s")


if __name__ == "__main__":
    main()
