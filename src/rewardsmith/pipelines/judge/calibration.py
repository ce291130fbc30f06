"""A judge's margins fitted on labelled data, and stored in a copy of its file or in the file itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from rewardsmith.errors import OutputError
from rewardsmith.evaluate.corrections.calibration import RewardCalibration
from rewardsmith.evaluate.corrections.fitting import FitChoices
from rewardsmith.files import write_bytes
from rewardsmith.judge.definition import judge_of
from rewardsmith.pipelines.calibrate.pipeline import CalibrationReport, calibrate_scored
from rewardsmith.pipelines.calibrate.reading import HeldOutData
from rewardsmith.pipelines.evaluate.by_source import scored_by
from rewardsmith.progress import Progress
from rewardsmith.rewards.source import RewardSource
from rewardsmith.settings.yaml_file import plain_values

BLOCK = re.compile(r"^calibration[ \t]*:[^\n]*\n?(?:[ \t]+[^\n]*\n?|[ \t]*\n(?=[ \t]))*", re.MULTILINE)
"""The calibration in a judge file, with the lines below it that are indented."""


@dataclass(frozen=True)
class JudgeCalibration(CalibrationReport):
    """A calibration of a judge; `stored` is the judge file that holds it."""

    def _where(self) -> Iterator[str]:
        if self.stored is None:
            yield "not stored: pass --output FILE for a copy of the judge file with it, or --update"
        else:
            yield f"stored in {self.stored}; the rewards are the same; used by judge --label"


def calibrate_judge(
    source: RewardSource, held: HeldOutData, choices: FitChoices, *, seed: int, progress: Progress
) -> JudgeCalibration:
    """Fit a temperature or an isotonic map; DataError where it cannot be."""
    report = calibrate_scored(scored_by(source, held.records, progress), held, choices, seed=seed)
    return JudgeCalibration(**vars(report))


def store(report: JudgeCalibration, judge: Path, place: Path | None, *, overwrite: bool) -> JudgeCalibration:
    """The report, its calibration written into `place`: a new judge file, or `judge` itself."""
    if place is None:
        return report
    if place != judge and place.exists() and not overwrite:
        raise OutputError(f"{place} already exists; choose another output or pass --overwrite")
    content = with_calibration(judge, report.calibration).encode()
    judge_of(plain_values(content, place), str(place))  # before it replaces anything
    write_bytes(place, content)
    return replace(report, stored=place)


def with_calibration(judge: Path, calibration: RewardCalibration) -> str:
    """A judge file with this calibration in the place of any other.

    Everything else stays as it is written, but of a file in braces, which is written anew.
    """
    text = judge.read_text(encoding="utf-8")
    if text.lstrip().startswith("{"):
        value = {**plain_values(text.encode(), judge), "calibration": calibration.to_json()}
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"
    rest = BLOCK.sub("", text).rstrip("\n")
    block = orjson.dumps({"calibration": calibration.to_json()}).decode()[
        1:-1
    ]  # JSON is YAML; without its outer braces
    return f"{rest}\n{block}\n"
