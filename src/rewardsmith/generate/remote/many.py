"""Many requests at a time over one sender; a failure is the outcome of its request alone."""

import queue as queues
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice
from typing import Any, TypeVar

from rewardsmith.generate.remote.sending import Hopeless, Refused, Sender

AHEAD = 2
"""Requests that wait for each that is under way; bounds memory."""
A = TypeVar("A")
T = TypeVar("T")


def answered(sender: Sender, wanted: Iterable[A], ask: Callable[[A], T]) -> Generator[tuple[A, T | Refused]]:
    """Everything that is asked with what came of it, as it comes. Close it to end early; the sender is closed with it.

    Hopeless, where the API refuses what it would refuse every time, ends the run.
    """
    pool = DaemonThreads(sender.endpoint.concurrency)
    queue = iter(wanted)

    def start(asked: A) -> "tuple[Future[T], A]":
        return pool.submit(ask, asked), asked

    waiting: dict[Future[T], A] = {}

    try:
        waiting.update(map(start, islice(queue, AHEAD * sender.endpoint.concurrency)))
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                asked = waiting.pop(future)
                waiting.update(map(start, islice(queue, 1)))
                found: T | Refused = outcome_of(future)
                yield asked, found
    finally:
        sender.close()
        pool.close()


class DaemonThreads:
    """Threads that take calls in their order. They end with the process, also in the middle of a request: a server that
    stops does not wait for an API that does not answer, as it would for those of `concurrent.futures`."""

    def __init__(self, count: int) -> None:
        self._calls: queues.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queues.SimpleQueue()
        self._count, self._threads = count, list[threading.Thread]()

    def submit(self, call: Callable[[A], T], given: A) -> "Future[T]":
        """The outcome of a call, later."""
        future: Future[T] = Future()
        self._calls.put((future, lambda: call(given)))
        if len(self._threads) < self._count:
            self._threads.append(threading.Thread(target=self._run, name="generate", daemon=True))
            self._threads[-1].start()
        return future

    def close(self) -> None:
        """Begin nothing more, and wait for what has begun."""
        while not self._calls.empty():
            entry = self._calls.get()
            if entry is not None:
                entry[0].cancel()
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (entry := self._calls.get()) is not None:
            future, call = entry
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:
                    future.set_exception(error)


def outcome_of(future: "Future[T]") -> "T | Refused":
    """What was asked for, or why there is none; what ends the whole run is raised."""
    try:
        return future.result()
    except Hopeless:
        raise
    except Refused as error:
        return error
