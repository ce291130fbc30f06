"""Runs of two recipes with several seeds each → the difference of the recipes, over other prompts and other seeds."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from rewardsmith.errors import DataError
from rewardsmith.pipelines.compare import MarginColumn, column, read_margins, recipe_and_seed, refuse_relabelled


def compare_recipes(folders: Sequence[Path], margin: MarginColumn = "margin") -> dict[str, Any]:
    """The `seeds` of `compare --seeds`: two recipes in the order of their first runs, and the first minus the second.

    DataError where the runs are not those of two recipes with two seeds or more each.
    """
    import numpy as np

    from rewardsmith.evaluate.metrics import correctness
    from rewardsmith.evaluate.statistics import seed_difference

    first, second = two_recipes(folders)
    rows = shared_rows([folders[number] for number in (*first, *second)], margin)
    right = np.array([correctness(column(side, "margin")) for side in rows])
    _, cluster = np.unique([str(row["prompt_id"]) for row in rows[0]], return_inverse=True)
    weight = column(rows[0], "weight")
    found = seed_difference(right[: len(first)], right[len(first) :], weight, cluster=cluster)
    interval = found.interval()
    sides = ((first, found.first), (second, found.second))
    return {
        "recipes": [
            {
                "runs": [str(folders[number]) for number in numbers],
                "letters": [chr(ord("A") + number) for number in numbers],
                "accuracy": float(np.mean(accuracies)),
                "seed_sd": float(np.std(accuracies, ddof=1)),
            }
            for numbers, accuracies in sides
        ],
        "n": len(rows[0]),
        "difference": found.value,
        "ci": [interval.low, interval.high],
        "p_value": found.p_value(),
        "standard_error": {"prompts": found.prompts.standard_error, "seeds": found.seed_error},
    }


def two_recipes(folders: Sequence[Path]) -> tuple[list[int], list[int]]:
    """The numbers of the runs of each recipe; DataError where there are not two recipes with two runs or more."""
    groups = recipes_of(folders)
    listed = "; ".join(", ".join(str(folders[number]) for number in group) for group in groups)
    if len(groups) != 2:
        raise DataError(
            f"the runs are of {len(groups)} recipes ({listed}); --seeds expects two, whose runs differ in the seed only"
        )
    if min(map(len, groups)) < 2:
        raise DataError(
            f"a recipe has a single run ({listed}), so the effect of the seed is unknown; train it with another --seed "
            "and pass that run with --also"
        )
    return groups[0], groups[1]


def recipes_of(folders: Sequence[Path]) -> list[list[int]]:
    """The numbers of the runs by recipe: those whose config.yaml differ in the seed only are of one."""
    recipes: list[tuple[dict[str, Any], dict[Any, int]]] = []
    for number, folder in enumerate(folders):
        found = recipe_and_seed(folder)
        if found is None:
            raise DataError(
                f"{folder} contains no config.yaml, which --seeds needs; pass run folders of rewardsmith train"
            )
        recipe, seed = found
        seeds = next((seeds for known, seeds in recipes if known == recipe), None)
        if seeds is None:
            seeds = {}
            recipes.append((recipe, seeds))
        if seed in seeds:
            same = folders[seeds[seed]]
            raise DataError(f"{same} and {folder} are runs of one recipe with the same seed; remove one of them")
        seeds[seed] = number
    return [list(seeds.values()) for _, seeds in recipes]


def shared_rows(folders: Sequence[Path], margin: MarginColumn = "margin") -> list[list[dict[str, Any]]]:
    """The decided comparisons of positive weight that all folders have, for each folder in the same order."""
    read = [read_margins(folder, margin) for folder in folders]
    shared = set.intersection(*map(set, read))
    common = [key for key in read[0] if key in shared]
    refuse_relabelled((read[0][key], other[key]) for other in read[1:] for key in common)
    rows = [[side[key] for key in common if is_used(read[0][key])] for side in read]
    refuse_without_margin(chain(*rows))
    if not rows[0]:
        raise DataError(
            "the runs have no comparison in common that has a preferred response and a weight above 0; evaluate all of them "
            "on the same data"
        )
    return rows


def is_used(row: Mapping[str, Any]) -> bool:
    """Whether a comparison is decided and has weight."""
    return bool(row["weight"] > 0 and row["preference"] != 0.5)


def refuse_without_margin(rows: Iterable[Mapping[str, Any]]) -> None:
    """DataError where a margin was not a number."""
    for row in rows:
        if row["margin"] is None:
            raise DataError(f"{row['place']} has no margin; evaluate that model again")
