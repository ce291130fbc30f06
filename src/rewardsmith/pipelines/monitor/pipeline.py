"""A run's log → an alarm or none, with the rates at which such alarms were right when they were measured."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.align.monitor.evidence import NEEDS
from rewardsmith.align.monitor.signals import OWN, RunSignals, read_log, signals_of
from rewardsmith.align.monitor.watch import (
    conformal_threshold,
    fitted_evidence,
    fitted_facts,
    kind_for,
    watch,
)
from rewardsmith.errors import DataError, UsageError
from rewardsmith.pipelines.monitor.result import Result
from rewardsmith.settings.in_memory import InMemory

FALSE_ALARMS = 0.05


@dataclass(frozen=True)
class MonitorSettings:
    """The log, its columns, logs of healthy runs for a threshold of their own, and how often that may be wrong."""

    log: str
    map: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()
    false_alarms: float = FALSE_ALARMS


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
