"""The figures of an evaluation as lines for a terminal."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rewardsmith.evaluate.baselines import fitted_in_words
from rewardsmith.language import padded, say

MOST_HEAT = 100
"""A temperature so many times the margins' standard deviation makes every preference 0.5 to within 0.01."""


def table(summary: Mapping[str, Any]) -> list[str]:
    """Lines of text for the terminal."""
    counts = (
        f"n = {summary['n']} comparisons, {summary.get('clusters')} prompts, {summary.get('label_ties')} label ties"
    )
    rows = [
        ("accuracy", interval(summary, "accuracy"), counts),
        *precision(summary),
        ("AUC", interval(summary, "auc"), ""),
        ("NLL (chance 0.693)", interval(summary, "nll"), f"Brier {number(summary.get('brier'))}"),
        (
            "ECE",
            calibrated(summary),
            fitted_in_words(str(summary.get("temperature_source") or "")),
        ),
    ]
    for name, label in (("kendall_tau", "Kendall tau-b"), ("best_of_n_accuracy", "best of N")):
        if summary.get(name) is not None:
            rows.append((label, interval(summary, name), f"n = {summary.get(f'{name}_n')} rankings"))
    if ceiling := summary.get("noise_ceiling"):
        rows.append(
            ("ceiling by annotators", f"{number(ceiling['low'])} to {number(ceiling['high'])}", agreeing(ceiling))
        )
    rows += disagreement_rows(summary.get("disagreement"))
    lines = [f"{padded(say(label), 22)} {say(figure)}   {say(remark)}".rstrip() for label, figure, remark in rows]
    return [*lines, *baseline_lines(summary.get("baselines", {}))]


def disagreement_rows(found: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    """The accuracies of an ensemble's members, and how well their disagreement tells wrong comparisons; [] for one model."""
    if not found:
        return []
    accuracies = [one["accuracy"] for one in found["members"] if one["accuracy"] is not None]
    low, high = (number(end(accuracies, default=None)) for end in (min, max))
    rows = [
        (
            "members",
            f"accuracy {low} to {high}",
            f"two members agree on {number(found['agreement'])} of the comparisons",
        ),
        (
            "disagreement",
            interval(found, "auroc"),
            f"AUROC for wrong comparisons (chance: 0.5); by the margin alone {interval(found, 'auroc_margin')}",
        ),
    ]
    if parts := found["by_disagreement"]:
        each = [number(parts[name]["accuracy"]) for name in ("low", "middle", "high")]
        rows.append(("by disagreement", " / ".join(each), "accuracy where it is low / middle / high (thirds)"))
    return rows


def precision(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Half the interval of the accuracy, and the prompts like these that a narrower one takes; nothing if narrow enough."""
    more = list(more_prompts(summary))
    if not more:
        return []
    low, high = summary["accuracy_ci"]
    said = "; ".join(say(f"±{width} takes {count} prompts") for width, count in more)
    return [("half of its interval", f"±{(high - low) / 2:.3f}", said)]


def more_prompts(summary: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """(half width, prompts) where more prompts are needed than there are; nothing without an interval."""
    listed: Mapping[str, int | None] = summary.get("prompts_needed") or {}
    for width, count in listed.items():
        if count is not None and count > (summary.get("clusters") or 0):
            yield width, count


def calibrated(summary: Mapping[str, Any]) -> str:
    """Calibration error before and after the temperature; none is named where the best one lies beyond MOST_HEAT."""
    before, temperature = number(summary.get("ece")), summary.get("temperature")
    if temperature is not None and temperature > MOST_HEAT * (summary.get("margin_std") or math.inf):
        return f"{before} before temperature scaling; no temperature fits, since the margins do not predict the labels"
    after = number(summary.get("ece_calibrated"))
    return f"{before} before and {after} after temperature scaling (T = {number(temperature)})"


def agreeing(ceiling: Mapping[str, Any]) -> str:
    """How often two annotators agree, from which the ceiling follows."""
    percent = f"{100 * ceiling['agreement']:.1f}"
    return f"on the label of one annotator; two agree in {percent} % (n = {ceiling['n']} comparisons with two votes or more)"


def baseline_lines(baselines: Mapping[str, Any]) -> Iterator[str]:
    """A line per rule: what it reaches, the model's lead, and on what it was fitted."""
    for name, found in baselines.items():
        figures = found if isinstance(found, Mapping) else {"accuracy": found}
        remarks = [f"model minus baseline {interval(figures, 'difference')}"]
        if fitted := fitted_in_words(str(figures.get("fitted_on") or "")):
            remarks.append(fitted)
        label = padded(say(f"baseline {figures.get('direction') or name}"), 22)
        yield f"{label} {interval(figures, 'accuracy')}   {'; '.join(map(say, remarks))}"


def interval(figures: Mapping[str, Any], name: str) -> str:
    """`0.812 [0.780, 0.844]`, or `–` where there is no number."""
    bounds = figures.get(f"{name}_ci")
    text = number(figures.get(name))
    if not bounds or bounds[0] is None:
        return text
    return f"{text} [{number(bounds[0])}, {number(bounds[1])}]"


def number(value: float | None) -> str:
    """Three digits after the point, or a dash."""
    return "–" if value is None else f"{value:.3f}"


def overlap_line(summary: Mapping[str, Any]) -> list[str]:
    """How many judged comparisons were trained on; nothing where the training data is not known."""
    found = ((summary.get("training") or {}).get("overlap") or {}).get("comparisons")
    if not found:
        return []
    pair, twin, prompt, near = (found.get(kind, 0) for kind in ("same_pair", "near_pair", "same_prompt", "near_prompt"))
    return [
        f"overlap with training data: {pair + twin + prompt + near} of {sum(found.values())} comparisons (same pair {pair}, "
        f"similar pair {twin}, same prompt {prompt}, similar prompt {near})"
    ]
