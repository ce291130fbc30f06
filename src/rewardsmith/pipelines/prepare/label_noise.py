"""Which labels of prepared data are probably wrong, for `rewardsmith prepare --label-noise`.

Detectors of wrong labels are TF-IDF and a head on a frozen model, both cross-fitted, and rewards from files that
`rewardsmith score` wrote. All is fitted on the training split; validation and test are judged by what was fitted there,
and never changed (`label_changes`): what measures a model must not be bent to another model's opinion. Texts of all
splits are in memory meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.data.splits.splitter import SPLITS, Split
from rewardsmith.errors import DataError
from rewardsmith.evaluate.baselines import TextPairs, tfidf
from rewardsmith.pipelines.prepare.reward_margins import RewardsByKey, key
from rewardsmith.quality.labels.noise import LabelNoise, NoiseModel, agreement_of, find_label_noise, spread_of
from rewardsmith.quality.shortcuts.sample import decided_comparisons
from rewardsmith.records import Comparison, Record

TRAIN: Split = "train"
LEARNED = 0.1
"""Agreement with training labels above that with others from which a model has probably been trained on them."""
FEWEST = 30
"""Labels on either side under which nothing is said about that."""


@dataclass(frozen=True)
class DecidedLabel:
    """A decided comparison: its record and which of its split's it is, its number there, and the split."""

    record: Record
    record_number: int
    number: int
    split: Split

    @property
    def comparison(self) -> Comparison:
        """The comparison itself."""
        return self.record.comparisons[self.number]

    def text(self, index: int) -> str:
        """The words of one response."""
        return self.record.responses[index].text

    def margin(self, rewards: RewardsByKey) -> float:
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


Labels = Mapping[Split, Sequence[DecidedLabel]]
"""The decided labels of each split."""


@dataclass(frozen=True, eq=False)
class ModelMargins:
    """Margins of each split's labels, shape (N,), NaN where a text could not be read; `why` says which detector and why.

    `name` is None, and `margins` empty, where no model was taken.
    """

    name: str | None
    margins: Mapping[Split, Float[np.ndarray, " N"]]
    why: str


NO_MODEL = ModelMargins(None, {}, "")
ModelJudge = Callable[[Labels, Int[np.ndarray, " N"]], ModelMargins]
"""Gives a model's margins for the labels, never by what it learned from them; the numbers say what was judged together."""


@dataclass(frozen=True)
class JudgedLabels:
    """Labels with P(wrong), whether each is called wrong, the detectors' common margin and their spread, shape (N,)."""

    labels: Sequence[DecidedLabel]
    wrong: np.ndarray
    suspect: np.ndarray
    margin: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True)
class Judgement:
    """What was found about the labels of all splits that have some.

    `noise` is about those of the training split. `known` is the share of them for which each detector has a margin;
    `agreement` the share that it agrees with; `learned` names the files of margins whose model was probably trained on
    them; `why` says which model judges, and why.
    """

    noise: LabelNoise
    splits: Mapping[Split, JudgedLabels]
    known: Mapping[str, float]
    agreement: Mapping[str, float]
    learned: tuple[str, ...]
    why: str


def judge_labels(
    records: Mapping[Split, Sequence[Record]], files: Mapping[str, RewardsByKey], judge: ModelJudge | None = None
) -> Judgement:
    """Judge the labels of the records of each split, by TF-IDF, by the model of `judge`, and by the rewards of `files`.

    DataError where the training split has no decided comparison, or a margins file fits none of them.
    """
    labels = {name: list(labels_of(records.get(name, ()), name)) for name in SPLITS}
    if not labels[TRAIN]:
        raise DataError(
            "label noise cannot be estimated: the training split has no comparison with a preferred response"
        )
    # In an order of their own, so that sums, folds and thus every decision do not depend on the order of the rows.
    train = labels[TRAIN] = sorted(labels[TRAIN], key=DecidedLabel.content)
    refuse_foreign_margins(files, train)
    texts, unit = texts_of(train), units_of(train)
    model = NO_MODEL if judge is None else judge(labels, unit)
    words = tfidf(texts.preferred, texts.other, cluster=unit).margin
    signals = signals_of(train, words, model.margins.get(TRAIN), files)
    weight = np.array([label.comparison.weight for label in train], dtype=np.float64)
    names = ("tfidf", *([model.name] if model.name else ()), *files)
    noise = find_label_noise(signals, cluster=clusters_of(train), weight=weight, names=names)
    judged = {TRAIN: JudgedLabels(train, noise.wrong, noise.suspect, noise.combined, noise.spread)}
    for name in SPLITS[1:]:
        if labels[name]:
            judged[name] = judge_others(noise.model, labels[name], texts, model.margins.get(name), files)
    shares = dict(zip(names, (~np.isnan(signals)).mean(axis=0).tolist(), strict=True))
    agreement = {one: agreement_of(np.nan_to_num(signals[:, at]), weight) for at, one in enumerate(names)}
    return Judgement(noise, judged, shares, agreement, learned_files(files, labels), model.why)


def labels_of(records: Sequence[Record], split: Split) -> Iterator[DecidedLabel]:
    """The decided comparisons that carry weight."""
    for record_number, record in enumerate(records):
        for number, _ in decided_comparisons(record):
            yield DecidedLabel(record, record_number, number, split)


def refuse_foreign_margins(files: Mapping[str, RewardsByKey], train: Sequence[DecidedLabel]) -> None:
    """DataError for a margins file that knows none of the training labels."""
    for path, rewards in files.items():
        if all(np.isnan(label.margin(rewards)) for label in train):
            raise DataError(
                f"{path} has no rewards for any of the {len(train)} training labels; expected the same prompts and "
                "responses"
            )


def texts_of(labels: Sequence[DecidedLabel]) -> TextPairs:
    """The responses' words."""
    return TextPairs(
        [label.text(label.comparison.i) for label in labels], [label.text(label.comparison.j) for label in labels]
    )


def clusters_of(labels: Sequence[DecidedLabel]) -> np.ndarray:
    """The number of each label's prompt, shape (N,)."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(label.record.prompt_id, len(numbers)) for label in labels], dtype=np.int64)


def units_of(labels: Sequence[DecidedLabel]) -> np.ndarray:
    """The number of what was judged together, shape (N,): the labels of a record, and those of the same responses again.

    What learns from labels to judge others takes it whole. Other records of the prompt are others' labels: where there are
    few prompts, as in UKP's 32 debates, they tell most of what there is to know.
    """
    numbers: dict[tuple[str, frozenset[str]], int] = {}
    keys = [(label.record.prompt_id, frozenset(one.text for one in label.record.responses)) for label in labels]
    return np.array([numbers.setdefault(one, len(numbers)) for one in keys], dtype=np.int64)


def signals_of(
    labels: Sequence[DecidedLabel], words: np.ndarray, model: np.ndarray | None, files: Mapping[str, RewardsByKey]
) -> np.ndarray:
    """Margins (N, detectors): TF-IDF, then the model, then each file."""
    given = (np.array([label.margin(rewards) for label in labels]) for rewards in files.values())
    return np.stack([words, *(() if model is None else (model,)), *given], axis=1)


def judge_others(
    noise: NoiseModel,
    labels: Sequence[DecidedLabel],
    training: TextPairs,
    model: np.ndarray | None,
    files: Mapping[str, RewardsByKey],
) -> JudgedLabels:
    """Labels outside the training split, by what was fitted on it."""
    texts = texts_of(labels)
    cluster = np.zeros(len(labels), dtype=np.int64)
    words = tfidf(texts.preferred, texts.other, cluster=cluster, training=training).margin
    signals = signals_of(labels, words, model, files)
    combined = noise.combined(signals)
    wrong = noise.wrong(combined)
    return JudgedLabels(labels, wrong, noise.suspect(wrong), combined, spread_of(signals / noise.scale))


def learned_files(files: Mapping[str, RewardsByKey], labels: Mapping[Split, Sequence[DecidedLabel]]) -> tuple[str, ...]:
    """The files of margins whose model was probably trained on the training labels."""
    others = [label for name in SPLITS[1:] for label in labels[name]]
    return tuple(path for path, rewards in files.items() if learned_these(rewards, labels[TRAIN], others))


def learned_these(rewards: RewardsByKey, train: Sequence[DecidedLabel], others: Sequence[DecidedLabel]) -> bool:
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
