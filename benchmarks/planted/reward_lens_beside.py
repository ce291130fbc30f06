"""What reward-lens says of the planted model folders; run with a Python that has reward-lens, torch and transformers.

    python benchmarks/planted/reward_lens_beside.py ROOT HALF OUTPUT.json

Its command line audits reward functions of reinforcement learning and refuses runs and model folders ("not a reward-lens
project"), so this asks the part of its Python interface that takes a scalar model: `load_signal` and `run_conformance`.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from reward_lens.signals.conformance import run_conformance
from reward_lens.signals.loaders import SignalSpec, load_signal


def said_of(folder: Path) -> dict[str, Any]:
    """Which of its checks passed, failed or were left out; or the error on loading."""
    began = time.process_time()
    try:
        report = run_conformance(load_signal(SignalSpec(source=str(folder))))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:300]}
    return {
        "failed": [one.name for one in report.checks if not one.passed and not one.skipped],
        "skipped": [one.name for one in report.checks if one.skipped],
        "passed": sum(one.passed for one in report.checks),
        "seconds": round(time.process_time() - began, 1),
    }


def main() -> int:
    root, half, output = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    index = {e["name"]: e for e in map(json.loads, (root / f"{half}-index.jsonl").read_text("utf-8").splitlines())}
    rows = []
    for entry in index.values():
        folder = root / half / entry["name"]
        model = folder / "model" if (folder / "model").is_dir() else folder / "run" / "model"
        if (model / "config.json").is_file():
            rows.append(
                {"kind": entry["kind"], "dose": entry["dose"], "governs": entry.get("governs"), **said_of(model)}
            )
            print(rows[-1], flush=True)
    output.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
