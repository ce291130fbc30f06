"""System calls of Linux that the standard library does not have. Every function raises OSError that names the call."""

import ctypes
import os

NEW_USER, NEW_PID, NEW_NET, NEW_IPC, NEW_UTS, NEW_MOUNTS, NEW_CGROUP = (
    0x10000000, 0x20000000, 0x40000000, 0x08000000, 0x04000000, 0x00020000, 0x02000000,
)  # fmt: skip
ALL_NEW = NEW_USER | NEW_PID | NEW_NET | NEW_IPC | NEW_UTS | NEW_MOUNTS | NEW_CGROUP
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC = 0x1, 0x2, 0x4, 0x8
"""The same bits for mount(2) and mount_setattr(2)."""
REMOUNT, RECURSIVE, PRIVATE = 0x20, 0x4000, 0x40000
DETACH = 2
SET_DEATH_SIGNAL, SET_DUMPABLE, SET_SECCOMP, DROP_BOUNDING, SET_NO_NEW_PRIVILEGES = 1, 4, 22, 24, 38
SECCOMP_FILTER = 2
# numbers that all architectures share (Linux 5.2 and 5.12)
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
CLONE_TREE, CLOSE_ON_EXEC = 1, 0o2000000
EMPTY_PATH, WHOLE_TREE, FROM_DESCRIPTOR = 0x1000, 0x8000, 0x4

LIBC = ctypes.CDLL(None, use_errno=True)


class Attributes(ctypes.Structure):
    """`struct mount_attr`."""

    _fields_ = (
        ("set", ctypes.c_uint64), ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64), ("user_namespace", ctypes.c_uint64),
    )  # fmt: skip


class Filter(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def checked(name: str, result: int) -> int:
    """The result of a call; OSError where it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Enter new namespaces; that of processes takes the children only."""
    checked("unshare", LIBC.unshare(flags))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount a file system."""
    checked(
        f"mount {target}",
        LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()),
    )


def detached(path: str, attributes: int) -> int:
    """A copy of the tree at a path, what is mounted in it too, with attributes set, as a descriptor to `attach`."""
    flags = CLONE_TREE | CLOSE_ON_EXEC | WHOLE_TREE
    found = checked("open_tree", LIBC.syscall(OPEN_TREE, -100, os.fsencode(path), ctypes.c_uint(flags)))
    wanted = Attributes(attributes, 0, 0, 0)
    flags = EMPTY_PATH | WHOLE_TREE
    done = LIBC.syscall(
        MOUNT_SETATTR, found, b"", ctypes.c_uint(flags), ctypes.byref(wanted), ctypes.c_size_t(ctypes.sizeof(wanted))
    )
    checked("mount_setattr", done)
    return found


def attach(tree: int, target: str) -> None:
    """Put a detached tree at a place."""
    checked(f"move_mount {target}", LIBC.syscall(MOVE_MOUNT, tree, b"", -100, os.fsencode(target), FROM_DESCRIPTOR))


def make_root(place: str) -> None:
    """Make a mounted folder the root; nothing of the old one can be reached any more."""
    os.chdir(place)
    checked("pivot_root", LIBC.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."))
    checked("umount2", LIBC.umount2(b".", DETACH))
    os.chdir("/")


def control(what: int, value: int, *more: object) -> None:
    """prctl(2)."""
    checked(f"prctl {what}", LIBC.prctl(what, ctypes.c_ulong(value), *(more or (ctypes.c_ulong(0),) * 3)))


def drop_capabilities() -> None:
    """Give up every capability, those of the bounding set too, for good."""
    for number in range(64):
        if LIBC.prctl(DROP_BOUNDING, ctypes.c_ulong(number), 0, 0, 0) < 0:
            break
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    checked("capset", LIBC.capset(header, (ctypes.c_uint32 * 6)()))


def filter_calls(program: bytes) -> None:
    """Let a BPF program decide on every system call from here on."""
    control(SET_NO_NEW_PRIVILEGES, 1)
    buffer = ctypes.create_string_buffer(program, len(program))
    given = Filter(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    control(SET_SECCOMP, SECCOMP_FILTER, ctypes.byref(given), 0, 0)
