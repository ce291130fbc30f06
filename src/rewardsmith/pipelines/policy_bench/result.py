"""What a bench found, by objective over its seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewardsmith.audit.effect import mean_with_interval


@dataclass(frozen=True)
class Result:
    """`summary` is what policy_bench.json holds: the outcome of every run, and means by objective."""

    summary: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The summary."""
        return self.summary

    def to_text(self) -> str:
        """Gold reward at the start, at its peak and at the end, by objective."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for name, found in self.summary["objectives"].items():
            start, peak, end = (found[f"gold_{place}"]["value"] for place in ("start", "peak", "end"))
            runs = found["runs"]
            yield f"{name}: gold {start:.2f} at the start, {peak:.2f} at its peak, {end:.2f} at the end ({runs} runs)"
            low, high = found["gold_end"]["ci"]
            if low == low:  # with one seed there is no interval
                yield f"    at the end [{low:.2f}, {high:.2f}] over seeds; proxy {found['proxy_end']['value']:+.2f}"
            if found["hacked"]:
                yield f"    reward hacked in {found['hacked']} of {found['runs']} runs: gold fell while the proxy rose"
            else:
                yield "    no run hacked its reward"
        yield f"→ {self.summary['output']}/report.html"


def summary_of(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By objective, over seeds: mean gold and proxy with intervals, KL at the end, and how many runs were hacked."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(run["summary"]["objective"] for run in runs):
        own = [run for run in runs if run["summary"]["objective"] == name]
        statuses = [run["summary"]["status"] for run in own]
        found[name] = {
            "runs": len(own),
            "hacked": statuses.count("hacked"),
            "healthy": statuses.count("healthy"),
            "kl_end": interval([run["log"][-1]["kl"] for run in own]),
            **levels_of([run["summary"] for run in own]),
        }
    return found


def levels_of(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Gold and proxy at the start, at the peak and at the end."""
    return {
        f"{kind}_{place}": interval([one[kind][k] for one in outcomes])
        for kind in ("gold", "proxy")
        for k, place in enumerate(("start", "peak", "end"))
    }


def interval(values: Sequence[float]) -> dict[str, Any]:
    """The mean and its 95 % interval over seeds."""
    mean, found = mean_with_interval(np.array(values), np.arange(len(values)))
    return {"value": mean, "ci": [found.low, found.high]}
