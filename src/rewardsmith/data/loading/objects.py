"""What a Python program passes as data → sources: paths and names as they are, and data in memory under a name.

A name in memory tells how many rows there are and the beginning of the SHA-256 of their content, so that settings and
reports tell other data apart. Data that can be read again (frames, data sets, lists) is not copied; what can be gone
through only once (a generator, a streamed data set) is read into a list first.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sized
from dataclasses import asdict
from os import PathLike, fspath
from typing import Any

import orjson

from rewardsmith.data.formats.native import to_row
from rewardsmith.data.input.readers import is_lazy
from rewardsmith.data.input.rows import InputRow, Raw
from rewardsmith.data.loading.load import Loaded, objects_of
from rewardsmith.errors import UsageError
from rewardsmith.records import Record
from rewardsmith.settings.in_memory import InMemory, data_in_memory
from rewardsmith.settings.values import shown

EXPECTED = "a path, a data frame, a data set, a list of rows, or what rs.load returns"
SPLIT_OF = {
    "train": "train",
    **dict.fromkeys(("validation", "valid", "val", "dev", "eval"), "validation"),
    "test": "test",
}
"""Names of splits in a mapping, and the split that each of them is."""
SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def sources_of(value: Any, keyword: str) -> tuple[str, ...]:
    """The sources that a value stands for; UsageError, which names the keyword, where it is no data.

    A mapping of splits gives one source per split, in its order.
    """
    if isinstance(value, (str, PathLike)):
        return (path_of(value, keyword),)
    if is_splits(value):
        return tuple(in_memory(part, name) for name, part in value.items())
    if is_table(value):
        return (in_memory(value),)
    value = as_list(value, keyword)
    if any(isinstance(item, (Mapping, Record)) for item in value) and not any(map(is_splits, value)):
        return (in_memory(rows_alone(value, keyword)),)
    return tuple(source for item in value for source in sources_of(member(item, keyword), keyword))


def as_list(value: Any, keyword: str) -> "list[Any] | tuple[Any, ...]":
    """Rows or sources as a list; UsageError for what gives neither."""
    if isinstance(value, (bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        raise UsageError(f"{keyword}: got {shown(value)}, expected {EXPECTED}")
    return value if isinstance(value, (list, tuple)) else list(value)


def path_of(value: "str | PathLike[str]", keyword: str) -> str:
    """A path or name as text; UsageError for a path in bytes."""
    path = value if isinstance(value, InMemory) else fspath(value)
    if not isinstance(path, str):
        raise UsageError(f"{keyword}: got {shown(value)}, expected {EXPECTED}")
    return path


def rows_alone(rows: Any, keyword: str) -> Any:
    """A list of rows; UsageError where sources stand among them."""
    for item in rows:
        if isinstance(item, (str, PathLike)) or is_table(item):
            raise UsageError(
                f"{keyword}: the list contains rows and {shown(item)}; expected either rows or sources; pass "
                "[path, rows] with the rows in a list of their own"
            )
    return rows


def member(item: Any, keyword: str) -> Any:
    """One of several sources; UsageError for what cannot be one."""
    if isinstance(item, (str, PathLike, list, tuple)) or is_table(item) or is_splits(item):
        return item
    raise UsageError(f"{keyword}: got {shown(item)} in a list, expected {EXPECTED}")


def is_table(value: Any) -> bool:
    """Whether a value is data whose rows can be read more than once without a copy of them."""
    if isinstance(value, Loaded) or hasattr(value, "__arrow_c_stream__") or is_lazy(value):
        return True
    return hasattr(value, "column_names") and isinstance(value, Sized) and not isinstance(value, Mapping)


def is_splits(value: Any) -> bool:
    """Whether a value maps names of splits to their data: a DatasetDict, or a dict with names such as train and test."""
    if not isinstance(value, Mapping) or not value:
        return False
    parts = list(value.values())
    if all(map(is_table, parts)):
        return True
    rows = [is_table(part) or (isinstance(part, (list, tuple)) and are_rows(part)) for part in parts]
    return all(rows) and SPLIT_OF.keys() >= set(value)


def are_rows(value: Any) -> bool:
    """Whether a list holds rows or records."""
    return all(isinstance(item, (Mapping, Record)) for item in value)


def by_role(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The data of `train`, `validation` and `test` from a mapping of splits; UsageError for names that say neither."""
    names = ", ".join(map(str, dataset))
    found: dict[str, Any] = {}
    for name, part in dataset.items():
        role = SPLIT_OF.get(name)
        if role is None or role in found:
            raise UsageError(
                f"dataset: got the splits {names}; expected train, validation and test, each at most once; pass one of "
                "them as dataset, and others as validation= and test="
            )
        found[role] = part
    if "train" not in found:
        raise UsageError(f"dataset: got the splits {names}, and none of them is train; pass one of them as dataset")
    return found


def one_split(data: Mapping[str, Any], wanted: str | None) -> tuple[str, ...]:
    """One split of a mapping as a source: the one that is wanted, by default test or the only one; else UsageError."""
    names = ", ".join(map(str, data))
    role = wanted or ("test" if "test" in map(SPLIT_OF.get, data) else None)
    chosen = [name for name in data if name == role or SPLIT_OF.get(name) == role]
    if role is None and len(data) == 1:
        chosen = list(data)
    if len(chosen) != 1:
        raise UsageError(f"sources: got the splits {names}; choose one of them with split=, or pass its data alone")
    return (in_memory(data[chosen[0]], chosen[0]),)


def together(sources: tuple[str, ...]) -> InMemory:
    """Several sources in memory as one, in their order."""
    every = [source for source in sources if isinstance(source, InMemory)]
    digest = hashlib.sha256("".join(source.sha256 for source in every).encode()).hexdigest()
    return data_in_memory(tuple(every), sum(source.rows for source in every), digest)


def in_memory(value: Any, split: str = "") -> InMemory:
    """Data under a name: the number of its rows and the beginning of the SHA-256 of their content, in their order."""
    digest, count = hashlib.sha256(), 0
    for row in objects_of(value):
        digest.update(content_of(row) + b"\n")
        count += 1
    return data_in_memory(value, count, digest.hexdigest(), split)


def content_of(row: InputRow | Record) -> bytes:
    """What a row says, as bytes that do not depend on the order of its columns."""
    if isinstance(row, Raw):
        content: Any = row.row
    else:
        content = to_row(row) if isinstance(row, Record) else asdict(row)
    return orjson.dumps(content, default=repr, option=SORTED)
