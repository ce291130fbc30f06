"""Every test runs offline, on one thread, in English, and without colours, on any machine."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest

import shape_checks

# Before any test module can import a library that reads them at import.
for name, value in {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "NO_COLOR": "1",
    "MPLBACKEND": "Agg",
    "REWARDSMITH_LANG": "en",
}.items():
    os.environ[name] = value
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The suite starts some hundred processes; without byte code each of them, and each worker, compiles the package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A suite that was started with nohup or in the background ignores these, and would hand that down to what it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that at the end no worker waits for another (each takes whole files)."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    """Every test checks the types of its first calls."""
    shape_checks.begin_anew()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Iterator[None]:
    """And so does every fixture."""
    shape_checks.begin_anew()
    return (yield)
