"""Folders that appear whole or not at all, also where they replace another one."""

import ctypes
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rewardsmith.errors import OutputError
from rewardsmith.files.atomic import explained, sync
from rewardsmith.files.kinds import Kind
from rewardsmith.files.outputs import check_output, is_empty

T = TypeVar("T")
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of linux/fs.h and linux/fcntl.h
CANNOT_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def write_folder(path: Path, fill: Callable[[Path], T], kind: Kind, *, overwrite: bool) -> T:
    """Let `fill` write into a temporary folder, then give it the name `path`; nobody ever sees a half-filled folder.

    A folder of this kind that is there is replaced where `overwrite` says so: it stays whole until the new one has taken
    its place. OutputError where it may not be replaced, also if foreign files came while `fill` was at work.
    """
    place = path.resolve()
    check_output(path, kind, overwrite=overwrite)
    with explained(path):
        place.parent.mkdir(parents=True, exist_ok=True)
        stays = place == Path.cwd().resolve() or os.path.ismount(place)  # empty, as checked, and cannot be renamed over
        temporary = (place if stays else place.parent) / f".{place.name}.{os.getpid()}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            result = fill(temporary)
            settle(temporary)
            if stays:
                move_into(temporary, place)
            else:
                check_output(path, kind, overwrite=overwrite)
                put(temporary, place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)  # what `fill` left, or the folder that was replaced
        return result


def settle(folder: Path) -> None:
    """Force all that is in a folder to the disk, with the permissions that the umask gives.

    Some libraries write files that only their owner can read; the folder itself shows what the umask is.
    """
    mode = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o777 != mode:
            path.chmod(mode)
        sync(path)
    sync(folder)


def put(new: Path, place: Path) -> None:
    """Give the folder `new` the name `place`; what was there takes the name `new`."""
    if is_empty(place):
        new.rename(place)
    elif not exchange(new, place):
        replace_by_two_renames(new, place)
    sync(place.parent)


def replace_by_two_renames(new: Path, place: Path) -> None:
    """For disks that cannot exchange names: between the renames the old folder stands under a name of its own.

    It goes back where the second one fails; after a kill the next command to write there puts it back (`clear_leftovers`).
    """
    aside = place.with_name(f".{place.name}.{os.getpid()}.old")
    try:
        place.rename(aside)
        new.rename(place)
    except BaseException:
        if aside.exists() and not place.exists():
            aside.rename(place)
        raise
    aside.rename(new)  # a name under which it is deleted, whatever is left of it


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names at one stroke (Linux, `renameat2`); False where system or disk cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    if rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in CANNOT_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(other))


def move_into(folder: Path, place: Path) -> None:
    """Move all entries of a folder into the empty one that holds it, and back where that fails."""
    moved: list[Path] = []
    try:
        for entry in sorted(folder.iterdir()):
            if (place / entry.name).exists():
                raise OutputError(f"{place / entry.name} appeared in the folder during the run; choose another output")
            moved.append(entry)
            entry.rename(place / entry.name)
    except BaseException:
        for entry in moved:
            if not entry.exists():
                (place / entry.name).rename(entry)
        raise
    sync(place)
