"""`rewardsmith prepare --label-noise`: which labels are probably wrong, in a file of their own and, if asked, in the splits.

Detectors are TF-IDF, cross-fitted, and rewards from files that `rewardsmith score` wrote. All is fitted on the training
split; validation and test are judged by what was fitted there, and never changed: what measures a model must not be bent
to another model's opinion. Texts of all splits are in memory meanwhile.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.data.loading import iterate_rows, load
from rewardsmith.data.native import to_row
from rewardsmith.data.splitting import SPLITS, Split
from rewardsmith.errors import DataError
from rewardsmith.evaluate.baselines import TextPairs, tfidf
from rewardsmith.files import write_jsonl
from rewardsmith.language import say
from rewardsmith.progress import SILENT, Progress
from rewardsmith.quality.checks import digest, turns
from rewardsmith.quality.label_changes import Mode, changed
from rewardsmith.quality.label_noise import LabelNoise, NoiseModel, find_label_noise, spread_of
from rewardsmith.quality.noise_words import label_noise_told
from rewardsmith.records import Comparison, Record

FILE = "label_noise.jsonl"
TRAIN: Split = "train"
DIGITS = 6

Rewards = Mapping[int, float]


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


@dataclass(frozen=True)
class Judged:
    """Labels with P(wrong), whether each is called wrong, the detectors' common margin and their spread, shape (N,)."""

    labels: Sequence[Label]
    wrong: np.ndarray
    suspect: np.ndarray
    margin: np.ndarray
    spread: np.ndarray


def judge_labels(folder: Path, mode: Mode, margins: Sequence[str], progress: Progress = SILENT) -> dict[str, Any]:
    """Write label_noise.jsonl for the splits in `folder`, change the training split as `mode` says; the report's section.

    DataError where the training split has no decided comparison, or a margins file fits none of them.
    """
    records = {name: split_records(folder / f"{name}.jsonl") for name in SPLITS}
    labels = {name: list(labels_of(rows, name)) for name, rows in records.items()}
    train = labels[TRAIN]
    if not train:
        raise DataError("label noise cannot be judged: the training split holds no decided comparison")
    files = {path: read_rewards(path, progress) for path in margins}
    refuse_foreign_margins(files, train)
    ids: dict[str, int] = {}
    cluster = np.array([ids.setdefault(label.record.prompt_id, len(ids)) for label in train], dtype=np.int64)
    texts = texts_of(train)
    told = tfidf(texts.preferred, texts.other, cluster=cluster)
    signals = signals_of(train, told.margin, files)
    weight = np.array([label.comparison.weight for label in train], dtype=np.float64)
    found = find_label_noise(signals, cluster=cluster, weight=weight, names=("tfidf", *files))
    judged = {TRAIN: Judged(train, found.wrong, found.suspect, found.combined, found.spread)}
    for name in SPLITS[1:]:
        if others := labels[name]:
            judged[name] = judge_others(found.model, others, texts, files)
    counts: dict[str, int] = {name: int(each.suspect.sum()) for name, each in judged.items()}
    write_jsonl(folder / FILE, (line for each in judged.values() for line in decisions(each, mode)))
    count = change(folder, records[TRAIN], judged[TRAIN], mode) if found.model.shown and mode != "report" else 0
    return section(found, mode, counts=counts, count=count, known=known_shares(signals, found.model.names))


def split_records(path: Path) -> tuple[Record, ...]:
    """The records of a split that was just written; none where it has no file."""
    return load(path).records if path.is_file() and path.stat().st_size else ()


def labels_of(records: Sequence[Record], split: str) -> Iterator[Label]:
    """The decided comparisons that carry weight."""
    for record in records:
        for number, comparison in enumerate(record.comparisons):
            if not comparison.is_tie and comparison.weight > 0:
                yield Label(record, number, split)


def key(record: Record, at: int) -> int:
    """What identifies a response under its prompt, wherever it is stored."""
    return digest(record.prompt_id, turns(record.responses[at].messages))


def read_rewards(path: str, progress: Progress = SILENT) -> Rewards:
    """Rewards by `key`, from a file that `rewardsmith score` wrote; rows that could not be scored have none."""
    from rewardsmith.commands.score import source_order

    found: dict[int, float] = {}
    with progress.task("reading margins", None, "rows") as task:
        for row, item, hashed_order in iterate_rows(path):
            task.advance()
            rewards = (row or {}).get("rewards")
            if not isinstance(item, Record) or not isinstance(rewards, list):
                continue
            order = source_order(item, hashed_order=hashed_order)
            if len(order) != len(rewards):
                raise DataError(f"{item.place} has {len(rewards)} rewards for {len(order)} responses; score it again")
            found |= {key(item, at): float(value) for at, value in zip(order, rewards, strict=True)}
    if not found:
        raise DataError(
            f"{path} holds no rewards; expected what rewardsmith score writes, a column rewards in each row"
        )
    return found


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


def decisions(judged: Judged, mode: Mode) -> Iterator[dict[str, Any]]:
    """A line per label: where it is, how probably it is wrong, what was decided, and why."""
    for at, label in enumerate(judged.labels):
        comparison, suspect = label.comparison, bool(judged.suspect[at])
        margin, wrong = float(judged.margin[at]), float(judged.wrong[at])
        side = "the labelled side" if margin > 0 else "the other side" if margin < 0 else "neither side"
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
            "decision": decided(mode, suspect=suspect, split=label.split),
            "reason": f"the detectors favour {side} by {abs(margin):.2f}; the label is wrong with probability {wrong:.2f}",
        }


def decided(mode: Mode, *, suspect: bool, split: str) -> str:
    """keep, suspect (named, not changed), or the mode."""
    if not suspect:
        return "keep"
    return mode if split == TRAIN and mode in ("drop", "flip", "soften") else "suspect"


def change(folder: Path, records: Sequence[Record], judged: Judged, mode: Mode) -> int:
    """Write the training split anew with what was decided; how many labels changed."""
    by_record: dict[int, dict[int, Comparison]] = {}
    for at, label in enumerate(judged.labels):
        new = changed(
            label.comparison, mode, wrong=round(float(judged.wrong[at]), DIGITS), suspect=bool(judged.suspect[at])
        )
        if new != label.comparison:
            by_record.setdefault(id(label.record), {})[label.number] = new

    def rewritten(record: Record) -> Record:
        new = by_record.get(id(record))
        if new is None:
            return record
        return replace(record, comparisons=tuple(new.get(n, old) for n, old in enumerate(record.comparisons)))

    write_jsonl(folder / f"{TRAIN}.jsonl", (to_row(rewritten(record)) for record in records))
    return sum(map(len, by_record.values()))


def known_shares(signals: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """For which share of the training labels each detector has a margin."""
    return {name: float((~np.isnan(signals[:, at])).mean()) for at, name in enumerate(names)}


def section(
    found: LabelNoise, mode: Mode, *, counts: Mapping[str, int], count: int, known: Mapping[str, float]
) -> dict[str, Any]:
    """The section `label_noise` of quality.json."""
    sentence = label_noise_told(found)
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
        "changed": count,
        "detectors": [
            {"name": name, "known": known[name], "weight": round(float(weight), DIGITS)}
            for name, weight in zip(found.model.names, found.model.weight, strict=True)
        ],
        "en": sentence,
        "zh": say(sentence, "zh"),
    }
