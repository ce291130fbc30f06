"""SIGINT, SIGTERM and SIGHUP: the first ends a command in good order, a second one ends the program at once.

The program installs this once. A signal then raises `Interrupted` where the program stands, or is kept in a `Stop` where
work must not be cut (`deferred`). A signal that whoever started the program lets it ignore, as `nohup` does with SIGHUP,
stays ignored. Of several processes each gets a signal twice, from the terminal and from what launched them, which also
kills whoever has not ended after a while; there a second signal changes nothing.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from rewardsmith.launch.place import place

ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # no SIGHUP on Windows
ONE_EVENT_SECONDS = 0.1
"""`timeout` signals a process and then its group, a closed terminal is told of by the kernel and by the shell: signals
this close to the first are the same request."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the program to end; `number` says which."""

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(message or f"stopped by {signal.Signals(number).name}")
        self.number = number


def number_of(error: KeyboardInterrupt) -> int:
    """The signal behind an interrupt; Python's own is that of Ctrl-C."""
    return error.number if isinstance(error, Interrupted) else signal.SIGINT


class Stop:
    """The first signal that asked for the end, if any."""

    signal: int | None = None


class Program:
    """Whether the handlers of the program are installed."""

    installed = False


def heeded() -> list[int]:
    """The signals of ENDING that are not ignored, and whose handlers Python can put back."""
    return [number for number in ENDING if signal.getsignal(number) not in (signal.SIG_IGN, None)]


def install() -> None:
    """Let signals end this program as the module says; called once, in the main thread, by the program itself."""
    if place() is None:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        # Python writes the number there at once, also while the main thread computes outside of Python for a minute.
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=end_at_second, args=(reader,), daemon=True).start()
    for number in heeded():
        signal.signal(number, raise_interrupted)
    Program.installed = True


def end_at_second(reader: int) -> None:
    """Wait for signals, and end the program when a second one has come."""
    first: tuple[int, float] | None = None
    while True:
        for number in os.read(reader, 64):
            if number not in ENDING:
                continue
            now = time.monotonic()
            if first is None:
                first = (number, now)
            elif now - first[1] > ONE_EVENT_SECONDS and (number, first[0]) != (signal.SIGHUP, signal.SIGHUP):
                os._exit(128 + number)


def raise_interrupted(number: int, frame: FrameType | None) -> None:
    """The handler of the first signal."""
    pass_over_others()
    raise Interrupted(number)


def pass_over(number: int, frame: FrameType | None) -> None:
    """The handler of later signals: `end_at_second` sees to them."""


def pass_over_others() -> None:
    """From here on, no signal raises anything any more."""
    for number in heeded():
        signal.signal(number, pass_over)


@contextlib.contextmanager
def deferred() -> Iterator[Stop]:
    """Keep a signal in a `Stop` while the block runs; outside the main thread nothing is changed.

    In a program of somebody else a second signal does what that program wants.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(number: int, frame: FrameType | None) -> None:
        stop.signal = number if stop.signal is None else stop.signal
        if not Program.installed and place() is None:
            restore(before)

    before = handlers()
    for number in heeded():
        signal.signal(number, note)
    try:
        yield stop
    finally:
        restore(before)
        if Program.installed and stop.signal is not None:
            pass_over_others()


def handlers() -> dict[int, Any]:
    """The handlers of all signals that are heeded."""
    return {number: signal.getsignal(number) for number in heeded()}


def restore(before: dict[int, Any]) -> None:
    """Put handlers back."""
    for number, handler in before.items():
        signal.signal(number, handler)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Put the handlers back that a library replaces inside the block (Ray has its own for SIGTERM)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = handlers()
    try:
        yield
    finally:
        restore(before)
