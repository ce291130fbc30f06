"""A benchmark's score as it is written (`benchmark` in evaluation.json) and printed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.leaderboard import columns_of, place_of, published
from rewardsmith.evaluate.benchmarks.scores import MeasuredScore, Scores, measured, nodes_of, value_of
from rewardsmith.language import current, padded, say
from rewardsmith.pipelines.benchmark.catalogue import BENCHMARKS, described
from rewardsmith.scoring.left_out import LeftOut

LISTED = 40
"""Sections that are printed; all are written."""

NAMED = 6
"""Missing sections that are named."""

NEARLY_ALL = 0.99
"""The share of a benchmark's items from which on a score is compared with published ones."""


def benchmark_json(
    name: str, items: BenchmarkItems, lengths: np.ndarray, accounts: Sequence[LeftOut]
) -> dict[str, Any]:
    """`{name, score, ci, sections, truncated, rule, …}`: see docs/benchmarks.md."""
    benchmark, scores = described(name), BENCHMARKS[name](items)
    overall, sections = nodes_measured(scores, items)
    total = LeftOut()
    for account in accounts:
        total.add(account)
    lost = total["unreadable"].count - total.reason_count("unreadable", "tie") + total["unused"].count
    whole = not scores.missing and overall.items >= NEARLY_ALL * (benchmark.size or overall.items + lost)
    return {
        "name": name,
        "score": number_or_none(overall.value),
        "ci": ends(overall),
        "items": overall.items,
        "prompts": overall.interval.clusters,
        "published_items": benchmark.size,
        "sections": [{"name": each.name, **figures(each)} for each in sections],
        "also": [
            {"name": each.node.name, **figures(next(measured(each.node, items.cluster))), "why": each.why}
            for each in scores.also
        ],
        "truncated": {text: total.reason_count("cut", text) for text in ("prompt", "response")},
        "lost": lost,
        "complete": whole,
        "missing": list(scores.missing),
        "rule": f"{benchmark.en} ({benchmark.origin})",
        "baselines": without_model(name, items, lengths),
        "leaderboard": list(places(name, [overall, *sections])) if whole else [],
    }


def nodes_measured(scores: Scores, items: BenchmarkItems) -> tuple[MeasuredScore, list[MeasuredScore]]:
    """The overall score, and the sections and other groups that have items."""
    overall, *sections = measured(scores.overall, items.cluster)
    known = {id(node) for node in nodes_of(scores.overall)}
    for group in scores.groups:
        sections += measured(group, items.cluster, path=(group.name,), known=known)
    return overall, [each for each in sections if each.items]


def without_model(name: str, items: BenchmarkItems, lengths: np.ndarray) -> dict[str, float | None]:
    """What three rules without a model get by the benchmark's own rule."""
    rules = {"longer": lengths, "shorter": -lengths, "constant": np.zeros(len(lengths))}
    return {
        kind: number_or_none(value_of(BENCHMARKS[name](items.with_rewards(rewards)).overall))
        for kind, rewards in rules.items()
    }


def figures(found: MeasuredScore) -> dict[str, Any]:
    """One node's numbers."""
    return {"score": number_or_none(found.value), "ci": ends(found), "n": found.items}


def ends(found: MeasuredScore) -> list[float | None]:
    """The interval as a list, null where there is none."""
    return [number_or_none(found.interval.low), number_or_none(found.interval.high)]


def number_or_none(value: float) -> float | None:
    """The number, None for NaN."""
    return float(value) if np.isfinite(value) else None


def places(name: str, nodes: Sequence[MeasuredScore]) -> Iterator[dict[str, Any]]:
    """The model's places among published scores, of the overall score and of sections that have such."""
    by_name = {node.name: node for node in nodes}
    for section, column in columns_of(name).items():
        node = by_name.get(section)
        if node is None or not np.isfinite([node.interval.low, node.interval.high]).all():
            continue
        rows = published(column)
        place = place_of(node.interval.low, node.interval.high, [row.score for row in rows])
        yield {
            "section": section,
            "best": place.best,
            "worst": place.worst,
            "of": place.of,
            "place": place.in_words(),
            "published": [vars(row) for row in rows],
        }


def benchmark_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The score, its sections, what is missing, and the place on the leaderboard, as lines for a terminal."""
    cut, rows = found["truncated"], found["sections"]
    yield f"{padded(found['name'], 34)} {with_ends(found)}   {say(counted(found))}"
    for row in rows[:LISTED]:
        indent = "  " * (row["name"].count("/") + 1)
        yield f"{padded(indent + say(row['name'].rpartition('/')[2]), 34)} {with_ends(row)}   n = {row['n']}"
    if len(rows) > LISTED:
        yield say(f"  and {len(rows) - LISTED} more sections, which --output writes")
    for row in found["also"]:
        yield f"{padded('  ' + say(row['name']), 34)} {with_ends(row)}   {say(row['why'])}"
    rules = ", ".join(f"{say(name)} {figure(value)}" for name, value in found["baselines"].items())
    yield say(f"by the same rule, without a model: {rules}")
    known = described(found["name"])
    yield say(f"rule: {known.zh if current() == 'zh' else known.en}")
    if any(cut.values()):
        yield say(f"cut to max_length: {cut['prompt']} prompts, {cut['response']} responses")
    if not found["complete"]:
        yield say(incomplete(found))
    yield from (placed(row) for row in found["leaderboard"])


def counted(found: Mapping[str, Any]) -> str:
    """How many items."""
    return f"{found['items']} items, {found['prompts']} prompts"


def incomplete(found: Mapping[str, Any]) -> str:
    """Why the score cannot be compared with published ones."""
    what = [f"{found['lost']} rows were lost"] if found["lost"] else []
    if found["published_items"] and found["items"] < found["published_items"]:
        what.append(f"{found['items']} of {found['published_items']} items")
    missing = found["missing"]
    if missing:
        more = [f"… (+{len(missing) - NAMED})"] if len(missing) > NAMED else []
        what.append(f"without {', '.join([*missing[:NAMED], *more])}")
    return f"not comparable with published scores: {'; '.join(what)}"


def placed(row: Mapping[str, Any]) -> str:
    """The place among published scores."""
    about = f"  ({say(row['section'])})" if row["section"] else ""
    return say(f"{row['place']} with published scores") + about


def with_ends(figures: Mapping[str, Any]) -> str:
    """`0.812 [0.780, 0.844]`, or a dash where there is no number."""
    low, high = figures["ci"]
    return figure(figures["score"]) + ("" if low is None else f" [{figure(low)}, {figure(high)}]")


def figure(value: float | None) -> str:
    """Three digits after the point, or a dash."""
    return "–" if value is None else f"{value:.3f}"
