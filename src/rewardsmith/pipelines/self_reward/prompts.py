"""The prompts of the loop: those to train on by iteration, and those to measure on, written once as files."""

from collections.abc import Sequence
from typing import Any

from rewardsmith.data.formats.native import message_row
from rewardsmith.data.splits.splitter import group_key
from rewardsmith.errors import DataError
from rewardsmith.files import write_jsonl
from rewardsmith.pipelines.generate.reading import PromptRow, read_prompts
from rewardsmith.pipelines.self_reward.config import Config
from rewardsmith.pipelines.self_reward.places import LoopPlaces
from rewardsmith.progress import Progress
from rewardsmith.records import Quarantined

FEWEST = 2


def write_prompts(config: Config, places: LoopPlaces, progress: Progress) -> dict[str, int]:
    """Write the prompts of every iteration, and those to measure on; how many of each kind there are.

    DataError where there are too few, or a row cannot be read.
    """
    found = distinct(rows_of(config, config.prompts, progress))
    training, measured = divided(config, found, progress)
    needed = FEWEST if config.prompts_per_iteration is None else config.prompts_per_iteration * config.iterations
    if len(training) < needed or len(measured) < FEWEST:
        raise DataError(
            f"{config.prompts} has {len(training)} distinct prompts to train on and {len(measured)} to measure on; expected "
            f"at least {needed} and {FEWEST}"
        )
    write_jsonl(places.eval_prompts, map(row_of, measured))
    for number in range(1, config.iterations + 1):
        write_jsonl(places.iteration(number).prompts, map(row_of, part(training, config, number)))
    return {"prompts": len(training), "eval_prompts": len(measured)}


def divided(config: Config, found: Sequence[PromptRow], progress: Progress) -> tuple[list[PromptRow], list[PromptRow]]:
    """The prompts to train on, and those to measure on: of a file of their own, which are not trained on, or a share."""
    if config.eval_prompts is None:
        own = {row.turns for row in found if held_out(row, config)}
        measured = [row for row in found if row.turns in own]
    else:
        measured = distinct(rows_of(config, config.eval_prompts, progress))
        own = {row.turns for row in measured}
    return [row for row in found if row.turns not in own], measured


def rows_of(config: Config, source: str, progress: Progress) -> list[PromptRow]:
    """The prompts of a source; DataError that names the first row which is none."""
    from rewardsmith.data.input.renaming import parse_renames

    rows: list[PromptRow] = []
    for row in read_prompts(source, columns=parse_renames(config.map), system=config.system, note=progress.note):
        if isinstance(row, Quarantined):
            raise DataError(f"{row.file}:{row.line}: {row.reason}")
        rows.append(row)
    return rows


def distinct(rows: Sequence[PromptRow]) -> list[PromptRow]:
    """Each prompt once, the first row of several."""
    return list({row.turns: row for row in reversed(rows)}.values())[::-1]


def held_out(row: PromptRow, config: Config) -> bool:
    """Whether a prompt is measured on: by a hash of its content and the seed."""
    said = "\x1e".join("\x1f".join(turn.parts) for turn in row.turns)
    return group_key(f"{config.seed}:{said}") / 2**64 < config.eval_share


def part(training: Sequence[PromptRow], config: Config, number: int) -> Sequence[PromptRow]:
    """The prompts of one iteration."""
    size = config.prompts_per_iteration
    return training if size is None else training[(number - 1) * size : number * size]


def row_of(row: PromptRow) -> dict[str, Any]:
    """A prompt with its other columns, as `generate` reads it."""
    return {**row.fields, "messages": [message_row(turn) for turn in row.turns]}
