"""The section of a public benchmark, from evaluation.json: scores with intervals, and the place among others."""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.language import Language, say
from rewardsmith.report.blocks import CellTable, PageBlock
from rewardsmith.report.charts.plot import Plot
from rewardsmith.report.charts.rows import IntervalRow, interval_chart
from rewardsmith.report.numbers import span_of, with_span
from rewardsmith.report.run.evidence import Evidence
from rewardsmith.report.text import Words

MOST_SECTIONS = 24
"""Sections in the chart."""

NEIGHBOURS = 3
"""Models of the leaderboard that are shown above and below the places that the interval leaves open."""


def benchmark_block(evidence: Evidence, texts: Words, lang: Language) -> PageBlock | None:
    """The score, its sections, and the model's places among published scores."""
    found = evidence.evaluation.get("benchmark")
    if not isinstance(found, Mapping) or found.get("score") is None:
        return None
    sections = [one for one in found.get("sections") or () if score_of(one) is not None]
    plots = [sections_chart(found, sections, texts)] if sections else []
    tables = [leaderboard(place, found, texts) for place in found.get("leaderboard") or ()]
    rule = [texts["benchmark_rule"].format(rule=found["rule"])] if found.get("rule") else []
    return PageBlock("benchmark", texts["benchmark"], sentences(found, texts), plots, tables, remarks=rule)


def sentences(found: Mapping[str, Any], texts: Words) -> list[str]:
    """The score, and what was cut and what is missing of the benchmark."""
    score = with_span(found["score"], found.get("ci"), 3)
    lines = [texts["benchmark_score"].format(name=found.get("name"), score=score, items=f"{found.get('items') or 0:,}")]
    cut = found.get("truncated") or {}
    if sum(cut.values()):
        lines.append(texts["benchmark_cut"].format(prompts=cut.get("prompt", 0), responses=cut.get("response", 0)))
    if found.get("missing"):
        lines.append(texts["benchmark_missing"].format(names=", ".join(map(str, found["missing"]))))
    return lines


def score_of(section: Mapping[str, Any]) -> Any:
    """The score of a section, whatever it is called."""
    return section.get("score", section.get("accuracy"))


def sections_chart(found: Mapping[str, Any], sections: Sequence[Mapping[str, Any]], texts: Words) -> Plot:
    """The score of each section with its interval."""
    shown = sections[:MOST_SECTIONS]
    rows = [
        IntervalRow(
            say(str(one["name"])),
            float(score_of(one)),
            span_of(one.get("ci")),
            hover=with_span(score_of(one), one.get("ci"), 3),
            written=f"n = {one.get('n') or one.get('items') or 0:,}",
        )
        for one in shown
    ]
    title = texts["benchmark_sections"]
    picture = interval_chart(title, texts["benchmark_axis"], rows, guide=float(found["score"]))
    remarks = (texts["intervals_95"], texts["guide_overall"].format(value=f"{found['score']:.3f}"))
    return Plot("tall", title, picture, (), remarks)


def leaderboard(place: Mapping[str, Any], found: Mapping[str, Any], texts: Words) -> CellTable:
    """The published scores around the model's place."""
    published = list(place.get("published") or ())
    first, last = max(place["best"] - 1 - NEIGHBOURS, 0), place["worst"] - 1 + NEIGHBOURS
    rows = [(str(k + 1), row["model"], f"{row['score']:.3f}", row["source"]) for k, row in enumerate(published)][
        first:last
    ]
    title = texts["benchmark_place"].format(
        section=place.get("section") or found.get("name"), place=say(place["place"])
    )
    heads = tuple(texts[f"benchmark_{name}"] for name in ("rank", "model", "axis", "source"))
    return CellTable(heads, rows, (0, 2), title)
