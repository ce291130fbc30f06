"""The tables of the quality page: each is a function from the content of `quality.json` to a table, or to nothing.

To add one: a function, and a line in SECTIONS. Titles, heads and sentences are English; the page says them in the
language spoken, by the catalogue.
"""

from collections.abc import Callable

from rewardsmith.report.quality import labels
from rewardsmith.report.quality.table import QualityFile, Section


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


def values(content: QualityFile) -> Section | None:
    """How the measured values of the kept rows are spread."""
    names = ("min", "p1", "median", "p99", "max")
    rows = [(name, *(spread[at] for at in names)) for name, spread in content["values"].items()]
    note = "Of the kept rows, rounded to two digits. The values of each row are in signals.jsonl."
    return Section("Measured values", ("value", *names), tuple(rows), note, folded=True) if rows else None


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
    removed,
    quarantined,
    labels.features,
    labels.generators,
    labels.constant,
    labels.label_noise,
    values,
    order,
    sources,
)
"""The tables of the page, from top to bottom."""
