"""What becomes of labels that are probably wrong: a line each, a finding per row, and the training split as it is then.

Only labels of the training split change, and only where wrong labels are shown to be there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from rewardsmith.pipelines.prepare.label_noise import TRAIN, DecidedLabel, JudgedLabels, Judgement
from rewardsmith.quality.labels.changes import Mode, changed
from rewardsmith.quality.labels.noise import NoiseModel
from rewardsmith.quality.labels.sentences import (
    change_sentences,
    learned_labels_sentence,
    noise_sentence,
    prior_sentence,
    probability_sentence,
)
from rewardsmith.quality.row.checks import LABEL_NOISE, RowFinding
from rewardsmith.records import Comparison, Record

DIGITS = 6


class LabelChanges(NamedTuple):
    """How many labels of the training split change, and the records that these are in, by their number in the split.

    None stands for a record that no label of weight is left in.
    """

    labels: int
    records: dict[int, Record | None]


def changes_of(records: Sequence[Record], judgement: Judgement, mode: Mode) -> LabelChanges:
    """What changes in the records of the training split."""
    judged = judgement.splits[TRAIN]
    new: dict[int, dict[int, Comparison]] = {}
    for at, label in enumerate(judged.labels):
        comparison = decided(judged, at, mode, shown=judgement.noise.model.shown)
        if comparison != label.comparison:
            new.setdefault(label.record_number, {})[label.number] = comparison
    found = {number: with_comparisons(records[number], comparisons) for number, comparisons in new.items()}
    return LabelChanges(sum(map(len, new.values())), found)


def with_comparisons(record: Record, new: dict[int, Comparison]) -> Record | None:
    """A record with some of its comparisons, by their number, replaced; None where none of them has weight any more."""
    comparisons = tuple(new.get(number, old) for number, old in enumerate(record.comparisons))
    return replace(record, comparisons=comparisons) if any(one.weight for one in comparisons) else None


def decided(judged: JudgedLabels, at: int, mode: Mode, *, shown: bool) -> Comparison:
    """The comparison as it is from now on."""
    label = judged.labels[at]
    if label.split != TRAIN or not shown:
        return label.comparison
    wrong = round(float(judged.wrong[at]), DIGITS)
    return changed(label.comparison, mode, wrong=wrong, suspect=bool(judged.suspect[at]))


def decision_lines(judgement: Judgement, mode: Mode) -> Iterator[dict[str, Any]]:
    """The lines of label_noise.jsonl: those of each split, as its rows stand in the sources."""
    model = judgement.noise.model
    for judged in judgement.splits.values():
        for at in sorted(range(len(judged.labels)), key=lambda at: place_of(judged.labels[at])):
            yield decision_line(judged, at, decided(judged, at, mode, shown=model.shown), mode, model)


def decision_line(judged: JudgedLabels, at: int, new: Comparison, mode: Mode, model: NoiseModel) -> dict[str, Any]:
    """Where a label is, how probably it is wrong, what was decided, and why."""
    label = judged.labels[at]
    comparison, margin, wrong = label.comparison, float(judged.margin[at]), float(judged.wrong[at])
    side = "the labelled side" if margin > 0 else "the other side" if margin < 0 else "neither side"
    kept = "suspect" if judged.suspect[at] else "keep"
    return {
        "source": label.record.source,
        "line": label.record.line,
        "id": label.record.id,
        "split": label.split,
        "i": comparison.i,
        "j": comparison.j,
        "margin": round(margin, DIGITS),
        "spread": None if np.isnan(judged.spread[at]) else round(float(judged.spread[at]), DIGITS),
        "wrong": round(wrong, DIGITS),
        "decision": kept if new == comparison else mode,
        "reason": f"the detectors prefer {side} by {abs(margin):.2f}; {probability_sentence(model, wrong)}",
    }


def place_of(label: DecidedLabel) -> tuple[str, int, int]:
    """Where a label stands in the sources."""
    return label.record.source, label.record.line, label.number


def suspect_findings(judgement: Judgement) -> Iterator[RowFinding]:
    """A finding per row with a label that is called wrong, the surest ones first."""
    rows: dict[str, tuple[float, str]] = {}
    for judged in judgement.splits.values():
        for at in np.flatnonzero(judged.suspect):
            label, wrong = judged.labels[int(at)], float(judged.wrong[at])
            i, j = label.comparison.i, label.comparison.j
            detail = (
                f'{label.split}: the label "response {i} is preferred to response {j}" is wrong with probability '
                f"{wrong:.2f}"
            )
            rows[label.record.place] = max(rows.get(label.record.place, (0.0, "")), (wrong, detail))
    for place, (_, detail) in sorted(rows.items(), key=lambda row: (-row[1][0], row[0])):
        yield RowFinding(LABEL_NOISE, "warning", place, detail)


def noise_section(judgement: Judgement, mode: Mode, *, changed: int, removed: int) -> dict[str, Any]:
    """The section `label_noise` of quality.json: no share and no AUC where wrong labels are not shown to be there."""
    found = judgement.noise
    shown = found.model.shown
    return {
        "mode": mode,
        "labels": len(found.combined),
        "rate": found.model.rate if shown else None,
        "rate_ci": [found.interval.low, found.interval.high],
        "shown": shown,
        "assumed_rate": round(found.model.belief.expected_rate, DIGITS),
        "agreement": round(found.agreement, DIGITS),
        "sure_agreement": round(found.sure_agreement, DIGITS),
        "expected_auc": round(found.expected_auc, DIGITS) if shown else None,
        "suspect": {name: int(judged.suspect.sum()) for name, judged in judgement.splits.items()},
        "changed": changed,
        "rows_removed": removed,
        "detectors": [
            {
                "name": name,
                "known": judgement.known[name],
                "agreement": round(judgement.agreement[name], DIGITS),
                "weight": round(float(weight), DIGITS),
            }
            for name, weight in zip(found.model.names, found.model.weight, strict=True)
        ],
        "sentences": [
            noise_sentence(found),
            *([] if shown else [prior_sentence(found.model)]),
            *([judgement.why] if judgement.why else []),
            *change_sentences(found, mode, changed=changed, removed=removed),
            *map(learned_labels_sentence, judgement.learned),
        ],
    }
