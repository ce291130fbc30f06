"""Two evaluations on disk → their comparisons paired up, for a test of the difference."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rewardsmith.evaluate.paired import PairedComparison

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
    "category": (str, type(None)),
}
DEFAULTS: Mapping[str, Any] = {"weight": 1.0, "category": None}
"""What a row says that lacks a column; the other columns have to be there."""


MarginColumn = Literal["margin", "calibrated_margin"]
"""The column of `comparisons.jsonl` to compare by."""
SEED_SETTINGS = frozenset({"seed", "output", "overwrite", "resume"})
"""Settings in which two runs of one recipe may differ."""


@dataclass(frozen=True)
class Paired:
    """Two evaluations row by row: the comparisons that both have, and how many one of them has alone."""

    a: Sequence[Mapping[str, Any]]
    b: Sequence[Mapping[str, Any]]
    only_in_a: int
    only_in_b: int

    def compare(self, *, seed: int, where: Sequence[int] | None = None) -> "PairedComparison":
        """The models on all rows, or on those with these numbers."""
        import numpy as np

        from rewardsmith.evaluate.paired import compare_margins

        one, two = (side if where is None else [side[number] for number in where] for side in (self.a, self.b))
        _, cluster = np.unique([str(row["prompt_id"]) for row in one], return_inverse=True)
        return compare_margins(
            column(one, "margin"),
            column(two, "margin"),
            preference=column(one, "preference"),
            weight=column(one, "weight"),
            cluster=cluster,
            rng=np.random.default_rng(seed),
        )

    def accuracy(self, side: Literal["a", "b"]) -> float:
        """The weighted accuracy of one side."""
        from rewardsmith.evaluate.metrics import accuracy

        rows = self.a if side == "a" else self.b
        return accuracy(column(rows, "margin"), column(rows, "preference"), weight=column(rows, "weight"))

    def by_category(self, *, seed: int) -> list[dict[str, Any]]:
        """The difference in each category with a decided comparison; p-values adjusted by Holm over the categories."""
        from rewardsmith.evaluate.statistics import holm

        groups: dict[str, list[int]] = {}
        for number, row in enumerate(self.a):
            if row["category"]:
                groups.setdefault(row["category"], []).append(number)
        found = {name: self.compare(seed=seed, where=groups[name]) for name in sorted(groups)}
        found = {name: one for name, one in found.items() if one.n}
        adjusted = holm([one.p_value for one in found.values()])
        return [
            {
                "category": name,
                "n": one.n,
                "difference": one.difference,
                "ci": [one.interval.low, one.interval.high],
                "p_value": p_value,
            }
            for (name, one), p_value in zip(found.items(), adjusted, strict=True)
        ]

    def flips(self) -> list[dict[str, Any]]:
        """The decided comparisons that one model ranks right and the other does not, largest change of margin first."""
        import numpy as np

        found = [
            {name: one[name] for name in ("id", "prompt_id", "i", "j", "category", "weight")}
            | {"margin_a": one["margin"], "margin_b": two["margin"]}
            for one, two in zip(self.a, self.b, strict=True)
            if one["preference"] != 0.5 and one["weight"] > 0 and np.sign(one["margin"]) != np.sign(two["margin"])
        ]
        return sorted(found, key=lambda row: -abs(row["margin_a"] - row["margin_b"]))


def read_pair(a: Path, b: Path, margin: MarginColumn = "margin") -> Paired:
    """The comparisons that two folders share, with this margin; DataError where they share none, or label or weigh them
    differently.
    """
    from rewardsmith.errors import DataError

    first, second = read_margins(a, margin), read_margins(b, margin)
    common = [key for key in first if key in second]
    if not common:
        raise DataError(f"{a} and {b} have no comparison in common; evaluate both models on the same data")
    one, two = ([side[key] for key in common] for side in (first, second))
    refuse_relabelled(zip(one, two, strict=True))
    if not any(row["weight"] > 0 and row["preference"] != 0.5 for row in one):
        raise DataError(
            f"none of the {len(common)} comparisons that {a} and {b} share has a preferred response and "
            "a weight above 0; expected at least one"
        )
    return Paired(one, two, len(first) - len(common), len(second) - len(common))


def differ_in_seed_only(a: Path, b: Path) -> bool:
    """Whether both are runs of one recipe with different seeds, by their config.yaml; False where one has none."""
    one, two = recipe_and_seed(a), recipe_and_seed(b)
    return one is not None and two is not None and one[0] == two[0] and one[1] != two[1]


def recipe_and_seed(folder: Path) -> tuple[dict[str, Any], Any] | None:
    """The settings of a run that are not its own, without those that are null, and its seed; None without a config.yaml."""
    from rewardsmith.settings.yaml_file import plain_values

    path = folder / "config.yaml"
    if not path.is_file():
        return None
    settings = plain_values(path.read_bytes(), path)
    recipe = {name: value for name, value in settings.items() if value is not None and name not in SEED_SETTINGS}
    return recipe, settings.get("seed")


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
    from rewardsmith.files.manifest import refuse_changed
    from rewardsmith.files.reading import read_object, taking_from
    from rewardsmith.scoring.left_out import left_out_from

    path = folder / "evaluation.json"
    refuse_changed(folder, [path.name])
    with taking_from(path):
        return left_out_from(read_object(path).get("left_out")).to_json()


def read_margins(folder: Path, margin: MarginColumn = "margin") -> dict[Key, dict[str, Any]]:
    """The rows of a folder's `comparisons.jsonl` by what identifies a comparison, in file order, with this margin."""
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
            row = read_row(line, f"{path}:{number}", margin)
            triple = (row["id"], row["i"], row["j"])
            seen[triple] += 1
            rows[(*triple, seen[triple])] = row
    return rows


def read_row(line: bytes, place: str, margin: MarginColumn) -> dict[str, Any]:
    """What is needed of one line, with its place and this margin; DataError where the line is damaged or lacks it."""
    import orjson

    from rewardsmith.errors import DataError

    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise DataError(f"{place} is not JSON ({error}); run rewardsmith evaluate again") from None
    if not isinstance(row, dict):
        raise DataError(f"{place} is not a JSON object; run rewardsmith evaluate again")
    row = {**DEFAULTS, **with_margin(row, margin, place)}
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


def with_margin(row: Mapping[str, Any], margin: MarginColumn, place: str) -> Mapping[str, Any]:
    """The row with this margin under `margin`; DataError where it should be the calibrated one and there is none."""
    from rewardsmith.errors import DataError

    if margin == "margin":
        return row
    if "calibrated_margin" not in row:
        raise DataError(f"{place} has no calibrated margin; run rewardsmith evaluate again, with --calibrated")
    return {**row, "margin": row["calibrated_margin"]}
