"""A self-rewarding loop as a page: whether the models became better, and how everything else changed along the way."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rewardsmith.report.blocks import CellTable, PageBlock
from rewardsmith.report.charts.plot import Colour, Plot
from rewardsmith.report.charts.rows import IntervalRow, interval_chart
from rewardsmith.report.charts.xy import Frame, GuideLine, Series, legend_of, xy_chart
from rewardsmith.report.numbers import number, span_of, with_span
from rewardsmith.report.text import Words

LedgerRow = Mapping[str, Any]
FigurePath = tuple[str, ...]
COUNTED = (
    ("loop_parsable", ("rewards", "parsable"), 3), ("loop_pairs", ("pairs", "pairs"), 0),
    ("loop_flat", ("rewards", "flat"), 3), ("loop_margin", ("pairs", "mean_margin"), 3),
    ("loop_longer", ("pairs", "chosen_longer"), 3), ("loop_characters", ("length", "characters"), 1),
    ("loop_truncated", ("length", "truncated"), 3), ("loop_distinct_2", ("diversity", "distinct_2"), 3),
    ("loop_self_bleu", ("diversity", "self_bleu"), 3), ("loop_consistency", ("consistency", "value"), 3),
    ("loop_dpo_accuracy", ("training", "validation", "accuracy"), 3), ("loop_kl", ("measured", "kl", "kl"), 3),
    ("loop_judge", ("measured", "judge", "accuracy"), 3),
    ("loop_win_rate", ("measured", "independent", "win_rate", "value"), 3),
    ("loop_difference", ("measured", "independent", "difference", "value"), 3),
)  # fmt: skip
"""The table: word, where the figure stands in a row of the ledger, digits."""


def at(row: LedgerRow, path: FigurePath) -> Any:
    """A figure of a row; None where a part of the way is not there."""
    value: Any = row
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def headline(summary: LedgerRow, rows: Sequence[LedgerRow], texts: Words) -> str:
    """Whether the last model that was trained beats the first one."""
    found = next((row["measured"]["independent"] for row in reversed(rows) if row["measured"] is not None), None)
    if found is None:
        return texts["loop_not_measured"]
    rate = found["win_rate"]
    span = span_of(rate["ci"])
    known = (
        "loop_undecided"
        if span is None or span[0] <= 0.5 <= span[1]
        else "loop_better"
        if span[0] > 0.5
        else "loop_worse"
    )
    return texts[known].format(rate=with_span(rate["value"], rate["ci"], 3))


def sentences(summary: LedgerRow, rows: Sequence[LedgerRow], texts: Words) -> list[str]:
    """What was run, why it ended, and what to keep in mind."""
    said = [
        texts["loop_run"].format(
            iterations=len(rows), variant=summary["variant"], rewards=summary["rewards"], model=summary["model"]
        )
    ]
    if summary["stop"] is not None:
        said.append(texts["loop_stopped"].format(number=rows[-1]["iteration"]))
    if summary["chosen"] is not None:
        said.append(texts["loop_kept"].format(number=summary["chosen"]))
    if summary["independent"] is None:
        said.append(texts["loop_needs"])
    elif summary["independent"] == summary["rewards"]:
        said.append(texts["loop_same"])
    return said


def blocks(summary: LedgerRow, rows: Sequence[LedgerRow], texts: Words) -> list[PageBlock]:
    """The sections: win rates, curves, rewards, the ledger."""
    return [*win_rates(rows, texts), curves(summary, rows, texts), histograms(rows, texts), ledger(rows, texts)]


def win_rates(rows: Sequence[LedgerRow], texts: Words) -> list[PageBlock]:
    """The win rate of each model over the first one, with its interval."""
    bars = [
        IntervalRow(
            texts["loop_model"].format(number=row["iteration"]), found["win_rate"]["value"],
            span_of(found["win_rate"]["ci"]), "a",
            with_span(found["win_rate"]["value"], found["win_rate"]["ci"], 3), f"n = {found['n']:,}",
        )
        for row in rows
        if (found := at(row, ("measured", "independent"))) is not None and found["win_rate"]["value"] is not None
    ]  # fmt: skip
    if not bars:
        return []
    title = texts["loop_win_rates"]
    plot = Plot("win_rates", title, interval_chart(title, texts["loop_win_rate"], bars), (), (texts["intervals_95"],))
    return [PageBlock("wins", title, plots=[plot], remarks=[texts["loop_half"]])]


def curves(summary: LedgerRow, rows: Sequence[LedgerRow], texts: Words) -> PageBlock:
    """How figures change over the iterations."""
    base = summary["base"]
    every = [{"iteration": 0, "measured": base}, *rows]
    lines: list[tuple[str, str, Sequence[tuple[str, FigurePath, Colour]], Sequence[LedgerRow]]] = [
        ("reward", "loop_reward", [("loop_reward", ("measured", "independent", "mean", "value"), "a")], every),
        ("kl", "loop_kl", [("loop_kl", ("measured", "kl", "kl"), "b")], every),
        ("judge", "loop_judge", [("loop_judge", ("measured", "judge", "accuracy"), "a")], every),
        (
            "length", "loop_characters",
            [
                ("loop_samples", ("measured", "length", "characters"), "a"),
                ("loop_candidates", ("length", "characters"), "b"),
            ], every,
        ),
        (
            "diversity", "loop_diversity",
            [("loop_distinct_2", ("diversity", "distinct_2"), "a"), ("loop_self_bleu", ("diversity", "self_bleu"), "b")],
            rows,
        ),
        (
            "shares", "loop_shares",
            [("loop_parsable", ("rewards", "parsable"), "a"), ("loop_flat", ("rewards", "flat"), "b"),
             ("loop_longer", ("pairs", "chosen_longer"), "d")],
            rows,
        ),
    ]  # fmt: skip
    plots = [curve(name, texts[title], series, some, texts) for name, title, series, some in lines]
    return PageBlock("curves", texts["dpo_curves"], plots=[plot for plot in plots if plot is not None])


def curve(
    name: str, title: str, lines: Sequence[tuple[str, FigurePath, Colour]], rows: Sequence[LedgerRow], texts: Words
) -> Plot | None:
    """Some figures against the iteration; None where there is none of them."""
    series = [
        Series(texts[word], [(row["iteration"], value) for row in rows if (value := at(row, path)) is not None], colour)
        for word, path, colour in lines
    ]
    series = [one for one in series if one.points]
    if not series:
        return None
    ticks = [float(row["iteration"]) for row in rows]
    picture = xy_chart(title, Frame(texts["loop_iteration"], title, x_ticks=ticks), series)
    return Plot(name, title, picture, legend_of(series))


def histograms(rows: Sequence[LedgerRow], texts: Words) -> PageBlock:
    """The rewards of the candidates of each iteration."""
    plots = []
    for row in rows:
        found = row["rewards"]["histogram"]
        if found is None:
            continue
        edges, counts = found["edges"], found["counts"]
        title = texts["loop_rewards_of"].format(number=row["iteration"])
        points = list(zip(edges[:-1], map(float, counts), strict=True))
        series = [Series(texts["loop_candidates"], points, "a", "steps", rights=edges[1:])]
        picture = xy_chart(title, Frame(texts["loop_reward"], texts["loop_candidates"]), series, [GuideLine("", y=0.0)])
        plots.append(Plot("histogram", title, picture))
    return PageBlock("rewards", texts["loop_histograms"], plots=plots)


def ledger(rows: Sequence[LedgerRow], texts: Words) -> PageBlock:
    """Every figure of every iteration."""
    heads = ("", *(texts["loop_column"].format(number=row["iteration"]) for row in rows))

    def cells(path: FigurePath, digits: int) -> Callable[[LedgerRow], str]:
        return lambda row: number(at(row, path), digits)

    lines = [(texts[word], *map(cells(path, digits), rows)) for word, path, digits in COUNTED]
    table = CellTable(heads, lines, tuple(range(1, len(rows) + 1)))
    return PageBlock("ledger", texts["loop_ledger"], tables=[table])
