"""The loop: iterations of phases, each of which is done once, whatever ends the process in between.

Every phase writes its output under its final name when it is whole, and is passed over where that is there. Within a phase
`generate` keeps every finished sample and `dpo` its checkpoints. Samples depend on seed, prompt and number alone, so a loop
that was killed anywhere ends with the ledger of one that was not.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import OutputError, UsageError
from rewardsmith.files import (
    check_output,
    claimed,
    prepare_output,
    refuse_inside,
    write_folder,
    write_json,
    write_jsonl,
)
from rewardsmith.files.kinds import LANGUAGE_MODEL, SELF_REWARD
from rewardsmith.files.reading import read_object
from rewardsmith.language import current
from rewardsmith.pipelines.self_reward.config import SELF, Config
from rewardsmith.pipelines.self_reward.ledger import (
    candidates_told,
    is_worse,
    stop_after_training,
    stop_before_training,
    training_told,
)
from rewardsmith.pipelines.self_reward.measuring import labelled_records, measure
from rewardsmith.pipelines.self_reward.places import LoopPlaces
from rewardsmith.pipelines.self_reward.prompts import write_prompts
from rewardsmith.pipelines.self_reward.result import Result
from rewardsmith.pipelines.self_reward.scoring import opened
from rewardsmith.pipelines.self_reward.variants import OWN, Turn, make_pairs, smoothing_of, train, trained
from rewardsmith.progress import SILENT, Progress
from rewardsmith.settings.fields import values_of
from rewardsmith.verifiable.definition import is_definition
from rewardsmith.version import VERSION

MAY_CHANGE = frozenset({"output", "resume", "overwrite", "iterations", "device", "threads", "generation_batch"})
"""Settings with which a loop may be continued that did not begin with them."""


def self_reward(config: Config, progress: Progress = SILENT) -> Result:
    """Run the loop to its end; returns what `ledger.jsonl` and `self_reward.json` hold."""
    if config.threads:
        import torch

        torch.set_num_threads(config.threads)
    places = LoopPlaces(config.output)
    with claimed(config.output, SELF_REWARD):
        begin(config, places, progress)
        measure(config, places, 0, config.model, progress)
        rows = iterations(config, places, progress)
        return finish(config, places, rows)


def begin(config: Config, places: LoopPlaces, progress: Progress) -> None:
    """Make the folder with its prompts, or make sure that the one to continue began with the same settings."""
    settings = {**settings_json(config), **contents(config)}
    if config.resume:
        before = read_object(places.settings)
        if not before:
            raise OutputError(f"{config.output} contains no loop to resume; start without --resume")
        refuse_changes(before["settings"], settings)
        if before["iterations"] != config.iterations and config.prompts_per_iteration is not None:
            raise UsageError("--iterations of a loop with --prompts-per-iteration cannot change; start it again")
    else:
        given = [config.prompts, config.eval_prompts, config.rewards, config.independent, config.model]
        refuse_inside(config.output, [*filter(None, given), *input_files([config.prompts, *config.labelled])])
        check_output(config.output, SELF_REWARD, overwrite=config.overwrite)
        check_measures(config)
        prepare_output(config.output, SELF_REWARD, overwrite=config.overwrite)
        write_json(places.settings, {**head(config), "settings": settings, "finished": False})
    if not places.eval_prompts.is_file() or not places.iteration(config.iterations).prompts.is_file():
        counts = write_prompts(config, places, progress)
        progress.note(f"{counts['prompts']} prompts to train on, {counts['eval_prompts']} to measure on")


def check_measures(config: Config) -> None:
    """Look at the model, open the rewards and read the labelled data once, so that a wrong name is told before anything is
    made.
    """
    from rewardsmith.generate.local.model import refuse_no_language_model

    refuse_no_language_model(config.model)
    labelled_records(config)
    for name in {config.rewards, config.independent} - {SELF, None}:
        opened(config, str(name)).close()


def head(config: Config) -> dict[str, Any]:
    """What tells a folder to be one of a loop, and what was asked for."""
    return {
        "rewardsmith": VERSION,
        "variant": config.variant,
        "rewards": config.rewards,
        "iterations": config.iterations,
    }


def settings_json(config: Config) -> dict[str, Any]:
    """The settings that decide what a loop does, as JSON keeps them."""
    values = {key: value for key, value in values_of(config).items() if key not in MAY_CHANGE}
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain


def contents(config: Config) -> dict[str, str]:
    """What the rewards files and judge files contain, as hashes: an edited one gives other rewards under the same name."""
    files = {"rewards": config.rewards, "independent": config.independent}
    return {
        f"{key}.sha256": hashlib.sha256(Path(name).read_bytes()).hexdigest()[:12]
        for key, name in files.items()
        if name is not None and is_definition(str(name))
    }


def refuse_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """UsageError that lists what differs from the loop that is to be continued; contents are compared where it has them."""
    known = {key: value for key, value in now.items() if key in before or not key.endswith(".sha256")}
    changed = [f"{key}: {before.get(key)!r} → {value!r}" for key, value in known.items() if before.get(key) != value]
    if changed:
        raise UsageError(f"this loop cannot be resumed because its settings changed: {'; '.join(changed)}")


def iterations(config: Config, places: LoopPlaces, progress: Progress) -> list[dict[str, Any]]:
    """The rows of all iterations, up to the one that ends the loop."""
    rows: list[dict[str, Any]] = []
    model = config.model
    for number in range(1, config.iterations + 1):
        turn = Turn(config, places, number, model, progress)
        row = read_object(turn.here.row) if turn.here.row.is_file() else iteration(turn)
        rows.append(row)
        write_jsonl(places.ledger, rows)
        progress.note(f"iteration {number}: {row['pairs']['pairs']} pairs; {row['stop'] or 'trained'}")
        if row["stop"] is not None:
            break
        model = trained(turn.here)
    return rows


def iteration(turn: Turn) -> dict[str, Any]:
    """One iteration, from its candidates to its row of the ledger."""
    counts = make_pairs(turn)
    smoothing, consistency = smoothing_of(turn)
    told = candidates_told(turn)
    row = {
        "iteration": turn.number,
        "variant": turn.config.variant,
        **told,
        "pairs": {name: value for name, value in counts.items() if name != "problems"},
        "consistency": consistency,
        "label_smoothing": smoothing,
        "training": None,
        "measured": None,
        "worse": False,
    }
    stop = stop_before_training(turn.config, told, counts, consistency)
    if stop is None:
        summary = train(turn, OWN, OWN, label_smoothing=smoothing)
        measured = measure(turn.config, turn.places, turn.number, trained(turn.here), turn.progress)
        row |= {"training": training_told(summary), "measured": measured, "worse": is_worse(turn.config, measured)}
        stop = stop_after_training(turn.config, measured)
    row["stop"] = stop
    write_json(turn.here.row, row)
    return row


def finish(config: Config, places: LoopPlaces, rows: list[dict[str, Any]]) -> Result:
    """Keep the last good model in its own folder, write the report, and mark the loop as finished."""
    from rewardsmith.report.alignment.writing import write_loop_report

    good = [row["iteration"] for row in rows if row["training"] is not None and not row["worse"]]
    if good:
        source = Path(trained(places.iteration(good[-1])))
        write_folder(places.model, lambda place: copied(source, place), LANGUAGE_MODEL, overwrite=True)
    base = read_object(places.iteration(0).measured)
    summary = {
        **head(config),
        "settings": settings_json(config),
        "model": config.model,
        "independent": config.independent,
        "own": config.rewards == SELF,
        "chosen": good[-1] if good else None,
        "model_folder": str(places.model) if good else None,
        "stop": rows[-1]["stop"],
        "base": base,
        "finished": True,
    }
    write_loop_report(summary, rows, config.output, lang=current())
    write_json(places.settings, summary)
    return Result(summary, rows)


def copied(source: Path, place: Path) -> None:
    """Copy a model folder into an empty one."""
    shutil.copytree(source, place, dirs_exist_ok=True)


def read_ledger(places: LoopPlaces) -> list[dict[str, Any]]:
    """The rows that are there."""
    return [orjson.loads(line) for line in places.ledger.read_bytes().splitlines()]
