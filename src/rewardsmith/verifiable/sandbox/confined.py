"""Run programs in sandboxes: start them, feed and read them, stop what writes too much, say how each ended."""

import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rewardsmith.errors import SandboxError
from rewardsmith.launch.children import PACKAGE
from rewardsmith.verifiable.sandbox.limits import ProgramLimits

GRACE = 20.0
"""Seconds beyond a program's own that its launcher gets to start and end it."""
CHUNK = 65536
START = (
    "import sys; sys.path.insert(0, sys.argv.pop()); from rewardsmith.verifiable.sandbox.launcher import main; main()"
)
EXITED, SIGNAL, SECONDS, MEMORY, OUTPUT, TOLD = "exited", "signal", "seconds", "memory", "output", "told"
TOO_MUCH_TIME = (24, 9)
"""SIGXCPU and SIGKILL: what a process gets that has used up its processor time."""


@dataclass(frozen=True)
class HeldProgram:
    """A Python program: its files by name, `main.py` is run; and what it may take."""

    files: Mapping[str, str]
    limits: ProgramLimits = field(default_factory=ProgramLimits)


class Ended(NamedTuple):
    """How a program ended: EXITED or SIGNAL with the `code` or number, SECONDS, MEMORY, OUTPUT (more than a limit), or TOLD
    (stopped with another one); what it wrote, up to the limit; processor seconds and most resident bytes of its first
    process.
    """

    how: str
    code: int | None
    output: bytes
    errors: bytes
    cpu_seconds: float
    peak_memory: int


def run(program: HeldProgram, given: bytes = b"") -> Ended:
    """Run a program with `given` on standard input; SandboxError where no sandbox can be made."""
    with Running(program, given=given) as running:
        attend([running])
        return running.ended()


def run_joined(first: HeldProgram, second: HeldProgram) -> tuple[Ended, Ended]:
    """Run two programs, each in a sandbox of its own, each reading what the other writes; they end together."""
    there, back = os.pipe(), os.pipe()
    try:
        with (
            Running(first, ends=(back[0], there[1])) as one,
            Running(second, ends=(there[0], back[1])) as other,
        ):
            for descriptor in (*there, *back):
                os.close(descriptor)
            there = back = ()  # type: ignore[assignment]
            attend([one, other])
            return one.ended(), other.ended()
    finally:
        for descriptor in (*there, *back):
            os.close(descriptor)


class Running:
    """A program in its sandbox. `ends` are the descriptors of its input and output; without, `given` is its input."""

    def __init__(self, program: HeldProgram, *, given: bytes = b"", ends: tuple[int, int] | None = None) -> None:
        self.limits = program.limits
        self.written = {"output": bytearray(), "errors": bytearray()}
        self.given = memoryview(given)
        self.stopped: str | None = None
        self.report = bytearray()
        self.control, theirs = socket.socketpair()
        try:
            self.process = started(theirs, ends)
        except OSError as error:
            self.control.close()
            raise SandboxError(f"cannot start the launcher of sandboxes: {error}") from error
        finally:
            theirs.close()
        self.deadline = time.monotonic() + self.limits.seconds + GRACE
        with contextlib.suppress(OSError):  # it has ended; what it reported says why
            self.control.sendall(json.dumps(described(program)).encode() + b"\n")

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self.control.close()  # the launcher ends the program when this end is gone
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def stop(self, reason: str) -> None:
        """End the program, for a reason that `ended` names."""
        self.stopped = self.stopped or reason
        with contextlib.suppress(OSError):
            self.control.sendall(b"s")

    def ended(self) -> Ended:
        """How it ended; SandboxError where it never began."""
        found: dict[str, Any] = {"failed": "its launcher died"}
        if self.report:
            found = json.loads(self.report)
        if "failed" in found or ("status" not in found and "stopped" not in found):
            raise SandboxError(f"no sandbox: {found.get('failed', 'it ended before its program')}")
        how, code = reason_of(found, self.limits)
        if self.stopped and found.get("stopped") in (None, TOLD):
            how = self.stopped if found.get("stopped") else how
        output, errors = bytes(self.written["output"]), bytes(self.written["errors"])
        return Ended(how, code, output, errors, float(found.get("cpu", 0)), int(found.get("peak", 0)))


def reason_of(found: Mapping[str, Any], limits: ProgramLimits) -> tuple[str, int | None]:
    """How a program ended, by the report of its launcher."""
    if "status" not in found:
        return str(found["stopped"]), None
    status = found["status"]
    if os.WIFEXITED(status):
        return EXITED, os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    used_up = number in TOO_MUCH_TIME and found["cpu"] >= limits.seconds * 0.9
    return (SECONDS, None) if used_up else (SIGNAL, number)


def started(control: socket.socket, ends: tuple[int, int] | None) -> "subprocess.Popen[bytes]":
    """The launcher, with nothing of this process but three streams and a socket."""
    return subprocess.Popen(
        [interpreter(), "-I", "-S", "-c", START, str(control.fileno()), PACKAGE],
        stdin=subprocess.PIPE if ends is None else ends[0],
        stdout=subprocess.PIPE if ends is None else ends[1],
        stderr=subprocess.PIPE,
        pass_fds=[control.fileno()],
        env={},
        cwd="/",
    )


def interpreter() -> str:
    """The Python that this program's environment was made from; with nothing but the standard library."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def described(program: HeldProgram) -> dict[str, Any]:
    """What a launcher needs to know."""
    limits = program.limits
    places = [os.path.realpath(sys.base_prefix), os.path.realpath(sys.base_exec_prefix)]
    return {
        "python": interpreter(), "places": places, "files": dict(program.files), "seconds": limits.seconds,
        "memory": limits.memory, "disk": limits.disk, "processes": limits.processes, "files_at_once": limits.files,
    }  # fmt: skip


def attend(programs: Sequence[Running]) -> None:
    """Feed and read programs until the launcher of each has reported; when one has ended, the others are stopped."""
    with selectors.DefaultSelector() as selector:
        for running in programs:
            watch(selector, running)
        while selector.get_map():
            for key, _ in selector.select(1.0):
                running, what = key.data
                if not serve(running, what, key.fileobj):
                    selector.unregister(key.fileobj)
                    if what == "report":
                        for other in programs:
                            other.stop(TOLD)
            for running in programs:
                if time.monotonic() > running.deadline:
                    running.process.kill()


def watch(selector: selectors.BaseSelector, running: Running) -> None:
    """Wait for all streams of a program that end here."""
    process = running.process
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE, (running, "given"))
    for what, stream in (("output", process.stdout), ("errors", process.stderr)):
        if stream is not None:
            selector.register(stream, selectors.EVENT_READ, (running, what))
    selector.register(running.control, selectors.EVENT_READ, (running, "report"))


def serve(running: Running, what: str, stream: Any) -> bool:
    """Write or read what can be; False when that stream is done with."""
    if what == "given":
        return fed(running, stream)
    if what == "report":
        data = received(running.control)
        running.report += data
        return bool(data)
    data = os.read(stream.fileno(), CHUNK)
    kept = running.written[what]
    kept += data[: running.limits.output - len(kept)]
    if len(data) and len(kept) == running.limits.output:
        running.stop(OUTPUT)
    return bool(data)


def received(control: socket.socket) -> bytes:
    """Bytes of a report; none when the launcher has ended, whatever it left unread."""
    try:
        return control.recv(CHUNK)
    except ConnectionError:
        return b""


def fed(running: Running, stream: Any) -> bool:
    """Write input; False when all is written, or nobody reads."""
    try:
        count = os.write(stream.fileno(), running.given[:CHUNK]) if running.given else 0
    except BlockingIOError:
        return True
    except OSError:
        count = len(running.given)
    running.given = running.given[count:]
    if not running.given:
        stream.close()
    return bool(running.given)
