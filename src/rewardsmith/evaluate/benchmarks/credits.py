"""How much of an item a model gets right: one number per item, under the rules that several benchmarks share."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.scores import Mean


def pair_wins(items: BenchmarkItems, *, tie: float = 0.0) -> Float[np.ndarray, " P"]:
    """1 where the better response of a pair has the higher reward, 0 where the lower, `tie` where they are equal."""
    margin = items.reward[items.better] - items.reward[items.worse]
    return np.asarray(np.where(margin > 0, 1.0, np.where(margin == 0, tie, 0.0)))


def pair_share(items: BenchmarkItems, *, tie: float = 0.0) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """(share of an item's pairs that are ranked right, NaN without pairs; how many pairs it has)."""
    pairs = np.bincount(items.pair_item, minlength=len(items)).astype(np.float64)
    wins = np.bincount(items.pair_item, pair_wins(items, tie=tie), minlength=len(items))
    with np.errstate(invalid="ignore"):
        return np.asarray(wins / pairs), pairs


def pair_accuracy(
    name: str, items: BenchmarkItems, where: Bool[np.ndarray, " N"] | None = None, *, tie: float = 0.0
) -> Mean:
    """Accuracy over all pairs of the items `where`, each pair counted once; equal rewards are wrong unless `tie` says."""
    share, pairs = pair_share(items, tie=tie)
    return Mean(name, share, pairs if where is None else pairs * where)


def all_pairs_right(items: BenchmarkItems, *, ties_right: bool = False) -> Float[np.ndarray, " N"]:
    """1 where no pair of an item is ranked wrong, else 0; with `ties_right` equal rewards are no mistake."""
    wrong = 1.0 - pair_wins(items, tie=1.0 if ties_right else 0.0)
    return np.asarray((np.bincount(items.pair_item, wrong, minlength=len(items)) == 0).astype(np.float64))


def extreme(items: BenchmarkItems, where: Bool[np.ndarray, " M"], *, largest: bool) -> Float[np.ndarray, " N"]:
    """The largest or smallest reward among an item's responses `where`; minus or plus infinity for an item with none."""
    found = np.full(len(items), -np.inf if largest else np.inf)
    (np.maximum if largest else np.minimum).at(found, items.item[where], items.reward[where])
    return found


def best_of(items: BenchmarkItems) -> Float[np.ndarray, " N"]:
    """The grade to expect of a response picked at random among those of the highest reward.

    With one correct response this is 1/k where it shares the maximum with k - 1 others, else 0
    (allenai/reward-bench, rewardbench/utils.py, reroll_and_score_dataset).
    """
    top = items.reward == extreme(items, np.ones(len(items.reward), dtype=bool), largest=True)[items.item]
    tied = np.bincount(items.item, top, minlength=len(items))
    return np.asarray(np.bincount(items.item, top * items.grade, minlength=len(items)) / tied)


def best_beats_all(items: BenchmarkItems) -> Float[np.ndarray, " N"]:
    """1 where every correct response has a higher reward than every wrong one, else 0."""
    correct = items.grade > 0
    lowest, highest = extreme(items, correct, largest=False), extreme(items, ~correct, largest=True)
    return (lowest > highest).astype(np.float64)


def kendall_tau_b(items: BenchmarkItems) -> Float[np.ndarray, " N"]:
    """(C - D) / sqrt((C + D)(C + D + T)) over an item's pairs: C right, D wrong, T of equal rewards; 0 where C + D is 0.

    Kendall's tau-b (Kendall 1945, Biometrika 33) over the pairs whose truth is decided.
    """
    margin = items.reward[items.better] - items.reward[items.worse]
    right, wrong, tied = (
        np.bincount(items.pair_item, which, minlength=len(items)).astype(np.float64)
        for which in (margin > 0, margin < 0, margin == 0)
    )
    decided = right + wrong
    return np.asarray((right - wrong) / np.sqrt(np.maximum(1.0, decided * (decided + tied))))


def names_in(labels: Sequence[str] | np.ndarray) -> list[str]:
    """The distinct labels, sorted."""
    return sorted({str(label) for label in labels})
