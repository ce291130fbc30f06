"""What `rewardsmith prepare` did, as JSON and as text for a terminal."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rewardsmith.data.loading.mixing import CHECK as NOT_TAKEN
from rewardsmith.language import display_width, padded, say
from rewardsmith.pipelines.prepare.statistics import Tally, ordered_splits, quality
from rewardsmith.quality.shortcuts.sentences import shortcut_lines


@dataclass(frozen=True)
class Result:
    """What `prepare` did: `kept + quarantined + removed == rows`; `records` made of the kept rows are in the splits.

    `joined` of the kept rows are part of an earlier row's record; `not_taken` of the removed ones were left out by a
    share or a cap. `quarantined_by`, `removed_by` and `findings` count rows by code and check (docs/data-formats.md).
    """

    rows: int
    kept: int
    quarantined: int
    removed: int
    joined: int
    not_taken: int
    records: int
    splits: dict[str, int]
    output: str
    understood: tuple[str, ...]
    findings: dict[str, int]
    quarantined_by: dict[str, int]
    removed_by: dict[str, int]
    repaired: int
    reused: int
    filters: tuple[dict[str, Any], ...]
    shortcuts: dict[str, Any] | None
    label_noise: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """The result as one JSON object."""
        return asdict(self)

    def to_text(self) -> str:
        """The result for a person at a terminal."""
        lines = list(self.understood)
        lines.append(
            f"rows {self.rows:,}: kept {self.kept:,}, quarantined {self.quarantined:,}, removed {self.removed:,}"
        )
        if self.joined:
            lines.append(f"kept rows that were joined to an earlier row: {self.joined:,}")
        if self.quarantined_by:
            lines.append("quarantined: " + counted(self.quarantined_by))
        if self.removed_by:
            lines.append("removed: " + counted(self.removed_by))
        if self.splits:
            lines.append("splits: " + counted(self.splits))
        if self.repaired:
            lines.append(f"texts repaired: {self.repaired:,}; see repaired.jsonl")
        if self.reused:
            lines.append(f"rows with measurements reused from --signals: {self.reused:,}")
        lines += [*filter_table(self.filters), *label_lines(self.shortcuts, self.label_noise)]
        return "\n".join([*lines, f"written to {self.output}"])


def counted(counts: Mapping[str, int]) -> str:
    """Counts by name in one line."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def filter_table(filters: tuple[dict[str, Any], ...]) -> list[str]:
    """A line per check that saw something: its name, the rows it found and removed, its threshold, and what it means."""
    heads = ("check", "found", "removed", "threshold", "meaning")
    lines = [tuple(map(say, heads))]
    for one in filters:
        threshold = "" if one["threshold"] is None else str(one["threshold"])
        counts = (f"{one['found']:,}", f"{one['removed']:,}")
        lines.append((one["check"], *counts, threshold, say(one["meaning"])))
    if not filters:
        return []
    widths = [max(display_width(line[column]) for line in lines) for column in range(len(heads) - 1)]
    return ["  ".join([*map(padded, line, widths), line[-1]]).rstrip() for line in lines]


def label_lines(shortcuts: Mapping[str, Any] | None, label_noise: Mapping[str, Any] | None) -> list[str]:
    """What a terminal says about the labels."""
    lines = [] if shortcuts is None else list(shortcut_lines(shortcuts))
    if label_noise is None:
        return lines
    first, *others = label_noise["sentences"]
    return [*lines, f"wrong labels: {first}", *(f"  {other}" for other in others)]


def result_of(output: str, tally: Tally) -> Result:
    """The counts as a result; what was counted in different places has to add up."""
    records = sum(tally.splits.values())
    quarantined, removed = tally.quarantined.total(), tally.removed.total()
    kept = records + tally.joined + tally.documents
    assert kept + quarantined + removed == tally.rows
    return Result(
        rows=tally.rows,
        kept=kept,
        quarantined=quarantined,
        removed=removed,
        joined=tally.joined,
        not_taken=tally.removed[NOT_TAKEN],
        records=records,
        splits=ordered_splits(tally),
        output=output,
        understood=tuple(tally.understood),
        findings=most_first(tally.found_rows),
        quarantined_by=most_first(tally.quarantined),
        removed_by=most_first(tally.removed),
        repaired=tally.repaired,
        reused=tally.reused,
        filters=tuple(
            {name: one[name] for name in ("check", "meaning", "threshold", "found", "removed")}
            for one in quality(tally)["filters"]
            if one["found"] or one["removed"]
        ),
        shortcuts=tally.shortcuts,
        label_noise=tally.label_noise,
    )


def most_first(counts: Counter[str]) -> dict[str, int]:
    """Counts by name, the largest first."""
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
