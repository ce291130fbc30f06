"""Whether this process is one of several that torchrun or accelerate started, and which of them speaks.

All of them run the same command. One writes to the screen: the first (rank 0), and where another one fails before it,
that one, so that an error is told exactly once. Only the environment is read here; nothing is imported for it.
"""

import os
from dataclasses import dataclass

WORDS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """Which of how many processes this is; `local` counts on this machine, and so chooses the GPU."""

    rank: int
    size: int
    local: int


def place() -> Place | None:
    """This process's place among several, as torchrun tells it; None where it runs alone."""
    words = [os.environ.get(name, "") for name in WORDS]
    if not all(word.isdecimal() for word in words) or int(words[1]) < 2:
        return None
    return Place(*map(int, words[:3]))


class Voice:
    """Whether this process writes to the screen."""

    speaks = True


def speaks() -> bool:
    """Whether this process writes to the screen: results, errors, notes and bars."""
    return Voice.speaks


def begin() -> None:
    """At the start of a command, all but the first process are silent."""
    here = place()
    Voice.speaks = here is None or here.rank == 0


def let_speak(allowed: bool) -> None:
    """From here on this process speaks, or is silent."""
    Voice.speaks = allowed
