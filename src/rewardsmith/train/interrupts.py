"""Ctrl-C and SIGTERM end training at the next step boundary, with a checkpoint; a second signal ends it at once.

Of several processes each gets the signal twice, from the terminal and from what launched them, which also kills whoever
has not ended after a while; there a second signal changes nothing.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Stop:
    """Which signal asked training to stop, if any."""

    signal: int | None = None


@contextlib.contextmanager
def deferred_signals(*, patient: bool = False) -> Iterator[Stop]:
    """Collect SIGINT and SIGTERM in a `Stop` while the block runs; outside the main thread nothing is changed.

    `patient` bears a second signal as well.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(number: int, frame: FrameType | None) -> None:
        stop.signal = number
        for name, handler in before.items() if not patient else ():
            signal.signal(name, handler)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
