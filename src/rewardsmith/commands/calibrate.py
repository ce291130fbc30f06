"""`rewardsmith calibrate`: rewards without their trend in length, and margins as probabilities, beside the raw rewards."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from rewardsmith.data.splits.sources import Intake, input_files
from rewardsmith.data.splits.splitter import check_split
from rewardsmith.errors import UsageError
from rewardsmith.evaluate.corrections.calibration import CalibrationMethod
from rewardsmith.evaluate.corrections.fitting import FitChoices
from rewardsmith.evaluate.corrections.length import LengthUnit, Smoother
from rewardsmith.files import check_output, check_output_file, claimed, refuse_inside
from rewardsmith.files.kinds import MODEL
from rewardsmith.pipelines.calibrate.pipeline import CalibrationReport
from rewardsmith.pipelines.calibrate.reading import HeldOutData, WhatOverlaps, held_out_records
from rewardsmith.progress import SILENT, Progress
from rewardsmith.rewards.opening import kind_of
from rewardsmith.settings.hardware import DtypeName, check_device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith calibrate`."""

    model: str
    """Reward model with a reward.json: a folder, a run folder, or a Hub name; or a judge file."""
    sources: tuple[str, ...] = ()
    """Held-out preference data: files, folders, the output of `prepare` (its validation split is read), or synthetic:N
    (default: the validation data of the run)."""
    method: tuple[CalibrationMethod, ...] = ("temperature",)
    """What to fit: temperature or isotonic (margins to probabilities), length (rewards without their trend in length);
    repeat the flag for length and one of the others."""
    smoother: Smoother = "lowess"
    """With --method length: how the mean reward by length is estimated, lowess or local-average."""
    smoothing: float | None = None
    """With --method length: share of the responses in each local fit (lowess), or half-width of the window in units of
    length (local-average); default: chosen by 5-fold cross-validation by prompt."""
    length_unit: LengthUnit = "tokens"
    """With --method length: unit of length, tokens (of the response as it is scored) or characters."""
    output: Path | None = None
    """Output folder for a copy of the model with the calibration, or output file for a copy of the judge file."""
    update: bool = False
    """Store the calibration in the model itself; nothing else of it changes."""
    overlap: WhatOverlaps = "refuse"
    """Records that are in the training data of the model: refuse (an error), drop (exclude them) or keep."""
    split: str | None = None
    """Split of prepared or synthetic data: train, validation, test (default: validation of prepared data, else all)."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction or chosen=annotations.best."""
    attribute: str = "overall"
    """Attribute to calibrate on if the data has several, such as helpful or safe."""
    seed: int = 0
    """Random seed of the folds and the bootstrap."""
    dtype: DtypeName = "fp32"
    """Precision of the backbone: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    strict: bool = False
    """Stop at the first invalid row."""
    overwrite: bool = False
    """Replace --output if it is a model folder; other files are never deleted."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        check_split(self.split)
        if not self.method:
            raise UsageError("--method is missing; expected temperature, isotonic or length")
        if {"temperature", "isotonic"} <= set(self.method):
            raise UsageError("--method temperature and --method isotonic exclude each other; choose one")
        if self.output is not None and self.update:
            raise UsageError("--output and --update cannot be combined; write a copy, or change the model itself")
        self._check_smoothing()

    def _check_smoothing(self) -> None:
        """UsageError for settings of the curve that nothing would use, or that make no curve."""
        given = {
            "--smoother": self.smoother != "lowess",
            "--smoothing": self.smoothing is not None,
            "--length-unit": self.length_unit != "tokens",
        }
        unused = [flag for flag, is_given in given.items() if is_given]
        if unused and "length" not in self.method:
            raise UsageError(f"{', '.join(unused)}: only used with --method length; add it, or remove the option")
        highest = 1.0 if self.smoother == "lowess" else float("inf")
        if self.smoothing is not None and not 0 < self.smoothing <= highest:
            expected = "a share above 0 and at most 1" if self.smoother == "lowess" else "a number above 0"
            raise UsageError(f"--smoothing {self.smoothing}: expected {expected}")


Result = CalibrationReport


def run(config: Config, progress: Progress = SILENT) -> CalibrationReport:
    """Fit a calibration on held-out data, and store it where the settings say."""
    kind = kind_of(config.model)
    if kind == "judge":
        return of_judge(config, progress)
    if kind == "verifiable":
        raise UsageError(
            f"{config.model} is a rewards file, which has no place for a calibration; pass a model or a judge file"
        )
    from rewardsmith.pipelines.calibrate.store import model_folder, refuse_elsewhere

    folder = model_folder(config.model)
    place = folder if config.update else config.output
    with contextlib.nullcontext() if place is None else claimed(place, MODEL):
        if config.output is not None:
            refuse_inside(config.output, [config.model, str(folder), *input_files(config.sources)])
            check_output(config.output, MODEL, overwrite=config.overwrite)
            refuse_elsewhere(config.model, folder)
        return stored(config, folder, fitted(config, progress))


def of_judge(config: Config, progress: Progress) -> CalibrationReport:
    """The calibration of a judge, stored in a judge file."""
    from rewardsmith.pipelines.judge.calibration import calibrate_judge, store
    from rewardsmith.rewards.opening import open_rewards

    if "length" in config.method:
        raise UsageError("--method length needs a reward model; for a judge choose temperature or isotonic")
    judge = Path(config.model)
    place = judge if config.update else config.output
    if config.output is not None:
        refuse_inside(config.output, [config.model, *input_files(config.sources)])
        check_output_file(config.output, overwrite=config.overwrite)
    held = held_out(config, progress)
    source = open_rewards(judge, device=config.device, dtype=config.dtype, trust_remote_code=config.trust_remote_code)
    try:
        report = calibrate_judge(source, held, FitChoices(config.method), seed=config.seed, progress=progress)
    finally:
        source.close()
    return store(report, judge, place, overwrite=config.overwrite)


def held_out(config: Config, progress: Progress) -> HeldOutData:
    """The records to fit on."""
    return held_out_records(
        config.model,
        config.sources,
        Intake(config.strict, config.map),
        split=config.split,
        attribute=config.attribute,
        overlap=config.overlap,
        progress=progress,
    )


def fitted(config: Config, progress: Progress) -> CalibrationReport:
    """Read, score and fit; nothing is written."""
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.calibrate.pipeline import calibrate_model

    held = held_out(config, progress)
    if kind_of(config.model) == "critiqued":
        return fitted_critiqued(config, held, progress)
    model = RewardModel.load(
        config.model, device=config.device, dtype=config.dtype, trust_remote_code=config.trust_remote_code
    )
    for remark in model.remarks():
        progress.note(remark)
    return calibrate_model(model, held, choices_of(config), seed=config.seed, progress=progress)


def choices_of(config: Config) -> FitChoices:
    """What is fitted."""
    return FitChoices(config.method, config.smoother, config.smoothing, config.length_unit)


def fitted_critiqued(config: Config, held: HeldOutData, progress: Progress) -> CalibrationReport:
    """The same for a model that writes critiques; lengths are those of the responses, without their critiques."""
    from rewardsmith.critique.model import CritiqueModel
    from rewardsmith.pipelines.calibrate.pairs import length_in
    from rewardsmith.pipelines.calibrate.pipeline import calibrate_scored, unit_of
    from rewardsmith.pipelines.evaluate.by_source import scored_by
    from rewardsmith.rewards.critiqued import CritiquedRewards

    model = CritiqueModel.load(
        config.model, device=config.device, dtype=config.dtype, trust_remote_code=config.trust_remote_code
    )
    for remark in model.remarks():
        progress.note(remark)
    scored, choices = scored_by(CritiquedRewards(model), held.records, progress), choices_of(config)
    length_of = length_in(unit_of(choices), model.inner)
    return calibrate_scored(scored, held, choices, seed=config.seed, length_of=length_of)


def stored(config: Config, folder: Path, report: CalibrationReport) -> CalibrationReport:
    """The report, its calibration written into the model or a copy of it."""
    from rewardsmith.model.checkpoint.sidecar import SIDECAR
    from rewardsmith.pipelines.calibrate.store import store_copy, update

    if config.output is not None:
        store_copy(folder, config.output, report.calibration, overwrite=config.overwrite)
        return replace(report, stored=config.output / SIDECAR)
    if config.update:
        update(folder, report.calibration)
        return replace(report, stored=folder / SIDECAR)
    return report
