"""The training side: start a process for each tracker, pass on its one warning, and tell it how the run ended.

Training never writes to a tracker and never waits for one before its end, so a tracker that fails or hangs cannot
change or stop it; nor does it touch the random state, signals or memory of the training process.
"""

import contextlib
import os
import signal
import subprocess
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence

import orjson

from rewardsmith.launch.children import environment, python
from rewardsmith.launch.signals import Interrupted
from rewardsmith.progress import Progress
from rewardsmith.track.trackers import Job, Status

FINISH_SECONDS = 60.0  # importing a library and filling a record from its first row on a busy machine takes a while
STOP_SECONDS = 10.0  # after Ctrl-C or a failure somebody is waiting
SILENT_SECONDS = 3.0
LONGEST_CAUSE = 240


class Follower:
    """One tracker's process, and the thread that listens to it."""

    def __init__(self, job: Job, progress: Progress) -> None:
        self.job, self.progress = job, progress
        self.warned = False
        job.store.mkdir(exist_ok=True)
        with job.log.open("ab") as log:
            self.process = subprocess.Popen(
                python("rewardsmith.track"),
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,  # a line that cannot be delivered must not wait in a buffer until the program's end
                start_new_session=True,  # Ctrl-C at the terminal is for training, which then ends the record properly
            )
        self.say(orjson.dumps(job.to_json()))
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def say(self, line: bytes) -> None:
        """Write a line; both lines of a run fit into the pipe, so this never waits."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended; the listener tells why
            self.process.stdin.write(line + b"\n")
            self.process.stdin.flush()

    def warn(self, text: str) -> None:
        """The one warning that a tracker may cause."""
        if not self.warned:
            self.warned = True
            self.progress.note(
                f"warning: {self.job.tracker} stopped recording this run; training is not affected: "
                f"{textwrap.shorten(text, LONGEST_CAUSE, placeholder=' …')} (details in {self.job.log}; --resume "
                "completes the record)"
            )

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = orjson.loads(line)
            if "opened" in message:
                self.progress.note(f"{self.job.tracker}: recording to {message['opened']}")
                if message["kept"]:
                    self.progress.note(
                        f"{self.job.tracker}: a resumed record keeps its original names: {message['kept']}"
                    )
            if "failed" in message:
                self.warn(message["failed"])
        if code := self.process.wait():
            self.warn(f"its process exited with code {code}")

    def end(self, patience: float) -> None:
        """Give the pipes back; a process that is still there after `patience` seconds is killed before."""
        if self.listener.is_alive():
            self.warn(f"it did not finish within {patience:.0f} s")
            self.kill()
            self.listener.join(SILENT_SECONDS)  # a process that waits for a dead disk cannot even be killed
        if not self.listener.is_alive():
            self.close()

    def kill(self) -> None:
        """End the process and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Give the pipes back."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def following(jobs: Sequence[Job], progress: Progress) -> Iterator[None]:
    """Let the trackers follow the run folder while the block runs; afterwards wait FINISH_SECONDS for them at most."""
    followers = [follower for job in jobs if (follower := start(job, progress))]
    status: Status = "failed"
    try:
        yield
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        finish(followers, status, FINISH_SECONDS if status == "finished" else STOP_SECONDS, progress)


def start(job: Job, progress: Progress) -> Follower | None:
    """Start a tracker; None, and a warning, where the machine cannot (no space, no memory)."""
    try:
        return Follower(job, progress)
    except OSError as error:
        progress.note(f"warning: {job.tracker} could not be started, training is not affected: {error}")
        return None


def finish(followers: Sequence[Follower], status: Status, patience: float, progress: Progress) -> None:
    """Tell all trackers how the run ended, wait for them, and stop those that do not come to an end."""
    for follower in followers:
        follower.say(status.encode())
    began, stopped = time.monotonic(), None
    try:
        wait(followers, began + min(SILENT_SECONDS, patience))
        if slow := [follower.job.tracker for follower in followers if follower.listener.is_alive()]:
            progress.note(f"waiting for {', '.join(slow)} (at most {patience:.0f} s; press Ctrl-C to stop waiting)")
        wait(followers, began + patience)
    except KeyboardInterrupt as error:
        patience, stopped = time.monotonic() - began, error
    for follower in followers:
        follower.end(patience)
    if isinstance(stopped, Interrupted) and stopped.number != signal.SIGINT:
        raise stopped  # Ctrl-C ends the waiting only; other signals mean the program


def wait(followers: Sequence[Follower], until: float) -> None:
    """Wait for the processes to end, until that time of the monotonic clock at most."""
    for follower in followers:
        follower.listener.join(max(0.0, until - time.monotonic()))
