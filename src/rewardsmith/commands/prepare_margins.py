"""Rewards of other models for `rewardsmith prepare --label-noise`: files that `rewardsmith score` wrote."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.data.loading import iterate_rows
from rewardsmith.data.readers import files_of
from rewardsmith.data.renaming import Rename
from rewardsmith.errors import DataError, UsageError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.quality.checks import digest, turns
from rewardsmith.records import Record

Rewards = Mapping[int, float]
"""Rewards by `key`."""


def key(record: Record, at: int) -> int:
    """What identifies a response under its prompt, wherever it is stored."""
    return digest(record.prompt_id, turns(record.responses[at].messages))


def margin_files(paths: Sequence[str]) -> list[Path]:
    """The files that --margins names. DataError where one is not there, UsageError where one is named twice."""
    found = [file for path in paths for file in files_of(path)]
    for path in found:
        if found.count(path) > 1:
            raise UsageError(f"--margins names {path} twice; expected one file per reward model")
    return found


def read_rewards(path: str | Path, progress: Progress = SILENT, *, columns: tuple[Rename, ...] = ()) -> Rewards:
    """Rewards by `key`, from a file that `rewardsmith score` wrote; rows that could not be scored have none."""
    from rewardsmith.commands.score import source_order

    found: dict[int, float] = {}
    with progress.task("reading margins", None, "rows") as task:
        for row, item, hashed_order in iterate_rows(str(path), columns=columns):
            task.advance()
            if not isinstance(item, Record) or (values := (row or {}).get("rewards")) is None:
                continue
            order = source_order(item, hashed_order=hashed_order)
            rewards = numbers_of(values, item.place)
            if len(order) != len(rewards):
                raise DataError(f"{item.place} has {len(rewards)} rewards for {len(order)} responses; score it again")
            found |= {key(item, at): value for at, value in zip(order, rewards, strict=True)}
    if not found:
        raise DataError(
            f"{path} holds no rewards; expected what rewardsmith score writes, a column rewards in each row"
        )
    return found


def numbers_of(values: Any, place: str) -> list[float]:
    """The rewards of a row; DataError unless they are a list of finite numbers."""
    numbers = values if isinstance(values, list) else [values]
    for value in numbers:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise DataError(f"{place} has the reward {value!r}; expected a finite number per response; score it again")
    return [float(value) for value in numbers]
