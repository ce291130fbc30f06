"""The steps of `calibrate`: read held-out data, score it, fit, judge on left-out prompts, store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.data.splits.sources import hash_records
from rewardsmith.errors import DataError
from rewardsmith.evaluate.corrections.calibration import RewardCalibration
from rewardsmith.evaluate.corrections.effect import CalibrationEffect, measure_effect
from rewardsmith.evaluate.corrections.fitting import FitChoices, apply_calibration, cross_fitted, fit_calibration
from rewardsmith.language import say
from rewardsmith.pipelines.calibrate.pairs import LengthOf, characters, length_in, pairs_of
from rewardsmith.pipelines.calibrate.reading import HeldOutData
from rewardsmith.progress import Progress

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.evaluate.evaluation import Scored
    from rewardsmith.scoring.left_out import LeftOut


@dataclass(frozen=True)
class CalibrationReport:
    """A fitted calibration and what it does to prompts that it was not fitted on.

    `effect` is cross-validated by prompt; None where four fifths of the data are too few to fit on. `overlap` counts records
    by how they stand to the training data, None where that is not known; `dropped` of them were left out. `stored` is the
    reward.json that holds the calibration, None where nothing was written.
    """

    calibration: RewardCalibration
    effect: CalibrationEffect | None
    overlap: Mapping[str, int] | None
    dropped: int
    quarantined: int
    left_out: "LeftOut"
    stored: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it, the curves included."""
        return {
            "methods": list(self.calibration.methods),
            "calibration": self.calibration.to_json(),
            "cross_validated": None if self.effect is None else self.effect.to_json(),
            "overlap": None if self.overlap is None else dict(self.overlap),
            "dropped": self.dropped,
            "quarantined": self.quarantined,
            "left_out": self.left_out.to_json(),
            "stored": None if self.stored is None else str(self.stored),
        }

    def to_text(self) -> str:
        """What was fitted, what it changes, and where it lies."""
        from rewardsmith.pipelines.calibrate.words import figure_lines

        fitted = self.calibration
        parts = ", ".join(say(part) for part in fitted.in_words())
        data = say(fitted.fitted_on)
        lines = [f"fitted on {fitted.comparisons} comparisons of {fitted.prompts} prompts ({data}): {parts}"]
        if self.dropped:
            lines.append(f"{self.dropped} records are in the training data and were excluded")
        if self.quarantined:
            lines.append(f"{self.quarantined} rows could not be read and were excluded")
        lines += self.left_out.lines()
        if self.effect is None:
            lines.append("too few comparisons to cross-validate; evaluate on other data with: evaluate --calibrated")
        else:
            lines += [say("cross-validated by prompt:"), *figure_lines(self.effect.to_json(), fitted.methods)]
        return "\n".join([*lines, *self._where()])

    def _where(self) -> Iterator[str]:
        if self.stored is None:
            yield "not stored: pass --output FOLDER for a copy of the model with it, or --update"
        else:
            yield f"stored in {self.stored}; the raw rewards are the same; used by score and evaluate with --calibrated"


def calibrate_model(
    model: "RewardModel", held: HeldOutData, choices: FitChoices, *, seed: int, progress: Progress
) -> CalibrationReport:
    """Fit the parts asked for on the held-out records; DataError where one of them cannot be."""
    from rewardsmith.pipelines.evaluate.evaluation import score_all

    scored = score_all(model, held.records, progress)
    return calibrate_scored(scored, held, choices, seed=seed, length_of=length_in(unit_of(choices), model))


def calibrate_scored(
    scored: "Scored", held: HeldOutData, choices: FitChoices, *, seed: int, length_of: LengthOf = characters
) -> CalibrationReport:
    """The same for records with their rewards, whoever gave them."""
    if not any(record.comparisons for record in scored.records):
        raise DataError(f"no comparison to calibrate on: {scored.left_out.in_one_line() or 'there are no records'}")
    pairs = pairs_of(scored.records, scored.rewards, length_of)
    fitted = fit_calibration(pairs, choices, fitted_on=held.name, seed=seed)
    left_out = cross_fitted(pairs, choices, seed=seed)
    return CalibrationReport(
        replace(fitted, records=hash_records(scored.records)),
        None if left_out is None else measure_effect(pairs, left_out, seed=seed),
        held.overlap,
        held.dropped,
        len(held.quarantined),
        scored.left_out,
    )


def unit_of(choices: FitChoices) -> Any:
    """The unit in which lengths are measured; also without a curve, to show how the reward goes with length."""
    return choices.unit if "length" in choices.methods else "characters"


def judge_calibration(
    model: "RewardModel", records: Sequence[Any], rewards: Sequence[Any], *, seed: int = 0
) -> Mapping[str, Any]:
    """The object `calibrated` of evaluation.json: what the model's stored calibration does on these records."""
    calibration = model.sidecar.calibration
    assert calibration is not None
    unit = "characters" if calibration.length is None else calibration.length.unit
    pairs = pairs_of(records, rewards, length_in(unit, model))
    effect = measure_effect(pairs, apply_calibration(calibration, pairs), seed=seed)
    return {
        "methods": list(calibration.methods),
        "fitted_on": calibration.fitted_on,
        "fitted_on_these": bool(calibration.records) and calibration.records == hash_records(records),
        **effect.to_json(),
    }
