"""Cutting one set of comparisons into parts, so that what is fitted is judged on prompts it has not seen."""

import hashlib

import numpy as np
from jaxtyping import Bool, Int

FOLDS = 5


def fold_count(cluster: Int[np.ndarray, " N"]) -> int:
    """Five, or the number of prompts where that is less; under 2 nothing can be held out."""
    return min(FOLDS, int(np.unique(cluster).size))


def folds_of_clusters(cluster: Int[np.ndarray, " N"], *, seed: int, folds: int = FOLDS) -> Int[np.ndarray, " N"]:
    """The fold of each row, 0 to folds - 1: clusters stay whole, and folds differ by one cluster at most.

    Clusters are dealt out in the order of SHA-256 of `seed:cluster`, so the order of the rows plays no part.
    """
    names = np.unique(cluster)
    keys = [hashlib.sha256(f"{seed}:{int(name)}".encode()).digest() for name in names]
    fold = np.empty(names.size, dtype=np.int64)
    fold[sorted(range(names.size), key=keys.__getitem__)] = np.arange(names.size) % folds
    return fold[np.searchsorted(names, cluster)]


def held_out_folds(cluster: Int[np.ndarray, " N"], *, seed: int) -> list[Bool[np.ndarray, " N"]]:
    """The rows of each fold, to be judged by what is fitted on the rest; no fold where there are fewer than two clusters."""
    folds = fold_count(cluster)
    if folds < 2:
        return []
    fold = folds_of_clusters(cluster, seed=seed, folds=folds)
    return [fold == number for number in range(folds)]
