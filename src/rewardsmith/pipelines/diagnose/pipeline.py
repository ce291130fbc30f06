"""A finished run → facts → verdict → report."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rewardsmith.errors import DataError, OutputError
from rewardsmith.language import current
from rewardsmith.pipelines.diagnose.result import Diagnosis as Diagnosis
from rewardsmith.pipelines.publish import card
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.diagnose.facts import Facts
    from rewardsmith.diagnose.finding import Verdict


def refuse_step_figures(run: Path) -> None:
    """DataError for an evaluation of a model that judges steps, about which the verdict says nothing, or a damaged one."""
    from rewardsmith.files.manifest import refuse_changed
    from rewardsmith.files.reading import read_object

    path = run if run.is_file() else run / "evaluation.json"
    if run.is_dir():
        refuse_changed(run, [path.name])
    if path.is_file() and path.suffix == ".json" and "process" in read_object(path):
        raise DataError(
            f"{path} is about the steps of solutions (--head process), and diagnose judges comparisons; its figures are "
            "those of: rewardsmith evaluate MODEL DATA"
        )


def diagnose(
    run: Path,
    *,
    output: Path | None = None,
    overwrite: bool = False,
    seconds: float | None = None,
    running: bool = False,
    progress: Progress = SILENT,
) -> Diagnosis:
    """Read the run, measure what tells causes apart (for `seconds`; None: nothing), judge it, and write the report.

    `running` says that the run is just being finished. Raises DataError where there is nothing to judge, OutputError where a
    report is there and `overwrite` is not set.
    """
    from rewardsmith.diagnose.reading import facts_from_folder, facts_from_mapping
    from rewardsmith.diagnose.verdict import judge
    from rewardsmith.files.reading import read_object, taking_from
    from rewardsmith.report.run.evidence import NO_EVIDENCE, read_evidence
    from rewardsmith.report.writing import report_paths, write_report

    lang = current()
    single = run.is_file()
    folder = output or (run.parent if single else run)
    refuse_bare_model(run)
    refuse_step_figures(run)
    if not overwrite:
        refuse_existing(report_paths(folder))
    with taking_from(run):  # damaged files are refused before anything is measured beside them
        facts = facts_from_mapping(read_object(run)) if single else facts_from_folder(run, running=running)
    facts = measure(facts, run, seconds, progress)
    for note in facts.notes:
        progress.note(note)
    verdict = judge(facts)
    evidence = NO_EVIDENCE if single else read_evidence(run)
    paths = write_report(verdict, facts, folder, evidence=evidence, lang=lang)
    if not single and output is None:
        card.refresh(run, facts=facts, progress=progress)
    return diagnosis_of(verdict, paths.html)


def diagnosis_of(verdict: "Verdict", report: Path) -> Diagnosis:
    """The verdict in the language spoken, with the place of its report."""
    lang = current()
    said = verdict.to_json(lang)
    return Diagnosis(
        verdict=verdict.label,
        headline=said["headline"],
        ready=verdict.ready,
        ready_for=said["ready_for"],
        next_action=said["next_action"],
        next_command=verdict.next_command,
        findings=tuple(said["findings"]),
        established=tuple(said["could_establish"]),
        not_checked=tuple(said["not_checked"]),
        report=report,
        lang=lang,
    )


def refuse_existing(paths: Iterable[Path]) -> None:
    """OutputError where a report is there."""
    for path in paths:
        if path.exists():
            raise OutputError(f"{path} already exists; choose another output or pass --overwrite")


def measure(facts: "Facts", run: Path, seconds: float | None, progress: Progress) -> "Facts":
    """Measure what is not stored yet, where there is an evaluation to measure beside; the facts with what was found."""
    from rewardsmith.diagnose.reading import with_measurements
    from rewardsmith.files.reading import read_object
    from rewardsmith.pipelines.diagnose.measure import measured

    if seconds is None or not (run / "evaluation.json").is_file():
        return facts
    found = measured(run, seconds=seconds, progress=progress)
    return with_measurements(facts, run, found, read_object(run / "evaluation.json").get("training"))


def refuse_bare_model(place: Path) -> None:
    """DataError for a model without figures, which needs data to be judged on, and for a search, whose trials are runs."""
    from rewardsmith.verifiable.definition import is_definition

    if place.is_file() and is_definition(str(place)):
        raise DataError(f"{place} gives rewards and has no evaluation; add --data SOURCE and --output FOLDER")
    if (place / "tune.json").is_file():
        raise DataError(
            f"{place} is a search by rewardsmith tune; pass one of its trials, for example {place}/trials/000"
        )
    if (place / "reward.json").is_file() or ((place / "config.json").is_file() and not (place / "train.json").exists()):
        raise DataError(f"{place} is a model without an evaluation; add --data SOURCE and --output FOLDER")
