"""How the model does on groups of comparisons: by each field of the records with a few values, by source, by language, and
by what no field says: where a row stands, how long its prompt is, and which response was listed first.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.pipelines.diagnose.bench import Workbench, scored_at_all
from rewardsmith.pipelines.evaluate.beside_training import ComparedMargins, margins_of, sample_of, spread_over
from rewardsmith.quality.cross_row.overlap import prompt_text
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.quality.text.languages import language_of
from rewardsmith.records import Record

VALUES = 30
"""Different values above which a field is an id or a text and no group."""

FEWEST = 20
"""Comparisons that at least two of its values need."""

FEWEST_PLACED = 100
"""Comparisons of a source from which it is told whether its labels follow the place of a response."""

QUARTERS = ("Q1", "Q2", "Q3", "Q4")
UNNAMED = ("place_in_data", "prompt_length")
"""Groups that no field names: quarters of the rows in the order of their files, and of the prompts by their length."""


def groups_by_field(bench: Workbench) -> Mapping[str, Any]:
    """Figures by the values of each field and by UNNAMED, on held-out comparisons and, where the run is known, on training
    ones; and by which of the two responses was listed first.
    """
    judged = spread_over(bench.judged)
    sides = [(False, judged, margins_of(judged, rewards_of(bench, judged)))]
    if bench.run is not None:
        scored = scored_at_all(bench.model, sample_of(bench.data.splits.train))
        sides.append((True, scored.records, margins_of(scored.records, scored.rewards)))
    told: list[dict[str, Any]] = []
    places: list[dict[str, Any]] = []
    for trained, records, margins in sides:
        told += groups_of(records, margins, trained=trained)
        places += places_of(records, margins, trained=trained)
    return {"groups": told, "places": places}


def rewards_of(bench: Workbench, records: Sequence[Record]) -> list[np.ndarray]:
    """The rewards of the evaluation for each response of the records; NaN where it has none."""
    return [
        np.array([bench.rewards.get((record.id, k), np.nan) for k in range(len(record.responses))])
        for record in records
    ]


def groups_of(records: Sequence[Record], margins: ComparedMargins, *, trained: bool) -> Iterator[dict[str, Any]]:
    """An entry for each field with several groups."""
    fields = fields_of(records)
    groups = {name: [value_of(record, name) for record in records] for name in fields}
    groups = {name: values for name, values in unnamed(records).items() if name not in fields} | groups
    for name, values in groups.items():
        told = figures_by(margins, values)
        if len(told) > 1:
            yield {"field": name, "trained": trained, "values": told}


def fields_of(records: Sequence[Record]) -> list[str]:
    """Names of the fields by which the records fall into a few groups, `source` and `language` among them."""
    names = {name for record in records for name in record.fields} | {"source", "language"}
    kept = []
    for name in sorted(names):
        counts = Counter[str | None]()
        for record in records:
            counts[value_of(record, name)] += len(record.comparisons)
        if len(counts) <= VALUES and sum(n >= FEWEST for value, n in counts.items() if value is not None) > 1:
            kept.append(name)
    return kept


def unnamed(records: Sequence[Record]) -> dict[str, list[str | None]]:
    """The values of UNNAMED: the quarter of each record by its place in its file, and by the words of its prompt."""
    places = [(record.source, record.line) for record in records]
    order = {place: rank for rank, place in enumerate(sorted(places))}
    words = [length_in_words(prompt_text(record)) for record in records]
    return {
        "place_in_data": quarters(np.array([order[place] for place in places], dtype=np.float64)),
        "prompt_length": quarters(np.array(words, dtype=np.float64)),
    }


def quarters(values: np.ndarray) -> list[str | None]:
    """The quarter of each value; equal values are in the same one."""
    ends = np.quantile(values, (0.25, 0.5, 0.75)) if values.size else np.zeros(3)
    return [QUARTERS[int(at)] for at in np.searchsorted(ends, values)]


def value_of(record: Record, name: str) -> str | None:
    """The value of a field; None where the record has none, or one that is no word or number."""
    if name == "source":
        return Path(record.source).name or None
    if name == "language":
        return language_of(prompt_text(record))
    value = record.fields.get(name)
    return str(value) if isinstance(value, str | int | bool) else None


def figures_by(margins: ComparedMargins, values: Sequence[str | None]) -> dict[str, Any]:
    """Figures of the comparisons of each value that has enough of them; `values` are those of the records."""
    of_rows = np.array([values[number] or "" for number in margins.record])
    told = {}
    for value in sorted({value for value in values if value}):
        figures = margins.figures(of_rows == value)
        if figures["n"] >= FEWEST:
            told[value] = figures
    return told


def places_of(records: Sequence[Record], margins: ComparedMargins, *, trained: bool) -> Iterator[dict[str, Any]]:
    """For each source with enough comparisons: in which share the preferred response is listed first, and the figures where
    it is the first and where it is the later one.
    """
    first = np.array([c.i < c.j for record in records for c in record.comparisons], dtype=bool)
    sources = np.array([value_of(record, "source") or "" for record in records])[margins.record]
    for source in sorted(set(sources.tolist())):
        own = sources == source
        listed = {"first": margins.figures(own & first), "later": margins.figures(own & ~first)}
        n = listed["first"]["n"] + listed["later"]["n"]
        if n >= FEWEST_PLACED and min(one["n"] for one in listed.values()) >= FEWEST:
            yield {"source": source, "trained": trained, "n": n, "share_first": listed["first"]["n"] / n, **listed}
