"""How often a model whose temperature is all that is wrong exceeds the limit of its calibration error after scaling.

    python benchmarks/ece_limit.py [--repeats 300] [--output FILE]

Simulated: margins normal with standard deviation 1.5, labels drawn with their probabilities, all margins then multiplied
by 3. The temperature is fitted on validation rows, the error judged on others; 5 % above the limit are expected.
Writes results/ece_limit.json and prints the table of docs/metrics.md.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from rewardsmith.evaluate.calibration import ece, fit_temperature
from rewardsmith.evaluate.inference.noise_floor import calibrated_noise_floor
from rewardsmith.evaluate.metrics import sigmoid

ROWS = ((12, 100), (20, 20), (50, 300), (100, 100), (100, 1000))
SPREAD, SCALE = 1.5, 3.0


def exceeds(held: int, judged: int, rng: np.random.Generator) -> bool:
    """Whether one model exceeds its limit."""
    margin = np.abs(rng.normal(0, SPREAD, held + judged))
    margin = SCALE * np.where(rng.random(margin.size) < sigmoid(margin), margin, -margin)
    first, every = np.arange(margin.size) < held, np.ones(margin.size)
    scaled = margin / fit_temperature(margin[first], every[first])
    floor = calibrated_noise_floor(
        scaled,
        every,
        rng=rng,
        parts=[(first, ~first)],
        judged=~first,
        weight=every,
        cluster=np.arange(margin.size),
    )
    return ece(scaled[~first], every[~first]) > floor.limit


def main() -> None:
    """Simulate, write JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "ece_limit.json")
    options = parser.parse_args()
    rows = []
    print("| validation rows | judged rows | above the limit |\n|---|---|---|")
    for held, judged in ROWS:
        rng = np.random.default_rng([held, judged])
        share = float(np.mean([exceeds(held, judged, rng) for _ in range(options.repeats)]))
        rows.append({"validation": held, "judged": judged, "repeats": options.repeats, "above": share})
        print(f"| {held} | {judged:,} | {share:.1%} |", flush=True)
    options.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
