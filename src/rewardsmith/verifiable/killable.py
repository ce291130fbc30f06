"""Work that may never end, in a process that can be killed.

A time-out by signals works in the main thread only: elsewhere math-verify's own raises, and trainers that swallow that give
every response a reward of 0. A regular expression cannot be stopped from within at all.
"""

import json
import os
import queue
import subprocess
import threading
from typing import Any

from rewardsmith.errors import MissingExtraError, WorkerError
from rewardsmith.launch.children import environment, python
from rewardsmith.launch.installation import install_command

START = 60.0
"""Seconds for the first answer of a new process, which opens sympy."""


class TimedOut(Exception):
    """An answer that did not come in time; the process is gone."""


class Failure(Exception):
    """A question that could not be answered."""


class Helper:
    """One process, started when it is first needed and again after each kill; threads take turns.

    A forked child starts one of its own: with its parent's it would get the parent's answers.
    """

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Without a process; the lock is new, since a thread that is not there after a fork may have held it."""
        self.process: subprocess.Popen[str] | None = None
        self.answers: queue.Queue[str] = queue.Queue()
        self.lock = threading.Lock()

    def ask(self, what: str, *, timeout: float, **of: Any) -> Any:
        """The answer to a question of `worker.ASKED`; TimedOut after `timeout` seconds, Failure where there is none."""
        with self.lock:
            fresh = self.process is None
            process = self.process or self._started()
            try:
                self._send(process, what, of)
                answer = json.loads(self.answers.get(timeout=START if fresh else timeout))
            except queue.Empty as error:
                self._kill()
                raise TimedOut from error
            except (OSError, ValueError) as error:
                self._kill()
                raise Failure("the process that checks expressions died") from error
            except BaseException:  # interrupted: this answer would be taken for that of the next question
                self._kill()
                raise
        if "error" in answer:
            raise Failure(answer["error"])
        return answer["value"]

    def close(self) -> None:
        """End the process."""
        with self.lock:
            self._kill()

    def _started(self) -> "subprocess.Popen[str]":
        try:
            self.process = subprocess.Popen(
                python("rewardsmith.verifiable.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(),
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            raise WorkerError(f"cannot start a process to check expressions in: {error}") from error
        self.answers = queue.Queue()
        threading.Thread(target=passed_on, args=(self.process, self.answers), daemon=True).start()
        return self.process

    @staticmethod
    def _send(process: "subprocess.Popen[str]", what: str, of: dict[str, Any]) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"ask": what, "of": of}) + "\n")
        process.stdin.flush()

    def _kill(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue


def passed_on(process: "subprocess.Popen[str]", answers: "queue.Queue[str]") -> None:
    """Pass on what a process writes; an empty text once it has ended."""
    assert process.stdout is not None
    try:
        for line in process.stdout:
            answers.put(line)
    except (OSError, ValueError):
        pass
    answers.put("")


HELPER = Helper()
"""The one that all checks of this process share."""


def need_math_verify() -> None:
    """MissingExtraError where the library is not installed."""
    import importlib.util

    if importlib.util.find_spec("math_verify") is None:
        raise MissingExtraError(
            f"checks of expressions need the package math-verify; install it with: {install_command('math')}"
        )
