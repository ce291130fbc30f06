"""`rewardsmith card`: write the model card, `README.md` in the model's folder, from what the run measured."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import ModelError, OutputError, UsageError
from rewardsmith.language import current
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.diagnose.facts import Facts
    from rewardsmith.diagnose.reading import facts_from_folder
    from rewardsmith.report.model_card import ModelCard

CARD = "README.md"
LANGUAGE_CODE = re.compile(r"[a-z]{2,3}")
LICENSE_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith card`."""

    run: Path
    """Run folder of train, or a model's folder."""
    evaluation: Path | None = None
    """Output folder of evaluate with the results to show (default: those in the run folder)."""
    license: str | None = None
    """License of the model by its name on the hub, such as apache-2.0 (default: unknown)."""
    languages: tuple[str, ...] = ()
    """Languages of the data, as ISO 639 codes: en, zh."""
    overwrite: bool = False
    """Replace a card that somebody changed or wrote."""

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
        without = "" if self.evaluated else " (without results: the model was not evaluated)"
        return f"wrote {self.card}{without}"


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Write the card; OutputError where one is there that a person wrote and `overwrite` is not set."""
    from rewardsmith.model.intact import check_model
    from rewardsmith.report.model_card import render_card

    folder = model_folder(config.run)
    if folder is None:
        raise ModelError(
            f"{config.run} holds no model of rewardsmith (no reward.json); give a run folder of train, or its model/"
        )
    check_model(folder)
    path = folder / CARD
    if not (config.overwrite or may_write(path)):
        raise OutputError(f"{path} was changed by hand; pass --overwrite to write it anew")
    card = gather(config, folder)
    write_to(path, render_card(card, lang=current()))
    return Result(path, card.facts is not None)


def refresh(run_folder: Path, *, facts: "Facts | None" = None, progress: Progress = SILENT) -> None:
    """Write the card of a run anew, in the language spoken; one that a person changed stays as it is, which is noted.

    `facts` are those of the run where they have been read already.
    """
    from rewardsmith.files.manifest import listed
    from rewardsmith.model.intact import model_faults
    from rewardsmith.report.model_card import render_card

    folder = model_folder(run_folder)
    if folder is None:
        return
    if faults := model_faults(folder):
        progress.note(f"{folder} is damaged: {listed(faults)}; its card stays as it is")
        return
    if may_write(folder / CARD):
        card = gather(Config(run=run_folder), folder, facts)
        write_to(folder / CARD, render_card(card, lang=current()))
    else:
        progress.note(f"{folder / CARD} was changed by hand and stays; `rewardsmith card --overwrite` writes it anew")


def model_folder(place: Path) -> Path | None:
    """The folder with the weights and `reward.json`: the place itself or its `model/`; None where there is none."""
    return next((folder for folder in (place, place / "model") if (folder / "reward.json").is_file()), None)


def may_write(path: Path) -> bool:
    """Whether no card is there, or one that nobody changed since it was written."""
    from rewardsmith.files.reading import read_text
    from rewardsmith.report.model_card import is_ours

    return not path.exists() or is_ours(read_text(path))


def edited(path: Path) -> bool:
    """Whether a file is a card that a person changed or wrote."""
    return path.name == CARD and not may_write(path)


def write_to(path: Path, text: str) -> None:
    """Write the card; what is no text (half a surrogate pair in a label) becomes a question mark."""
    from rewardsmith.files import write_text

    write_text(path, text.encode("utf-8", "replace").decode())


def gather(config: Config, folder: Path, facts: "Facts | None" = None) -> "ModelCard":
    """All that is known about the model in `folder`, from its files and those of its run (`facts`, if read already)."""
    from rewardsmith.diagnose.verdict import judge
    from rewardsmith.files.reading import read_object, read_text
    from rewardsmith.model.sidecar import Sidecar
    from rewardsmith.report.model_card import UNKNOWN, ModelCard, stated

    sidecar = Sidecar.load(folder)
    assert sidecar is not None  # model_folder found it
    run_folder = folder.parent if (folder.parent / "train.json").is_file() else folder
    measured = config.evaluation or run_folder
    evaluation = evaluation_of(measured)
    if config.evaluation is not None and not evaluation:
        raise UsageError(f"--evaluation {measured}: no evaluation.json there; give the output folder of evaluate")
    # Without an evaluation, facts are those of the validation passes that picked the weights: no measurement.
    facts = (facts or facts_from_folder(measured)) if evaluation else None
    known: tuple[str, tuple[str, ...]] = (UNKNOWN, ())
    if (folder / CARD).is_file():
        known = stated(read_text(folder / CARD))
    return ModelCard(
        sidecar=sidecar,
        config=config_of(folder),
        settings=read_object(run_folder / "settings.json"),
        training={**read_object(run_folder / "train.json"), "parameters": parameters_in(folder)},
        data=data_of(run_folder),
        evaluation=evaluation,
        facts=facts,
        verdict=None if facts is None else judge(facts),
        license=config.license or known[0],
        languages=config.languages or known[1],
        has_adapter=(folder / "adapter").is_dir(),
    )


def evaluation_of(folder: Path) -> dict[str, Any]:
    """evaluation.json, with what the card takes from it."""
    from rewardsmith.diagnose import values
    from rewardsmith.files.reading import read_object, taking_from

    path = folder / "evaluation.json"
    found = read_object(path)
    with taking_from(path):
        values.interval(found, "auc_ci")
    return found


def config_of(folder: Path) -> dict[str, Any]:
    """config.json, with what the card takes from it."""
    from rewardsmith.files.reading import read_object, refuse_types, taking_from

    found = read_object(folder / "config.json")
    with taking_from(folder / "config.json"):
        refuse_types(found, {"architectures": tuple[str, ...] | None})
    return found


def data_of(run_folder: Path) -> dict[str, Any]:
    """data/data.json, with what the card takes from it."""
    from rewardsmith.diagnose import values
    from rewardsmith.files.reading import read_object, taking_from

    path = run_folder / "data" / "data.json"
    found = read_object(path)
    with taking_from(path):
        values.mapping(found, "hashes")
        values.count(found, "quarantined")
        records, encoding = values.mapping(found, "records"), values.mapping(found, "encoding")
        for counts, names in ((records, list(records)), (encoding, ["refused", "prompts_cut"])):
            for name in names:
                values.count(counts, name)
    return found


def parameters_in(folder: Path) -> int:
    """How many numbers the saved weights hold; while an adapter trains there are more, those of the adapter."""
    import math

    from rewardsmith.model.folders import read_weights, weight_files

    return sum(math.prod(weight.shape) for weight in read_weights(weight_files(folder)))
