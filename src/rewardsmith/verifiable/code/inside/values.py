"""Values as JSON that crosses between a program and its tests: plain data only, rebuilt from exact types.

What is no plain data crosses as a number under which the side that has it holds it. A value can never bring code
to the other side, such as an `__eq__` of its own.
"""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from types import NoneType
from typing import Any

HELD = "held"
DEPTH = 200
"""Levels of nesting that cross."""
BASES = (
    ("list", list), ("tuple", tuple), ("set", set), ("frozenset", frozenset), ("deque", deque),
)  # fmt: skip
OF_NAME: dict[str, Callable[[Any], Any]] = {
    **dict(BASES), "decimal": Decimal, "fraction": Fraction, "bytes": bytes.fromhex, "int": lambda text: int(text, 16),
    "complex": lambda parts: complex(*parts), "dict": dict,
}  # fmt: skip


def packed(value: Any, hold: Callable[[Any], int], depth: int = 0) -> Any:
    """A value as JSON; `hold` keeps what is no plain data and gives its number. ValueError where it is nested too deep."""
    if depth > DEPTH:
        raise ValueError("a value is nested too deep")
    plain = simple(value)
    if plain is not NOT_SIMPLE:
        return plain
    for name, kind in BASES:
        if isinstance(value, kind):
            return {name: [packed(each, hold, depth + 1) for each in iterated(kind, value)]}
    if isinstance(value, dict):
        return {"dict": [[packed(k, hold, depth + 1), packed(v, hold, depth + 1)] for k, v in dict.items(value)]}
    return {HELD: hold(value)}


def iterated(kind: Any, value: Any) -> Any:
    """The items of a value as its kind gives them, whatever a subclass says."""
    return kind.__iter__(value)


NOT_SIMPLE = object()


def simple(value: Any) -> Any:
    """A number or a text as JSON, stripped of what a subclass adds; NOT_SIMPLE for anything else."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        bare = int.__add__(value, 0)
        return bare if -(2**53) < bare < 2**53 else {"int": hex(bare)}
    for name, kind, written in WRITTEN:
        if isinstance(value, kind):
            text = written(value)
            return text if name is None else {name: text}
    return NOT_SIMPLE


WRITTEN: tuple[tuple[str | None, type, Callable[[Any], Any]], ...] = (
    (None, float, lambda value: float.__add__(value, 0.0)),
    (None, str, lambda value: str.__str__(value) if type(value) is str else "".join(str.__iter__(value))),
    ("bytes", bytes, bytes.hex),
    ("complex", complex, lambda value: [complex.__add__(value, 0).real, complex.__add__(value, 0).imag]),
    ("decimal", Decimal, Decimal.__str__),
    ("fraction", Fraction, Fraction.__str__),
)


def unpacked(value: Any, of_held: Callable[[int], Any]) -> Any:
    """The value that JSON holds; `of_held` gives what stands for a held one. ValueError for what `packed` never writes."""
    if type(value) in (NoneType, bool, int, float, str):
        return value
    if type(value) is not dict or len(value) != 1:
        raise ValueError("no value")
    ((name, content),) = value.items()
    if name == HELD:
        return of_held(content)
    if name not in OF_NAME:
        raise ValueError(f"no value: {name[:20]}")
    if name == "dict" or name in dict(BASES):
        return OF_NAME[name](unpacked_items(content, of_held))
    return OF_NAME[name](content)


def unpacked_items(content: Any, of_held: Callable[[int], Any]) -> list[Any]:
    """The items of a collection; those of a mapping are pairs."""
    return [
        [unpacked(part, of_held) for part in each] if type(each) is list else unpacked(each, of_held)
        for each in content
    ]
