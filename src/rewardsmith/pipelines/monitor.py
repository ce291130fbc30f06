"""A run's log → an alarm or none, with the rates at which such alarms were right when they were measured."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.align.monitor.evidence import NEEDS
from rewardsmith.align.monitor.signals import OWN, RunSignals, read_log, signals_of
from rewardsmith.align.monitor.watch import (
    Watched,
    conformal_threshold,
    fitted_evidence,
    fitted_facts,
    kind_for,
    watch,
)
from rewardsmith.errors import DataError, UsageError
from rewardsmith.settings.in_memory import InMemory

FALSE_ALARMS = 0.05


@dataclass(frozen=True)
class MonitorSettings:
    """The log, its columns, logs of healthy runs for a threshold of their own, and how often that may be wrong."""

    log: str
    map: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()
    false_alarms: float = FALSE_ALARMS


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
        yield "no alarm does not show that a run is healthy"


def span(share: Mapping[str, Any]) -> str:
    """A share with its interval, in percent."""
    low, high = share["ci"]
    return f"{share['value']:.0%} [{low:.0%}, {high:.0%}]"


def monitored(settings: MonitorSettings, *, fail: bool = False) -> Result:
    """Look at a log; DataError where it lacks a signal, UsageError for a name that is no signal."""
    renames = signal_names(settings.map)
    signals = read_signals(settings.log, renames)
    kind = kind_for(signals)
    if not settings.reference:
        rates = {**fitted_facts()["sets"][kind]}
        return Result(signals, watch(signals), rates, 0, fail)
    model, _ = fitted_evidence(kind)
    others = [read_signals(place, renames) for place in settings.reference]
    lacking = next(
        (at for at, one in zip(settings.reference, others, strict=True) if not NEEDS[kind] <= one.names), None
    )
    if lacking is not None:
        raise DataError(
            f"{lacking} lacks signals that {settings.log} has; expected reference logs with the same signals"
        )
    threshold = conformal_threshold([float(model(one).max()) for one in others], settings.false_alarms)
    return Result(signals, watch(signals, threshold), None, len(others), fail)


def read_signals(place: str, renames: Mapping[str, str]) -> RunSignals:
    """The signals of a log, from a file or from rows in memory."""
    rows: Sequence[Mapping[str, Any]] = place.value if isinstance(place, InMemory) else read_log(Path(place))
    return signals_of(rows, place, renames)


def signal_names(map: tuple[str, ...]) -> dict[str, str]:
    """Our names and the columns that `--map` gives them."""
    found = dict(parsed(map))
    unknown = next((name for name in found if name not in OWN), None)
    if unknown is not None:
        raise UsageError(f"--map {unknown}=…: unknown signal; known: {', '.join(OWN)}")
    return found


def parsed(map: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """NAME=COLUMN as pairs."""
    for given in map:
        name, equals, column = given.partition("=")
        if not (equals and name and column):
            raise UsageError(f"--map {given}: expected SIGNAL=COLUMN, for example kl=objective/kl")
        yield name, column
