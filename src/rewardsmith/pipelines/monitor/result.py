"""What `monitor` says of a log: the alarm, what it is based on, and how often such alarms were right on the benchmark."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewardsmith.align.monitor.evidence import NEEDS
from rewardsmith.align.monitor.signals import RunSignals
from rewardsmith.align.monitor.watch import Watched


@dataclass(frozen=True)
class Result:
    """What the monitor makes of a log; `rates` are those of the fitted threshold on the benchmark, None for one from
    reference logs. `fail` makes an alarm the exit code 1."""

    signals: RunSignals
    watched: Watched
    rates: Mapping[str, Any] | None
    references: int
    fail: bool = False

    @property
    def exit_code(self) -> int:
        """1 for an alarm where that is asked for."""
        return int(self.fail and self.watched.alarm is not None)

    def to_json(self) -> dict[str, Any]:
        """Alarm, threshold and evidence by step (null where it is not known yet)."""
        evidence = [float(value) if np.isfinite(value) else None for value in self.watched.evidence]
        return {
            "program": self.signals.program,
            "signals": sorted(self.signals.names),
            "set": self.watched.kind,
            "alarm": self.watched.alarm,
            "threshold": self.watched.threshold,
            "steps": list(self.watched.steps),
            "evidence": evidence,
            "references": self.references,
            "rates": self.rates,
        }

    def to_text(self) -> str:
        """The alarm, what it is based on, and how often such alarms are right."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        watched = self.watched
        highest = float(watched.evidence.max())
        if watched.alarm is None:
            yield f"no alarm in {len(watched.steps)} steps"
        else:
            yield f"ALARM at step {watched.alarm}: the reward is probably being hacked; read responses before and after it"
        yield f"evidence at most {highest:.2f}, threshold {watched.threshold:.2f} (log odds)"
        yield f"log of {self.signals.program}; signals: {', '.join(sorted(self.signals.names))}"
        if watched.kind != "full":
            missing = ", ".join(sorted(NEEDS["full"] - self.signals.names))
            yield f"not in the log, and would be used: {missing}"
        if self.rates is None:
            yield f"threshold from {self.references} reference logs"
            return
        early, late, false = (self.rates[name] for name in ("tpr", "alarm_at_any_time", "fpr"))
        half = self.rates["before_half_is_lost"]
        yield f"on the benchmark with these signals ({early['n']} hacked runs, {false['n']} healthy ones):"
        yield f"    alarm before the gold reward peaked: {span(early)}"
        yield f"    before gold had lost half of its fall: {span(half)}; at any time: {span(late)}"
        yield f"    false alarms in healthy runs: {span(false)}"
        if watched.alarm is None:
            yield "no alarm does not show that a run is healthy"


def span(share: Mapping[str, Any]) -> str:
    """A share with its interval, in percent."""
    low, high = share["ci"]
    return f"{share['value']:.0%} [{low:.0%}, {high:.0%}]"
