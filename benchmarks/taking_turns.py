"""Programs that are timed against each other take turns, so that a slow minute of the machine hits all alike."""

import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any


class Turns:
    """Workers in threads of their own run one after the other, a segment of `steps` each time; the clock is per segment.

    A worker calls `begin` once and `step` after every optimizer step; `step` hands over when the segment is full.
    """

    def __init__(self, names: Sequence[str], steps: int) -> None:
        self.steps = steps
        self.seconds: dict[str, list[float]] = {name: [] for name in names}
        self._waiting = list(names)
        self._done = dict.fromkeys(names, 0)
        self._changed = threading.Condition()
        self._started = 0.0

    def begin(self, name: str) -> None:
        """Wait for the first turn."""
        self._wait(name)

    def step(self, name: str) -> None:
        """Count a step; at the end of a segment note its seconds and wait for the next turn."""
        self._done[name] += 1
        if self._done[name] % self.steps:
            return
        self.seconds[name].append(time.perf_counter() - self._started)
        with self._changed:
            self._waiting.append(self._waiting.pop(0))
            self._changed.notify_all()
        self._wait(name)

    def leave(self, name: str) -> None:
        """The worker has finished (or failed): the others go on without it."""
        with self._changed:
            self._waiting.remove(name)
            self._changed.notify_all()

    def _wait(self, name: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting[0] == name)
        self._started = time.perf_counter()


def compared(name: str, ours: Sequence[float], peer: Sequence[float], *, units: float, goal: float) -> dict[str, Any]:
    """Rates from the medians of the segments' seconds, their ratio, and the range of the ratios within each round."""
    rounds = sorted(theirs / mine for mine, theirs in zip(ours, peer, strict=True))
    ratio = statistics.median(peer) / statistics.median(ours)
    return {
        "name": name,
        "ours": units / statistics.median(ours),
        "peer": units / statistics.median(peer),
        "ratio": ratio,
        "goal": goal,
        "met": ratio >= goal,
        "n": len(rounds),
        "ratio_of_sums": sum(peer) / sum(ours),
        "lowest_round": rounds[0],
        "highest_round": rounds[-1],
        "seconds": {"ours": list(ours), "peer": list(peer)},
    }


def table(rows: Sequence[Mapping[str, Any]], unit: str) -> str:
    """The comparisons as text."""
    lines = [f"{'':<52}{'ours':>10}{'peer':>10}{'ratio':>8}{'rounds':>14}{'goal':>7}   {unit}"]
    for row in rows:
        span = f"{row['lowest_round']:.2f}–{row['highest_round']:.2f}" if "lowest_round" in row else ""
        lines.append(
            f"{row['name']:<52}{row['ours']:>10.3g}{row['peer']:>10.3g}{row['ratio']:>8.2f}{span:>14}{row['goal']:>7g}"
        )
    return "\n".join(lines)
