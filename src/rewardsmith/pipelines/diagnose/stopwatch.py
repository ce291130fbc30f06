"""Time that a measurement used, whatever else the machine does."""

import os
import time


class Stopwatch:
    """Seconds used since it was made: of the clock or of the processor (this process and its children), whichever is less.

    Another program that takes the processor away does not count, and neither do more threads that work at the same time.
    """

    def __init__(self) -> None:
        self.clock, self.processor = time.monotonic(), processor_seconds()

    @property
    def seconds(self) -> float:
        """How many by now."""
        return min(time.monotonic() - self.clock, processor_seconds() - self.processor)


def processor_seconds() -> float:
    """Processor time of this process and of the children that ended."""
    return sum(os.times()[:4])
