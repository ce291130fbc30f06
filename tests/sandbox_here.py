"""What tests of the sandbox share: skipping where none can be made, and running a hostile program among things to reach."""

import contextlib
import ctypes
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rewardsmith.verifiable.sandbox import confined, support
from rewardsmith.verifiable.sandbox.confined import Ended, HeldProgram
from rewardsmith.verifiable.sandbox.limits import ProgramLimits

BECOME_SUBREAPER = 36
SECRET = "a-value-of-the-environment"


@pytest.fixture
def sandbox() -> None:
    """Skip where no sandbox can be made, and say why."""
    reason = support.missing()
    if reason is not None:
        pytest.skip(f"no sandbox can be made here: {reason}")


@contextlib.contextmanager
def no_orphans() -> Iterator[None]:
    """Whatever is orphaned meanwhile becomes a child of this process; none may be left."""
    libc = ctypes.CDLL(None)
    libc.prctl(BECOME_SUBREAPER, 1, 0, 0, 0)
    before = children()
    try:
        yield
        deadline = time.monotonic() + 5
        while children() - before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert children() - before == set()
    finally:
        libc.prctl(BECOME_SUBREAPER, 0, 0, 0, 0)


def children() -> set[str]:
    """The processes that this one is the parent of."""
    return {
        child
        for task in os.listdir("/proc/self/task")
        for child in Path(f"/proc/self/task/{task}/children").read_text(encoding="ascii").split()
    }


@contextlib.contextmanager
def listeners() -> Iterator[tuple[int, str, list[socket.socket]]]:
    """A listener on loopback and one in the abstract namespace: port, name, and both sockets."""
    name = f"rewardsmith-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as loopback, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0" + name)
        abstract.listen()
        for each in (loopback, abstract):
            each.setblocking(False)
        yield loopback.getsockname()[1], name, [loopback, abstract]


def run_hostile(source: str, folder: Path, limits: ProgramLimits) -> Ended:
    """Run a program beside a canary and listeners, and check that it reached none of them and left nothing behind."""
    canary = folder / "canary"
    canary.write_text("alive", encoding="ascii")
    os.environ["REWARDSMITH_TEST_SECRET"] = SECRET
    with listeners() as (port, name, sockets), no_orphans():
        known = f"CANARY, PORT, ABSTRACT, SECRET = {str(canary)!r}, {port}, {name!r}, {SECRET!r}\n"
        ended = confined.run(HeldProgram({"main.py": known + source}, limits))
        for each in sockets:
            with pytest.raises(BlockingIOError):
                each.accept()
    assert canary.read_text(encoding="ascii") == "alive"
    assert [path.name for path in folder.iterdir()] == ["canary"]
    return ended
