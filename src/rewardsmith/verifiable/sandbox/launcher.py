"""The program that holds another one: started by `confined`, with a socket that it gets a description from and reports to.

Four processes stand in a row. This one, outside, watches clock and memory. Its child enters new namespaces, gets a user of
its own there and builds the root. That one's child is process 1 in there, and nothing in there can end it; when it ends, or
is killed, the kernel kills all that is in there. Its child becomes the program. Each dies with the one before it.
"""

import contextlib
import json
import math
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

from rewardsmith.verifiable.sandbox import filesystem, kernel, seccomp

NOBODY = 65534
FIRST_FREE = 1879048192
"""From here to 2**31 no system gives user ids to anyone (systemd's table of ids); as root, each program gets one of them."""
INTERVAL = 0.05
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "HOME": filesystem.WORK, "TMPDIR": filesystem.WORK, "LANG": "C.UTF-8", "PYTHONUTF8": "1",
    "PYTHONHASHSEED": "0", "MALLOC_ARENA_MAX": "2",
}  # fmt: skip
KEPT = 2
"""Processes of a sandbox that the limit counts and that are not the program's."""
SandboxJob = dict[str, Any]


def main() -> None:
    """Run what the other end describes, and tell it how that ended."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own handler would let a program in there end process 1
    control = socket.socket(fileno=int(sys.argv[1]))
    with control.makefile("r", encoding="utf-8") as lines:
        description = json.loads(lines.readline())
    try:
        report = held(description, control)
    except OSError as error:
        report = {"failed": str(error)}
    control.sendall(json.dumps(report).encode() + b"\n")


def held(description: SandboxJob, control: socket.socket) -> dict[str, Any]:
    """Start the processes in a row and watch them; `failed` where they cannot be made."""
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return {"failed": "no /proc/PID/task/PID/children (CONFIG_PROC_CHILDREN), by which memory is watched"}
    read, write = os.pipe()
    ready, go = socket.socketpair()
    if os.geteuid() == 0:
        os.setgroups([])
    child = os.fork()
    if child == 0:
        reported(write, lambda: enter(description, go, write))
    os.close(write)
    go.close()
    for descriptor in (0, 1, 2):  # they are the program's: whoever reads them waits for their end
        os.close(descriptor)
    if ready.recv(1):
        give_user(child)
        ready.sendall(b"g")
    found = watched(child, read, control, description)
    os.waitpid(child, 0)
    return found


def reported(write: int, work: Any) -> None:
    """Do the work of a child, tell what went wrong, and end, never to return into the caller's code."""
    try:
        work()
    except BaseException as error:
        told(write, {"failed": f"{error}" or type(error).__name__})
    finally:
        os._exit(1)


def told(write: int, fact: dict[str, Any]) -> None:
    """Write a line to the watching process."""
    os.write(write, json.dumps(fact).encode()[:3000] + b"\n")


def give_user(child: int) -> None:
    """Map the only user and group that there are in the child's namespace to one outside: as root to one that nobody has."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        user = group = FIRST_FREE + child
    for name, line in (("setgroups", "deny"), ("uid_map", f"{NOBODY} {user} 1"), ("gid_map", f"{NOBODY} {group} 1")):
        with open(f"/proc/{child}/{name}", "w", encoding="ascii") as out:
            out.write(line)


def enter(description: SandboxJob, go: socket.socket, write: int) -> None:
    """In the child: namespaces, user, root; then wait for the process 1 that it starts."""
    parent = os.getppid()
    kernel.unshare(kernel.ALL_NEW)
    trees, links = filesystem.opened(description["places"])
    go.sendall(b"r")
    if not go.recv(1):
        return
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    die_with(parent)
    filesystem.build(trees, links, description["files"], work=description["disk"])
    first = os.fork()
    if first == 0:
        reported(write, lambda: begin(description, write))
    told(write, {"first": first})
    os.waitpid(first, 0)
    os._exit(0)


def die_with(parent: int) -> None:
    """End when the parent ends, at once where it has ended already. A change of user undoes this."""
    kernel.control(kernel.SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def begin(description: SandboxJob, write: int) -> None:
    """As process 1: start the program, bury whatever dies, tell how the program ended, and end everything."""
    kernel.control(kernel.SET_DEATH_SIGNAL, signal.SIGKILL)
    kernel.control(kernel.SET_DUMPABLE, 0)
    program = os.fork()
    if program == 0:
        reported(write, lambda: become(description, write))
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    ended = 0
    while ended != program:
        ended, status, used = os.wait4(-1, 0)
    told(write, {"status": status, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024})
    os._exit(0)


def become(description: SandboxJob, write: int) -> None:
    """Take the limits, give up every right, and become the program."""
    os.setsid()
    os.chdir(filesystem.WORK)
    os.umask(0o077)
    for name, value in limits_of(description):
        resource.setrlimit(name, value)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what it starts would
        signal.signal(number, signal.SIG_DFL)
    kernel.drop_capabilities()
    os.closerange(3, write)
    os.closerange(write + 1, 65536)  # `write` itself closes when the program begins
    kernel.filter_calls(seccomp.program(os.uname().machine))
    python = description["python"]
    os.execve(python, [python, "-s", "-B", f"{filesystem.PROGRAM}/main.py"], ENVIRONMENT)


def limits_of(description: SandboxJob) -> list[tuple[int, tuple[int, int]]]:
    """Resource limits of the program and of each process that it starts."""
    seconds = max(1, math.ceil(description["seconds"]))
    found = [
        (resource.RLIMIT_AS, description["memory"]),
        (resource.RLIMIT_FSIZE, description["disk"]),
        (resource.RLIMIT_NOFILE, description["files_at_once"]),
        (resource.RLIMIT_NPROC, description["processes"] + KEPT),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_CORE, 0),
    ]
    return [(resource.RLIMIT_CPU, (seconds, seconds + 1)), *((name, (value, value)) for name, value in found)]


def watched(child: int, read: int, control: socket.socket, description: SandboxJob) -> dict[str, Any]:
    """What the processes told until the last of them ended; kill them when time or memory is over, or when told to."""
    found: dict[str, Any] = {}
    deadline = time.monotonic() + description["seconds"]
    pending, handle = b"", None
    with selectors.DefaultSelector() as selector:
        selector.register(read, selectors.EVENT_READ)
        selector.register(control, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select(INTERVAL)}
            if read in ready:
                data = os.read(read, 4096)
                pending += data
                *lines, pending = pending.split(b"\n")
                for line in lines:
                    found.update(json.loads(line))
                    if handle is None and "first" in found:
                        handle = handle_of(found["first"])
                if not data:
                    return found
            reason = over(found, deadline, description["memory"], control in ready)
            if reason and "stopped" not in found:
                found["stopped"] = reason
                stop(child, handle)
                selector.unregister(control)


def handle_of(process: int) -> int | None:
    """What names this very process, even when another one has got its number; None where it has ended."""
    try:
        return os.pidfd_open(process)
    except ProcessLookupError:
        return None


def stop(child: int, first: int | None) -> None:
    """Kill process 1 of the namespace, and by that all in it; before there is one, the child that would make it."""
    with contextlib.suppress(ProcessLookupError):
        if first is None:
            os.kill(child, signal.SIGKILL)
        else:
            signal.pidfd_send_signal(first, signal.SIGKILL)


def over(found: dict[str, Any], deadline: float, memory: int, told_to: bool) -> str | None:
    """Why the program has to be stopped; None as long as it need not."""
    if "status" in found:
        return None
    if told_to:
        return "told"
    if time.monotonic() > deadline:
        return "seconds"
    if "first" in found and sum(map(resident, family(found["first"]))) > memory:
        return "memory"
    return None


def family(process: int) -> Iterator[int]:
    """A process and all that descend from it; whoever loses its parent becomes a child of process 1."""
    yield process
    try:
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/children", encoding="ascii") as children:
                for child in children.read().split():
                    yield from family(int(child))
    except (FileNotFoundError, ProcessLookupError):
        return


def resident(process: int) -> int:
    """Bytes of memory that a process holds and that no file backs; 0 for one that has ended."""
    try:
        with open(f"/proc/{process}/statm", encoding="ascii") as sizes:
            _, pages, shared, *_ = map(int, sizes.read().split())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (pages - shared) * resource.getpagesize()


if __name__ == "__main__":
    main()
