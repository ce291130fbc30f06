"""Rewards of other models for `rewardsmith prepare --label-noise`: files that `rewardsmith score` wrote."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from rewardsmith.data.input.readers import files_of
from rewardsmith.data.input.renaming import Rename
from rewardsmith.data.loading.load import iterate_rows
from rewardsmith.errors import DataError, UsageError
from rewardsmith.pipelines.prepare.config import LabelSettings, NoiseChoice
from rewardsmith.progress import SILENT, Progress
from rewardsmith.quality.row.checks import digest, turns
from rewardsmith.records import Record

RewardsByKey = Mapping[int, float]
"""Rewards by `key`."""


def key(record: Record, at: int) -> int:
    """What identifies a response under its prompt, wherever it is stored."""
    return digest(record.prompt_id, turns(record.responses[at].messages))


def check_label_settings(settings: LabelSettings, columns: tuple[Rename, ...]) -> list[Path]:
    """The files of margins, each of which has rewards. Refuses what contradicts itself, before any row is read."""
    if settings.label_noise not in get_args(NoiseChoice):
        raise UsageError(f"label_noise is {settings.label_noise!r}; expected one of {', '.join(get_args(NoiseChoice))}")
    if settings.label_model != "auto" and settings.label_noise == "off":
        raise UsageError("label_model needs label_noise; choose an action, for example --label-noise report")
    if settings.margins and settings.label_noise == "off":
        raise UsageError("margins need label_noise; choose an action, for example --label-noise report")
    found = margin_files(settings.margins)
    for path in settings.margins:
        check_margins(path, columns)
    return found


def margin_files(paths: Sequence[str]) -> list[Path]:
    """The files that --margins names. DataError where one is not there, UsageError where one is named twice."""
    found = [file for path in paths for file in files_of(path)]
    for path in found:
        if found.count(path) > 1:
            raise UsageError(f"--margins has {path} twice; expected one file per reward model")
    return found


def check_margins(path: str | Path, columns: tuple[Rename, ...] = ()) -> None:
    """DataError unless a row of the file has rewards; reads no further than that row."""
    if next(rows_with_rewards(path, columns), None) is None:
        raise DataError(
            f"{path} contains no rewards; expected the output of rewardsmith score, with a column `rewards` in each row"
        )


def read_rewards(path: str | Path, progress: Progress = SILENT, *, columns: tuple[Rename, ...] = ()) -> RewardsByKey:
    """Rewards by `key`, from a file that `rewardsmith score` wrote; rows that could not be scored have none."""
    found: dict[int, float] = {}
    with progress.task("reading rewards", None, "rows") as task:
        for record, rewards in rows_with_rewards(path, columns):
            task.advance()
            found |= {key(record, at): value for at, value in rewards.items()}
    return found


def rows_with_rewards(path: str | Path, columns: tuple[Rename, ...]) -> Iterator[tuple[Record, dict[int, float]]]:
    """The record of each scored row, and the rewards of its responses by their number in the record."""
    from rewardsmith.data.loading.load import source_order

    for row, record, hashed_order in iterate_rows(str(path), columns=columns):
        if not isinstance(record, Record) or (values := (row or {}).get("rewards")) is None:
            continue
        order, rewards = source_order(record, hashed_order=hashed_order), numbers_of(values, record.place)
        if len(order) != len(rewards):
            raise DataError(f"{record.place} has {len(rewards)} rewards for {len(order)} responses; score it again")
        yield record, dict(zip(order, rewards, strict=True))


def numbers_of(values: Any, place: str) -> list[float]:
    """The rewards of a row; DataError unless they are a list of finite numbers."""
    numbers = values if isinstance(values, list) else [values]
    for value in numbers:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise DataError(f"{place} has the reward {value!r}; expected a finite number per response; score it again")
    return [float(value) for value in numbers]
