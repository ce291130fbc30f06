"""The steps of a bench: a reference policy, a reward model per seed, a run per objective and seed, the report."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.align.policy_gradient.loop import LoopSettings, train_policy
from rewardsmith.align.policy_gradient.outcome import outcome_of
from rewardsmith.files import claimed, write_json, write_jsonl
from rewardsmith.files.kinds import POLICY_BENCH
from rewardsmith.files.reading import read_bytes
from rewardsmith.language import current
from rewardsmith.pipelines.continuing import begin_or_continue
from rewardsmith.pipelines.policy_bench.config import Config, ObjectiveName
from rewardsmith.pipelines.policy_bench.objectives import (
    PolicyTask,
    SeedModel,
    bench_of,
    model_of,
    names_of,
    objective_of,
)
from rewardsmith.pipelines.policy_bench.result import Result, summary_of
from rewardsmith.progress import SILENT, Progress, Task
from rewardsmith.rewards.opening import open_rewards
from rewardsmith.rewards.source import RewardSource
from rewardsmith.version import VERSION

MARKER = "policy_bench.json"
LogRow = dict[str, Any]


def policy_bench(config: Config, progress: Progress = SILENT) -> Result:
    """Train the policies and write the folder; runs that an interrupted bench finished are kept."""
    from rewardsmith.report.alignment.policy_bench import write_policy_bench

    started = {"rewardsmith": VERSION, "settings": config.deciding()}
    inputs = [] if config.model is None else [config.model]
    with claimed(config.output, POLICY_BENCH):
        begin_or_continue(config.output, POLICY_BENCH, started, inputs, overwrite=config.overwrite, progress=progress)
        source = None if config.model is None else opened(config, progress)
        runs = list(all_runs(config, bench_of(config, source), progress))
        summary = {**started, "runs": [run["summary"] for run in runs], "objectives": summary_of(runs)}
        summary["output"] = str(config.output)
        write_policy_bench(summary, [(run["summary"], run["log"]) for run in runs], config.output, lang=current())
        write_json(config.output / MARKER, {**summary, "finished": True})
    return Result(summary)


def opened(config: Config, progress: Progress) -> RewardSource:
    """The MODEL under test."""
    assert config.model is not None
    source = open_rewards(
        config.model, device=config.device, dtype=config.dtype, trust_remote_code=config.trust_remote_code
    )
    for remark in source.remarks():
        progress.note(remark)
    return source


def all_runs(config: Config, bench: PolicyTask, progress: Progress) -> Iterator[dict[str, Any]]:
    """Every run, seed by seed: its summary and its log."""
    names: Sequence[ObjectiveName] = ()
    for seed in range(config.seed, config.seed + config.seeds):
        model = model_of(bench, config, seed)
        names = names or names_of(config, model.count)
        for name in names:
            with progress.task(f"{name} {seed}", config.steps, "steps") as task:
                log = run_log(config, bench, model, name, seed, task)
            summary = {"objective": name, "seed": seed, **outcome_of(columns_of(log)).to_json()}
            yield {"summary": summary, "log": log}


def run_log(
    config: Config, bench: PolicyTask, model: SeedModel, name: ObjectiveName, seed: int, task: Task
) -> list[LogRow]:
    """The rows of a run: those of its file where an interrupted bench has written it, else of a new run."""
    path = config.output / "runs" / f"{name}-{seed}.jsonl"
    if path.is_file():
        task.advance(config.steps)
        return read_rows(path)
    rows = []
    objective = objective_of(name, model, bench, config)
    for log in train_policy(bench.task, bench.reference, objective, bench.prompts, loop_settings(config, seed)):
        rows.append(log.to_json())
        task.advance(1, proxy=log.proxy, gold=log.gold)
    path.parent.mkdir(exist_ok=True)
    write_jsonl(path, rows)
    return rows


def read_rows(path: Path) -> list[LogRow]:
    """The rows of a log."""
    return [orjson.loads(line) for line in read_bytes(path).splitlines()]


def loop_settings(config: Config, seed: int) -> LoopSettings:
    """The settings of a run's loop."""
    names = ("algorithm", "steps", "prompts", "responses", "lr", "kl", "clip", "epochs")
    return LoopSettings(seed=seed, **{name: getattr(config, name) for name in names})


def columns_of(rows: Sequence[LogRow]) -> dict[str, list[Any]]:
    """Rows of a log as columns."""
    return {name: [row[name] for row in rows] for name in rows[0]}
