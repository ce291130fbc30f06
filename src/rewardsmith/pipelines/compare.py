"""Two evaluations on disk → their comparisons paired up, for a test of the difference."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Key = tuple[str, int, int, int]
"""Id of the record, the two responses, and which of its comparisons of these two, counted from 1 in file order.

The id is a hash of the content, so that the same data under another path pairs up."""

NUMBER = (int, float)
COLUMNS: Mapping[str, tuple[type, ...]] = {
    "id": (str,),
    "prompt_id": (str,),
    "i": (int,),
    "j": (int,),
    "preference": NUMBER,
    "margin": (*NUMBER, type(None)),  # null is what JSON has for NaN, which compare_margins refuses in its own words
    "weight": NUMBER,
}
DEFAULTS: Mapping[str, float] = {"weight": 1.0}
"""What a row says that lacks a column; the other columns have to be there."""


def column(rows: Sequence[Mapping[str, Any]], name: str) -> "npt.NDArray[np.float64]":
    """One number of each row, null as NaN."""
    import numpy as np

    return np.array([row[name] for row in rows], dtype=np.float64)


def refuse_relabelled(pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
    """DataError where the two sides of a pair are not labelled or weighted alike."""
    from rewardsmith.errors import DataError

    for one, other in pairs:
        if one["preference"] != other["preference"]:
            raise DataError(
                f"{one['place']} has preference {one['preference']:g}, but {other['place']} has "
                f"{other['preference']:g} for the same two responses; evaluate both models on the same data"
            )
        if one["weight"] != other["weight"]:
            raise DataError(
                f"{one['place']} has weight {one['weight']:g}, but {other['place']} has "
                f"{other['weight']:g} for the same two responses; evaluate both models on the same data"
            )


def read_left_out(folder: Path) -> dict[str, Any]:
    """What an evaluation did not use as it was given, from its evaluation.json; empty where it does not say."""
    from rewardsmith.files.reading import read_object, taking_from
    from rewardsmith.scoring.left_out import left_out_from

    path = folder / "evaluation.json"
    with taking_from(path):
        return left_out_from(read_object(path).get("left_out")).to_json()


def read_margins(folder: Path) -> dict[Key, dict[str, Any]]:
    """The rows of a folder's `comparisons.jsonl` by what identifies a comparison, in file order."""
    from rewardsmith.errors import DataError
    from rewardsmith.files.manifest import refuse_changed

    path = folder / "comparisons.jsonl"
    if not path.is_file():
        raise DataError(
            f"{folder} contains no comparisons.jsonl; pass a run folder or the --output of rewardsmith evaluate"
        )
    refuse_changed(folder, [path.name])
    rows: dict[Key, dict[str, Any]] = {}
    seen: Counter[tuple[str, int, int]] = Counter()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            row = read_row(line, f"{path}:{number}")
            triple = (row["id"], row["i"], row["j"])
            seen[triple] += 1
            rows[(*triple, seen[triple])] = row
    return rows


def read_row(line: bytes, place: str) -> dict[str, Any]:
    """What is needed of one line, with its place; DataError where the line is damaged."""
    import orjson

    from rewardsmith.errors import DataError

    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise DataError(f"{place} is not JSON ({error}); run rewardsmith evaluate again") from None
    if not isinstance(row, dict):
        raise DataError(f"{place} is not a JSON object; run rewardsmith evaluate again")
    row = {**DEFAULTS, **row}
    for name, types in COLUMNS.items():
        if name not in row or not isinstance(row[name], types):
            got = repr(row[name]) if name in row else "nothing"
            expected = " or ".join(kind.__name__ for kind in types)
            raise DataError(f"{place} has {got} as {name!r}; expected {expected}; run rewardsmith evaluate again")
    if not 0 <= row["weight"] < float("inf"):
        raise DataError(
            f"{place} has the weight {row['weight']}, expected a number >= 0; run rewardsmith evaluate again"
        )
    return {"place": place, **{name: row[name] for name in COLUMNS}}
