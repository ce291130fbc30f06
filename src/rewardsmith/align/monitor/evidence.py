"""Signals → features that do not depend on a run's scale → the evidence, step by step, that its reward is being hacked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.align.monitor.signals import RunSignals

START, AVERAGED, LAG = 2, 3, 4
"""Steps that are the run's start; steps over which a signal is averaged; steps back with which growth is measured."""
RIDGE, ROUNDS = 2.0, 40
SETS: Mapping[str, tuple[str, ...]] = {
    "full": (
        *("kl", "kl_growth", "gain", "gain_growth", "length", "entropy"),
        *("agreement", "agreement_at_start", "disagreement", "beyond", "distance", "length_correlation"),
    ),
    "policy": ("kl", "kl_growth", "gain", "gain_growth", "length", "entropy"),
    "bare": ("kl", "kl_growth", "length"),
}
"""Sets of features, the richest first: with what a reward model's members and texts say, with what TRL logs, the least."""
NEEDS: Mapping[str, frozenset[str]] = {
    "full": frozenset(
        {"reward", "reward_std", "kl", "length", "entropy", "agreement", "disagreement", "beyond", "distance"}
        | {"length_correlation"}
    ),
    "policy": frozenset({"reward", "reward_std", "kl", "length", "entropy"}),
    "bare": frozenset({"reward", "kl", "length"}),
}
"""The signals that each set needs."""


def features_of(signals: RunSignals, kind: str) -> Float[np.ndarray, "T F"]:
    """The features of a set at every step, each from that step and earlier ones alone.

    KL in nats per response, as log(1 + KL); rewards in standard deviations of the first steps' rewards, length and entropy
    relative to the first steps; growth is over LAG steps.
    """
    columns = {name: carried(values) for name, values in signals.columns.items()}
    kl = trailing(columns["kl"])
    found = {
        "kl": np.log1p(np.maximum(kl, 0)),
        "kl_growth": np.log1p(np.maximum(kl - lagged(kl), 0)),
        "length": np.log(np.maximum(trailing(columns["length"]), 1e-9) / max(start(columns["length"]), 1e-9)),
    }
    if kind != "bare":
        found |= of_policy(columns)
    if kind == "full":
        found |= of_members(columns)
    return np.stack([found[name] for name in SETS[kind]], axis=1)


def of_policy(columns: Mapping[str, Float[np.ndarray, " T"]]) -> dict[str, Float[np.ndarray, " T"]]:
    """What the reward gained, and how the entropy changed."""
    gain = (trailing(columns["reward"]) - start(columns["reward"])) / max(start(columns["reward_std"]), 1e-9)
    entropy = trailing(columns["entropy"]) / max(start(columns["entropy"]), 1e-9)
    return {"gain": gain, "gain_growth": gain - lagged(gain), "entropy": entropy}


def of_members(columns: Mapping[str, Float[np.ndarray, " T"]]) -> dict[str, Float[np.ndarray, " T"]]:
    """What the reward model's members and its training texts say of the responses."""
    agreement = columns["agreement"]
    return {
        "agreement": trailing(agreement),
        "agreement_at_start": np.full(len(agreement), start(agreement)),
        "disagreement": trailing(columns["disagreement"]) / max(start(columns["reward_std"]), 1e-9),
        "beyond": trailing(columns["beyond"]),
        "distance": np.log(trailing(columns["distance"]) + 0.01),
        "length_correlation": trailing(columns["length_correlation"], LAG),
    }


def carried(values: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """A missing value is that of the step before. Before the first known value it is that one: a signal that is logged late
    has not moved, where a 0 would look like a leap. 0 where no value is known."""
    there = ~np.isnan(values)
    if not there.any():
        return np.zeros(len(values))
    last = np.maximum.accumulate(np.where(there, np.arange(len(values)), int(there.argmax())))
    return np.asarray(values[last])


def trailing(values: Float[np.ndarray, " T"], steps: int = AVERAGED) -> Float[np.ndarray, " T"]:
    """Means over up to `steps` steps, ending at each."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    return np.asarray((sums[ends] - sums[np.maximum(ends - steps, 0)]) / np.minimum(ends, steps))


def lagged(values: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """The values LAG steps earlier, the first one before that."""
    return values[np.maximum(np.arange(len(values)) - LAG, 0)]


def start(values: Float[np.ndarray, " T"]) -> float:
    """The mean of the first steps."""
    return float(values[:START].mean())


@dataclass(frozen=True)
class HackingEvidence:
    """A logistic regression on features: `weights` behind the `intercept`, features less `mean` over `deviation`."""

    kind: str
    intercept: float
    weights: Float[np.ndarray, " F"]
    mean: Float[np.ndarray, " F"]
    deviation: Float[np.ndarray, " F"]

    def __call__(self, signals: RunSignals) -> Float[np.ndarray, " T"]:
        """The log odds at each step that this is a run whose gold reward falls; -inf at the start, when nothing is known."""
        odds = self.intercept + ((features_of(signals, self.kind) - self.mean) / self.deviation) @ self.weights
        odds[:START] = -np.inf
        return np.asarray(odds)

    def to_json(self) -> dict[str, Any]:
        """The fields, by the name of the feature."""
        rows = zip(SETS[self.kind], self.weights, self.mean, self.deviation, strict=True)
        features = {name: {"weight": float(w), "mean": float(m), "deviation": float(s)} for name, w, m, s in rows}
        return {"intercept": self.intercept, "features": features}


def evidence_from(kind: str, value: Mapping[str, Any]) -> HackingEvidence:
    """What `to_json` wrote."""
    features = [value["features"][name] for name in SETS[kind]]
    weights, mean, deviation = (np.array([one[key] for one in features]) for key in ("weight", "mean", "deviation"))
    return HackingEvidence(kind, float(value["intercept"]), weights, mean, deviation)


def fit_evidence(kind: str, hacked: Sequence[RunSignals], healthy: Sequence[RunSignals]) -> HackingEvidence:
    """Fit on runs whose gold reward is known.

    Every run has weight 1, spread over its steps; ridge penalty RIDGE on standardised features, Newton's method.
    """
    parts = [(features_of(run, kind)[START:], label) for runs, label in ((hacked, 1.0), (healthy, 0.0)) for run in runs]
    rows = np.concatenate([rows for rows, _ in parts])
    label = np.concatenate([np.full(len(rows), label) for rows, label in parts])
    weight = np.concatenate([np.full(len(rows), 1 / len(rows)) for rows, _ in parts])
    mean, deviation = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    table = np.column_stack([np.ones(len(rows)), (rows - mean) / deviation])
    found = logistic(table, label, weight)
    return HackingEvidence(kind, float(found[0]), found[1:], mean, deviation)


def logistic(
    table: Float[np.ndarray, "N F"], label: Float[np.ndarray, " N"], weight: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " F"]:
    """The coefficients of a weighted logistic regression whose first column, the intercept, is not penalised."""
    penalty = RIDGE * np.diag(np.r_[0.0, np.ones(table.shape[1] - 1)])
    found = np.zeros(table.shape[1])
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-table @ found))
        slope = table.T @ (weight * (p - label)) + penalty @ found
        curvature = (table * (weight * p * (1 - p))[:, None]).T @ table + penalty
        found -= np.linalg.solve(curvature + 1e-9 * np.eye(len(found)), slope)
    return np.asarray(found)
