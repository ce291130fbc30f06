"""A value of a setting that has no file: text that names it, with the object itself."""

import re
from typing import Any


class InMemory(str):
    """The name of an object that a Python program passed where a path or name may stand; `value` is the object.

    It is text to everything that writes settings down. Only what opens sources and models looks at `value`. Of data, `rows`
    is the number of its rows and `sha256` the hash of their content.
    """

    value: Any
    rows: int
    sha256: str

    def __new__(cls, name: str, value: Any, rows: int = 0, sha256: str = "") -> "InMemory":
        """The name with its object."""
        made = super().__new__(cls, name)
        made.value, made.rows, made.sha256 = value, rows, sha256
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> "InMemory":
        """Itself: settings are copied to be written down, and the object may be large."""
        return self

    def __reduce__(self) -> "tuple[type[InMemory], tuple[str, Any, int, str]]":
        """How it travels to another process."""
        return InMemory, (str(self), self.value, self.rows, self.sha256)


def data_in_memory(value: Any, rows: int, sha256: str, split: str = "") -> InMemory:
    """Data under a name that tells its split, the number of its rows, and the beginning of the hash of their content."""
    name = f"in memory ({rows} rows, sha256 {sha256[:8]})"
    return InMemory(f"{split} {name}".strip(), value, rows, sha256)


def names_memory(name: str) -> bool:
    """Whether a text is the name of data in memory, as settings of an earlier run have it."""
    return re.search(r"in memory \(\d+ rows, sha256 \w+\)", name) is not None
