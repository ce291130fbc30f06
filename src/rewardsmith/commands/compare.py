"""`rewardsmith compare`: is model A better than model B on the same comparisons, or can that not be told?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.progress import SILENT, Progress

Key = tuple[str, int, str, int, int]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith compare`."""

    a: Path
    """Run folder, or the --output of evaluate."""
    b: Path
    """The other one, evaluated on the same data."""
    seed: int = 0
    """Seed of the bootstrap and the permutation test."""


@dataclass(frozen=True)
class Result:
    """A minus B on the comparisons that both have."""

    figures: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """accuracy_difference, ci, p_value, flipped, n, and how the test was done."""
        return dict(self.figures)

    def to_text(self) -> str:
        """The difference in words."""
        f = self.figures
        low, high = f["ci"]
        known = "A is better" if low > 0 else ("B is better" if high < 0 else "cannot be told apart")
        lines = [
            f"A {f['accuracy_a']:.4f}, B {f['accuracy_b']:.4f} on {f['n']} comparisons",
            f"A minus B {f['accuracy_difference']:+.4f} [{low:+.4f}, {high:+.4f}], p = {f['p_value']:.3g} "
            f"({f['test']}): {known}",
            f"{f['flipped']} comparisons flipped: A alone right {f['only_a']}, B alone right {f['only_b']}; with this data "
            f"a difference of {f['minimal_detectable']:.3f} would be found with 80 % power",
        ]
        if f["only_in_a"] or f["only_in_b"]:
            lines.append(f"left out: {f['only_in_a']} comparisons that only A has, {f['only_in_b']} that only B has")
        return "\n".join(lines)


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Pair the two evaluations row by row and test the difference of their accuracies."""
    import numpy as np

    from rewardsmith.errors import DataError
    from rewardsmith.evaluate.metrics import accuracy
    from rewardsmith.evaluate.paired import compare_margins

    first, second = read_margins(config.a), read_margins(config.b)
    common = [key for key in first if key in second]
    if not common:
        raise DataError(f"{config.a} and {config.b} share no comparison; evaluate both models on the same data")
    clusters: dict[str, int] = {}
    cluster = np.array([clusters.setdefault(str(first[key]["prompt_id"]), len(clusters)) for key in common])
    preference = np.array([first[key]["preference"] for key in common], dtype=np.float64)
    margins = [np.array([side[key]["margin"] for key in common], dtype=np.float64) for side in (first, second)]
    found = compare_margins(
        margins[0], margins[1], preference=preference, cluster=cluster, rng=np.random.default_rng(config.seed)
    )
    return Result(
        {
            "accuracy_difference": found.difference,
            "ci": [found.interval.low, found.interval.high],
            "p_value": found.p_value,
            "test": found.test,
            "flipped": found.flipped,
            "n": found.n,
            "accuracy_a": accuracy(margins[0], preference),
            "accuracy_b": accuracy(margins[1], preference),
            "only_a": found.only_first,
            "only_b": found.only_second,
            "minimal_detectable": found.minimal_detectable,
            "only_in_a": len(first) - len(common),
            "only_in_b": len(second) - len(common),
        }
    )


def read_margins(folder: Path) -> dict[Key, dict[str, Any]]:
    """The rows of a folder's `comparisons.jsonl` by what identifies a comparison."""
    import orjson

    from rewardsmith.errors import DataError

    path = folder / "comparisons.jsonl"
    if not path.is_file():
        raise DataError(
            f"{folder} holds no comparisons.jsonl; give a run folder or the --output of rewardsmith evaluate"
        )
    rows: dict[Key, dict[str, Any]] = {}
    for line in path.read_bytes().splitlines():
        row = orjson.loads(line)
        kept = {name: row[name] for name in ("prompt_id", "preference", "margin")}
        rows[(row["source"], row["line"], row["id"], row["i"], row["j"])] = kept
    return rows
