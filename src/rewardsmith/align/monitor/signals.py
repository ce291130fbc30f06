"""A log of any of these programs → columns under our names; what it does not have is missing."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.errors import DataError
from rewardsmith.files.reading import as_object, read_bytes, read_text

Names = tuple[str, ...]
OWN: Mapping[str, Names] = {
    name: (name,)
    for name in (
        *("reward", "reward_std", "kl", "length", "entropy"),
        *("agreement", "disagreement", "beyond", "distance", "length_correlation"),
    )
}
"""Our own log (`align.policy_gradient.log.StepLog`); other logs may have the last five under these names."""
PROGRAMS: Mapping[str, Mapping[str, Names]] = {
    "rewardsmith": OWN,
    "TRL": {
        "reward": ("reward",),
        "reward_std": ("reward_std",),
        "kl": ("kl",),
        "length": ("completions/mean_length",),
        "entropy": ("entropy",),
    },
    "verl": {
        "reward": ("critic/score/mean", "critic/rewards/mean"),
        "kl": ("actor/kl_loss", "actor/reward_kl_penalty", "critic/kl"),
        "length": ("response_length/mean",),
        "entropy": ("actor/entropy", "actor/entropy_loss"),
    },
    "OpenRLHF": {"reward": ("reward",), "kl": ("kl",), "length": ("response_length",), "entropy": ("entropy",)},
}
"""The names under which each program logs a signal, the first that is there: TRL `GRPOTrainer` and `RLOOTrainer`
(`_metrics`), verl `compute_data_metrics` and `apply_kl_penalty`, OpenRLHF `PPOTrainer`."""
PER_TOKEN = frozenset({"TRL", "verl", "OpenRLHF"})
"""Programs that log the KL divergence per token; it is multiplied by the length."""
STEPS: Names = ("step", "global_step", "training/global_step", "trainer/global_step", "_step", "Step")
PREFIX = "train/"
NEEDED = ("reward", "kl", "length")
FEWEST = 6


@dataclass(frozen=True)
class RunSignals:
    """What a run logged: `steps`, by our names a value per step, NaN where a step has none, and the `program` it is from."""

    program: str
    steps: Sequence[int]
    columns: Mapping[str, Float[np.ndarray, " T"]]

    @property
    def names(self) -> frozenset[str]:
        """The signals that are there."""
        return frozenset(self.columns)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log: JSON Lines, CSV (an export of W&B), or a `trainer_state.json` of transformers.

    NaN and Infinity are read as Python's json writes them. A last line of JSON Lines that is still being written, without
    its line break, is left for the next look. DataError that names the line for anything else.
    """
    if path.suffix == ".csv":
        return [dict(row) for row in csv.DictReader(read_text(path).splitlines())]
    content = read_bytes(path)
    try:
        if path.suffix == ".json":
            return [dict(row) for row in as_object(content, str(path))["log_history"]]
        whole, line_break, last = content.rpartition(b"\n")
        lines = (whole + line_break).splitlines() + [last] * is_json(last)
        return [as_object(line, f"{path}:{at}") for at, line in enumerate(lines, start=1) if line.strip()]
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is not a log ({error}); expected JSON Lines, a CSV file, or a trainer_state.json with log_history"
        ) from error


def is_json(line: bytes) -> bool:
    """Whether a line is whole."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def signals_of(rows: Sequence[Mapping[str, Any]], place: str, renames: Mapping[str, str] | None = None) -> RunSignals:
    """The signals of a log's rows; `renames` maps our names to columns, before all others.

    Rows without a reward (evaluations) are passed over; of several rows of one step the last counts. DataError where a
    signal that is needed or a column of `renames` is missing, or there are fewer than FEWEST steps.
    """
    rows = [without_prefix(row) for row in rows]
    renames = {name: column.removeprefix(PREFIX) for name, column in (renames or {}).items()}
    program, columns = program_of(known_columns(rows), renames)
    refuse_absent(rows, renames, place)
    refuse_missing(rows, columns, place)
    by_step = rows_by_step(rows, columns["reward"])
    if len(by_step) < FEWEST:
        raise DataError(f"{place} has {len(by_step)} steps with a reward; expected at least {FEWEST}")
    steps = sorted(by_step)
    found = {name: column_of([by_step[step].get(column) for step in steps]) for name, column in columns.items()}
    if program in PER_TOKEN and "kl" not in renames:
        found["kl"] = found["kl"] * found["length"]
    return RunSignals(program, steps, found)


def without_prefix(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its names as the program gave them to the tracker."""
    return {name.removeprefix(PREFIX): value for name, value in row.items()}


def rows_by_step(rows: Sequence[Mapping[str, Any]], reward: str) -> dict[int, Mapping[str, Any]]:
    """The last row of every step that has a reward."""
    return {step_of(row, k): row for k, row in enumerate(rows) if number_of(row.get(reward)) is not None}


def known_columns(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """The columns that have a number in some row."""
    return {name for row in rows for name, value in row.items() if number_of(value) is not None}


def refuse_missing(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], place: str) -> None:
    """DataError where a signal that every set needs has no column."""
    missing = next((name for name in NEEDED if name not in columns), None)
    if missing is not None:
        known = ", ".join(sorted(known_columns(rows))[:12]) or "no numbers"
        raise DataError(
            f"{place} has no {missing}; found {known}; name its column with --map {missing}=COLUMN (TRL logs kl where "
            "beta is above 0)"
        )


def refuse_absent(rows: Sequence[Mapping[str, Any]], renames: Mapping[str, str], place: str) -> None:
    """DataError where a column that was named for a signal has no number in any row: another one would be used unasked."""
    known = known_columns(rows)
    for name, column in renames.items():
        if column not in known:
            raise DataError(
                f"{place} has no numbers in the column {column} (--map {name}={column}); found "
                f"{', '.join(sorted(known)[:12]) or 'no numbers'}"
            )


def program_of(known: set[str], renames: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The program that finds most of its names among the columns, and the column of each signal that is there."""
    found = {program: columns_in(known, names) for program, names in PROGRAMS.items()}
    program = max(found, key=lambda name: len(found[name]))  # the first of equals
    extra = {name: column for name, column in columns_in(known, OWN).items() if name not in NEEDED}
    return program if found[program] else "unknown", {**extra, **found[program], **renames}


def columns_in(known: set[str], names: Mapping[str, Names]) -> dict[str, str]:
    """The first column of each signal that is there."""
    found = {name: next((column for column in given if column in known), None) for name, given in names.items()}
    return {name: column for name, column in found.items() if column is not None}


def number_of(value: Any) -> float | None:
    """A finite number, also one written as text; None for anything else."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) and not isinstance(value, bool) else None


def step_of(row: Mapping[str, Any], at: int) -> int:
    """The step of a row; its place in the log where it names none."""
    found = next((number_of(row[name]) for name in STEPS if name in row and number_of(row[name]) is not None), None)
    return at if found is None else int(found)


def column_of(values: Sequence[Any]) -> Float[np.ndarray, " T"]:
    """Numbers, NaN for what is none."""
    numbers = (number_of(value) for value in values)
    return np.array([math.nan if value is None else value for value in numbers])
