"""`rewardsmith prepare`: what the labels can be predicted from, and with `--label-noise` which of them are probably wrong.

Detectors of wrong labels are TF-IDF, cross-fitted, and rewards from files that `rewardsmith score` wrote. All is fitted on
the training split; validation and test are judged by what was fitted there, and never changed: what measures a model must
not be bent to another model's opinion. Texts of all splits are in memory meanwhile.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from rewardsmith.data.formats.native import to_row
from rewardsmith.data.input.renaming import parse_renames
from rewardsmith.data.loading.load import load
from rewardsmith.data.splits.splitter import SPLITS, Split
from rewardsmith.errors import DataError, UsageError
from rewardsmith.evaluate.baselines import TextPairs, tfidf
from rewardsmith.files import append_jsonl, write_jsonl
from rewardsmith.pipelines.prepare.reward_margins import Rewards, check_margins, key, margin_files, read_rewards
from rewardsmith.pipelines.prepare.statistics import Tally
from rewardsmith.progress import Progress
from rewardsmith.quality.labels.changes import Mode, changed
from rewardsmith.quality.labels.noise import LabelNoise, NoiseModel, agreement_of, find_label_noise, spread_of
from rewardsmith.quality.labels.sentences import done_told, label_noise_told, learned_told
from rewardsmith.quality.row.checks import EXCERPT_CHARS, LABEL_NOISE, Finding
from rewardsmith.quality.shortcuts.measure import measure_shortcuts
from rewardsmith.quality.shortcuts.sample import decided_comparisons
from rewardsmith.quality.shortcuts.sentences import shortcut_lines
from rewardsmith.records import Comparison, Record, Removed

FILE = "label_noise.jsonl"
TRAIN: Split = "train"
DIGITS = 6
LEARNED = 0.1
"""Agreement with training labels above that with others from which a model has probably been trained on them."""
FEWEST = 30
"""Labels on either side under which nothing is said about that."""

Choice = Literal["off", "report", "soften", "drop", "flip"]


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Settings about labels as a whole."""

    label_noise: Choice = "off"
    """What to do with labels of train that are probably wrong: off, report, soften (expected label), drop, flip."""

    margins: tuple[str, ...] = ()
    """Rewards of a model for the same rows, as rewardsmith score writes them; repeat it for several models."""


@dataclass(frozen=True)
class Label:
    """A decided comparison: its record, its number there, and the split that it is in."""

    record: Record
    number: int
    split: str

    @property
    def comparison(self) -> Comparison:
        """The comparison itself."""
        return self.record.comparisons[self.number]

    def text(self, index: int) -> str:
        """The words of one response."""
        return self.record.responses[index].text

    def margin(self, rewards: Rewards) -> float:
        """Reward of the preferred response minus that of the other; NaN where one is not known."""
        i, j = (rewards.get(key(self.record, at), np.nan) for at in (self.comparison.i, self.comparison.j))
        return i - j

    def content(self) -> tuple[Any, ...]:
        """What orders labels whatever the order of their rows."""
        comparison = self.comparison
        return (
            self.record.prompt_id,
            self.record.id,
            comparison.i,
            comparison.j,
            comparison.preference,
            comparison.weight,
        )


@dataclass(frozen=True)
class Judged:
    """Labels with P(wrong), whether each is called wrong, the detectors' common margin and their spread, shape (N,)."""

    labels: Sequence[Label]
    wrong: np.ndarray
    suspect: np.ndarray
    margin: np.ndarray
    spread: np.ndarray


class Changes(NamedTuple):
    """What was done to the training split: labels changed, and the records that have no label left."""

    labels: int
    emptied: tuple[Record, ...]


def check_labels(settings: Labels, renames: Sequence[str]) -> list[Path]:
    """The files of margins, each of which has rewards. Refuses what contradicts itself, before any row is read."""
    if settings.label_noise not in get_args(Choice):
        raise UsageError(f"label_noise is {settings.label_noise!r}; expected one of {', '.join(get_args(Choice))}")
    if settings.margins and settings.label_noise == "off":
        raise UsageError("margins need label_noise: say what to do, for example --label-noise report")
    found = margin_files(settings.margins)
    for path in settings.margins:
        check_margins(path, parse_renames(renames))
    return found


def look_at_labels(folder: Path, settings: Labels, renames: Sequence[str], tally: Tally, progress: Progress) -> None:
    """Put the sections `shortcuts` and `label_noise` into the tally; change and write what `--label-noise` asks for.

    Shortcuts are those of the labels as they came; what is then dropped moves from the splits to the removed rows.
    """
    tally.shortcuts = measure_shortcuts(tally.sample).to_json()
    if settings.label_noise != "off":
        rewards = {path: read_rewards(path, progress, columns=parse_renames(renames)) for path in settings.margins}
        tally.label_noise = judge_labels(folder, settings.label_noise, rewards, tally)


def labels_told(shortcuts: Mapping[str, Any] | None, label_noise: Mapping[str, Any] | None) -> list[str]:
    """What a terminal says about the labels."""
    lines = [] if shortcuts is None else list(shortcut_lines(shortcuts))
    if label_noise is None:
        return lines
    first, *others = label_noise["sentences"]
    return [*lines, f"wrong labels: {first}", *(f"  {other}" for other in others)]


def judge_labels(folder: Path, mode: Mode, files: Mapping[str, Rewards], tally: Tally) -> dict[str, Any]:
    """Write label_noise.jsonl for the splits in `folder`, change the training split as `mode` says; the report's section.

    DataError where the training split has no decided comparison, or a margins file fits none of them.
    """
    records = {name: split_records(folder / f"{name}.jsonl") for name in SPLITS}
    labels = {name: list(labels_of(rows, name)) for name, rows in records.items()}
    if not labels[TRAIN]:
        raise DataError("label noise cannot be judged: the training split holds no decided comparison")
    # In an order of their own, so that sums, folds and thus every decision do not hang on the order of the rows.
    train = sorted(labels[TRAIN], key=Label.content)
    refuse_foreign_margins(files, train)
    ids: dict[str, int] = {}
    cluster = np.array([ids.setdefault(label.record.prompt_id, len(ids)) for label in train], dtype=np.int64)
    texts = texts_of(train)
    signals = signals_of(train, tfidf(texts.preferred, texts.other, cluster=cluster).margin, files)
    weight = np.array([label.comparison.weight for label in train], dtype=np.float64)
    found = find_label_noise(signals, cluster=cluster, weight=weight, names=("tfidf", *files))
    judged: dict[str, Judged] = {TRAIN: Judged(train, found.wrong, found.suspect, found.combined, found.spread)}
    for name in SPLITS[1:]:
        if labels[name]:
            judged[name] = judge_others(found.model, labels[name], texts, files)
    others = [label for name in SPLITS[1:] for label in labels[name]]
    learned = [path for path, rewards in files.items() if learned_these(rewards, train, others)]
    told = [tell(each, mode, found) for each in judged.values()]
    write_jsonl(folder / FILE, (line for each in told for line in each))
    report_suspects(judged, tally)
    changes = (
        change(folder, records[TRAIN], judged[TRAIN], mode)
        if found.model.shown and mode != "report"
        else Changes(0, ())
    )
    removed = remove_emptied(folder, changes.emptied, tally)
    counts: dict[str, int] = {name: int(each.suspect.sum()) for name, each in judged.items()}
    known = {name: float((~np.isnan(signals[:, at])).mean()) for at, name in enumerate(found.model.names)}
    told_section = section(found, mode, counts=counts, changed=changes.labels, removed=removed, known=known)
    told_section["sentences"] += map(learned_told, learned)
    return told_section


def split_records(path: Path) -> tuple[Record, ...]:
    """The records of a split that was just written; none where it has no file."""
    return load(path).records if path.is_file() and path.stat().st_size else ()


def labels_of(records: Sequence[Record], split: str) -> Iterator[Label]:
    """The decided comparisons that carry weight."""
    for record in records:
        for number, _ in decided_comparisons(record):
            yield Label(record, number, split)


def refuse_foreign_margins(files: Mapping[str, Rewards], train: Sequence[Label]) -> None:
    """DataError for a margins file that knows none of the training labels."""
    for path, rewards in files.items():
        if all(np.isnan(label.margin(rewards)) for label in train):
            raise DataError(
                f"{path} has rewards for none of the {len(train)} training labels; expected the same prompts and responses"
            )


def texts_of(labels: Sequence[Label]) -> TextPairs:
    """The responses' words."""
    return TextPairs(
        [label.text(label.comparison.i) for label in labels], [label.text(label.comparison.j) for label in labels]
    )


def signals_of(labels: Sequence[Label], words: np.ndarray, files: Mapping[str, Rewards]) -> np.ndarray:
    """Margins (N, detectors): TF-IDF, then each file."""
    return np.stack([words, *(np.array([label.margin(r) for label in labels]) for r in files.values())], axis=1)


def judge_others(
    model: NoiseModel, labels: Sequence[Label], training: TextPairs, files: Mapping[str, Rewards]
) -> Judged:
    """Labels outside the training split, by what was fitted on it."""
    texts = texts_of(labels)
    cluster = np.zeros(len(labels), dtype=np.int64)
    words = tfidf(texts.preferred, texts.other, cluster=cluster, training=training).margin
    signals = signals_of(labels, words, files)
    combined = model.combined(signals)
    wrong = model.wrong(combined)
    return Judged(labels, wrong, model.suspect(wrong), combined, spread_of(signals / model.scale))


def learned_these(rewards: Rewards, train: Sequence[Label], others: Sequence[Label]) -> bool:
    """Whether a model was trained on the very labels it judges: it agrees with far more of them than of others.

    By a difference of LEARNED and of four standard errors of two shares.
    """
    shares, variance = [], 0.0
    for labels in (train, others):
        margin = np.array([label.margin(rewards) for label in labels], dtype=np.float64)
        margin = margin[~np.isnan(margin)]
        if margin.size < FEWEST:
            return False
        share = agreement_of(margin, np.ones(margin.size))
        shares.append(share)
        variance += max(share * (1 - share), 0.25 / margin.size) / margin.size
    gap = shares[0] - shares[1]
    return bool(gap > max(LEARNED, 4 * variance**0.5))


def tell(judged: Judged, mode: Mode, found: LabelNoise) -> Iterator[dict[str, Any]]:
    """A line per label, as the rows stand: where it is, how probably it is wrong, what was decided, and why."""
    in_rows = sorted(range(len(judged.labels)), key=lambda at: place_of(judged.labels[at]))
    for at in in_rows:
        label, new = judged.labels[at], decision(judged, at, mode, shown=found.model.shown)
        comparison, margin, wrong = label.comparison, float(judged.margin[at]), float(judged.wrong[at])
        side = "the labelled side" if margin > 0 else "the other side" if margin < 0 else "neither side"
        kept = "suspect" if judged.suspect[at] else "keep"
        yield {
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
            "reason": f"the detectors favour {side} by {abs(margin):.2f}; the label is wrong with probability {wrong:.2f}",
        }


def place_of(label: Label) -> tuple[str, int, int]:
    """Where a label stands in the sources."""
    return label.record.source, label.record.line, label.number


def decision(judged: Judged, at: int, mode: Mode, *, shown: bool) -> Comparison:
    """The comparison as it is from now on: only labels of the training split change."""
    label = judged.labels[at]
    if label.split != TRAIN or not shown:
        return label.comparison
    wrong = round(float(judged.wrong[at]), DIGITS)
    return changed(label.comparison, mode, wrong=wrong, suspect=bool(judged.suspect[at]))


def change(folder: Path, records: Sequence[Record], judged: Judged, mode: Mode) -> Changes:
    """Write the training split anew with what was decided; records without a comparison of weight go."""
    if mode == "report":
        return Changes(0, ())
    by_record: dict[int, dict[int, Comparison]] = {}
    for at, label in enumerate(judged.labels):
        if (new := decision(judged, at, mode, shown=True)) != label.comparison:
            by_record.setdefault(id(label.record), {})[label.number] = new
    kept: list[Record] = []
    emptied: list[Record] = []
    for record in records:
        new_of = by_record.get(id(record))
        if new_of is not None:
            record = replace(record, comparisons=tuple(new_of.get(n, old) for n, old in enumerate(record.comparisons)))
        gone = new_of is not None and not any(comparison.weight for comparison in record.comparisons)
        (emptied if gone else kept).append(record)
    write_jsonl(folder / f"{TRAIN}.jsonl", map(to_row, kept))
    return Changes(sum(map(len, by_record.values())), tuple(emptied))


def remove_emptied(folder: Path, emptied: Sequence[Record], tally: Tally) -> int:
    """Move records without a label from the training split to the removed rows, and the rows that were joined to them."""
    reason = "its label is more probably wrong than right and was dropped; see label_noise.jsonl"
    rows: list[Removed] = []
    for record in emptied:
        excerpt = record.responses[0].text[:EXCERPT_CHARS]
        rows.append(Removed(record.source, record.line, LABEL_NOISE, reason, excerpt))
        for joined in tally.members.get(record.place, ()):
            told = f"part of the record at {record.place}: {reason}"
            rows.append(Removed(joined.source, joined.line, LABEL_NOISE, told, ""))
    tally.splits[TRAIN] -= len(emptied)
    tally.joined -= len(rows) - len(emptied)
    for row in rows:
        tally.remove(row)
    append_jsonl(folder / "removed.jsonl", map(asdict, rows))
    return len(rows)


def report_suspects(judged: Mapping[str, Judged], tally: Tally) -> None:
    """A finding per row with a label that is called wrong, the surest ones first."""
    rows: dict[str, tuple[float, str]] = {}
    for each in judged.values():
        for at in np.flatnonzero(each.suspect):
            label, wrong = each.labels[int(at)], float(each.wrong[at])
            i, j = label.comparison.i, label.comparison.j
            detail = f"{label.split}: response {i} preferred to response {j} is wrong with probability {wrong:.2f}"
            rows[label.record.place] = max(rows.get(label.record.place, (0.0, "")), (wrong, detail))
    for place, (_, detail) in sorted(rows.items(), key=lambda row: (-row[1][0], row[0])):
        tally.find(Finding(LABEL_NOISE, "warning", place, detail))


def section(
    found: LabelNoise, mode: Mode, *, counts: Mapping[str, int], changed: int, removed: int, known: Mapping[str, float]
) -> dict[str, Any]:
    """The section `label_noise` of quality.json."""
    return {
        "mode": mode,
        "labels": len(found.combined),
        "rate": found.model.rate,
        "rate_ci": [found.interval.low, found.interval.high],
        "shown": found.model.shown,
        "agreement": round(found.agreement, DIGITS),
        "sure_agreement": round(found.sure_agreement, DIGITS),
        "expected_auc": round(found.expected_auc, DIGITS),
        "suspect": dict(counts),
        "changed": changed,
        "rows_removed": removed,
        "detectors": [
            {"name": name, "known": known[name], "weight": round(float(weight), DIGITS)}
            for name, weight in zip(found.model.names, found.model.weight, strict=True)
        ],
        "sentences": [label_noise_told(found), *done_told(found, mode, changed=changed, removed=removed)],
    }
