"""The parts of the quality page: each is a function from the content of `quality.json` to a table, or to nothing.

To add one: a function, and a line in SECTIONS. Titles, heads and sentences are English; the page says them in the
language spoken, by the catalogue.
"""

from collections.abc import Callable

from rewardsmith.report.quality import labels
from rewardsmith.report.quality.table import Cell, QualityFile, Section


def ways(content: QualityFile) -> Section:
    """Where the rows went."""
    rows: list[tuple[Cell, ...]] = [("rows", content["rows"]), ("records", content["records"])]
    rows += [(name, count) for name, count in content["splits"].items()]
    rows += [(name, content[name]) for name in ("documents", "joined", "repaired") if content[name]]
    rows += [(f"quarantined: {code}", count) for code, count in content["quarantined"].items()]
    rows += [(f"removed: {check}", count) for check, count in content["removed"].items()]
    return Section("Row counts", ("where", "count"), tuple(rows))


def filters(content: QualityFile) -> Section:
    """Every check, what it compares with, and what it found and took out."""
    rows = [(f["check"], f["meaning"], f["threshold"], f["found"], f["removed"]) for f in content["filters"]]
    heads = ("check", "meaning", "threshold", "found", "removed")
    note = (
        "A check removes the rows it found only if --remove names it. A row found by several checks is counted under "
        "the first."
    )
    return Section("Checks", heads, tuple(rows), note)


def removed(content: QualityFile) -> Section | None:
    """Examples of removed rows."""
    rows = [
        (f["check"], one["place"], one["detail"], one["value"], one["threshold"], one["excerpt"])
        for f in content["filters"]
        for one in f["examples"]
    ]
    heads = ("check", "row", "why", "value", "threshold", "the first response begins with")
    return Section("Removed rows", heads, tuple(rows), "Examples; all are in removed.jsonl.") if rows else None


def quarantined(content: QualityFile) -> Section | None:
    """Examples of rows that cannot be used."""
    rows = [
        (q["code"], one["place"], one["detail"], one["excerpt"]) for q in content["quarantine"] for one in q["examples"]
    ]
    heads = ("code", "row", "why", "the row begins with")
    return Section("Quarantine", heads, tuple(rows), "Examples; all are in quarantine.jsonl.") if rows else None


def findings(content: QualityFile) -> Section | None:
    """What the checks saw, with examples."""
    rows = [
        (f["check"], f["severity"], f["rows"], f["count"], one["place"], one["detail"])
        for f in content["findings"]
        for one in f["examples"]
    ]
    heads = ("check", "severity", "rows", "count", "row", "detail")
    return (
        Section("Findings", heads, tuple(rows), ("Examples. A finding alone does not change the data."))
        if rows
        else None
    )


def values(content: QualityFile) -> Section | None:
    """How the measured values of the kept rows are spread."""
    names = ("min", "p1", "median", "p99", "max")
    rows = [(name, *(spread[at] for at in names)) for name, spread in content["values"].items()]
    note = "Of the kept rows, rounded to two digits. The values of each row are in signals.jsonl."
    return Section("Measured values", ("value", *names), tuple(rows), note) if rows else None


def languages(content: QualityFile) -> Section | None:
    """Which languages the responses are in."""
    rows = tuple(content["languages"].items())
    return (
        Section(
            "Languages of the responses", ("language", "records"), rows, "Detected from the script of the characters."
        )
        if rows
        else None
    )


def order(content: QualityFile) -> Section | None:
    """Whether the order in which responses were shown decides."""
    rows = tuple(content.get("order", {}).items())
    note = (
        "Response pairs judged in both presentation orders, and the share of decided verdicts for the response shown "
        "first."
    )
    return Section("Presentation order", ("value", "count"), rows, note) if rows and content["order"]["pairs"] else None


def sources(content: QualityFile) -> Section | None:
    """How each file was understood."""
    rows = tuple((sentence,) for sentence in content["understood"])
    return Section("Detected formats of the sources", ("source",), rows) if rows else None


SECTIONS: tuple[Callable[[QualityFile], Section | None], ...] = (
    ways,
    filters,
    removed,
    quarantined,
    findings,
    labels.told,
    labels.features,
    labels.generators,
    labels.constant,
    labels.label_noise,
    values,
    languages,
    order,
    sources,
)
"""The parts of the page, from top to bottom."""
