"""The steps: candidates (generated where asked for), rewards, choice, files. A killed run goes on where it was."""

from dataclasses import asdict
from typing import Any

import numpy as np

from rewardsmith.audit.effect import mean_with_interval
from rewardsmith.data.input.renaming import parse_renames
from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import DataError
from rewardsmith.files import claimed, write_json, write_jsonl
from rewardsmith.files.kinds import BEST_OF_N
from rewardsmith.pipelines.best_of_n.config import Config
from rewardsmith.pipelines.best_of_n.gain import gold_account, reward_curve
from rewardsmith.pipelines.best_of_n.reading import ReadingCounts, read_candidates, several
from rewardsmith.pipelines.best_of_n.result import Result
from rewardsmith.pipelines.best_of_n.selection import PromptCandidates, chosen_of
from rewardsmith.pipelines.best_of_n.writing import PromptChoice, chosen_rows, kto_rows, sft_rows
from rewardsmith.pipelines.continuing import begin_or_continue, nothing_left
from rewardsmith.pipelines.generate.pipeline import generate_source
from rewardsmith.pipelines.score.sources import scored_by_any
from rewardsmith.progress import SILENT, Progress
from rewardsmith.version import VERSION

MARKER = "best_of_n.json"


def best_of_n(config: Config, progress: Progress = SILENT) -> Result:
    """Choose responses and write the folder."""
    with claimed(config.output, BEST_OF_N):
        inputs = [config.model, *input_files([config.source])]
        begin_or_continue(
            config.output, BEST_OF_N, started(config), inputs, overwrite=config.overwrite, progress=progress
        )
        scoring = config.scoring()
        with nothing_left(config.output, BEST_OF_N):
            if config.generator is not None:
                generate_source(config.generation(), progress)
            scored_by_any(scoring, progress)
        counts = ReadingCounts()
        prompts = read_candidates(scoring.output, parse_renames(scoring.map), config.n, counts)
        summary = written(config, prompts, counts)
        write_json(config.output / MARKER, {**started(config), **summary, "finished": True})
    return Result(summary)


def started(config: Config) -> dict[str, Any]:
    """What a folder begins with."""
    return {"rewardsmith": VERSION, "settings": config.deciding()}


def written(config: Config, prompts: list[PromptCandidates], counts: ReadingCounts) -> dict[str, Any]:
    """Choose, write the rows, and tell what was done."""
    among = list(several(prompts))
    if not among:
        raise DataError(
            f"{config.source}: no prompt has two or more scored responses, so that there is nothing to choose; pass "
            "candidates with several responses per prompt, or prompts with --generator and --n"
        )
    choices: list[PromptChoice] = [(one, chosen_of(one, config)) for one in among]
    write_jsonl(config.output / "chosen.jsonl", chosen_rows(choices))
    write_jsonl(config.output / "sft.jsonl", sft := list(sft_rows(choices)))
    write_jsonl(config.output / "kto.jsonl", kto := list(kto_rows(choices)))
    return {
        "settings": config.deciding(),
        "prompts": len(among),
        "responses": sum(len(one.responses) for one in among),
        "chosen": sum(len(chosen) for _, chosen in choices),
        "none_chosen": sum(not chosen for _, chosen in choices),
        "without_choice": len(prompts) - len(among),
        "sft": len(sft),
        "kto": len(kto),
        "gain": gain_of(choices),
        "curve": reward_curve(among),
        "gold": gold_account(among, seed=config.seed),
        "left_out": asdict(counts),
        "output": str(config.output),
    }


def gain_of(choices: list[PromptChoice]) -> dict[str, Any]:
    """By how much the chosen responses' rewards lie above the mean of their prompt, with the interval over prompts."""
    gains = [one.rewards[list(chosen)].mean() - one.rewards.mean() for one, chosen in choices if chosen]
    value, interval = mean_with_interval(np.array(gains), np.arange(len(gains)))
    return {"value": value, "ci": [interval.low, interval.high], "prompts": len(gains)}
