"""Measurements that were stored in a folder, and whether they are still about the files that lie there."""

from pathlib import Path
from typing import Any

from rewardsmith.errors import DataError
from rewardsmith.files import hash_text
from rewardsmith.files.reading import read_object

MEASURED = "measurements.json"
VERSION = 3
"""Of the measurements; those of another version are made again."""

ABOUT = ("evaluation.json", "comparisons.jsonl", "config.yaml", "settings.json", "data/data.json")


def stored_measurements(folder: Path) -> dict[str, Any]:
    """What was measured of these files; empty where nothing was, where it is damaged, or where the files have changed."""
    try:
        stored = read_object(folder / MEASURED)
    except DataError:
        return {}
    if stored.pop("version", None) != VERSION or stored.pop("key", None) != state_of(folder):
        return {}
    return stored


def state_of(folder: Path) -> str:
    """A hash of what measurements are about: names, sizes and times of the files of evaluation and model."""
    files = [folder / name for name in ABOUT]
    if (folder / "model").is_dir():
        files += sorted(path for path in (folder / "model").rglob("*") if path.name != "README.md")
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files if path.is_file()]
    return hash_text(repr(states))[:16]
