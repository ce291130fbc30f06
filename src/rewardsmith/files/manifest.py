"""The manifest of a folder: size and hash of every file, so that one that was damaged, lost or added is noticed and named.

JSON and safetensors check no contents: a flipped bit in either is read as another number. XXH3 finds damage, not intent: a
manifest lies beside the files that it lists, and whoever can change those can change it as well.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.errors import DataError
from rewardsmith.files.atomic import sync, write_json
from rewardsmith.files.hashes import xxh3

MANIFEST = "manifest.json"
ABSENT, UNREADABLE = "no such file", "cannot be read as a manifest"
LARGEST_MANIFEST = 50_000_000  # bytes; anything larger is none


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file, named by its place in the folder."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def seal(folder: Path, files: Iterable[Path] | None = None) -> None:
    """Write the manifest of a folder: of these files, or of all that lie in it and below.

    The files are on the disk afterwards: waiting for it and hashing take place side by side.
    """
    chosen = files_of(folder) if files is None else sorted(files)
    with ThreadPoolExecutor(1) as waiting:
        synced = [waiting.submit(sync, path) for path in chosen]
        entries = {path.relative_to(folder).as_posix(): entry_of(path) for path in chosen}
        for one in synced:
            one.result()
    write_json(folder / MANIFEST, {**entries, MANIFEST: own_entry(entries)})


def entry_of(path: Path) -> dict[str, Any]:
    """What a manifest says about a file."""
    return {"bytes": path.stat().st_size, "xxh3_128": xxh3(path)}


def own_entry(entries: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says about itself: the hash of its other entries, so that its own damage is told from theirs."""
    import xxhash

    return {"xxh3_128": xxhash.xxh3_128_hexdigest(orjson.dumps(entries, option=orjson.OPT_SORT_KEYS))}


def files_of(folder: Path) -> list[Path]:
    """All files in a folder and below, in order, the manifest left out."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / MANIFEST]


def read_manifest(folder: Path) -> Mapping[str, Mapping[str, Any]] | None:
    """The entries of a folder's manifest by file; None where it cannot be read as one."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > LARGEST_MANIFEST:
            return None
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if not isinstance(value, dict) or value.pop(MANIFEST, None) != own_entry(value):
        return None
    sound = all(isinstance(entry, dict) and is_inside(name) for name, entry in value.items())
    return value if sound else None


def is_inside(name: str) -> bool:
    """Whether a name can be that of a file in the folder: no way leads out of it."""
    return bool(name) and "\0" not in name and not Path(name).is_absolute() and ".." not in Path(name).parts


def faults_of(
    folder: Path, *, needed: Collection[str] = (), counts: Callable[[str], bool] = lambda name: True
) -> list[Fault]:
    """What is wrong with a folder that has a manifest, or has to have one; empty where all is as it was sealed.

    `needed` files have to be listed; a file that is not listed is a fault where `counts` says that it matters.
    """
    if not (folder / MANIFEST).is_file():
        return [Fault(MANIFEST, ABSENT)]
    entries = read_manifest(folder)
    if not entries:
        return [Fault(MANIFEST, UNREADABLE)]
    found = [Fault(name, what) for name, entry in sorted(entries.items()) if (what := fault_of(folder / name, entry))]
    found += [Fault(name, "not listed in manifest.json") for name in sorted(set(needed) - entries.keys())]
    known = {*entries, *needed}
    present = (path.relative_to(folder).as_posix() for path in files_of(folder))
    added = "added after manifest.json was written"
    return found + [Fault(name, added) for name in present if name not in known and counts(name)]


def fault_of(path: Path, entry: Mapping[str, Any]) -> str | None:
    """How a file differs from its entry; None where it does not."""
    if not path.is_file():
        return ABSENT
    size, expected = path.stat().st_size, entry.get("bytes")
    if size != expected:
        return f"{size} bytes, expected {expected}"
    if xxh3(path) != entry.get("xxh3_128"):
        return "changed since it was written"
    return None


def refuse_changed(folder: Path, names: Iterable[str]) -> None:
    """DataError where one of these files is not what the folder's manifest says; nothing is known without a manifest."""
    if not (folder / MANIFEST).is_file():
        return
    entries = read_manifest(folder)
    if entries is None:
        faults = [Fault(MANIFEST, UNREADABLE)]
    else:
        named = ((name, entries[name]) for name in names if name in entries)
        faults = [Fault(name, what) for name, entry in named if (what := fault_of(folder / name, entry))]
    if faults:
        raise DataError(
            f"{folder} is damaged: {listed(faults)}; take it from a backup, or delete manifest.json in it if it was changed "
            "on purpose"
        )


def listed(faults: Iterable[Fault], *, most: int = 3) -> str:
    """The first faults in words, and how many more there are."""
    every = list(faults)
    more = [f"{len(every) - most} more files"] if len(every) > most else []
    return "; ".join([*map(str, every[:most]), *more])
