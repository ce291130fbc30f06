"""How far simple features predict the label, and answers that win whatever was asked.

A reward model learns the cheapest thing that separates preferred from other responses. Where that is length, layout or who
wrote it, a policy trained on the rewards will find it too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rewardsmith.evaluate.baselines import fit_linear
from rewardsmith.evaluate.folds import held_out_folds
from rewardsmith.evaluate.metrics import accuracy, auc
from rewardsmith.evaluate.statistics import (
    Interval,
    Statistic,
    auc_statistic,
    cluster_index,
    cluster_intervals,
    ratio_statistic,
)
from rewardsmith.quality.shortcuts.constant_answers import ConstantAnswer, constant_answers
from rewardsmith.quality.shortcuts.result import Shortcut
from rewardsmith.quality.shortcuts.sample import PLACE_FEATURES, RESPONSE_FEATURES, Sample, SampledComparison
from rewardsmith.quality.shortcuts.sentences import FEWEST, constant_found, joint_found, shortcut_found

RESAMPLES = 500
"""Draws of the intervals here: with 2 * 14 of them on 10,000 rows, four times as many would take seconds."""

FALSE_ALARM = 0.01
"""Probability that data without any shortcut gets a finding, over all features together (Bonferroni)."""

STRONG = 0.10
"""Distance of the accuracy from one half from which a shortcut is a warning; below, it is information."""

GENERATORS = 100
"""The most frequent generators have a column each in the models; rarer ones share none."""

JOINT = "joint"
NAMED = 20
"""Generators that the report names, the most frequent ones."""


@dataclass(frozen=True, slots=True)
class Generator:
    """Who wrote responses: in how many comparisons with another generator's, and in which share of their weight it won."""

    name: str
    comparisons: int
    won: float


@dataclass(frozen=True)
class Shortcuts:
    """The shortcuts of some data: `n` comparisons of `clusters` prompts were measured, of `seen`."""

    n: int
    seen: int
    clusters: int
    features: tuple[Shortcut, ...]
    joint: Shortcut | None
    generators: tuple[Generator, ...]
    constant: tuple[ConstantAnswer, ...]

    def to_json(self) -> dict[str, Any]:
        """The section of quality.json, with what was found in plain words."""
        return {
            "n": self.n,
            "of": self.seen,
            "prompts": self.clusters,
            "features": [shortcut.to_json() for shortcut in self.features],
            "joint": self.joint.to_json() if self.joint else None,
            "generators": [asdict(generator) for generator in self.generators],
            "constant_answers": [answer.to_json() for answer in self.constant],
            "findings": [
                {"id": name, "severity": severity, "sentence": sentence} for name, severity, sentence in self.findings()
            ],
        }

    def findings(self) -> Iterator[tuple[str, str, str]]:
        """(id, severity, sentence) of each shortcut that was found, strongest first, and of each constant answer."""
        found = [shortcut for shortcut in self.features if shortcut.found]
        for shortcut in sorted(found, key=lambda one: (-abs(one.accuracy - 0.5), one.name)):
            yield shortcut.name, severity_of(shortcut), shortcut_found(shortcut)
        if self.joint and self.joint.found and self.joint.accuracy > 0.5:
            yield "joint", severity_of(self.joint), joint_found(self.joint)
        for answer in self.constant:
            if answer.found:
                yield (
                    "constant_answer",
                    "warning" if answer.wins or answer.share >= 0.5 else "info",
                    constant_found(answer),
                )


def severity_of(shortcut: Shortcut) -> str:
    """A warning from STRONG on."""
    return "warning" if abs(shortcut.accuracy - 0.5) >= STRONG else "info"


def measure_shortcuts(sample: Sample, *, seed: int = 0) -> Shortcuts:
    """Accuracy and AUC of each feature and of a cross-validated logistic model of all; answers that win everywhere.

    A feature's accuracy is the share of decided comparisons whose preferred response has more of it, equal values one
    half; its AUC is that of `metrics.auc`, pooled over prompts. Below one half, less of it wins. Features that never
    differ are left out. The model is fitted on the other folds by prompt, so that it is judged on prompts it has not seen.
    """
    numbered = list(sample.ordered())
    rows = [row for _, row in numbered]
    outcomes = [(row.texts, prompt) for prompt, row in numbered]
    constant = constant_answers(outcomes, sample.answers(), FALSE_ALARM)
    if not rows:
        return Shortcuts(0, sample.seen, 0, (), None, (), constant)
    cluster, clusters = cluster_index(np.array([number for number, _ in numbered], dtype=np.int64))
    weight = np.array([row.weight for row in rows], dtype=np.float64)
    values = columns(rows, cluster, weight, seed)
    measured = Measuring(cluster, clusters, weight, tests=len(values) + 1, seed=seed)
    joint = cross_fitted(design, cluster, weight, seed) if (design := design_of(rows)) else None
    found = {one.name: one for one in measured.shortcuts(values | ({JOINT: joint} if joint else {}))}
    joint_shortcut = found.pop(JOINT, None)
    return Shortcuts(
        n=len(rows),
        seen=sample.seen,
        clusters=clusters,
        features=tuple(found.values()),
        joint=joint_shortcut,
        generators=generators_of(rows),
        constant=constant,
    )


Sides = tuple[np.ndarray, np.ndarray]


def columns(rows: Sequence[SampledComparison], cluster: np.ndarray, weight: np.ndarray, seed: int) -> dict[str, Sides]:
    """Each feature that differs somewhere: its values for the preferred and for the other responses, shape (N,)."""
    found = plain_columns(rows)
    if (sides := generator_columns(rows)) and (fitted := cross_fitted(sides, cluster, weight, seed)):
        found["generator"] = fitted
    return found


def plain_columns(rows: Sequence[SampledComparison]) -> dict[str, Sides]:
    """The features that nothing has to be fitted for."""
    preferred = np.array([row.preferred for row in rows], dtype=np.float64)
    other = np.array([row.other for row in rows], dtype=np.float64)
    return {
        name: (preferred[:, at], other[:, at])
        for at, name in enumerate((*RESPONSE_FEATURES, *PLACE_FEATURES))
        if (preferred[:, at] != other[:, at]).any()
    }


def design_of(rows: Sequence[SampledComparison]) -> list[Sides]:
    """What all features of the responses together are fitted on, a column per generator; empty where nothing differs.

    Where a response stands in its row, or was shown, is left out: a reward model never sees it, and cannot learn it. The
    labels play no part: exchanging the two responses of a row changes the sign of its differences and nothing else.
    """
    plain = [scaled(*sides) for name, sides in plain_columns(rows).items() if name not in PLACE_FEATURES]
    return plain + generator_columns(rows)


def generator_columns(rows: Sequence[SampledComparison]) -> list[Sides]:
    """1 where a response is by a generator, for each of the most frequent ones; empty where fewer than two are known."""
    names = [generator.name for generator in generators_of(rows, GENERATORS)]
    if len(names) < 2:
        return []
    written = np.array([row.generators for row in rows], dtype=object)
    return [((written[:, 0] == n).astype(np.float64), (written[:, 1] == n).astype(np.float64)) for n in names]


def generators_of(rows: Sequence[SampledComparison], limit: int = NAMED) -> tuple[Generator, ...]:
    """The generators that are compared with others, the most frequent ones first."""
    counts: Counter[str] = Counter()
    won: dict[str, float] = defaultdict(float)
    weights: dict[str, float] = defaultdict(float)
    for row in rows:
        for at, name in enumerate(row.generators):
            if name is None or row.generators[0] == row.generators[1]:
                continue
            counts[name] += 1
            weights[name] += row.weight
            won[name] += row.weight * (at == 0)
    names = sorted(counts, key=lambda name: (-counts[name], name))[:limit]
    return tuple(Generator(name, counts[name], round(won[name] / weights[name], 6)) for name in names)


def scaled(preferred: np.ndarray, other: np.ndarray) -> Sides:
    """log(1 + x), so that one very long text does not decide, at a root mean square difference of 1."""
    sides = np.log1p(preferred), np.log1p(other)
    size = float(np.sqrt(((sides[0] - sides[1]) ** 2).mean())) or 1.0
    return sides[0] / size, sides[1] / size


def stacked(design: list[Sides]) -> Sides:
    """The columns side by side: shape (N, F) for the preferred and for the other responses."""
    preferred, other = (np.stack([sides[at] for sides in design], axis=1) for at in (0, 1))
    return preferred, other


def cross_fitted(design: list[Sides], cluster: np.ndarray, weight: np.ndarray, seed: int) -> Sides | None:
    """Scores of preferred and other responses by a Bradley-Terry model that is linear in the features, fold by fold.

    Fitted by `fit_linear` on the rows of the other folds that have weight. None with fewer than two prompts, or where a
    fold leaves one row.
    """
    folds = held_out_folds(cluster, seed=seed)
    preferred, other = stacked(design)
    scores = np.zeros(len(preferred)), np.zeros(len(preferred))
    for judged in folds:
        train = ~judged & (weight > 0)
        if train.sum() < 2:
            return None
        found = fit_linear(preferred[train] - other[train], weight[train])
        scores[0][judged] = preferred[judged] @ found
        scores[1][judged] = other[judged] @ found
    return scores if folds else None


@dataclass(frozen=True)
class Measuring:
    """The rows on which features are measured, and how many tests share the probability of a false alarm."""

    cluster: np.ndarray
    clusters: int
    weight: np.ndarray
    tests: int
    seed: int

    def shortcuts(self, features: dict[str, Sides]) -> tuple[Shortcut, ...]:
        """Accuracy and AUC of each feature; all are measured on the same resamples, which are drawn once."""
        statistics: dict[str, Statistic] = {}
        for name, (preferred, other) in features.items():
            right = (np.sign(preferred - other) + 1) / 2
            statistics[f"{name} accuracy"] = ratio_statistic(right, self.weight, index=self.cluster)
            statistics[f"{name} auc"] = auc_statistic(preferred, other, weight=self.weight, index=self.cluster)
        intervals = cluster_intervals(
            statistics,
            clusters=self.clusters,
            rng=np.random.default_rng(self.seed),
            bounds=dict.fromkeys(statistics, (0.0, 1.0)),
            resamples=RESAMPLES,
            level=0.95,
        )
        return tuple(self.shortcut(name, *sides, intervals) for name, sides in features.items())

    def shortcut(
        self, name: str, preferred: np.ndarray, other: np.ndarray, intervals: Mapping[str, Interval]
    ) -> Shortcut:
        """One feature with its intervals."""
        margin = preferred - other
        value = accuracy(margin, np.ones(margin.size), weight=self.weight)
        return Shortcut(
            name=name,
            accuracy=value,
            accuracy_ci=intervals[f"{name} accuracy"],
            auc=auc(preferred, other, weight=self.weight),
            auc_ci=intervals[f"{name} auc"],
            differing=int((margin != 0).sum()),
            found=self.is_found(value, intervals[f"{name} accuracy"]),
        )

    def is_found(self, value: float, interval: Interval) -> bool:
        """Whether an accuracy is not one half, by Student's t over prompts; never claimed from fewer than FEWEST prompts."""
        if self.clusters < FEWEST or np.isnan(value):
            return False
        if interval.method == "wilson":  # all or none: the interval has no standard error, and is wide already
            return 0.5 not in interval
        from scipy.special import stdtrit

        critical = float(stdtrit(self.clusters - 1, 1 - FALSE_ALARM / self.tests / 2))
        return abs(value - 0.5) > critical * interval.standard_error
