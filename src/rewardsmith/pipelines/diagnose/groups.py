"""How the model does on groups of comparisons: by each field of the records with a few values, by source, by language."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.pipelines.diagnose.bench import Workbench, scored_at_all
from rewardsmith.pipelines.evaluate.beside_training import ComparedMargins, margins_of, sample_of
from rewardsmith.quality.cross_row.overlap import prompt_text
from rewardsmith.quality.text.languages import language_of
from rewardsmith.records import Record

VALUES = 30
"""Different values above which a field is an id or a text and no group."""

FEWEST = 20
"""Comparisons that at least two of its values need."""


def groups_by_field(bench: Workbench) -> Mapping[str, Any]:
    """Figures by the values of each field, on held-out comparisons and, where the run is known, on training ones."""
    told = list(groups_of(bench, bench.judged, trained=False))
    if bench.run is not None:
        told += groups_of(bench, sample_of(bench.data.splits.train), trained=True)
    return {"groups": told}


def groups_of(bench: Workbench, records: Sequence[Record], *, trained: bool) -> Iterator[dict[str, Any]]:
    """An entry for each field with several groups."""
    chosen = records if trained else sample_of(records, seed=1)
    fields = fields_of(chosen)
    if not fields:
        return
    scored = scored_at_all(bench.model, chosen)
    margins = margins_of(scored.records, scored.rewards)
    for name in fields:
        values = [value_of(record, name) for record in scored.records]
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
