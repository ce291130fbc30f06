"""Which outputs may be written, and which may be replaced."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from rewardsmith.errors import OutputError
from rewardsmith.files.atomic import explained


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse an output folder that is a file, or that holds something and may not be emptied; changes nothing."""
    with explained(path):
        if path.is_file():
            raise OutputError(f"{path} is a file; expected a folder to write into; choose another output")
        if not overwrite and path.is_dir() and any(path.iterdir()):
            raise OutputError(f"{path} is not empty; choose another output or pass --overwrite")


def refuse_inside(output: Path, inputs: Iterable[str]) -> None:
    """OutputError where an input is the output or lies inside it: emptying the output would delete it.

    Inputs that are no path on this disk (built-in data, names on the hub) are passed over; links are followed.
    """
    place = output.resolve()
    for name in inputs:
        path = Path(name)
        # A link inside the output is lost with it, wherever it leads to.
        ways = (path.resolve(), path.parent.resolve() / path.name)
        if path.exists() and any(place == way or place in way.parents for way in ways):
            raise OutputError(f"{output} holds the input {name}; choose another output")


def prepare_output(path: Path, *, overwrite: bool) -> None:
    """Make the folder `path`, refusing one that holds something unless `overwrite` (which empties it)."""
    check_output(path, overwrite=overwrite)
    with explained(path):
        if path.is_dir():
            shutil.rmtree(path)
        path.mkdir(parents=True)
