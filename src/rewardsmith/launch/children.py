"""How another Python is started: no module that lies in the current folder is run.

Python looks for modules in the current folder first (`-m`, `-c`), so an `orjson.py` that came with somebody's data would
run. `-P` leaves it out, and PYTHONSAFEPATH does for whatever that program starts. Empty and relative places in
PYTHONPATH mean the current folder too, and are left out.
"""

import os
import sys
from pathlib import Path

SAFE, PATH = "PYTHONSAFEPATH", "PYTHONPATH"
PACKAGE = str(Path(__file__).parents[2])


def python(module: str, *words: str) -> list[str]:
    """The command that runs a module; to be started with `environment`."""
    return [sys.executable, "-P", "-m", module, *words]


def environment() -> dict[str, str]:
    """This program's environment for another one, in which this very package is found."""
    given = os.environ.get(PATH, "").split(os.pathsep)
    places = [place for place in given if os.path.isabs(place) and not is_here(place)]
    return {**os.environ, PATH: os.pathsep.join([PACKAGE, *places]), SAFE: "1"}


def leave_out_here() -> None:
    """Look for modules of this program in the current folder no longer, unless this package lies there."""
    os.environ.setdefault(SAFE, "1")  # for what libraries start
    sys.path[:] = [place for place in sys.path if not is_here(place) or is_here(PACKAGE)]


def is_here(place: str) -> bool:
    """Whether a place to look for modules is the current folder."""
    try:
        return not place or os.path.samefile(place, os.curdir)
    except OSError:
        return False
