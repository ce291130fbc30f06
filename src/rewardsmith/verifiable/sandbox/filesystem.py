"""The root that a program sees: the system's libraries and one Python, read only, and an empty folder of bounded size.

There is no /proc, no /etc and no home; devices are null, zero, full, random and urandom.
"""

import os
import stat
from collections.abc import Iterable, Mapping

from rewardsmith.verifiable.sandbox import kernel

SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/nix/store", "/gnu/store")
LINKER_CACHE = "/etc/ld.so.cache"
DEVICES = ("null", "zero", "full", "random", "urandom")
WORK, PROGRAM = "/work", "/program"
ANCHOR = "/tmp"  # only of this mount namespace, and gone once it is the root
FILES_AT_MOST = 4096
HIDDEN = kernel.NO_SUID | kernel.NO_DEVICES


def opened(places: Iterable[str]) -> tuple[list[tuple[str, int]], list[tuple[str, str]]]:
    """What a program may read, read only: (place, tree) pairs, and (place, target) of symbolic links.

    Opened before the user is changed, who may not be allowed to come as far (a Python below /root).
    """
    trees: list[tuple[str, int]] = []
    links: list[tuple[str, str]] = []
    for place in dict.fromkeys([*SYSTEM, *places]):
        if os.path.islink(place):
            links.append((place, os.readlink(place)))
        elif os.path.isdir(place) and not any(place.startswith(f"{done}/") for done, _ in trees):
            trees.append((place, kernel.detached(place, kernel.READ_ONLY | HIDDEN)))
    if os.path.isfile(LINKER_CACHE):
        trees.append((LINKER_CACHE, kernel.detached(LINKER_CACHE, kernel.READ_ONLY | HIDDEN)))
    for name in DEVICES:
        trees.append((f"/dev/{name}", kernel.detached(f"/dev/{name}", kernel.READ_ONLY | kernel.NO_SUID)))
    return trees, links


def build(
    trees: Iterable[tuple[str, int]], links: Iterable[tuple[str, str]], files: Mapping[str, str], *, work: int
) -> None:
    """Make the root, with `files` in /program and `work` bytes at most in /work, and enter it."""
    kernel.mount("none", "/", "none", kernel.RECURSIVE | kernel.PRIVATE)
    written = sum(len(text.encode()) for text in files.values())
    size = f"size={written + 2**20},nr_inodes={FILES_AT_MOST},mode=755"
    kernel.mount("tmpfs", ANCHOR, "tmpfs", HIDDEN, size)
    for place, tree in trees:
        made_like(place, tree)
        kernel.attach(tree, ANCHOR + place)
        os.close(tree)
    for place, target in links:
        os.makedirs(os.path.dirname(ANCHOR + place), exist_ok=True)
        os.symlink(target, ANCHOR + place)
    os.mkdir(ANCHOR + PROGRAM)
    for name, text in files.items():
        os.makedirs(os.path.dirname(f"{ANCHOR}{PROGRAM}/{name}"), exist_ok=True)
        with open(f"{ANCHOR}{PROGRAM}/{name}", "x", encoding="utf-8", errors="surrogatepass") as out:
            out.write(text)
    os.mkdir(ANCHOR + WORK)
    kernel.mount(
        "tmpfs", ANCHOR + WORK, "tmpfs", HIDDEN | kernel.NO_EXEC, f"size={work},nr_inodes={FILES_AT_MOST},mode=700"
    )
    for link in ("/tmp", "/dev/shm"):
        os.symlink(WORK, ANCHOR + link)
    kernel.make_root(ANCHOR)
    kernel.mount("none", "/", "none", kernel.REMOUNT | 0x1000 | kernel.READ_ONLY | HIDDEN)


def made_like(place: str, tree: int) -> None:
    """An empty folder, or an empty file, in the new root, for a tree to be put at."""
    inside = ANCHOR + place
    if stat.S_ISDIR(os.fstat(tree).st_mode):
        os.makedirs(inside, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(inside), exist_ok=True)
        with open(inside, "x", encoding="utf-8"):
            pass
