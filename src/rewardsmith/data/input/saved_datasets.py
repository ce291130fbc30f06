"""Folders that `datasets` wrote with `save_to_disk`, read without that library: one data set, or several splits by name."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.errors import DataError

STATE = "state.json"
INFO = "dataset_info.json"
SPLITS = "dataset_dict.json"


def is_saved(folder: Path) -> bool:
    """Whether a folder is one that `save_to_disk` wrote."""
    return (folder / SPLITS).is_file() or ((folder / STATE).is_file() and (folder / INFO).is_file())


def saved_files(folder: Path) -> Iterator[Path]:
    """The files of a saved data set in their order, split after split. DataError where one is missing."""
    splits = folder / SPLITS
    if not splits.is_file():
        yield from data_files(folder)
        return
    for name in names_in(content_of(splits).get("splits"), splits):
        if not is_saved(folder / name):
            raise DataError(
                f"{splits} refers to the split {name!r}, which does not exist; copy or save the data set again"
            )
        yield from data_files(folder / name)


def data_files(folder: Path) -> Iterator[Path]:
    """The files of one data set."""
    state = folder / STATE
    content = content_of(state)
    if content.get("_indices_data_files"):
        raise DataError(
            f"{folder} contains a selection of rows that is stored separately from its data; save it again with a "
            "newer version of datasets, or after flatten_indices()"
        )
    listed = content.get("_data_files")
    entries = listed if isinstance(listed, list) else []
    for name in names_in([entry.get("filename") for entry in entries if isinstance(entry, Mapping)], state):
        if not (folder / name).is_file():
            raise DataError(f"{state} refers to {name}, which does not exist; copy or save the data set again")
        yield folder / name


def names_in(value: Any, place: Path) -> list[str]:
    """Names of files or folders in the folder itself; DataError for anything else."""
    names = value if isinstance(value, list) else []
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise DataError(f"{place} does not name the files of the data set; copy or save the data set again")
    return names


def content_of(path: Path) -> Mapping[str, Any]:
    """The object in one of the small files beside the data."""
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); copy or save the data set again") from error
    return content if isinstance(content, Mapping) else {}


def is_beside_data(path: Path) -> bool:
    """Whether a file lies in a saved data set and is none of its data: what is told of it, or what was cached there."""
    return is_saved(path.parent) and path not in set(saved_files(path.parent))
