"""The section of an ensemble, from evaluation.json: what its members' disagreement tells of wrong comparisons."""

from collections.abc import Mapping
from typing import Any

from rewardsmith.language import Language
from rewardsmith.report.blocks import PageBlock
from rewardsmith.report.charts.plot import Plot
from rewardsmith.report.charts.rows import IntervalRow, interval_chart
from rewardsmith.report.numbers import number, span_of, with_span
from rewardsmith.report.run.evidence import Evidence
from rewardsmith.report.text import Words


def disagreement_block(evidence: Evidence, texts: Words, lang: Language) -> PageBlock | None:
    """The members' accuracies, how well their disagreement tells wrong comparisons, and the accuracy where it is high."""
    found = evidence.evaluation.get("disagreement")
    if not isinstance(found, Mapping) or not found.get("members"):
        return None
    plots = [thirds_chart(found, texts)] if found.get("by_disagreement") else []
    return PageBlock("disagreement", texts["ensemble"], sentences(found, texts), plots)


def sentences(found: Mapping[str, Any], texts: Words) -> list[str]:
    """Members, areas under the ROC curve, and whether the disagreement improves the probabilities."""
    accuracies = [one["accuracy"] for one in found["members"] if one["accuracy"] is not None]
    lines = [
        texts["ensemble_members"].format(
            count=len(found["members"]),
            low=number(min(accuracies, default=None), 3),
            high=number(max(accuracies, default=None), 3),
            agreement=number(found.get("agreement"), 3),
        ),
        texts["ensemble_auroc"].format(
            auroc=with_span(found.get("auroc"), found.get("auroc_ci"), 3),
            margin=with_span(found.get("auroc_margin"), found.get("auroc_margin_ci"), 3),
        ),
    ]
    if found.get("nll_gain") is not None:
        gain = with_span(found["nll_gain"], found.get("nll_gain_ci"), 4, signed=True)
        lines.append(texts["ensemble_gain"].format(gain=gain))
    return lines


def thirds_chart(found: Mapping[str, Any], texts: Words) -> Plot:
    """The accuracy in each third of the comparisons by disagreement."""
    rows = [
        IntervalRow(
            texts[f"ensemble_{name}"],
            float(one["accuracy"]),
            span_of(one.get("accuracy_ci")),
            hover=with_span(one["accuracy"], one.get("accuracy_ci"), 3),
        )
        for name, one in found["by_disagreement"].items()
        if one.get("accuracy") is not None
    ]
    title = texts["ensemble_thirds"]
    picture = interval_chart(title, texts["ensemble_axis"], rows, guide=0.5)
    return Plot("wide", title, picture, (), (texts["intervals_95"],))
