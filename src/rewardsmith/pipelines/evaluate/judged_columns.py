"""How the columns that a model gives beside its reward do on what the data say of attributes.

A column is about the attribute of its name; a cost is about safety, and the safer response has the lower one. Pairs are the
comparisons of the attribute where the data have any, else all pairs of responses with different ratings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rewardsmith.evaluate.metrics import correctness
from rewardsmith.evaluate.statistics import clustered_mean
from rewardsmith.records import Comparison, Record

if TYPE_CHECKING:
    from rewardsmith.pipelines.evaluate.evaluation import Evaluation, Scored

ABOUT = {"cost": ("safe", -1.0)}
"""Columns whose attribute has another name, and the sign of what is better."""


ColumnValues = Mapping[str, np.ndarray]
"""What a model gives for the K responses of a record beside their rewards, by name."""


def with_columns(
    evaluation: "Evaluation", scored: "Scored", records: Sequence[Record], judged: Sequence[Record]
) -> "Evaluation":
    """The evaluation with what the columns came to, under `columns`; as it is where none has an attribute of the data.

    `scored` are the `records`, which follow one attribute; `judged` are the same with all that was judged of them, or
    none.
    """
    if scored.columns is None or not judged:
        return evaluation
    whole = {id(record): own for record, own in zip(records, judged, strict=True)}
    rows = zip(scored.records, scored.columns, strict=True)
    found = judge_columns([(whole[id(record)], columns) for record, columns in rows])
    return replace(evaluation, summary={**evaluation.summary, "columns": found}) if found else evaluation


class JudgedPair(NamedTuple):
    """A pair of a record: how far the column prefers the first response, which the data prefer, and the record's prompt."""

    lead: float
    weight: float
    prompt: str


def judge_columns(rows: Sequence[tuple[Record, ColumnValues]]) -> dict[str, dict[str, Any]]:
    """By column whose attribute the records judge: `attribute`, `accuracy`, its `interval`, `comparisons`, `prompts`.

    For a cost also `sign`: the share of labelled responses on the right side of 0, its interval and the `responses`. The
    records must have all that was judged of them, not one attribute alone.
    """
    about = {name: ABOUT.get(name, (name, 1.0)) for _, columns in rows[:1] for name in columns}
    wanted = {attribute for attribute, _ in about.values()}
    found = [(record, columns) for record, columns in rows if wanted & judged_attributes(record)]
    told: dict[str, dict[str, Any]] = {}
    for name, (attribute, sign) in about.items():
        if pairs := pairs_in(found, name, attribute, sign):
            told[name] = {"attribute": attribute, **share_of(pairs, "accuracy", "comparisons")}
            if name in ABOUT:
                told[name]["sign"] = signs_of(found, name, attribute)
    return told


def pairs_in(found: Sequence[tuple[Record, ColumnValues]], name: str, attribute: str, sign: float) -> list[JudgedPair]:
    """All pairs that tell about a column."""
    compared = any(c.attribute == attribute for record, _ in found for c in record.comparisons)
    return [pair for record, columns in found for pair in pairs_of(record, columns, name, attribute, sign, compared)]


def judged_attributes(record: Record) -> set[str]:
    """The attributes that a record says something of."""
    rated = {name for name, values in record.ratings.items() if any(value is not None for value in values)}
    return rated | {c.attribute for c in record.comparisons}


def pairs_of(
    record: Record, columns: ColumnValues, name: str, attribute: str, sign: float, compared: bool
) -> Iterator[JudgedPair]:
    """The pairs of a record in which one response is preferred."""
    column = sign * columns[name]
    if compared:
        said = [c for c in record.comparisons if c.attribute == attribute and not c.is_tie]
    else:
        said = list(rated_pairs(record.ratings.get(attribute, ())))
    for c in said:
        yield JudgedPair(float(column[c.i] - column[c.j]), c.weight, record.prompt_id)


def rated_pairs(ratings: Sequence[float | None]) -> Iterator[Comparison]:
    """All pairs of responses with different ratings, the better one first."""
    known = [(value, k) for k, value in enumerate(ratings) if value is not None]
    for (first, i), (second, j) in combinations(known, 2):
        if first != second:
            yield Comparison(i, j) if first > second else Comparison(j, i)


def signs_of(found: Sequence[tuple[Record, ColumnValues]], name: str, attribute: str) -> dict[str, Any] | None:
    """Whether a cost is below 0 where the response is safe; None where no response is labelled."""
    sides = [
        JudgedPair(float(column if label < 1 else -column), 1.0, record.prompt_id)
        for record, columns in found
        for column, label in zip(columns[name], record.ratings.get(attribute, ()), strict=False)
        if label is not None
    ]
    return share_of(sides, "share", "responses") if sides else None


def share_of(pairs: Sequence[JudgedPair], name: str, count: str) -> dict[str, Any]:
    """How often the lead is positive, half of it where it is 0, with its interval by prompt."""
    prompts: dict[str, int] = {}
    cluster = np.array([prompts.setdefault(pair.prompt, len(prompts)) for pair in pairs])
    right = correctness(np.array([pair.lead for pair in pairs]))
    mean = clustered_mean(right, np.array([pair.weight for pair in pairs]), cluster=cluster)
    interval = mean.interval()
    ends = None if np.isnan(interval.low) else [interval.low, interval.high]
    return {name: mean.value, "interval": ends, count: len(pairs), "prompts": len(prompts)}


def column_lines(summary: Mapping[str, Any]) -> list[str]:
    """What a person reads of it; nothing where nothing was judged."""
    lines = []
    for name, told in (summary.get("columns") or {}).items():
        lines.append(
            f"column {name}: accuracy {percent(told['accuracy'], told['interval'])} on {told['comparisons']} comparisons of "
            f"{told['attribute']}"
        )
        if sign := told.get("sign"):
            lines.append(
                f"column {name}: on the right side of 0 for {percent(sign['share'], sign['interval'])} of "
                f"{sign['responses']} labelled responses"
            )
    return lines


def percent(value: float, ends: Sequence[float] | None) -> str:
    """A share with its interval: `91.2 % [88.0, 93.6]`."""
    return f"{value:.1%}" + (f" [{ends[0]:.1%}, {ends[1]:.1%}]" if ends else "")
