"""A finished run → facts → verdict → report."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rewardsmith.errors import OutputError
from rewardsmith.language import Language, current
from rewardsmith.pipelines.publish import card
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True)
class Diagnosis:
    """The verdict in one language and where the report lies.

    `verdict` is its label, `headline` its sentence; `ready` tells whether the model can be used, None where that cannot
    be said. `findings` come most severe first, each with severity, title, evidence, cause and action; `next_action` is
    what to do first. `report` is the page that was written, `lang` its language.
    """

    verdict: str
    headline: str
    ready: bool | None
    next_action: str
    findings: tuple[dict[str, Any], ...]
    report: Path
    lang: Language
    quotes_data: ClassVar[bool] = True

    def to_json(self) -> dict[str, Any]:
        """The keys of `--json`."""
        return {
            "verdict": self.verdict,
            "headline": self.headline,
            "ready": self.ready,
            "next_action": self.next_action,
            "findings": list(self.findings),
            "report": str(self.report),
        }

    def to_text(self) -> str:
        """The verdict for the terminal: headline, findings most severe first, the next action, the report's place."""
        from rewardsmith.report.text import TEXTS

        texts = TEXTS[self.lang]
        lines = [self.headline, ""]
        for finding in self.findings:
            lines.append(f"[{texts[finding['severity']]}] {finding['title']}")
            lines += [f"    {line}" for line in finding["evidence"].split("\n")]
            if finding["severity"] in ("critical", "warning"):
                lines += [
                    f"    {texts[name]}{texts['colon']}{finding[key]}"
                    for name, key in (("why", "cause"), ("do", "action"))
                    if finding[key]
                ]
        return "\n".join([*lines, "", f"{texts['next_action']}{texts['colon']}{self.next_action}", f"→ {self.report}"])

    def to_coloured_text(self) -> str:
        """The same, the severity of each finding in its colour."""
        from rewardsmith.report.text import coloured_severities

        return coloured_severities(self.to_text())


def diagnose(
    run: Path, *, output: Path | None = None, overwrite: bool = False, progress: Progress = SILENT
) -> Diagnosis:
    """Read the run, judge it and write the report in the language spoken.

    Raises DataError where there is nothing to judge, OutputError where a report is there and `overwrite` is not set.
    """
    from rewardsmith.diagnose.reading import facts_from_folder, facts_from_mapping
    from rewardsmith.diagnose.verdict import judge
    from rewardsmith.files.reading import read_object, taking_from
    from rewardsmith.report.run.evidence import NO_EVIDENCE, read_evidence
    from rewardsmith.report.writing import report_paths, write_report

    lang = current()
    single = run.is_file()
    folder = output or (run.parent if single else run)
    existing = [path for path in report_paths(folder) if path.exists()]
    if existing and not overwrite:
        raise OutputError(f"{existing[0]} already exists; choose another output or pass --overwrite")
    with taking_from(run):
        facts = facts_from_mapping(read_object(run)) if single else facts_from_folder(run)
    for note in facts.notes:
        progress.note(note)
    verdict = judge(facts)
    evidence = NO_EVIDENCE if single else read_evidence(run)
    paths = write_report(verdict, facts, folder, evidence=evidence, lang=lang)
    if not single and output is None:
        card.refresh(run, facts=facts, progress=progress)
    said = verdict.to_json(lang)
    return Diagnosis(
        verdict=verdict.label,
        headline=said["headline"],
        ready=verdict.ready,
        next_action=said["next_action"],
        findings=tuple(said["findings"]),
        report=paths.html,
        lang=lang,
    )
