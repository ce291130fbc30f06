"""The processes that train trials, seen from the search: hand out, listen, notice one that died.

Trials are trained outside of this process, so that one that runs out of memory or crashes ends itself and not the search.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from signal import Signals
from typing import TYPE_CHECKING

from rewardsmith.errors import WorkerError
from rewardsmith.parallel.processes import Worker, started
from rewardsmith.pipelines.tune.messages import Done, FailedTrial, Pruned, TrialJob

if TYPE_CHECKING:
    from typing import TypeAlias

    from rewardsmith.train.held_out import ValidationPass

    Message: TypeAlias = ValidationPass | Done | FailedTrial | Pruned

MODULE = "rewardsmith.pipelines.tune.worker"
SECONDS_TO_END = 60.0
"""A training that is told to end finishes its step and writes a checkpoint."""


@dataclass(eq=False)
class Seat:
    """A place for one trial at a time: its worker (None: not started), and the number of the trial in it."""

    place: int
    worker: Worker | None = None
    number: int | None = None


class TrialCrew:
    """As many seats as trials are trained at the same time."""

    def __init__(self, count: int) -> None:
        self.seats = [Seat(place) for place in range(count)]

    @property
    def free(self) -> Seat | None:
        """A seat without a trial; None where all are taken."""
        return next((seat for seat in self.seats if seat.number is None), None)

    @property
    def busy(self) -> list[Seat]:
        """The seats with a trial."""
        return [seat for seat in self.seats if seat.number is not None]

    def give(self, seat: Seat, number: int, job: TrialJob) -> None:
        """Train a trial on a free seat."""
        try:
            seat.worker = seat.worker or started(MODULE)
        except OSError as error:
            raise WorkerError(f"a training process cannot be started: {error}; try fewer --jobs") from error
        seat.number = number
        seat.worker.connection.send(job)

    def answer(self, seat: Seat, go_on: bool) -> None:
        """Tell a trial whether it goes on after a validation pass."""
        assert seat.worker is not None
        with contextlib.suppress(OSError):  # it died; the next message says so
            seat.worker.connection.send(go_on)

    def listen(self) -> "Iterator[tuple[Seat, Message]]":
        """Wait for messages and give them; a worker that died becomes a trial that failed, and its seat is free again."""
        by_connection = {seat.worker.connection: seat for seat in self.busy if seat.worker is not None}
        for connection in wait(list(by_connection)):
            seat = by_connection[connection]  # type: ignore[index]
            assert seat.worker is not None
            try:
                message = seat.worker.connection.recv()
            except (EOFError, OSError):
                message = FailedTrial("WorkerError", self.dismiss(seat))
            yield seat, message

    def dismiss(self, seat: Seat) -> str:
        """End the worker of a seat; how it had ended by itself, in words."""
        worker, seat.worker = seat.worker, None
        assert worker is not None
        worker.connection.close()
        code = ended(worker.process)
        if code < 0:
            if -code == Signals.SIGKILL:
                return "the training process was killed (SIGKILL), possibly out of memory"
            return f"the training process was ended by {Signals(-code).name}"
        return f"the training process exited with code {code}"

    def end(self) -> None:
        """End all workers; a training that runs writes a checkpoint first."""
        working = [seat.worker for seat in self.seats if seat.worker is not None]
        for worker in working:
            worker.connection.close()  # which it takes as the sign to end
        for worker in working:
            ended(worker.process)


def ended(process: "subprocess.Popen[bytes]") -> int:
    """The exit code of a process that is ending, by force where it takes too long."""
    try:
        return process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
