"""A plugin of pytest that shows where the processor's time goes: `PYTHONPATH=src:tests pytest -p cpu_times -n 0 FOLDER`.

CPU seconds, of this process and of the processes that it waited for, tell more than `--durations` on a machine that does
something else as well. The time of a fixture is also in that of the test which needed it first.
"""

import resource
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

SHOWN = 40
"""Lines of the table."""

cpu: Counter[str] = Counter()
"""CPU seconds by test (its parameters together), fixture and "collection"."""
wall: Counter[str] = Counter()


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(name: str) -> Iterator[None]:
    """What a hook wrapper yields to."""
    began, clock = cpu_seconds(), time.perf_counter()
    try:
        return (yield)
    finally:
        cpu[name] += cpu_seconds() - began
        wall[name] += time.perf_counter() - clock


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[Any]:
    """Imports, mostly."""
    return (yield from timed("collection"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Set-up, test and tear-down."""
    return (yield from timed(item.nodeid.partition("[")[0]))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[Any]:
    """Those that several tests share."""
    if fixturedef.scope == "function":
        return (yield)
    return (yield from timed(f"{fixturedef.baseid}: fixture {fixturedef.argname}"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The dearest ones."""
    terminalreporter.section(f"CPU seconds, wall seconds; {cpu_seconds():.0f} CPU seconds in all")
    for name, seconds in cpu.most_common(SHOWN):
        terminalreporter.write_line(f"{seconds:8.1f} {wall[name]:8.1f}  {name}")
