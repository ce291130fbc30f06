"""One function over many pieces of work, on the cores of this machine; the results come in the order of the pieces.

Workers are programs of their own (`rewardsmith.parallel.worker`), neither forked nor started from the caller's script: a
fork would copy locks that another thread holds, and `multiprocessing` runs a script without a main guard again.
"""

import contextlib
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

from rewardsmith.errors import WorkerError
from rewardsmith.launch.children import environment, python

C = TypeVar("C")
P = TypeVar("P")
R = TypeVar("R")

ALONE = 8
"""So many pieces are done here before workers are started: small work must not wait for processes."""
AHEAD = 2
"""Pieces that a worker has at a time, the one it does and the next."""
WINDOW = 4
"""Pieces per worker that may be under way or wait for an earlier one; bounds memory."""
SECONDS_TO_END = 5.0


def usable_cores() -> int:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def in_order(
    function: Callable[[C, P], R], context: C, pieces: Iterable[P], *, workers: int
) -> Generator[tuple[P, R], None, None]:
    """Each piece with `function(context, piece)`, in the order of the pieces.

    With one worker everything happens here. `function` is a module's, and context, pieces and results can be pickled. An
    error of the function is raised at its piece; WorkerError where a worker dies. Close the iterator to end the workers.
    """
    waiting = iter(pieces)
    for count, piece in enumerate(waiting, 1):
        yield piece, function(context, piece)
        if workers > 1 and count >= ALONE:
            break
    else:
        return
    crew = Crew(function, context, workers)
    try:
        yield from crew.run(waiting)
    finally:
        crew.end()


@dataclass(eq=False)
class Worker:
    """A process, the connection to it, and the numbers of the pieces that it has."""

    process: subprocess.Popen[bytes]
    connection: Connection
    ready: bool = False
    has: deque[int] = field(default_factory=deque)


class Crew(Generic[C, P, R]):
    """Some workers and the pieces under way."""

    def __init__(self, function: Callable[[C, P], R], context: C, count: int) -> None:
        self.function, self.context = function, context
        self.workers: list[Worker] = []
        self.pieces: dict[int, P] = {}
        self.done: dict[int, R | BaseException] = {}
        self.sent = self.told = 0
        try:
            for _ in range(count):
                self.workers.append(started())
        except OSError as error:
            self.end()
            raise WorkerError(f"a worker process cannot be started: {error}; try fewer --workers") from error

    def run(self, pieces: Iterator[P]) -> Iterator[tuple[P, R]]:
        """Hand out the pieces and give back the results."""
        for worker in self.workers:
            worker.connection.send((self.function, self.context))
        more = True
        while more or self.pieces:
            more = more and self.hand_out(pieces)
            if self.told in self.done:
                yield self.next_result()
                self.listen(timeout=0)  # so that nobody waits for work while results are taken
            elif self.pieces:
                self.listen(timeout=None)
            elif more:  # nobody is ready yet: go on here, and look who has come
                piece = next(pieces, None)
                more = piece is not None
                if piece is not None:
                    yield piece, self.function(self.context, piece)
                    self.listen(timeout=0)

    def hand_out(self, pieces: Iterator[P]) -> bool:
        """Give every worker that is ready something to do; whether there may be more."""
        while self.sent - self.told < WINDOW * len(self.workers):
            free = [worker for worker in self.workers if worker.ready and len(worker.has) < AHEAD]
            if not free:
                return True
            piece = next(pieces, None)
            if piece is None:
                return False
            worker = min(free, key=lambda one: len(one.has))
            self.pieces[self.sent] = piece
            worker.has.append(self.sent)
            self.sent += 1
            try:
                worker.connection.send(piece)
            except OSError as error:
                raise died(worker) from error
        return True

    def next_result(self) -> tuple[P, R]:
        """The result whose turn it is."""
        result, piece = self.done.pop(self.told), self.pieces.pop(self.told)
        self.told += 1
        if isinstance(result, BaseException):
            raise result
        return piece, result

    def listen(self, timeout: float | None) -> None:
        """Take what workers have sent."""
        by_connection = {worker.connection: worker for worker in self.workers}
        for connection in wait(list(by_connection), timeout):
            worker = by_connection[connection]  # type: ignore[index]
            try:
                message = worker.connection.recv()
            except (EOFError, OSError) as error:
                raise died(worker) from error
            if worker.ready:
                self.done[worker.has.popleft()] = message
            worker.ready = True

    def end(self) -> None:
        """End all workers, whatever they do."""
        for worker in self.workers:
            worker.connection.close()
            worker.process.terminate()
        for worker in self.workers:
            try:
                worker.process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()


def started(module: str = "rewardsmith.parallel.worker") -> Worker:
    """A new worker, which is on its way; it is out of reach of Ctrl-C, and ends when this process does.

    `module` is its program: it gets the number of its end of the connection as its only word.
    """
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            python(module, str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # nothing may stand beside the one JSON object
            process_group=0,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Worker(process, Connection(ours.detach()))


def died(worker: Worker) -> WorkerError:
    """What to say of a worker that is gone."""
    code: int | None = None
    with contextlib.suppress(subprocess.TimeoutExpired):
        code = worker.process.wait(SECONDS_TO_END)
    how = f"exit code {code}"
    if code is not None and code < 0:
        how = signal.Signals(-code).name
    return WorkerError(f"a worker process exited early ({how}), possibly out of memory; try fewer --workers")
