"""`comparison.html` and `comparison.md`: which of several runs is better, where, and on which comparisons they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from rewardsmith.evaluate.paired import LEVEL
from rewardsmith.language import Language, say
from rewardsmith.report.blocks import CellTable
from rewardsmith.report.comparison import charts
from rewardsmith.report.comparison.runs import EvaluatedRun, Flip
from rewardsmith.report.numbers import number, span_of, with_span
from rewardsmith.report.run.differences import Passage, differences
from rewardsmith.report.run.errors import characters_each, clipped
from rewardsmith.report.run.markdown import plain
from rewardsmith.report.templating import render_html
from rewardsmith.report.text import TEXTS, Words

FIGURES = ("accuracy", "auc", "nll", "brier", "ece", "ece_calibrated", "kendall_tau", "tie_rate")
"""Figures of evaluation.json in the table, in its order."""


@dataclass(frozen=True, slots=True)
class ShownFlip:
    """A flipped comparison as the page shows it."""

    flip: Flip
    prompt: str
    preferred: tuple[Passage, ...]
    other: tuple[Passage, ...]


def pairs_of(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures of every two runs, named by letters in the order of the runs; A and B first.

    The p-value is the one that is adjusted for the number of pairs, where there are several.
    """
    listed: list[Mapping[str, Any]] = list(content.get("pairs") or [{}])
    runs = next(k for k in range(2, len(listed) + 3) if k * (k - 1) // 2 >= len(listed))
    letters = combinations("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:runs], 2)
    return [
        pair_of({**(content if not k else {}), **pair}, first, second)
        for k, (pair, (first, second)) in enumerate(zip(listed, letters, strict=False))
    ]


def pair_of(found: Mapping[str, Any], first: str, second: str) -> dict[str, Any]:
    """The figures of one pair, under the names that the page uses."""
    difference = found.get("difference", found.get("accuracy_difference"))
    p_value = found["p_value"] if found.get("p_adjusted") is None else found["p_adjusted"]
    return {**found, "a": first, "b": second, "accuracy_difference": difference, "p_value": p_value}


def settled(pair: Mapping[str, Any]) -> str | None:
    """The letter of the better run, where both the interval and the test say so."""
    span = span_of(pair["ci"])
    if span is None or pair["p_value"] is None or pair["p_value"] >= LEVEL or span[0] <= 0 <= span[1]:
        return None
    return str(pair["a"] if span[0] > 0 else pair["b"])


def headline(
    pairs: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    texts: Words,
    seeds: Mapping[str, Any] | None = None,
) -> str:
    """Which run, or which recipe, is better, or that this cannot be shown."""
    if seeds is not None:
        one, two = (recipe_name(recipe, texts) for recipe in seeds["recipes"])
        better = settled({**seeds, "a": one, "b": two})
        if better is None:
            return texts["compare_none"].format(a=one, b=two)
        return texts["compare_better"].format(better=better, other=two if better == one else one)
    if len(pairs) == 1:
        better = settled(pairs[0])
        if better is None:
            return texts["compare_none"].format(a=names["A"], b=names["B"])
        other = pairs[0]["b"] if better == pairs[0]["a"] else pairs[0]["a"]
        return texts["compare_better"].format(better=names[better], other=names[str(other)])
    count = sum(settled(pair) is not None for pair in pairs)
    return texts["compare_several"].format(settled=count, pairs=len(pairs), runs=len(names))


def render_comparison(
    runs: Sequence[EvaluatedRun],
    pairs: Sequence[Mapping[str, Any]],
    flips: Sequence[Flip],
    *,
    lang: Language = "en",
    seeds: Mapping[str, Any] | None = None,
) -> str:
    """The whole page as HTML text; `seeds` has the difference of two recipes."""
    texts = TEXTS[lang]
    names = {run.letter: run.name for run in runs}
    drawn = [
        charts.differences(pairs, texts),
        charts.accuracies(runs, texts),
        *(charts.agreement(pair, texts) for pair in pairs if pair.get("only_a") is not None),
    ]
    return render_html(
        "comparison.html",
        lang,
        script="errors.js",
        t=texts,
        headline=headline(pairs, names, texts, seeds),
        runs=runs,
        sentences=sentences(pairs, seeds, texts),
        plots=[plot for plot in drawn if plot is not None],
        categories=[
            plot for plot in (charts.by_category(runs, texts), charts.category_differences(pairs[0], texts)) if plot
        ],
        figures=figures_table(runs, texts),
        flips=[shown_flip(flip, texts, characters_each(len(flips))) for flip in flips],
        flipped=pairs[0]["flipped"],
        on_paper=10,
    )


def pair_sentence(pair: Mapping[str, Any], texts: Words) -> str:
    """The test of one pair in words, what this data could have shown, and whether seeds alone tell the two apart."""
    value, ends = 100 * pair["accuracy_difference"], span_of(pair["ci"])
    interval = "?" if ends is None else f"{100 * ends[0]:+.2f} … {100 * ends[1]:+.2f}"
    said = texts["compare_sentence"].format(
        a=pair["a"],
        b=pair["b"],
        value=f"{value:+.2f}",
        interval=interval,
        p=number(pair["p_value"], 4),
        n=f"{pair['n']:,}",
    )
    if test := pair.get("test"):
        said += texts["compare_test"].format(test=texts.get(f"test_{test}", say(str(test))))
    if (points := detectable(pair)) is not None:
        said += texts["compare_detectable"].format(points=number(points))
        said += needed(pair, texts)
    return said + (texts["compare_seeds"] if pair.get("seeds_only") else "")


def sentences(pairs: Sequence[Mapping[str, Any]], seeds: Mapping[str, Any] | None, texts: Words) -> list[str]:
    """The difference of the recipes first, then that of each pair."""
    said = [pair_sentence(pair, texts) for pair in pairs]
    if seeds is None:
        return said
    one, two = (recipe_name(recipe, texts) for recipe in seeds["recipes"])
    found = pair_sentence({**seeds, "a": one, "b": two, "accuracy_difference": seeds["difference"]}, texts)
    spread = [f"{100 * recipe['seed_sd']:.2f}" for recipe in seeds["recipes"]]
    return [found + texts["compare_over_seeds"].format(first=spread[0], second=spread[1]), *said]


def recipe_name(recipe: Mapping[str, Any], texts: Words) -> str:
    """A recipe by the letters of its runs."""
    return texts["compare_recipe"].format(runs=", ".join(recipe["letters"]))


def needed(pair: Mapping[str, Any], texts: Words) -> str:
    """The prompts for the largest listed difference that this data does not detect; empty without the figures."""
    listed: Mapping[str, Any] = pair.get("prompts_needed") or {}
    more = [(float(size), count) for size, count in listed.items() if count and count > (pair.get("prompts") or 0)]
    if not more:
        return ""
    size, count = max(more)
    return texts["compare_needed"].format(
        points=f"{100 * size:g}", prompts=f"{count:,}", now=f"{pair.get('prompts') or 0:,}"
    )


def detectable(pair: Mapping[str, Any]) -> float | None:
    """The difference in percentage points that this data would show with 80 % power."""
    found = pair.get("minimal_detectable")
    return None if found is None else 100 * float(found)


def figures_table(runs: Sequence[EvaluatedRun], texts: Words) -> CellTable:
    """The figures of the runs beside each other."""
    names = {"nll": "loss"}
    rows = [
        (
            texts[names.get(name, name)],
            *(with_span(run.evaluation.get(name), run.evaluation.get(f"{name}_ci"), 3) for run in runs),
        )
        for name in FIGURES
        if any(run.evaluation.get(name) is not None for run in runs)
    ]
    heads = (texts["compare_figure"], *(f"{run.letter}: {run.name}" for run in runs))
    return CellTable(heads, rows, tuple(range(1, len(heads))))


def shown_flip(flip: Flip, texts: Words, most: int) -> ShownFlip:
    """A flipped comparison with its texts as far as they are shown."""
    found = differences(flip.preferred[:most], flip.other[:most])
    rest = [Passage(clipped(text, texts, most)[min(len(text), most) :], False) for text in (flip.preferred, flip.other)]
    return ShownFlip(flip, clipped(flip.prompt, texts, most), (*found.first, rest[0]), (*found.second, rest[1]))


def markdown(
    runs: Sequence[EvaluatedRun],
    pairs: Sequence[Mapping[str, Any]],
    *,
    lang: Language = "en",
    seeds: Mapping[str, Any] | None = None,
) -> str:
    """The comparison for an issue or a card: headline, tests, figures."""
    texts = TEXTS[lang]
    table = figures_table(runs, texts)
    lines = ["| " + " | ".join(map(plain, row)) + " |" for row in (table.heads, *table.rows)]
    lines.insert(1, "|---" * len(table.heads) + "|")
    parts = [
        f"# {texts['compare_title']}",
        f"**{plain(headline(pairs, {run.letter: run.name for run in runs}, texts, seeds))}**",
        "\n".join(f"- {plain(sentence)}" for sentence in sentences(pairs, seeds, texts)),
        "\n".join(lines),
    ]
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace").decode()
