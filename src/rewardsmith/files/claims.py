"""One process at a time writes to an output: a second one is refused while the first is alive, also after a kill -9.

The claim is a lock of the operating system on a small file beside the output, `.NAME.lock`, which ends with the process.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from rewardsmith.errors import OutputError
from rewardsmith.files.kinds import Kind
from rewardsmith.files.leftovers import clear_leftovers


@contextlib.contextmanager
def claimed(path: Path, kind: Kind | None = None) -> Iterator[None]:
    """Hold the output `path` while the block runs, and clear away first what dead processes left of it.

    `kind` is that of the folder, None for a file. OutputError, naming the process, where another one holds it. On a disk
    that has no locks, or where none can be made, the block runs without one.
    """
    place = path.resolve()
    lock = place.with_name(f".{place.name}.lock")
    missing = [folder for folder in (place, *place.parents) if not folder.exists()]
    handle = open_lock(lock, place)
    if handle is not None and not taken(handle):
        holder = holder_of(handle)
        os.close(handle)
        raise OutputError(f"{path} is being written by {holder}; wait for it or choose another output")
    failed = False
    try:
        if handle is not None and same(lock, handle):
            with contextlib.suppress(OSError):  # a full disk: the lock holds without a name in it
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        clear_leftovers(place, kind)
        yield
    except BaseException:
        failed = True
        raise
    finally:
        if handle is not None:
            if same(lock, handle):
                with contextlib.suppress(OSError):
                    lock.unlink()  # while it is held, so that nobody locks a file that has lost its name
            os.close(handle)
        if failed:
            remove_empty(missing)


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders that hold nothing, the innermost first, up to one that holds something."""
    for folder in folders:
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return


def open_lock(lock: Path, place: Path) -> int | None:
    """The file to lock; the output folder itself where none can be made beside it; None where there is nothing."""
    with contextlib.suppress(OSError):
        lock.parent.mkdir(parents=True, exist_ok=True)
        while True:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
            if not taken(handle) or same(lock, handle):
                return handle
            os.close(handle)  # its holder deleted it between the two calls
    with contextlib.suppress(OSError):
        return os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    return None


def holder_of(handle: int) -> str:
    """Who holds a lock, in words."""
    with contextlib.suppress(OSError):  # a folder cannot be read
        return os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
    return "another process"


def same(path: Path, handle: int) -> bool:
    """Whether the open file still has this name."""
    with contextlib.suppress(OSError):
        return os.path.samestat(path.stat(), os.fstat(handle))
    return False


def taken(handle: int) -> bool:
    """Lock a file without waiting; False where another process holds it, True also where the disk knows no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
