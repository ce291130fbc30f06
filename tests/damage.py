"""Damage to files, drawn from a seed: a flipped bit, a cut, a zeroed page, a missing file; and a trial of many of them.

Every function changes files inside a folder that the caller names as its own (`root`, a folder of pytest's or of
tempfile's) and refuses any other; each really changes what it touches. `trial` repairs what it damaged, so that thousands
of damages need one copy of a folder:

    report = trial(folder, root=tmp_path, refuses=lambda: refused(folder), **numbers(quick=60))
    assert report.missed == []

The tests that do so try a few dozen; with REWARDSMITH_FLIPS=1000 they flip as many bits, and cut and zero 200 times each.
"""

import os
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

PAGE_BYTES = 4096


def numbers(quick: int) -> dict[str, int]:
    """How many damages to try: `quick` flipped bits, or REWARDSMITH_FLIPS of them, a fifth as many cuts and pages."""
    flips = int(os.environ.get("REWARDSMITH_FLIPS", quick))
    return {"flips": flips, "cuts": flips // 5, "pages": flips // 5}


def inside(path: Path, root: Path) -> Path:
    """The path, if it is a plain file strictly below `root`, which must not be the root, a home or the current folder."""
    place, limit = path.resolve(), root.resolve()
    assert limit not in {Path("/"), Path.home().resolve(), Path.cwd().resolve()}, limit
    assert len(limit.parts) >= 3, limit
    assert limit in place.parents, (place, limit)
    assert path.is_file()
    assert not path.is_symlink()
    return path


def flip_bit(path: Path, *, root: Path, rng: random.Random) -> str:
    """Flip one bit of a file that is not empty; says which."""
    data = bytearray(inside(path, root).read_bytes())
    at, bit = rng.randrange(len(data)), rng.randrange(8)
    data[at] ^= 1 << bit
    path.write_bytes(data)
    return f"{path.name}: bit {bit} of byte {at} flipped"


def cut_off(path: Path, *, root: Path, rng: random.Random) -> str:
    """Cut a file that is not empty somewhere before its end; says where."""
    data = inside(path, root).read_bytes()
    length = rng.randrange(len(data))
    path.write_bytes(data[:length])
    return f"{path.name}: cut off after {length} of {len(data)} bytes"


def zero_page(path: Path, *, root: Path, rng: random.Random) -> str:
    """Fill one page that holds something with zeros, as a lost write leaves it; says which."""
    data = bytearray(inside(path, root).read_bytes())
    pages = [start for start in range(0, len(data), PAGE_BYTES) if any(data[start : start + PAGE_BYTES])]
    start = rng.choice(pages)
    data[start : start + PAGE_BYTES] = bytes(len(data[start : start + PAGE_BYTES]))
    path.write_bytes(data)
    return f"{path.name}: page at byte {start} zeroed"


@dataclass
class Report:
    """How many damages were tried, by kind, and those that nobody refused."""

    tried: dict[str, int] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)


def trial(
    folder: Path,
    *,
    root: Path,
    refuses: Callable[[], bool],
    seed: int = 0,
    flips: int = 0,
    cuts: int = 0,
    pages: int = 0,
    missing: bool = True,
    spare: Collection[str] = (),
    may_go: Collection[str] = (),
) -> Report:
    """Damage the files of a folder again and again, each time ask `refuses`, and repair them.

    Files take turns, so that small ones are damaged as often as large ones; then the place is drawn. `missing` also
    tries every file gone that is not in `may_go`. Empty files and those named in `spare` are left alone.
    """
    assert not refuses(), "the folder has to be whole before"
    rng = random.Random(seed)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
    files = [path for path in files if path.relative_to(folder).as_posix() not in spare]
    report = Report()
    for kind, count in ((flip_bit, flips), (cut_off, cuts), (zero_page, pages)):
        for number in range(count):
            path = inside(files[number % len(files)], root)
            whole = path.read_bytes()
            said = kind(path, root=root, rng=rng)
            assert path.read_bytes() != whole
            tell(report, kind.__name__, said, refused=refuses())
            path.write_bytes(whole)
    for path in (path for path in files if missing and path.relative_to(folder).as_posix() not in may_go):
        whole = inside(path, root).read_bytes()
        path.unlink()
        tell(report, "missing", f"{path.name}: missing", refused=refuses())
        path.write_bytes(whole)
    assert not refuses(), "the folder has to be whole again"
    return report


def tell(report: Report, kind: str, said: str, *, refused: bool) -> None:
    """Count one damage."""
    report.tried[kind] = report.tried.get(kind, 0) + 1
    if not refused:
        report.missed.append(said)
