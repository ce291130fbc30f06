"""What killed processes left behind: half-written files, and folders that were set aside to be replaced."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from rewardsmith.files.kinds import TEMPORARY, Kind


def clear_leftovers(place: Path, kind: Kind | None) -> None:
    """Delete what dead processes left of the output `place`, beside it and in it; put back what one had set aside.

    Inside, only a folder that is of `kind` is looked through. What cannot be deleted stays. Call it while the output is
    claimed: what this process itself left there counts as well.
    """
    for path, end in stale(place.parent, place.name, own=True):
        if end != "old" or (kind is not None and is_ours(path, kind)):
            settle(path, place)
    if kind is not None and kind.recognises(place):
        for folder in (place, *folders_below(place)):
            for path, _ in stale(folder, own=True):
                settle(path, folder / TEMPORARY.sub(r"\g<name>", path.name))


def folders_below(place: Path) -> list[Path]:
    """All folders in a folder and below; links are not followed."""
    return [path for path in place.rglob("*") if path.is_dir() and not path.is_symlink()]


def is_ours(folder: Path, kind: Kind) -> bool:
    """Whether a folder is of this kind and holds nothing else."""
    return kind.recognises(folder) and not any(kind.foreign(folder))


def settle(path: Path, original: Path) -> None:
    """Put back what was set aside and not replaced, and delete everything else that is left over."""
    if path.name.endswith(".old") and not original.exists():
        path.rename(original)
    else:
        delete(path)


def stale(folder: Path, name: str | None = None, *, own: bool = False) -> Iterator[tuple[Path, str]]:
    """Temporary entries of a folder that no living process is writing, for the output `name` or any, with their ending.

    `own` counts those of this process too, which is alive, but does not write there.
    """
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            found = TEMPORARY.fullmatch(path.name)
            if found is None or name not in (None, found["name"]):
                continue
            pid = int(found["pid"])
            if own if pid == os.getpid() else not is_running(pid):
                yield path, found["end"]


def is_running(pid: int) -> bool:
    """Whether a process of this number is alive on this machine."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True


def delete(path: Path) -> None:
    """Delete a file, a link, or a folder with all in it, as far as that can be done."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def remove_files(folder: Path, pattern: re.Pattern[str]) -> None:
    """Delete the files of a folder whose whole names match, then the folder, if nothing else is in it."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if pattern.fullmatch(path.name) and not path.is_dir():
                path.unlink()
        folder.rmdir()
