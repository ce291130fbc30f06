"""What the quality page says about labels as a whole: shortcuts, answers that stand everywhere, wrong labels."""

from collections.abc import Mapping
from typing import Any

from rewardsmith.report.quality.table import Cell, QualityFile, Section


def shortcuts_of(content: QualityFile) -> Mapping[str, Any]:
    """The section `shortcuts`; empty where nothing was measured."""
    return content.get("shortcuts") or {}


def told(content: QualityFile) -> Section | None:
    """What the labels can be predicted from, in words."""
    rows = tuple((one["severity"], one["sentence"]) for one in shortcuts_of(content).get("findings", ()))
    note = "A reward model learns the cheapest thing that separates preferred from other responses."
    return Section("Shortcuts to the label", ("severity", "what was seen"), rows, note) if rows else None


def features(content: QualityFile) -> Section | None:
    """Each feature's accuracy and AUC, the strongest first."""
    measured = shortcuts_of(content)
    shown = [*measured.get("features", ()), *([measured["joint"]] if measured.get("joint") else ())]
    shown.sort(key=lambda one: (-abs((one["accuracy"] or 0.5) - 0.5), one["name"]))
    rows: list[tuple[Cell, ...]] = [
        (one["name"], one["accuracy"], *one["accuracy_ci"], one["auc"], *one["auc_ci"], one["differing"])
        for one in shown
    ]
    heads = ("feature", "accuracy", "from", "to", "AUC", "from", "to", "rows that differ")
    note = (
        "How often the response with more of it is preferred, with 95 % intervals by prompt; under 0.5, less of it wins. "
        "joint is all of them together, judged on prompts that it was not fitted on."
    )
    return Section("What simple features predict", heads, tuple(rows), note) if rows else None


def generators(content: QualityFile) -> Section | None:
    """Who wrote responses, and how often they win."""
    rows = tuple((one["name"], one["comparisons"], one["won"]) for one in shortcuts_of(content).get("generators", ()))
    note = "Comparisons with another generator's response."
    return Section("Generators", ("generator", "comparisons", "share won"), rows, note) if rows else None


def constant(content: QualityFile) -> Section | None:
    """Texts that stand under many prompts."""
    rows = tuple(
        (one["place"], one["prompts"], one["of"], one["won"], one["lost"], one["p_value"])
        for one in shortcuts_of(content).get("constant_answers", ())
    )
    heads = ("row", "prompts", "of", "won", "lost", "p-value")
    note = "Texts that answer five prompts or more, word for word; the p-value is that of a fair coin to win so often."
    return Section("One answer under many prompts", heads, rows, note) if rows else None


def label_noise(content: QualityFile) -> Section | None:
    """How many labels are wrong."""
    noise = content.get("label_noise")
    if noise is None:
        return None
    low, high = noise["rate_ci"]
    rows: list[tuple[Cell, ...]] = [
        ("labels judged", noise["labels"]),
        ("share of wrong labels", noise["rate"]),
        ("share of wrong labels, from", low),
        ("share of wrong labels, to", high),
        ("agreement of detectors and labels", noise["agreement"]),
        ("agreement where detectors are surest", noise["sure_agreement"]),
        ("ROC-AUC of finding wrong labels that this allows", noise["expected_auc"]),
        *((f"labels called wrong in {name}", count) for name, count in noise["suspect"].items()),
        ("labels changed", noise["changed"]),
        ("rows removed", noise["rows_removed"]),
        *((f"weight of the detector {one['name']}", one["weight"]) for one in noise["detectors"]),
        *((f"labels known to the detector {one['name']}", one["known"]) for one in noise["detectors"]),
        *((sentence, None) for sentence in noise["sentences"]),
    ]
    note = "Each label is in label_noise.jsonl with its margin, the spread of the detectors, and what was decided."
    return Section("Wrong labels", ("value", "count"), tuple(rows), note)
