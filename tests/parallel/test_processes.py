import os
import time
from pathlib import Path

import pytest
import worked

from rewardsmith.errors import DataError, WorkerError
from rewardsmith.parallel import processes
from rewardsmith.parallel.processes import in_order


@pytest.fixture(autouse=True)
def workers_find_the_tests(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(processes, "ALONE", 1)


def endless():
    piece = 0
    while True:
        yield piece
        piece += 1


def until(found, wanted):
    """Take results until one is as wanted: workers need a moment to come."""
    begin = time.monotonic()
    for piece, result in found:
        if wanted(result):
            return piece, result
        assert time.monotonic() - begin < 120, "no worker came"
    raise AssertionError("nothing more came")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_pieces(workers):
    assert list(in_order(worked.square, 1, range(300), workers=workers)) == [(n, n * n + 1) for n in range(300)]


def test_a_slow_piece_holds_back_those_behind_it():
    assert [result for _, result in in_order(worked.slow_first, None, range(12), workers=2)] == list(range(12))


def test_large_pieces_and_results_cannot_block_each_other():
    pieces = [bytes([n]) * 3_000_000 for n in range(40)]
    found = in_order(worked.doubled, None, pieces, workers=2)
    assert all(result == piece * 2 for piece, result in found)


def test_little_work_is_done_here(monkeypatch):
    monkeypatch.setattr(processes, "ALONE", 5)
    monkeypatch.setattr(processes, "started", None)
    assert {result for _, result in in_order(worked.whose, None, range(4), workers=2)} == {os.getpid()}


def test_an_error_is_raised_at_its_piece():
    found = in_order(worked.refuse_five, None, range(9), workers=2)
    assert [next(found)[0] for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(DataError, match="five is refused"):
        next(found)


def test_a_worker_that_dies_ends_everything_in_one_error():
    with pytest.raises(WorkerError, match=r"exited early \(SIGKILL\).*fewer --workers"):
        until(in_order(worked.die_elsewhere, os.getpid(), endless(), workers=2), lambda result: False)


def test_a_bug_in_a_worker_keeps_its_traceback():
    with pytest.raises(RuntimeError, match=r"ZeroDivisionError: a bug\n(.*\n)*.*fail_elsewhere"):
        until(in_order(worked.fail_elsewhere, os.getpid(), endless(), workers=2), lambda result: False)


def test_closing_ends_the_workers():
    found = in_order(worked.whose, None, endless(), workers=2)
    _, worker = until(found, lambda pid: pid != os.getpid())
    os.kill(worker, 0)
    found.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_what_comes_in_is_read_no_further_than_the_window():
    taken = []

    def pieces():
        for piece in endless():  # a busy machine takes its time to start the workers
            taken.append(piece)
            yield piece

    found = in_order(worked.whose, None, pieces(), workers=2)
    until(found, lambda pid: pid != os.getpid())
    handed_back = next(found)[0] + 1
    assert len(taken) - handed_back <= processes.WINDOW * 2
    found.close()
