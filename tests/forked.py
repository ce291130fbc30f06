"""Processes that tests kill or stop: forked from the test, since importing torch again costs more than most of them do.

Each is a process of its own, with its own signals, exit code and files. Interpreter, environment and imports are those of
the test; where these matter, a test starts a real command (test_cli.py and others).
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from rewardsmith import __main__


class Forked:
    """A process that does some work and exits with the code that this gives; what it prints goes to the file `log`."""

    def __init__(self, work: Callable[[], int], log: Path) -> None:
        self.log = log
        self.returncode: int | None = None
        """As that of `subprocess.Popen`: None while it runs, negative where a signal ended it."""
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            do_and_exit(work, log)

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._ended(os.WNOHANG)

    def wait(self) -> int | None:
        """Its exit code, once it has ended."""
        return self._ended(0)

    def send_signal(self, number: int) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """As a power cut, and wait until it is gone."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def _ended(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


def do_and_exit(work: Callable[[], int], log: Path) -> None:
    """In the new process: never returns to the test."""
    code = 99
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
        code = work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def command(words: list[str], log: Path) -> Forked:
    """`rewardsmith WORDS`."""

    def work() -> int:
        sys.argv = ["rewardsmith", *words]
        return __main__.main()

    return Forked(work, log)


def program(code: str, words: list[str], log: Path) -> Forked:
    """`python -c CODE WORDS`."""

    def work() -> int:
        sys.argv = ["-c", *words]
        exec(compile(code, "program", "exec"), {"__name__": "__main__"})
        return 0

    return Forked(work, log)
