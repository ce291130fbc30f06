"""The steps of an evaluation: open what gives rewards, read, score, measure, write."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rewardsmith.data.splits.sources import follow_attribute
from rewardsmith.errors import UsageError
from rewardsmith.files import check_output, claimed, prepare_output
from rewardsmith.files.kinds import EVALUATION
from rewardsmith.files.manifest import seal
from rewardsmith.pipelines.ensembles.combine import CombineSettings
from rewardsmith.pipelines.evaluate.config import Config
from rewardsmith.pipelines.evaluate.reading import (
    attribute_of,
    check_inputs,
    split_records,
    training_records,
    validation_records,
)
from rewardsmith.pipelines.evaluate.result import Result
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.rewards.opening import kind_of

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.evaluate.evaluation import Evaluation, Scored
    from rewardsmith.rewards.source import RewardSource
    from rewardsmith.scoring.left_out import LeftOut


def evaluate(config: Config, progress: Progress = SILENT) -> Result:
    """Evaluate one model on the given data."""
    with contextlib.nullcontext() if config.output is None else claimed(config.output, EVALUATION):
        return evaluated(config, progress)


def evaluated(config: Config, progress: Progress) -> Result:
    """The evaluation; its output is claimed."""
    if config.output is not None:
        check_inputs(config, config.output)
        check_output(config.output, EVALUATION, overwrite=config.overwrite)
    by = by_model if kind_of(config.model) == "model" else by_source
    evaluation, quarantined = by(config, progress)
    evaluation = replace(evaluation, summary={**evaluation.summary, **origin_of(config, evaluation.summary)})
    if config.output is not None:
        prepare_output(config.output, EVALUATION, overwrite=config.overwrite)
        evaluation.save(config.output)
        seal(config.output)
    return Result(evaluation.summary, quarantined)


def by_source(config: Config, progress: Progress) -> "tuple[Evaluation, int]":
    """The evaluation of a rewards file, a judge or a model that writes critiques, and how many rows could not be read."""
    from rewardsmith.pipelines.benchmark.pipeline import evaluate_benchmark_by
    from rewardsmith.rewards.opening import open_rewards

    given = {
        "--calibrated": config.calibrated and kind_of(config.model) != "critiqued",
        "--combine": config.combine != CombineSettings(),
    }
    if refused := [flag for flag, value in given.items() if value]:
        raise UsageError(f"{', '.join(refused)}: needs a reward model, and {config.model} is none; remove it")
    source = open_rewards(
        config.model,
        device=config.device,
        dtype=config.dtype,
        allow_mismatch=config.allow_mismatch,
        trust_remote_code=config.trust_remote_code,
    )
    for remark in source.remarks():
        progress.note(remark)
    try:
        if config.benchmark is not None:
            return evaluate_benchmark_by(
                source, config.benchmark, config.sources, strict=config.strict, progress=progress
            )
        return on_preferences_by(config, source, progress)
    finally:
        source.close()


def on_preferences_by(config: Config, source: "RewardSource", progress: Progress) -> "tuple[Evaluation, int]":
    """The evaluation of what is no plain reward model on preference data, and how many rows could not be read."""
    from rewardsmith.pipelines.evaluate.by_source import evaluate_source
    from rewardsmith.rewards.critiqued import CritiquedRewards

    model = source.model.inner if config.calibrated and isinstance(source, CritiquedRewards) else None
    if model is not None:
        from rewardsmith.pipelines.score.calibrated import calibration_of

        calibration_of(model, config.model)  # refused before anything is scored
    judged, split, read = split_records(config, progress)
    attribute = attribute_of(config, judged, None, progress)
    quarantined = read["unreadable"].count
    validation, _ = validation_records(config, attribute, progress)
    evaluation = evaluate_source(
        source,
        follow_attribute(judged, attribute),
        split=split,
        origin=", ".join(config.sources),
        read=read,
        validation=validation,
        progress=progress,
    )
    return evaluation if model is None else with_calibration(config, model, evaluation), quarantined


def by_model(config: Config, progress: Progress) -> "tuple[Evaluation, int]":
    """The evaluation of a reward model, and how many rows could not be read."""
    from rewardsmith.model.reward_model import RewardModel

    model = RewardModel.load(
        config.model,
        device=config.device,
        dtype=config.dtype,
        allow_mismatch=config.allow_mismatch,
        trust_remote_code=config.trust_remote_code,
    )
    model = config.combine.applied(model)
    for remark in model.remarks():
        progress.note(remark)
    return (on_benchmark if config.benchmark else on_preferences)(config, model, progress)


def on_benchmark(config: Config, model: "RewardModel", progress: Progress) -> "tuple[Evaluation, int]":
    """The evaluation by a benchmark's rule, and how many rows could not be read."""
    from rewardsmith.pipelines.benchmark.pipeline import evaluate_benchmark

    return evaluate_benchmark(
        model,
        str(config.benchmark),
        config.sources,
        trained_on=training_records(config, progress),
        strict=config.strict,
        progress=progress,
    )


def on_preferences(config: Config, model: "RewardModel", progress: Progress) -> "tuple[Evaluation, int]":
    """The evaluation on preference data, and how many rows could not be read."""
    from rewardsmith.pipelines.evaluate.evaluation import evaluate_records, score_all
    from rewardsmith.pipelines.evaluate.judged_columns import with_columns
    from rewardsmith.pipelines.evaluate.steps import is_process

    if config.calibrated:
        from rewardsmith.pipelines.score.calibrated import calibration_of

        calibration_of(model, config.model)  # refused before anything is scored
    judged, split, read = split_records(config, progress)
    attribute = attribute_of(config, judged, model, progress)
    records = follow_attribute(judged, attribute)
    quarantined = read["unreadable"].count
    if is_process(model):
        return on_steps(config, model, records, split, read, progress), quarantined
    validation, read_for_validation = validation_records(config, attribute, progress)
    scored = score_all(model, records, progress)
    evaluation = evaluate_records(
        model,
        scored,
        validation=scored_validation(model, validation, read_for_validation) if validation else None,
        trained_on=training_records(config, progress),
        read=read,
        split=split,
        source=", ".join(config.sources),
        progress=progress,
    )
    evaluation = with_columns(evaluation, scored, records, judged)
    evaluation = replace(evaluation, summary={**evaluation.summary, "attribute": attribute})
    return with_calibration(config, model, evaluation) if config.calibrated else evaluation, quarantined


def on_steps(
    config: Config, model: "RewardModel", records: Sequence[Record], split: str, read: "LeftOut", progress: Progress
) -> "Evaluation":
    """The evaluation of a model that judges the steps of solutions."""
    from rewardsmith.pipelines.evaluate.steps import evaluate_steps

    if config.validation:
        raise UsageError("--validation: a model trained with --head process has no temperature to fit; remove it")
    return evaluate_steps(model, records, split=split, source=", ".join(config.sources), read=read, progress=progress)


def with_calibration(config: Config, model: "RewardModel", evaluation: "Evaluation") -> "Evaluation":
    """The evaluation with what the stored calibration changes, under `calibrated`, and each row's calibrated rewards."""
    from rewardsmith.pipelines.calibrate.pipeline import judge_calibration
    from rewardsmith.pipelines.score.calibrated import CalibratedFields

    compared = {id(row.record): row for row in evaluation.rows}
    found = judge_calibration(model, [r.record for r in compared.values()], [r.rewards for r in compared.values()])
    calibrated = CalibratedFields(model, config.model)
    rewards = {key: calibrated.rewards(row.record, row.rewards) for key, row in compared.items()}
    rows = [replace(row, calibrated=rewards[id(row.record)]) for row in evaluation.rows]
    return replace(evaluation, summary={**evaluation.summary, "calibrated": found}, rows=rows)


def origin_of(config: Config, summary: Mapping[str, Any]) -> dict[str, Any]:
    """What was evaluated on what, so that it can be read and scored again."""
    return {
        "model": str(config.model),
        "sources": [str(source) for source in config.sources],
        "map": list(config.map),
        "attribute": summary.get("attribute", config.attribute),
    }


def scored_validation(model: "RewardModel", records: Sequence[Record], read: "LeftOut") -> "Scored":
    """The validation records with their rewards."""
    from rewardsmith.pipelines.evaluate.evaluation import score_all

    scored = score_all(model, records)
    read.add(scored.left_out)
    return replace(scored, left_out=read)
