"""What the workers of the tests do; a module that they can import."""

import os
import signal
import time

from rewardsmith.errors import DataError


def square(add, piece):
    return piece * piece + add


def whose(_, piece):
    return os.getpid()


def slow_first(_, piece):
    time.sleep(0.3 if piece % 4 == 0 else 0)
    return piece


def refuse_five(_, piece):
    if piece == 5:
        raise DataError("five is refused")
    return piece


def die_elsewhere(here, piece):
    if os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return piece


def fail_elsewhere(here, piece):
    if os.getpid() != here:
        raise ZeroDivisionError("a bug")
    time.sleep(0.05)
    return piece


def doubled(_, piece):
    return piece * 2
