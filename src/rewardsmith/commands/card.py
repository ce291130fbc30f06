"""`rewardsmith card`: write the model card, `README.md` in the model's folder, from what the run measured."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import ModelError, OutputError, UsageError
from rewardsmith.language import current
from rewardsmith.pipelines.publish.card import CARD, gather, may_write, model_folder, write_to
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    pass

LANGUAGE_CODE = re.compile(r"[a-z]{2,3}")
LICENSE_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith card`."""

    run: Path
    """Run folder of train, or a model folder."""
    evaluation: Path | None = None
    """Output folder of evaluate with the results to show (default: those in the run folder)."""
    license: str | None = None
    """License of the model, by its identifier on the Hub, such as apache-2.0 (default: unknown)."""
    languages: tuple[str, ...] = ()
    """Languages of the data as ISO 639 codes, such as en zh."""
    overwrite: bool = False
    """Replace a card that was edited or written by hand."""

    def __post_init__(self) -> None:
        for code in self.languages:
            if not LANGUAGE_CODE.fullmatch(code):
                raise UsageError(f"--languages {code}: expected ISO 639 codes of two or three letters, as in: en zh")
        if self.license is not None and not LICENSE_NAME.fullmatch(self.license):
            raise UsageError(
                f"--license {self.license}: expected a name of the hub's list, such as apache-2.0 or other"
            )


@dataclass(frozen=True)
class Result:
    """Where the card lies, and whether it tells results."""

    card: Path
    evaluated: bool

    def to_json(self) -> dict[str, Any]:
        """`card`, `evaluated`."""
        return {"card": str(self.card), "evaluated": self.evaluated}

    def to_text(self) -> str:
        """The card's path."""
        without = "" if self.evaluated else " (without results, because the model was not evaluated)"
        return f"wrote {self.card}{without}"


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Write the card; OutputError where one is there that a person wrote and `overwrite` is not set."""
    from rewardsmith.model.checkpoint.intact import check_model
    from rewardsmith.report.card.page import render_card

    folder = model_folder(config.run)
    if folder is None:
        raise ModelError(
            f"{config.run} contains no rewardsmith model (no reward.json); pass a run folder of train, or its model/"
        )
    check_model(folder)
    path = folder / CARD
    if not (config.overwrite or may_write(path)):
        raise OutputError(f"{path} was edited; pass --overwrite to replace it")
    card = gather(folder, evaluated=config.evaluation, license=config.license, languages=config.languages)
    write_to(path, render_card(card, lang=current()))
    return Result(path, card.facts is not None)
