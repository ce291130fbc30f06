"""What a finished run came to, as its folder tells it: figures with intervals, verdict, and files to keep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.files import hash_text
from rewardsmith.files.reading import read_bytes, read_object, taking_from
from rewardsmith.settings.yaml_file import plain_values

FILES = ("report.html", "report.md", "report.json", "evaluation.json", "train.json", "config.yaml")
WORDS: tuple[str, ...] = ("verdict", "headline", "next_action", "ready")
OF_THE_RUN = (
    "train_loss",
    "best_step",
    "best_validation_loss",
    "seconds",
    "pairs_per_second",
    "tokens_per_second",
    "parameters",
    "trainable_parameters",
)


@dataclass(frozen=True)
class Outcome:
    """`figures` belong to `step`; `words` are the verdict's label, headline and next action (none without a report)."""

    step: int
    figures: Mapping[str, float]
    words: Mapping[str, str]
    report: str
    files: tuple[Path, ...]

    def digest(self) -> str:
        """Changes when the figures or the words do; a record that has this outcome needs it only once."""
        return hash_text(repr((self.step, sorted(self.figures.items()), sorted(self.words.items()))))


def read_outcome(folder: Path) -> Outcome:
    """The outcome of the run in `folder`; what was not written (`--no-report`) is left out."""
    summary, evaluation = read_object(folder / "train.json"), read_object(folder / "evaluation.json")
    verdict, page = read_object(folder / "report.json"), folder / "report.md"
    with taking_from(folder / "train.json"):
        figures = {f"run/{name}": float(summary[name]) for name in OF_THE_RUN if summary.get(name) is not None}
        step = int(summary.get("steps", 0))
    with taking_from(folder / "evaluation.json"):
        figures.update(numbers(evaluation, str(evaluation.get("split", "test"))))
    words: dict[str, str] = {name: str(verdict[name]) for name in WORDS if name in verdict}
    return Outcome(
        step=step,
        figures=figures,
        words=words,
        report=page.read_text(encoding="utf-8") if page.is_file() else "",
        files=tuple(folder / name for name in FILES if (folder / name).is_file()),
    )


def numbers(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """Numbers as `test/accuracy`, the ends of their intervals as `test/accuracy_low` and `_high`, baselines below.

    Tables (by category, reliability) stay in the report; null, which is a number that cannot be said, is left out.
    """
    for key, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}/{key}", float(value)
        elif key.endswith("_ci"):
            for name, end in zip(("low", "high"), value, strict=True):
                if end is not None:
                    yield f"{prefix}/{key.removesuffix('_ci')}_{name}", float(end)
        elif key == "baselines":
            for name, found in value.items():
                yield from numbers(found, f"{prefix}/baseline_{name}")


def settings_of(folder: Path) -> dict[str, Any]:
    """The settings as given (`config.yaml`), and over them those that the run found out by itself (`settings.json`)."""
    given = folder / "config.yaml"
    asked = plain_values(read_bytes(given), given) if given.exists() else {}
    return {**asked, **read_object(folder / "settings.json")}


def as_text(value: Any) -> str:
    """A setting in one line, for trackers whose parameters are text."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
