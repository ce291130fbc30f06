"""Memory that a step or a batch frees stays with the process for the next one, while a command computes on a CPU.

The C library gives large blocks back to the system and asks for them again; every new page is then cleared first, which
costs small models a twentieth of the time.
"""

import contextlib
import ctypes
import os
import platform
from collections.abc import Iterator

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of mallopt, malloc.h
LARGE = 2**30  # bytes: larger than any tensor for which this matters
USUAL = 2**25  # bytes, from glibc: up to here its threshold grows by itself


@contextlib.contextmanager
def kept_memory(device: str) -> Iterator[None]:
    """Keep freed blocks while it is open, then give them back; nothing happens on GPUs, beside other C libraries than
    glibc, or where the environment tunes malloc itself.
    """
    library = glibc() if device == "cpu" and not tuned() else None
    if library is None:
        yield
        return
    library.mallopt(MMAP_THRESHOLD, LARGE)
    library.mallopt(TRIM_THRESHOLD, 2 * LARGE - 1)
    try:
        yield
    finally:
        library.mallopt(MMAP_THRESHOLD, USUAL)
        library.mallopt(TRIM_THRESHOLD, 2 * USUAL)
        library.malloc_trim(0)


def glibc() -> ctypes.CDLL | None:
    """The C library, where it is glibc."""
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def tuned() -> bool:
    """Whether somebody has chosen malloc's settings, or another malloc."""
    return any(name.startswith(("MALLOC_", "LD_PRELOAD")) or name == "GLIBC_TUNABLES" for name in os.environ)
