"""What can be had without a reward model: longer wins, word counts, nothing at all.

Each gives margins of the same shape as the model's, so that it is measured and compared in the same way.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from rewardsmith.errors import DataError
from rewardsmith.evaluate.folds import fold_count, folds_of_clusters

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FIT_LIMIT = 20_000
"""Comparisons that TF-IDF is fitted on at most: its accuracy hardly grows beyond, its time does."""

REGULARISATION = 1.0
"""scikit-learn's own C for logistic regression, not tuned: a baseline is not to be made strong or weak on the test."""

CJK_RANGES = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
PIECES = re.compile(f"(?P<cjk>[{CJK_RANGES}]+)|[^\\W{CJK_RANGES}]+")


@dataclass(frozen=True, slots=True)
class TextPairs:
    """Responses of decided training comparisons, row by row: the preferred one and the other."""

    preferred: Sequence[str]
    other: Sequence[str]

    def __post_init__(self) -> None:
        if len(self.preferred) != len(self.other):
            raise DataError(f"{len(self.preferred)} preferred texts, but {len(self.other)} others; expected as many")


@dataclass(frozen=True, eq=False)
class Baseline:
    """Margins of a rule, shape (N,), NaN throughout where it could not be fitted; `fitted_on` says on what it was."""

    name: str
    margin: Float[np.ndarray, " N"]
    fitted_on: str


def longer(preferred_length: npt.NDArray[Any], other_length: npt.NDArray[Any]) -> Baseline:
    """The longer response wins: preferred minus other length, shape (N,); equal lengths are a tie."""
    margin = preferred_length.astype(np.float64) - other_length.astype(np.float64)
    return Baseline("longer", margin, "nothing: a fixed rule")


def constant(n: int) -> Baseline:
    """The same reward for every response: all ties, accuracy 0.5."""
    return Baseline("constant", np.zeros(n), "nothing: a fixed rule")


def grams(text: str) -> list[str]:
    """Lower-case word 1- and 2-grams; of a run of CJK characters its 2- to 4-grams (a single one as itself).

    Word pairs do not reach over a run of CJK characters; both kinds share one vocabulary, for texts that mix them.
    """
    found: list[str] = []
    before: str | None = None
    for piece in PIECES.finditer(text.lower()):
        run = piece.group("cjk")
        if run is None:
            word = piece.group()
            found.append(word)
            if before is not None:
                found.append(f"{before} {word}")
            before = word
            continue
        before = None
        found.extend(run[i : i + size] for size in (2, 3, 4) for i in range(len(run) - size + 1))
        if len(run) == 1:
            found.append(run)
    return found


@dataclass(frozen=True, eq=False)
class GramCounts:
    """How often each gram occurs: two sparse matrices of shape (rows, grams), for the preferred and the other text."""

    preferred: "csr_matrix"
    other: "csr_matrix"


def count_grams(pairs: TextPairs) -> GramCounts | None:
    """The grams of all texts, each text taken apart once, whatever it is compared with; None where there are none."""
    from sklearn.feature_extraction.text import CountVectorizer

    numbers = {text: number for number, text in enumerate(dict.fromkeys([*pairs.preferred, *pairs.other]))}
    try:
        counts = CountVectorizer(analyzer=grams).fit_transform(numbers)
    except ValueError:  # scikit-learn's way to say that no gram was found
        return None
    preferred, other = ([numbers[text] for text in texts] for texts in (pairs.preferred, pairs.other))
    return GramCounts(counts[preferred], counts[other])


def fitted_margins(
    counts: GramCounts | None, train: Int[np.ndarray, " M"], judged: Int[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """Margins of the rows `judged` by a Bradley-Terry model that is linear in TF-IDF, fitted on the rows `train`.

    Logistic regression without intercept on the difference of the two responses' vectors, with the grams and the
    document frequencies of `train` alone. NaN with fewer than two rows, or where no gram is in two of their texts.
    """
    nothing = np.full(judged.size, np.nan)
    if counts is None or train.size < 2:
        return nothing
    from scipy.sparse import vstack
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression

    texts = vstack([counts.preferred[train], counts.other[train]]).tocsr()
    known = np.flatnonzero(np.bincount(texts.indices, minlength=texts.shape[1]) >= 2)
    if not known.size:
        return nothing
    scaler = TfidfTransformer(sublinear_tf=True).fit(texts[:, known])

    def difference(rows: Int[np.ndarray, " R"]) -> "csr_matrix":
        return scaler.transform(counts.preferred[rows][:, known]) - scaler.transform(counts.other[rows][:, known])

    # Turning every second row round changes neither the likelihood nor its maximum, and gives the two classes that
    # scikit-learn asks for.
    side = np.where(np.arange(train.size) % 2 == 0, 1.0, -1.0)
    model = LogisticRegression(C=REGULARISATION, fit_intercept=False, max_iter=1000)
    model.fit(difference(train).multiply(side[:, None]).tocsr(), side)
    return np.asarray(difference(judged) @ model.coef_[0])


def sampled(pairs: TextPairs, rows: Int[np.ndarray, " M"], *, seed: int, limit: int) -> Int[np.ndarray, " L"]:
    """At most `limit` of `rows`, those whose SHA-256 of seed and texts comes first, whatever the order; ascending."""
    if rows.size <= limit:
        return rows

    def key(row: int) -> bytes:
        text = f"{seed}:{pairs.preferred[row]}\x1d{pairs.other[row]}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    return np.array(sorted(sorted(rows.tolist(), key=key)[:limit]), dtype=np.int64)


def tfidf(
    preferred: Sequence[str],
    other: Sequence[str],
    *,
    cluster: Int[np.ndarray, " N"],
    seed: int = 0,
    training: TextPairs | None = None,
    limit: int = FIT_LIMIT,
) -> Baseline:
    """TF-IDF margins of decided comparisons, shape (N,): fitted on `training`, else on the other folds by prompt.

    Each fit takes at most `limit` comparisons. Where there is nothing to fit on, the margins are NaN and
    `fitted_on` says why.
    """
    if training is None:
        return cross_fitted_tfidf(TextPairs(preferred, other), cluster=cluster, seed=seed, limit=limit)
    available = len(training.preferred)
    rows = sampled(training, np.arange(available), seed=seed, limit=limit)
    chosen = [training.preferred[row] for row in rows], [training.other[row] for row in rows]
    counts = count_grams(TextPairs([*chosen[0], *preferred], [*chosen[1], *other]))
    judged = rows.size + np.arange(len(preferred))
    size = f"{available:,}" if rows.size == available else f"{rows.size:,} of {available:,}"
    margin = fitted_margins(counts, np.arange(rows.size), judged)
    return Baseline("tfidf", margin, f"training split, {size} comparisons")


def cross_fitted_tfidf(pairs: TextPairs, *, cluster: Int[np.ndarray, " N"], seed: int, limit: int) -> Baseline:
    """TF-IDF margins of each fold by a model fitted on the other folds; no prompt is on both sides."""
    size, folds = len(pairs.preferred), fold_count(cluster)
    margin = np.full(size, np.nan)
    if folds < 2:
        return Baseline("tfidf", margin, "nothing: too few prompts")
    counts, fold, capped = count_grams(pairs), folds_of_clusters(cluster, seed=seed, folds=folds), ""
    for number in range(folds):
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        rows = sampled(pairs, outside, seed=seed, limit=limit)
        capped = capped or (f", at most {limit:,} comparisons each" if rows.size < outside.size else "")
        margin[inside] = fitted_margins(counts, rows, inside)
    if np.isnan(margin).any():
        return Baseline("tfidf", np.full(size, np.nan), "nothing: a fold was too small to fit on")
    return Baseline("tfidf", margin, f"{folds}-fold by prompt{capped}")
