"""The tracker's own process: follow `metrics.jsonl`, log what comes, conclude when told, and never outlive its use.

The training process says two lines on standard input: the job, and how the run ended. If it dies instead (kill -9), the
input ends, and the record is closed as interrupted. Signals of the terminal or a job manager are left to training.
"""

import contextlib
import fcntl
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, cast, get_args

import orjson

from rewardsmith.errors import OutputError
from rewardsmith.files import write_json
from rewardsmith.files.reading import read_object, refuse_types, taking_from
from rewardsmith.launch.redaction import redacted
from rewardsmith.track.outcome import read_outcome, settings_of
from rewardsmith.track.rows import MetricsRow, RowKind, Rows, identity
from rewardsmith.track.trackers import Job, Status, Tracker, open_tracker

POLL_SECONDS = 1.0
LAST_SECONDS = 120.0  # after the end: the training process gives up earlier; this is for when it is no longer there
LOG_SECONDS = 2.0
MOST_ROWS = 1000
Say = Callable[[Mapping[str, Any]], None]


class Orders:
    """How the run ended, once it is known."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.ended = threading.Event()
        self.status: Status = "interrupted"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        word = self.stream.readline().strip()
        if word in get_args(Status):
            self.status = cast(Status, word)
        self.ended.set()
        threading.Event().wait(LAST_SECONDS)
        os.killpg(os.getpgid(0), signal.SIGKILL)  # with what the library started; nobody else is left to do it


def main() -> None:
    """Work off one job; whatever goes wrong becomes one message for the training process."""
    say, finish_log = divert_output()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    code = 0
    try:
        job = Job.from_json(orjson.loads(sys.stdin.readline()))
        follow(job, Orders(sys.stdin), say)
    except BaseException as error:
        traceback.print_exc()
        say({"failed": redacted(f"{type(error).__name__}: {error}")})
        code = 1
    finish_log()
    os._exit(code)  # a library's exit hooks might wait for ever; what has to be written has been


def divert_output() -> tuple[Say, Callable[[], None]]:
    """Let what libraries print go to the log, without its secrets; messages take the real standard output.

    Returns how to say something, and what to call at the end, when nothing is printed any more.
    """
    channel, log = os.dup(1), os.dup(2)
    reader, writer = os.pipe()
    for number in (1, 2):
        os.dup2(writer, number)
    os.close(writer)
    copying = threading.Thread(target=copy_lines, args=(reader, log), daemon=True)
    copying.start()

    def say(message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the training process may be gone
            os.write(channel, orjson.dumps(message) + b"\n")

    def finish_log() -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number in (1, 2):
            os.dup2(log, number)
        copying.join(LOG_SECONDS)  # what the library started may hold the pipe open

    return say, finish_log


def copy_lines(reader: int, log: int) -> None:
    """Copy lines to the log, whatever becomes of it: nobody who prints may have to wait."""
    with open(reader, "rb") as lines:
        for line in lines:
            with contextlib.suppress(OSError):
                os.write(log, redacted(line.decode("utf-8", "replace")).encode())


def follow(job: Job, orders: Orders, say: Say) -> None:
    """Log the run from its first row, or from where the record stands, until it ends."""
    with alone(job.log):
        before = read_state(job.state)
        named = job.named(before)
        tracker = open_tracker(named, before.get("run_id"), settings_of(job.folder))
        state: dict[str, Any] = {
            "run_id": tracker.run_id,
            "place": tracker.place,
            "project": named.project,
            "run_name": named.run_name,
        }
        state |= {"status": "running", "concluded": None}
        if tracker.run_id == before.get("run_id"):
            state["concluded"] = before.get("concluded")
        write_json(job.state, state)
        say({"opened": tracker.place, "kept": kept_names(job, named)})
        try:
            sent = log_rows(job, tracker, orders)
            if orders.status == "finished":
                outcome = read_outcome(job.folder)
                if outcome.digest() != state["concluded"]:
                    tracker.conclude(outcome)
                    state["concluded"] = outcome.digest()
            tracker.close(orders.status)
            refuse_gaps(tracker, sent)
        except BaseException as error:
            write_json(job.state, {**state, "concluded": None, "status": "broken", "error": redacted(str(error))})
            raise
        write_json(job.state, {**state, "status": orders.status})


def read_state(path: Path) -> dict[str, Any]:
    """What an earlier part of the run said of its record; DataError where that is damaged."""
    state = read_object(path)
    with taking_from(path):
        refuse_types(state, dict.fromkeys(("run_id", "project", "run_name", "concluded"), str | None))
    return state


def kept_names(job: Job, named: Job) -> str:
    """What to say where a resumed record has another project or name than was asked for now; else nothing."""
    asked = [(job.project, named.project), (job.run_name, named.run_name)]
    return "; ".join(f"{given!r} is still {kept!r}" for given, kept in asked if given not in ("", kept))


def log_rows(job: Job, tracker: Tracker, orders: Orders) -> dict[RowKind, int]:
    """Log the rows beyond what the record holds, until the run has ended; returns the last step of each kind."""
    sent = dict(tracker.recorded())
    rows, presence = Rows(job.folder / "metrics.jsonl"), Presence(tracker.path)
    while True:
        ended = orders.ended.wait(POLL_SECONDS)
        for some in portions(row for row in rows.new() if row.step > sent.get(row.kind, 0)):
            tracker.log(some)
            sent.update({row.kind: row.step for row in some})
        presence.check()
        if ended:
            return sent


def portions(rows: Iterator[MetricsRow]) -> Iterator[list[MetricsRow]]:
    """At most MOST_ROWS at a time: a run that was not tracked before may have many."""
    waiting = list(rows)
    for start in range(0, len(waiting), MOST_ROWS):
        yield waiting[start : start + MOST_ROWS]


class Presence:
    """Notices where a record was deleted or replaced: a library with the file open would write on without a word."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.seen: tuple[int, int] | None = None

    def check(self) -> None:
        """OutputError where the record has been there and is not any more; some are written a while after opening."""
        if self.path is None:
            return
        now = identity(self.path) if self.path.exists() else None
        if self.seen not in (None, now):
            raise OutputError(f"{self.path} was deleted or replaced")
        self.seen = now


def refuse_gaps(tracker: Tracker, sent: Mapping[RowKind, int]) -> None:
    """OutputError where the record ends too early; some libraries say nothing when they cannot write."""
    held = tracker.recorded()
    short = [f"{kind} rows end at step {held.get(kind, 0)}; expected step {step}" for kind, step in sent.items()
             if held.get(kind, 0) < step]  # fmt: skip
    if short:
        raise OutputError(f"the record is not complete: {', '.join(short)}")


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Lock a file; waits until the process of an earlier attempt at this run has let go of the record."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
