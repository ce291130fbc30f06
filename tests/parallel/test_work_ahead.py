"""A thread that drives worker processes: whatever ends its block, nothing of it stays."""

import os
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest
import worked

from rewardsmith.errors import TrainingError, WorkerError
from rewardsmith.parallel import processes
from rewardsmith.parallel.processes import in_order
from rewardsmith.scoring.stream import ahead


@pytest.fixture(autouse=True)
def started(monkeypatch):
    """The processes that a test starts."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(processes, "ALONE", 1)
    every = []
    popen = subprocess.Popen

    def note(*arguments, **options):
        every.append(popen(*arguments, **options))
        return every[-1]

    monkeypatch.setattr(processes.subprocess, "Popen", note)
    return every


def endless(function):
    with closing(in_order(function, os.getpid(), iter(int, 1), workers=2)) as found:
        yield from found


@pytest.mark.parametrize("error", [KeyboardInterrupt, TrainingError])
def test_leaving_early_ends_the_thread_and_its_processes(started, error):
    def left_early():
        with ahead(endless(worked.whose)) as made:
            assert any(process != os.getpid() for _, process in made)  # a worker has come
            raise error("now")

    with pytest.raises(error):
        left_early()
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)
    assert "tokenizing" not in {thread.name for thread in threading.enumerate()}


def test_a_worker_that_dies_is_told_in_one_line(started):
    with ahead(endless(worked.die_elsewhere)) as made, pytest.raises(WorkerError, match=r"ended too early.*--workers"):
        for _ in made:
            pass
    assert all(process.poll() is not None for process in started)
