"""Many requests at a time over one sender; a failure is the outcome of its request alone."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from rewardsmith.generate.remote.sending import Hopeless, Refused, Sender

AHEAD = 2
"""Requests that wait for each that is under way; bounds memory."""
A = TypeVar("A")
T = TypeVar("T")


def answered(sender: Sender, wanted: Iterable[A], ask: Callable[[A], T]) -> Generator[tuple[A, T | Refused]]:
    """Everything that is asked with what came of it, as it comes. Close it to end early; the sender is closed with it.

    Hopeless, where the API refuses what it would refuse every time, ends the run.
    """
    pool = ThreadPoolExecutor(sender.endpoint.concurrency, thread_name_prefix="generate")
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
        pool.shutdown(wait=True, cancel_futures=True)


def outcome_of(future: "Future[T]") -> "T | Refused":
    """What was asked for, or why there is none; what ends the whole run is raised."""
    try:
        return future.result()
    except Hopeless:
        raise
    except Refused as error:
        return error
