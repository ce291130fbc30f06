"""What `rewardsmith prepare` counts while rows pass, and the quality report made of it.

To add a part to `quality.json`: a function from the Tally to JSON values, a line in PARTS; to show it on the page: a line in
`report.quality.sections.SECTIONS` or `report.quality.charts.CHARTS`.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from rewardsmith.data.splits.splitter import SPLITS, Split
from rewardsmith.pipelines.prepare.cross_row import REMOVABLE
from rewardsmith.quality.row.checks import DUPLICATE, MEANINGS, RowFinding, longer_preferred
from rewardsmith.quality.row.limits import LIMITS, OTHER_LANGUAGE, Limits
from rewardsmith.quality.row.measures import Values
from rewardsmith.quality.shortcuts.sample import Sample
from rewardsmith.records import Quarantined, Record, Removed

EXAMPLES = 5
SHOWN = (
    "shortest_chars",
    "longest_chars",
    "shortest_words",
    "longest_words",
    "similarity",
    "repetition",
    "compression",
)
SHOWN_TOO = ("agreement", "votes")
LENGTHS = SHOWN[:4]
SHARES = ("similarity", "repetition", "agreement")
HISTOGRAMS = (*LENGTHS, *SHARES)
"""Values whose distribution the quality page draws."""

SHARE_BARS = 20
EXCERPT = 400
"""Characters of each text of a row that an example quotes; it says how many there are."""
QUANTILES = {"min": 0.0, "p1": 0.01, "median": 0.5, "p99": 0.99, "max": 1.0}


@dataclass
class Tally:
    """Counts that grow while rows pass; memory is bounded, since values are counted rounded to two digits."""

    limits: Limits = field(default_factory=Limits)
    thresholds: dict[str, float] = field(default_factory=dict)
    rows: int = 0
    documents: int = 0
    joined: int = 0
    repaired: int = 0
    reused: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    splits: dict[Split, int] = field(default_factory=dict)
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)
    finding_rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    found_rows: Counter[str] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    removed_examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    quarantined_examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    values: dict[str, Counter[float]] = field(default_factory=dict)
    preferences: Counter[float] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    understood: list[str] = field(default_factory=list)
    comparisons: int = 0
    ties: int = 0
    longer: int = 0
    unequal: int = 0
    first_refusal: Quarantined | None = None
    sample: Sample = field(default_factory=Sample)
    shortcuts: dict[str, Any] | None = None
    label_noise: dict[str, Any] | None = None

    def note(self, sentence: str) -> None:
        """Keep what was understood of a file; a source that is read twice says it once."""
        if sentence not in self.understood:
            self.understood.append(sentence)

    def find(self, *findings: RowFinding, record: Record | None = None) -> None:
        """Count the findings of one row, and the row once per kind; the first EXAMPLES of each kind are quoted.

        With its `record` an example quotes the texts as well.
        """
        self.found_rows.update({finding.check for finding in findings})
        self.finding_rows.update({(finding.check, finding.severity) for finding in findings})
        for finding in findings:
            key = (finding.check, finding.severity)
            self.findings[key] += 1
            example: dict[str, Any] = {"place": finding.place, "detail": finding.detail}
            if finding.threshold is not None:
                example |= {"value": finding.value, "threshold": finding.threshold}
            examples = self.examples.setdefault(key, [])
            if record is not None and len(examples) < EXAMPLES:
                example["texts"] = quoted_texts(record)
            quote(examples, example)

    def quarantine(self, row: Quarantined) -> None:
        """Count a row that cannot be used."""
        self.first_refusal = self.first_refusal or row
        self.quarantined[row.code] += 1
        example: dict[str, Any] = {"place": f"{row.file}:{row.line}", "detail": row.reason, "excerpt": row.excerpt}
        quote(self.quarantined_examples.setdefault(row.code, []), example)

    def remove(self, row: Removed) -> None:
        """Count a row that was taken out."""
        self.removed[row.check] += 1
        example: dict[str, Any] = {"place": f"{row.file}:{row.line}", "detail": row.reason, "excerpt": row.excerpt}
        example |= {"value": row.value, "threshold": row.threshold}
        quote(self.removed_examples.setdefault(row.check, []), example)

    def measure(self, record: Record, values: Values) -> None:
        """Add a kept record's figures for the quality report."""
        self.sample.add(record)
        self.comparisons += len(record.comparisons)
        self.ties += sum(comparison.is_tie for comparison in record.comparisons)
        self.preferences.update(round(comparison.preference, 2) for comparison in record.comparisons)
        longer, unequal = longer_preferred(record, values.words)
        self.longer += longer
        self.unequal += unequal
        self.languages[values.language] += 1
        for name in (*SHOWN, *SHOWN_TOO):
            value = getattr(values, name)
            if value is not None:
                self.values.setdefault(name, Counter())[float(f"{value:.2g}")] += 1


def quote(examples: list[dict[str, Any]], example: dict[str, Any]) -> None:
    """Keep an example while there are fewer than EXAMPLES."""
    if len(examples) < EXAMPLES:
        examples.append(example)


def quoted_texts(record: Record) -> list[dict[str, Any]]:
    """The beginning of the prompt and of each response, with how many characters each has."""
    prompt = "\n\n".join(f"{message.role}: {message.content}" for message in record.prompt)
    named = [("prompt", prompt), *((f"response {k}", one.text) for k, one in enumerate(record.responses[:4], 1))]
    return [{"name": name, "text": text[:EXCERPT], "characters": len(text)} for name, text in named]


def counts(tally: Tally) -> dict[str, Any]:
    """Row counts."""
    return {
        "rows": tally.rows,
        "documents": tally.documents,
        "joined": tally.joined,
        "repaired": tally.repaired,
        "records": sum(tally.splits.values()),
        "splits": ordered_splits(tally),
        "quarantined": dict(sorted(tally.quarantined.items())),
        "removed": dict(sorted(tally.removed.items())),
    }


def judgements(tally: Tally) -> dict[str, Any]:
    """What the kept records are, in numbers."""
    return {
        "comparisons": tally.comparisons,
        "ties": tally.ties,
        "longer_preferred": {"share": tally.longer / tally.unequal if tally.unequal else None, "of": tally.unequal},
        "languages": dict(sorted(tally.languages.items())),
        "preferences": {f"{value:g}": count for value, count in sorted(tally.preferences.items())},
        "histograms": {name: histogram(name, tally.values[name]) for name in HISTOGRAMS if name in tally.values},
        "values": {name: quantiles(tally.values[name]) for name in (*SHOWN, *SHOWN_TOO) if name in tally.values},
        "understood": tally.understood,
    }


def findings(tally: Tally) -> dict[str, Any]:
    """What each check saw, most frequent first, with examples: a row may have several findings of one check."""
    ordered = sorted(tally.findings.items(), key=lambda entry: (-entry[1], entry[0]))
    return {
        "findings": [
            {
                "check": name,
                "severity": severity,
                "rows": tally.finding_rows[name, severity],
                "count": count,
                "examples": tally.examples[name, severity],
            }
            for (name, severity), count in ordered
        ]
    }


def filters(tally: Tally) -> dict[str, Any]:
    """Each check with its threshold, the rows that it found and removed, and examples of both ledgers."""
    extra = sorted((tally.removed.keys() | tally.found_rows.keys()) - set(REMOVABLE))
    return {
        "filters": [filter_of(name, tally) for name in (*REMOVABLE, *extra)],
        "quarantine": [
            {"code": code, "count": count, "examples": tally.quarantined_examples[code]}
            for code, count in sorted(tally.quarantined.items())
        ],
    }


def filter_of(name: str, tally: Tally) -> dict[str, Any]:
    """One line of `filters`."""
    return {
        "check": name,
        "meaning": MEANINGS.get(name, ""),
        "threshold": tally.thresholds.get(name, threshold_of(name, tally.limits)),
        "found": max(tally.found_rows[name], tally.removed[name]) if name == DUPLICATE else tally.found_rows[name],
        "removed": tally.removed[name],
        "examples": tally.removed_examples.get(name, []),
    }


def threshold_of(check: str, limits: Limits) -> float | str | None:
    """What a check compares with; None where it compares nothing or the limit is off."""
    if check == OTHER_LANGUAGE:
        return ", ".join(limits.languages) or None
    limit = LIMITS.get(check)
    value: float | None = None if limit is None or limit.threshold is None else getattr(limits, limit.threshold)
    return value


def labels(tally: Tally) -> dict[str, Any]:
    """What the labels can be predicted from, and how many are wrong; None where that was not looked for."""
    return {"shortcuts": tally.shortcuts, "label_noise": tally.label_noise}


PARTS: tuple[Callable[[Tally], dict[str, Any]], ...] = (counts, judgements, findings, filters, labels)
"""What `quality.json` is made of; each adds keys of its own."""


def quality(tally: Tally) -> dict[str, Any]:
    """The quality report: everything that was counted, with examples; the same rows give the same report."""
    content: dict[str, Any] = {}
    for part in PARTS:
        content |= part(tally)
    return content | {"limits": asdict(tally.limits)}


def quantiles(counted: Counter[float]) -> dict[str, float]:
    """Quantiles of counted values: the smallest value that at least that share of the rows does not exceed."""
    total, ordered = counted.total(), sorted(counted.items())
    found = {}
    for name, share in QUANTILES.items():
        below = 0
        for value, count in ordered:
            below += count
            if below >= share * total:
                found[name] = value
                break
    return found


def histogram(name: str, counted: Counter[float]) -> list[tuple[float, float, int]]:
    """(left edge, right edge, count) of each bar from the first to the last that is not empty.

    Lengths are counted by half octaves, since they span several powers of ten; shares by twentieths.
    """
    bar_of = half_octave if name in LENGTHS else twentieth
    bars: Counter[int] = Counter()
    for value, count in counted.items():
        bars[bar_of(value)] += count
    edges = [2 ** (bar / 2) if name in LENGTHS else bar / SHARE_BARS for bar in range(min(bars), max(bars) + 2)]
    counts = [bars[bar] for bar in range(min(bars), max(bars) + 1)]
    return [(round(left, 4), round(right, 4), n) for left, right, n in zip(edges, edges[1:], counts, strict=False)]


def half_octave(value: float) -> int:
    """The bar of a length: 0 for 1, 2 for 2, 4 for 4; what is shorter than 1 counts below 1."""
    return math.floor(2 * math.log2(value) + 1e-9) if value >= 1 else -1


def twentieth(value: float) -> int:
    """The bar of a share, 1 in the last."""
    return min(math.floor(value * SHARE_BARS + 1e-9), SHARE_BARS - 1)


def ordered_splits(tally: Tally) -> dict[str, int]:
    """The sizes of the splits, in their usual order."""
    return {name: tally.splits[name] for name in SPLITS if name in tally.splits}
