"""What the quality page says about labels as a whole: shortcuts, answers that stand everywhere, wrong labels."""

from collections.abc import Mapping
from typing import Any

from rewardsmith.report.quality.table import Cell, QualityFile, Section


def shortcuts_of(content: QualityFile) -> Mapping[str, Any]:
    """The section `shortcuts`; empty where nothing was measured."""
    return content.get("shortcuts") or {}


def features(content: QualityFile) -> Section | None:
    """Each feature's accuracy and AUC, the strongest first."""
    measured = shortcuts_of(content)
    shown = [*measured.get("features", ()), *([measured["joint"]] if measured.get("joint") else ())]
    shown.sort(key=lambda one: (-abs((one["accuracy"] or 0.5) - 0.5), one["name"]))
    rows: list[tuple[Cell, ...]] = [
        (one["name"], with_ends(one, "accuracy"), with_ends(one, "auc"), one["differing"]) for one in shown
    ]
    heads = ("simple feature", "accuracy", "AUC", "rows that differ")
    note = (
        "How often the response with more of the feature is preferred, with 95 % intervals clustered by prompt; below "
        "0.5, the response with less is preferred. `joint` combines all features and is measured on prompts that it "
        "was not fitted on."
    )
    return Section("Accuracy of simple features", heads, tuple(rows), note, folded=True) if rows else None


def with_ends(feature: Mapping[str, Any], name: str) -> str | None:
    """`0.495 [0.484, 0.505]`; nothing where the figure is unknown."""
    value, ends = feature[name], feature[f"{name}_ci"]
    if value is None:
        return None
    return f"{value:.3f}" if None in ends else f"{value:.3f} [{ends[0]:.3f}, {ends[1]:.3f}]"


def generators(content: QualityFile) -> Section | None:
    """Who wrote responses, and how often they win."""
    rows = tuple((one["name"], one["comparisons"], one["won"]) for one in shortcuts_of(content).get("generators", ()))
    note = "Comparisons with responses of other generators."
    return Section("Generators", ("generator", "comparisons", "win rate"), rows, note) if rows else None


def constant(content: QualityFile) -> Section | None:
    """Words that stand under many prompts."""
    rows = tuple(
        (one["place"], one["prompts"], one["of"], one["won"], one["lost"], one["p_value"])
        for one in shortcuts_of(content).get("constant_answers", ())
    )
    heads = ("row", "prompts", "of", "won", "lost", "p-value")
    note = (
        "Identical responses to five or more prompts. The p-value is that of a binomial test against a win rate of 0.5."
    )
    return Section("Responses repeated across prompts", heads, rows, note) if rows else None


def label_noise(content: QualityFile) -> Section | None:
    """How many labels are wrong."""
    noise = content.get("label_noise")
    if noise is None:
        return None
    rows: list[tuple[Cell, ...]] = [
        ("labels examined", noise["labels"]),
        *share_of_wrong(noise),
        ("agreement of detectors and labels", noise["agreement"]),
        ("agreement where the detectors are most confident", noise["sure_agreement"]),
        *((f"labels marked as wrong in {name}", count) for name, count in noise["suspect"].items()),
        ("labels changed", noise["changed"]),
        ("rows removed", noise["rows_removed"]),
        *((f"agreement of the detector {one['name']}", one["agreement"]) for one in noise["detectors"]),
        *((f"weight of the detector {one['name']}", one["weight"]) for one in noise["detectors"]),
        *((f"labels covered by the detector {one['name']}", one["known"]) for one in noise["detectors"]),
        *((sentence, None) for sentence in noise["sentences"]),
    ]
    note = "label_noise.jsonl lists each label with its margin, the spread of the detectors, and the decision."
    return Section("Wrong labels", ("value", "count"), tuple(rows), note)


def share_of_wrong(noise: Mapping[str, Any]) -> list[tuple[Cell, ...]]:
    """The share of wrong labels and how well they can be found; only what it may be where none are shown to be there."""
    low, high = noise["rate_ci"]
    if not noise["shown"]:
        return [("no evidence of wrong labels; possible share, from", low), ("possible share, to", high)]
    return [
        ("share of wrong labels", noise["rate"]),
        ("share of wrong labels, from", low),
        ("share of wrong labels, to", high),
        ("ROC-AUC of detecting wrong labels at this agreement", noise["expected_auc"]),
    ]
