"""The sections on over-optimisation, from audit.json: gold scores of the best of N, and of policies trained by RL."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.audit.wording import policy_sentence
from rewardsmith.language import Language
from rewardsmith.report.blocks import CellTable, PageBlock
from rewardsmith.report.charts.plot import Plot
from rewardsmith.report.charts.xy import Frame, GuideLine, Series, legend_of, xy_chart
from rewardsmith.report.numbers import number, span_of, with_span
from rewardsmith.report.run.evidence import Evidence
from rewardsmith.report.text import Words

FIT_POINTS = 60
"""Points of the fitted curve."""


def best_of_n_block(evidence: Evidence, texts: Words, lang: Language) -> PageBlock | None:
    """What choosing the best of N by this reward gains in gold, with the recommended N."""
    found = evidence.audit.get("best_of_n") or {}
    curve = [point for point in found.get("curve") or () if point.get("gold") is not None]
    if len(curve) < 2:
        return None
    recommended = found.get("recommended") or {}
    plot = best_of_n_chart(curve, recommended.get("n"), found.get("prompts") or 0, texts)
    lines = []
    if recommended.get("n") is not None:
        lines.append(texts["best_of_n_line"].format(n=recommended["n"], kl=number(recommended.get("kl"))))
    return PageBlock("best-of-n", texts["best_of_n_chart"], lines, (plot,))


def best_of_n_chart(curve: Sequence[Mapping[str, Any]], recommended: Any, prompts: int, texts: Words) -> Plot:
    """The gold score of the best of N over N, with its interval."""
    points = [(float(point["n"]), float(point["gold"])) for point in curve]
    spans = [span_of(point.get("gold_ci")) or (point["gold"], point["gold"]) for point in curve]
    hovers = [f"N = {point['n']}: {with_span(point['gold'], point.get('gold_ci'), 3)}" for point in curve]
    series = [
        Series(texts["best_of_n_interval"], points, "a", "band", spans=spans),
        Series(texts["best_of_n_gold"], points, "a", "dots", hovers=hovers),
    ]
    guides = []
    if recommended is not None:
        guides.append(GuideLine(texts["best_of_n_recommended"], "d", x=float(recommended), mark="dashed"))
    frame = Frame("N", texts["best_of_n_axis"], logarithmic=True, x_ticks=[x for x, _ in points])
    picture = xy_chart(texts["best_of_n_chart"], frame, series, guides)
    remarks = (texts["best_of_n_prompts"].format(prompts=f"{prompts:,}"), texts["logarithmic"])
    return Plot("best-of-n", texts["best_of_n_chart"], picture, legend_of(series, guides), remarks)


def policies_block(evidence: Evidence, texts: Words, lang: Language) -> PageBlock | None:
    """The gold ratings of policies trained against this reward over their KL from the initial one, and where to stop."""
    found = evidence.audit.get("policies") or {}
    curve = found.get("curve") or ()
    if len(curve) < 2:
        return None
    line = policy_sentence(found["fit"], found["recommended"]["kl"]).to(lang)
    heads = tuple(texts[f"policies_{name}"] for name in ("kl", "gold"))
    rows = [(number(point["kl"]), with_span(point["gold"], point.get("gold_ci"), 3)) for point in curve]
    return PageBlock(
        "policies",
        texts["policies"],
        (line,),
        (policies_chart(found, texts),),
        (CellTable(heads, rows, (0, 1)),),
        folded=texts["show_table"].format(rows=len(rows)),
    )


def policies_chart(found: Mapping[str, Any], texts: Words) -> Plot:
    """Mean gold rating over the root of the KL, as Gao et al. (arXiv 2210.10760, figure 1) plot it, with their fit."""
    curve = found["curve"]
    points = [(math.sqrt(point["kl"]), float(point["gold"])) for point in curve]
    spans = [span_of(point.get("gold_ci")) for point in curve]
    hovers = [
        f"{texts['policies_kl']} {point['kl']:.2f}: {with_span(point['gold'], point.get('gold_ci'), 3)}"
        for point in curve
    ]
    gold = Series(texts["policies_gold"], points, "a", "dots", hovers=hovers)
    fitted = Series(texts["policies_fit"], fitted_curve(found["fit"], points), "b", dashed=True)
    known = [span for span in spans if span is not None]
    measured = len(known) == len(points)
    band = [Series(texts["best_of_n_interval"], points, "a", "band", spans=known)] if measured else []
    at = math.sqrt(found["recommended"]["kl"])
    stop = GuideLine(texts["policies_stop" if measured else "policies_highest"], "d", x=at, mark="dashed")
    series = [*band, fitted, gold]
    picture = xy_chart(texts["policies"], Frame(texts["policies_axis"], texts["policies_gold"]), series, [stop])
    counts = texts["policies_counts"].format(policies=found["policies"], ratings=f"{found['ratings']:,}")
    return Plot("policies", texts["policies_title"], picture, legend_of(series, [stop]), (counts,))


def fitted_curve(fit: Mapping[str, Any], points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Gold at the initial policy plus d (alpha - beta ln d), from there to the last of the points (d, gold)."""
    (_, start), (last, _) = points[0], points[-1]
    steps = [last * k / FIT_POINTS for k in range(1, FIT_POINTS + 1)]
    return [(0.0, start), *((d, start + d * (fit["alpha"] - fit["beta"] * math.log(d))) for d in steps)]
