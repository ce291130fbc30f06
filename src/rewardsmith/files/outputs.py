"""What a command may write to, and what it may replace; one rule for all of them.

A folder is replaced only where the user asked for it (`--overwrite`), it is of the kind that the command writes, and
nothing else lies in it. Never replaced are the root, a home folder, the current folder, folders that hold one of them, and
mount points.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rewardsmith.errors import OutputError
from rewardsmith.files.atomic import explained, sync
from rewardsmith.files.kinds import Kind
from rewardsmith.settings.file_names import not_utf8

NAMED = 3  # files named in a message


def check_output(
    path: Path, kind: Kind, *, overwrite: bool, edited: Callable[[Path], bool] = lambda path: False
) -> None:
    """Refuse an output folder that may not be written to or replaced; changes nothing.

    `edited` says whether a file of ours was changed by hand since, and so is the user's.
    """
    refuse_bytes(path)
    with explained(path):
        if path.exists() and not path.is_dir():
            raise OutputError(f"{path} is a file; expected a folder to write into; choose another output")
        if is_empty(path):
            return
        if not overwrite:
            raise OutputError(f"{path} is not empty; choose another output or pass --overwrite")
        refuse_place(path)
        if not kind.recognises(path):
            raise OutputError(
                f"{path} is not {kind.name} of rewardsmith (it has no valid {kind.marker}), and --overwrite replaces "
                "nothing else; choose another output"
            )
        foreign = [*kind.foreign(path), *(file for file in files_below(path) if edited(file))]
        if foreign:
            raise OutputError(
                f"{path} contains {len(foreign)} files that rewardsmith did not write ({some_of(foreign, path)}) and "
                "--overwrite would delete; move them away or choose another output"
            )


def some_of(files: Sequence[Path], folder: Path) -> str:
    """The first NAMED of a folder's files by name, with a sign where there are more."""
    named = [str(file.relative_to(folder)) for file in files[:NAMED]]
    return ", ".join([*named, "…"] if len(files) > NAMED else named)


def check_output_file(path: Path, *, overwrite: bool) -> None:
    """Refuse an output file that is there and may not be replaced, or that is no plain file (a folder, a device)."""
    refuse_bytes(path)
    with explained(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder; expected the name of a file to write; choose another output")
        if path.exists() and not path.is_file():
            raise OutputError(f"{path} is not a regular file (a device or a pipe); choose another file")
        if (path.exists() or path.is_symlink()) and not overwrite:
            raise OutputError(f"{path} already exists; choose another file or pass --overwrite")


def refuse_bytes(path: Path) -> None:
    """OutputError where the place is not UTF-8: no JSON can name it, and the tokenizers library cannot write there."""
    if problem := not_utf8(str(path.resolve())):
        raise OutputError(problem)


def is_empty(path: Path) -> bool:
    """Whether nothing lies at this place: no folder, or one without entries."""
    return not path.exists() or next(path.iterdir(), None) is None


def files_below(folder: Path) -> list[Path]:
    """All plain files of a folder."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def refuse_place(path: Path) -> None:
    """OutputError for a folder that is never replaced, whatever it holds."""
    place = path.resolve()
    for what, other in guarded_places():
        if place == other or place in other.parents:
            which = what if place == other else f"a folder above {what}"
            raise OutputError(f"{path} is {which}, which is never replaced; choose another output")
    if os.path.ismount(place):
        raise OutputError(f"{path} is a mount point, which is never replaced; choose a folder inside it")


def guarded_places() -> list[tuple[str, Path]]:
    """Folders that no output may replace or contain, each with its name in messages."""
    found = [("the root folder", Path("/")), ("the current folder", Path.cwd())]
    homes = {os.environ.get("HOME"), os.path.expanduser("~"), os.path.expanduser(f"~{login()}")}
    found += [("the home folder", Path(home)) for home in sorted(filter(None, homes)) if os.path.isabs(home)]
    return [(what, other.resolve()) for what, other in found]


def login() -> str:
    """The user's name in the list of users, "" where there is none: $HOME may name another folder."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return ""


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
            raise OutputError(f"{output} contains the input {name}; choose another output")


def prepare_output(
    path: Path, kind: Kind, *, overwrite: bool, edited: Callable[[Path], bool] = lambda path: False
) -> None:
    """Make the folder `path`, empty; one of this kind that is there is replaced where `overwrite` says so.

    A link to a folder stays, and what it leads to is replaced.
    """
    check_output(path, kind, overwrite=overwrite, edited=edited)
    place = path.resolve()
    with explained(path):
        if is_empty(place):
            place.mkdir(parents=True, exist_ok=True)
            return
        aside = place.with_name(f".{place.name}.{os.getpid()}.old")
        place.rename(aside)
        try:
            place.mkdir()
        except BaseException:
            aside.rename(place)
            raise
        sync(place.parent)
        gone = aside.with_suffix(".tmp")  # a name under which it is deleted, whatever is left of it
        shutil.rmtree(aside.rename(gone))
