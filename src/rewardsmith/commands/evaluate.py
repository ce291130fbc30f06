"""`rewardsmith evaluate`: how good a reward model is on some data, with intervals and beside the null baselines."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.data.splits.sources import (
    Intake,
    SplitRule,
    attributes_of,
    follow_attribute,
    input_files,
    is_prepared,
    load_splits,
    missing_attribute,
    read_records,
)
from rewardsmith.data.splits.splitter import check_split
from rewardsmith.errors import DataError, RewardsmithError, UsageError
from rewardsmith.files import check_output, claimed, prepare_output, refuse_inside
from rewardsmith.files.kinds import EVALUATION
from rewardsmith.files.manifest import seal
from rewardsmith.pipelines.ensembles.combine import CombineSettings
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Quarantined, Record
from rewardsmith.rewards.opening import kind_of
from rewardsmith.settings.hardware import DtypeName, check_device

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.evaluate import Evaluation, Scored
    from rewardsmith.rewards.source import RewardSource
    from rewardsmith.scoring.left_out import LeftOut


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith evaluate`."""

    model: str
    """Reward model: a folder, a run folder, or a Hub name; or a rewards file (YAML, kind: verifiable) with checks of
    responses, or a judge file (YAML, kind: pointwise, pairwise or listwise)."""
    sources: tuple[str, ...] = ()
    """Preference data: files, folders, the output of `prepare` (its test split is read), or synthetic:N; with --benchmark
    the files of the benchmark (default: its data sets on the Hub)."""
    benchmark: str | None = None
    """Score by the published rule of a benchmark: rewardbench, rewardbench-2, rm-bench, judgebench, rmb, llmbar, hhh, ppe,
    m-rewardbench, if-rewardbench, cheemsbench, long-rewardbench, processbench, hh, pku-saferlhf, shp, ultrafeedback,
    or custom."""
    split: str | None = None
    """Split of prepared or synthetic data: train, validation, test (default: test for prepared data, else all data)."""
    validation: tuple[str, ...] = ()
    """Data to fit the temperature and the length rule on (default: 5-fold cross-validation by prompt)."""
    calibrated: bool = False
    """Compare raw and calibrated rewards, by the calibration stored in the model, with paired intervals."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction or chosen=annotations.best."""
    attribute: str = "overall"
    """Attribute to evaluate on if the data has several, such as helpful or safe."""
    combine: CombineSettings = CombineSettings()  # noqa: RUF009 - frozen
    output: Path | None = None
    """Output folder for evaluation.json and comparisons.jsonl, which diagnose and compare read."""
    dtype: DtypeName = "fp32"
    """Precision of the backbone: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    allow_mismatch: bool = False
    """Evaluate even if the probes (conversations stored with their rewards to check the model) no longer give the
    stored rewards; the verdict and the card then state it."""
    strict: bool = False
    """Stop at the first invalid row."""
    overwrite: bool = False
    """Replace the output of an earlier run of this command in --output; other files are never deleted."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        check_split(self.split)
        if self.benchmark is None and not self.sources:
            raise UsageError("SOURCES is missing; expected preference data, or --benchmark NAME")
        if self.benchmark is not None:
            self._check_benchmark()

    def _check_benchmark(self) -> None:
        """UsageError for a name that is unknown, data that only a path can tell, or a setting that a rule does not have."""
        from rewardsmith.pipelines.benchmark.catalogue import sources_of

        sources_of(str(self.benchmark), self.sources)
        given = {
            "--split": self.split,
            "--validation": self.validation,
            "--map": self.map,
            "--calibrated": self.calibrated,
        }
        refused = [flag for flag, value in given.items() if value] + ["--attribute"] * (self.attribute != "overall")
        if refused:
            raise UsageError(f"{', '.join(refused)}: not used with --benchmark, whose rule decides; remove it")


@dataclass(frozen=True)
class Result:
    """`summary` is what `evaluation.json` holds, by the names in docs/metrics.md; `quarantined` rows were not read.

    Those are n, accuracy, auc, nll, brier, ece, temperature, baselines and more; one that cannot be computed is None.
    `left_out` tells what of the data was not used whole, by reason.
    """

    summary: Mapping[str, Any]
    quarantined: int

    def to_json(self) -> dict[str, Any]:
        """All figures; see docs/metrics.md."""
        return {**self.summary, "quarantined": self.quarantined}

    def to_text(self) -> str:
        """The figures a person asks for first."""
        from rewardsmith.pipelines.benchmark.result import benchmark_lines
        from rewardsmith.pipelines.calibrate.words import judged_lines
        from rewardsmith.pipelines.judged_columns import column_lines
        from rewardsmith.report.figures import overlap_line, table
        from rewardsmith.scoring.left_out import left_out_from

        summary = self.summary
        if "process" in summary:
            return "\n".join(step_text(summary))
        benchmark = summary.get("benchmark")
        own = benchmark_lines(benchmark) if benchmark else ()
        account, held = (left_out_from(summary.get(f"left_out{part}")) for part in ("", "_validation"))
        lines = [*own, *table(summary), *column_lines(summary), *judged_lines(summary), *overlap_line(summary)]
        lines += [*account.lines(), *held.lines("validation data")]
        return "\n".join(lines)


def step_text(summary: Mapping[str, Any]) -> list[str]:
    """The figures of a model that judges steps, by a benchmark's rule too where there is one."""
    from rewardsmith.pipelines.benchmark.result import benchmark_lines
    from rewardsmith.pipelines.steps import step_lines
    from rewardsmith.scoring.left_out import left_out_from

    benchmark = summary.get("benchmark")
    own = benchmark_lines(benchmark) if benchmark else ()
    return [*own, *step_lines(summary), *left_out_from(summary.get("left_out")).lines()]


def run(config: Config, progress: Progress = SILENT) -> Result:
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
    from rewardsmith.pipelines.evaluate_source import evaluate_source
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
    from rewardsmith.pipelines.evaluate import evaluate_records, score_all
    from rewardsmith.pipelines.judged_columns import with_columns
    from rewardsmith.pipelines.steps import is_process

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
    from rewardsmith.pipelines.steps import evaluate_steps

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


def training_records(config: Config, progress: Progress) -> Sequence[Record]:
    """What the model was trained on, where it lies in a run whose data is still there; why not is noted."""
    from rewardsmith.pipelines.run_data import data_run_of, read_run_data

    run = data_run_of(config.model)
    if run is None:
        progress.note(f"{config.model} is not in a run folder, so overlap with its training data is not checked")
        return ()
    try:
        return read_run_data(run, progress).splits.train
    except RewardsmithError as error:
        progress.note(f"overlap with the training data is not checked: {error}")
        return ()


def check_inputs(config: Config, output: Path) -> None:
    """OutputError where emptying the output would delete the model or the data."""
    inner = str(Path(config.model) / "model")  # where a run folder has its model
    refuse_inside(output, [config.model, inner, *input_files([*config.sources, *config.validation])])


def validation_records(config: Config, attribute: str, progress: Progress) -> "tuple[list[Record], LeftOut]":
    """The records to fit the temperature on, and what was read for them."""
    if not config.validation:
        return [], rows_read(0, ())
    loaded = read_records(config.validation, Intake(map=config.map), progress=progress)
    return follow_attribute(loaded.records, attribute), rows_read(loaded.rows, loaded.quarantined)


def scored_validation(model: "RewardModel", records: Sequence[Record], read: "LeftOut") -> "Scored":
    """The validation records with their rewards."""
    from rewardsmith.pipelines.evaluate import score_all

    scored = score_all(model, records)
    read.add(scored.left_out)
    return replace(scored, left_out=read)


def rows_read(rows: int, quarantined: Sequence[Quarantined]) -> "LeftOut":
    """An account that begins with the input rows."""
    from rewardsmith.scoring.left_out import LeftOut

    account = LeftOut()
    account.read(rows, quarantined)
    return account


def attribute_of(config: Config, records: Sequence[Record], model: "RewardModel | None", progress: Progress) -> str:
    """The attribute to judge by: --attribute, or, where no comparison is of the whole, the one that a model whose head
    learns attributes was trained to follow, which is noted.

    DataError where nothing is said about it.
    """
    from rewardsmith.pipelines.train.head import followed_attribute

    head = None if model is None or model.sidecar.head is None else model.sidecar.head.name
    attribute = followed_attribute(head, config.attribute, records)
    if problem := missing_attribute(attribute, attributes_of(records)):
        raise DataError(problem)
    if attribute != config.attribute:
        progress.note(
            f"no comparison has the attribute {config.attribute!r}; accuracy is that on comparisons of {attribute!r}"
        )
    return attribute


def split_records(config: Config, progress: Progress) -> "tuple[Sequence[Record], str, LeftOut]":
    """The records of the split, with all that is said about them."""
    intake = Intake(config.strict, config.map)
    prepared = len(config.sources) == 1 and is_prepared(Path(config.sources[0]))
    if not prepared and config.split is None:
        loaded = read_records(config.sources, intake, progress=progress)
        return loaded.records, "all", rows_read(loaded.rows, loaded.quarantined)
    name = config.split or "test"
    rule = SplitRule(advice="add data, or remove --split to evaluate on all data")
    splits = load_splits(config.sources, validation=(), test=(), rule=rule, intake=intake, progress=progress)
    return getattr(splits, name), name, rows_read(*splits.read["train"])
