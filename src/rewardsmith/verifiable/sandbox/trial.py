"""What `support` runs in a sandbox: tries to break each limit, and names those that do not keep it."""

import json
import os
import signal
import socket
from collections.abc import Callable

MIB = 2**20


def main(memory: int, processes: int, disk: int) -> None:
    """Write the limits without effect as a JSON list; each attempt is small where it succeeds."""
    attempts: dict[str, Callable[[], object]] = {
        "network": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "processes": lambda: multiply(processes),
        "memory": lambda: bytearray(memory),
        "disk": lambda: fill(disk + MIB),
        "read-only": lambda: os.open("/usr/rewardsmith-trial", os.O_CREAT | os.O_WRONLY),
        "root": lambda: os.open("/rewardsmith-trial", os.O_CREAT | os.O_WRONLY),
        "files": lambda: os.open("/etc/passwd", os.O_RDONLY),
        "process-list": lambda: os.listdir("/proc"),
        "system-calls": lambda: os.memfd_create("trial"),
        "user": lambda: os.setuid(0),
    }
    broken = [name for name, attempt in attempts.items() if succeeds(attempt)]
    if os.getuid() != 65534 or os.getpid() != 2:
        broken.append("namespaces")
    os.write(1, json.dumps(broken).encode())


def succeeds(attempt: Callable[[], object]) -> bool:
    """Whether an attempt is not refused."""
    try:
        attempt()
    except (OSError, MemoryError):
        return False
    return True


def fill(size: int) -> None:
    """Write more than there may be."""
    with open("full", "wb") as out:
        for _ in range(0, size, MIB // 2):
            out.write(bytes(MIB // 2))


def multiply(count: int) -> None:
    """Start `count` processes that wait, and end them."""
    children = []
    try:
        for _ in range(count):
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
