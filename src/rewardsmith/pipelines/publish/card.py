"""The model card of a run: gathered from its files, written beside the weights, never over a person's own words."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import UsageError
from rewardsmith.language import current
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.diagnose.facts import Facts
    from rewardsmith.report.card.page import ModelCard

CARD = "README.md"


def refresh(run_folder: Path, *, facts: "Facts | None" = None, progress: Progress = SILENT) -> None:
    """Write the card of a run again, in the language spoken; one that a person changed stays as it is, which is noted.

    `facts` are those of the run where they have been read already.
    """
    from rewardsmith.files.manifest import listed
    from rewardsmith.model.checkpoint.intact import model_faults
    from rewardsmith.report.card.page import render_card

    folder = model_folder(run_folder)
    if folder is None:
        return
    if faults := model_faults(folder):
        progress.note(f"{folder} is damaged: {listed(faults)}; its card is not changed")
        return
    if may_write(folder / CARD):
        card = gather(folder, facts=facts)
        write_to(folder / CARD, render_card(card, lang=current()))
    else:
        progress.note(f"{folder / CARD} was edited and is not replaced; `rewardsmith card --overwrite` replaces it")


def model_folder(place: Path) -> Path | None:
    """The folder with the weights and `reward.json`: the place itself or its `model/`; None where there is none."""
    return next((folder for folder in (place, place / "model") if (folder / "reward.json").is_file()), None)


def may_write(path: Path) -> bool:
    """Whether no card is there, or one that nobody changed since it was written."""
    from rewardsmith.files.reading import read_text
    from rewardsmith.report.card.page import is_ours

    return not path.exists() or is_ours(read_text(path))


def edited(path: Path) -> bool:
    """Whether a file is a card that a person changed or wrote."""
    return path.name == CARD and not may_write(path)


def write_to(path: Path, text: str) -> None:
    """Write the card; what is no text (half a surrogate pair in a label) becomes a question mark."""
    from rewardsmith.files import write_text

    write_text(path, text.encode("utf-8", "replace").decode())


def gather(
    folder: Path,
    *,
    facts: "Facts | None" = None,
    evaluated: Path | None = None,
    license: str | None = None,
    languages: tuple[str, ...] = (),
) -> "ModelCard":
    """All that is known about the model in `folder`, from its files and those of its run (`facts`, if read already).

    `evaluated` is an output folder of evaluate whose results are shown instead of the run's; UsageError where it has none.
    """
    from rewardsmith.diagnose.reading import facts_from_folder, left_out_of
    from rewardsmith.diagnose.verdict import judge
    from rewardsmith.files.reading import read_object
    from rewardsmith.model.checkpoint.sidecar import Sidecar
    from rewardsmith.report.card.page import ModelCard

    sidecar = Sidecar.load(folder)
    assert sidecar is not None  # model_folder found it
    run_folder = folder.parent if (folder.parent / "train.json").is_file() else folder
    measured = evaluated or run_folder
    evaluation = evaluation_of(measured)
    if evaluated is not None and not evaluation:
        raise UsageError(f"--evaluation {measured}: no evaluation.json; pass the output folder of evaluate")
    # Without an evaluation, facts are those of the validation passes that picked the weights: no measurement.
    facts = (facts or facts_from_folder(measured)) if evaluation else None
    training = training_of(run_folder)
    known_license, known_languages = stated_in(folder / CARD)
    return ModelCard(
        sidecar=sidecar,
        config=config_of(folder),
        settings=read_object(run_folder / "settings.json"),
        training={**training, "parameters": parameters_in(folder)},
        data=data_of(run_folder),
        evaluation=evaluation,
        audit=read_object(measured / "audit.json"),
        left_out=left_out_of(training, evaluation),
        facts=facts,
        verdict=None if facts is None else judge(facts),
        license=license or known_license,
        languages=languages or known_languages,
        has_adapter=(folder / "adapter").is_dir(),
    )


def stated_in(path: Path) -> tuple[str, tuple[str, ...]]:
    """License and languages that a card states, where there is one."""
    from rewardsmith.files.reading import read_text
    from rewardsmith.report.card.page import UNKNOWN, stated

    return stated(read_text(path)) if path.is_file() else (UNKNOWN, ())


def training_of(folder: Path) -> dict[str, Any]:
    """train.json, with what the card takes from it."""
    from rewardsmith.diagnose.reading import left_out_of
    from rewardsmith.files.reading import read_object, taking_from

    found = read_object(folder / "train.json")
    with taking_from(folder / "train.json"):
        left_out_of(found, {})
    return found


def evaluation_of(folder: Path) -> dict[str, Any]:
    """evaluation.json, with what the card takes from it."""
    from rewardsmith.diagnose import values
    from rewardsmith.diagnose.reading import left_out_of
    from rewardsmith.files.reading import read_object, taking_from

    path = folder / "evaluation.json"
    found = read_object(path)
    with taking_from(path):
        values.interval(found, "auc_ci")
        left_out_of({}, found)
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

    from rewardsmith.model.loading.folders import read_weights, weight_files

    return sum(math.prod(weight.shape) for weight in read_weights(weight_files(folder)))
