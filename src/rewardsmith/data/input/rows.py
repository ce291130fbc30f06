"""One raw row: from the bytes of a JSON line, or from a Python mapping, to a dict that can be trusted.

Nothing is repaired and nothing is coerced: what is damaged is refused with a code, so that the caller can put the row
into quarantine and go on with the next.
"""

import datetime
import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

import orjson

from rewardsmith.errors import DataError
from rewardsmith.records import Document, Quarantined

MAX_DEPTH = 100  # orjson writes at most 254 levels; a row that can be read but never be written again is of no use
EXCERPT_CHARS = 200

KEY = re.compile(rb'"[ \t\r\n]*:')
LARGE = float(2**63)
STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
SURROGATE = re.compile("[\ud800-\udfff]")
BYTE_ORDER_MARK = "the row begins with a byte order mark, probably from concatenating files; remove its three bytes"


class RowError(DataError):
    """One row cannot be used; `code` is for machines (see docs/data-formats.md), the message for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code

    def __reduce__(self) -> "tuple[type[RowError], tuple[str, str]]":
        """How it travels to another process."""
        return RowError, (self.code, str(self))


class Unusable(NamedTuple):
    """A column's value that has no JSON form or is damaged: only a format that reads it refuses the row, with `error`.

    `shown` is what a person gets to see of it.
    """

    error: RowError
    shown: Any = None


class Raw(NamedTuple):
    """One good row: where it stands (`line` counts from 1, `byte` from 0 in the unpacked file) and its columns, of which
    those of Parquet files and Python objects may be `Unusable`.
    """

    file: str
    line: int
    row: dict[str, Any]
    byte: int | None = None


InputRow = Raw | Quarantined | Document


def quarantined(file: str, line: int, error: RowError, raw: Any, byte: int | None = None) -> Quarantined:
    """The ledger entry of a row that was refused."""
    return Quarantined(file, line, error.code, str(error), excerpt(raw), byte)


def by_reason(counts: Mapping[str, int]) -> str:
    """`code × N, …`, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{code} × {count:,}" for code, count in ordered)


def none_usable(rows: int, counts: Mapping[str, int], first: Quarantined) -> str:
    """The message for data without one usable row: every reason with its count, and what is wrong with the first row."""
    return f"none of the {rows} rows can be used: {by_reason(counts)}; the first, {first.file}:{first.line}: {first.reason}"


def parse(line: bytes) -> dict[str, Any]:
    """The object that one JSON text holds; RowError for whatever is damaged, ambiguous, or no object.

    Integers beyond 64 bits are refused because orjson would turn them into floats.
    """
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        explain(line, error)
    if not isinstance(row, dict):
        raise RowError("not_an_object", f"the row is {kind(row)}; expected a JSON object {{…}} with named columns")
    keys, large = count_keys(row)
    # Every key of the text ends in a quote and a colon. Texts may hold that too, so more of them than keys is only a
    # suspicion, which the slow parser confirms; as many as keys is a proof that none came twice.
    if large or len(KEY.findall(line)) != keys:
        json.loads(line, object_pairs_hook=without_duplicates, parse_int=bounded_integer)
    return row


def explain(line: bytes, error: ValueError) -> NoReturn:
    """Raise the RowError that says why orjson refused `line`."""
    try:
        text = line.decode()
    except UnicodeDecodeError as problem:
        raise RowError(
            "invalid_utf8",
            f"byte {problem.start + 1} of the row is not UTF-8 ({problem.reason}); expected UTF-8 text; "
            "convert the file first (iconv -f GB18030 -t UTF-8 for most Chinese files)",
        ) from None
    if text.startswith("\ufeff"):
        raise RowError("byte_order_mark", BYTE_ORDER_MARK)
    if depth_of(text) > MAX_DEPTH:
        raise RowError("too_deep", f"the row is nested deeper than {MAX_DEPTH} levels; expected a flat row; flatten it")
    try:
        value = json.loads(text, parse_constant=refuse_constant, parse_float=finite_float)
    except RowError:
        raise
    except ValueError:
        raise RowError("broken_json", f"invalid JSON: {error}; expected one complete JSON object per row") from None
    refuse_surrogates(value)
    raise RowError("broken_json", f"invalid JSON: {error}; expected one complete JSON object per row")


def depth_of(text: str) -> int:
    """How deep the brackets of a JSON text nest, text inside strings not counted."""
    depth = deepest = 0
    for character in re.findall(r"[\[\]{}]", STRING.sub("", text)):
        depth += 1 if character in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def count_keys(row: dict[str, Any]) -> tuple[int, bool]:
    """How many keys all objects of a parsed row have together, and whether a number is too large to be sure of.

    Integers beyond 64 bits become floats of at least LARGE. RowError("too_deep") past MAX_DEPTH levels.
    """
    total, large = 0, False
    level: list[Any] = [row]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            total += len(value) if type(value) is dict else 0
            for child in children(value):
                found = type(child)
                if found is dict or found is list:
                    below.append(child)
                elif found is float:
                    large = large or not -LARGE < child < LARGE
        if not below:
            return total, large
        level = below
    raise RowError("too_deep", f"the row is nested deeper than {MAX_DEPTH} levels; expected a flat row; flatten it")


def children(value: Any) -> Any:
    """The values inside a dict or list."""
    return value.values() if isinstance(value, dict) else value


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs as a dict; RowError where a key comes twice, since readers disagree which one counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RowError(
            "duplicate_key", f"the key {twice!r} appears twice in one object; expected unique keys; remove one"
        )
    return found


def bounded_integer(digits: str) -> int:
    """The integer, where 64 bits hold it."""
    value = int(digits) if len(digits) <= 20 else 2**64
    if not -(2**63) <= value < 2**64:
        raise RowError("number_out_of_range", f"the integer {digits[:40]} does not fit in 64 bits; write it as text")
    return value


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which are no JSON."""
    raise RowError("not_a_number", f"the row contains {name}, which is not a JSON number; expected a number or null")


def finite_float(digits: str) -> float:
    """The number, where it is finite."""
    value = float(digits)
    return value if math.isfinite(value) else refuse_constant(digits[:40])


def refuse_surrogates(value: Any) -> None:
    """Refuse text that holds half a surrogate pair, in keys or values at any depth: no tokenizer accepts it."""
    level = [value]
    while level:
        for text in level:
            if isinstance(text, str) and SURROGATE.search(text):
                raise RowError(
                    "lone_surrogate", "a text contains an unpaired surrogate (\\ud800-\\udfff); export the data again"
                )
        level = [child for item in level if isinstance(item, (dict, list)) for child in (*children(item), *keys(item))]


def keys(value: Any) -> Any:
    """The keys of a dict; nothing for a list."""
    return value.keys() if isinstance(value, dict) else ()


def trusted(row: Any) -> dict[str, Any]:
    """A row that came as Python objects (Parquet, a data set, a list of dicts), checked as `parse` checks bytes.

    Dates become ISO text, since JSON has none; every other type without a JSON form is refused.
    """
    if not isinstance(row, Mapping):
        raise RowError("not_an_object", f"the row is {kind(row)}; expected a mapping with named columns")
    clean: dict[str, Any] = trusted_value(row, MAX_DEPTH)
    return clean


def trusted_columns(row: Any) -> dict[str, Any]:
    """The same where each column stands for itself: one that cannot be trusted is `Unusable`, and the others are there.

    RowError where none of them can.
    """
    if not isinstance(row, Mapping):
        return trusted(row)
    found = {trusted_key(name): value_or_reason(value) for name, value in row.items()}
    broken = [value for value in found.values() if isinstance(value, Unusable)]
    if broken and len(broken) == sum(value is not None for value in found.values()):
        raise broken[0].error
    return found


def value_or_reason(value: Any) -> Any:
    """One column's value, checked and copied, or why there is none."""
    if isinstance(value, Unusable):
        return value
    try:
        return trusted_value(value, MAX_DEPTH - 1)
    except RowError as error:
        return Unusable(error, excerpt(value))


def usable(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row that can be trusted."""
    return {name: value for name, value in row.items() if not isinstance(value, Unusable)}


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a person is shown it."""
    return {name: value.shown if isinstance(value, Unusable) else value for name, value in row.items()}


def trusted_value(value: Any, levels: int) -> Any:
    """One value of a row, checked and copied, at most `levels` deep."""
    if levels == 0:
        raise RowError("too_deep", f"the row is nested deeper than {MAX_DEPTH} levels; expected a flat row; flatten it")
    if isinstance(value, Mapping):
        return {trusted_key(key): trusted_value(inner, levels - 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [trusted_value(inner, levels - 1) for inner in value]
    return trusted_scalar(value)


def trusted_key(key: Any) -> str:
    """A column name."""
    if not isinstance(key, str):
        raise RowError("wrong_type", f"the column name {key!r} is {kind(key)}; expected text")
    refuse_surrogates(key)
    return key


def trusted_scalar(value: Any) -> Any:
    """A value without parts."""
    if isinstance(value, str):
        refuse_surrogates(value)
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return bounded_integer(str(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else refuse_constant(str(value))
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    raise RowError(
        "wrong_type",
        (f"a value of type {type(value).__name__} cannot be represented in JSON; convert it to text or a number"),
    )


def kind(value: Any) -> str:
    """What a value is, in the words of JSON."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true/false", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, (int, float)) else f"a {type(value).__name__}")


def excerpt(raw: Any) -> str:
    """How a row begins, at most EXCERPT_CHARS characters, always writable as UTF-8."""
    if isinstance(raw, dict):
        raw = shown(raw)
    if isinstance(raw, bytes):
        raw = raw[: 4 * EXCERPT_CHARS].decode(errors="replace")
    elif not isinstance(raw, str):
        raw = json_text(raw)
    shortened: str = raw[:EXCERPT_CHARS]
    return shortened.encode(errors="replace").decode()


def json_text(value: Any) -> str:
    """A Python value as JSON where it has such a form, else as Python writes it."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # orjson's errors are TypeErrors
        return repr(value)
