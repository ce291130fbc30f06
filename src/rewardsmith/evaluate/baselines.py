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

CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
PIECES = re.compile(f"(?P<cjk>[{CJK}]+)|[^\\W{CJK}]+")


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


def fit_tfidf(training: TextPairs, preferred: Sequence[str], other: Sequence[str]) -> Float[np.ndarray, " N"]:
    """Margins of a Bradley-Terry model that is linear in the two responses' TF-IDF vectors, fitted on `training`.

    Logistic regression without intercept on the difference of the vectors; NaN where no gram occurs in two texts.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(analyzer=grams, min_df=2, sublinear_tf=True)
    try:
        vectorizer.fit([*training.preferred, *training.other])
    except ValueError:  # scikit-learn's way to say that no term is left
        return np.full(len(preferred), np.nan)

    def difference(one: Sequence[str], two: Sequence[str]) -> "csr_matrix":
        return vectorizer.transform(one) - vectorizer.transform(two)

    features = difference(training.preferred, training.other)
    # Turning every second row round changes neither the likelihood nor its maximum, and gives the two classes that
    # scikit-learn asks for.
    side = np.where(np.arange(len(training.preferred)) % 2 == 0, 1.0, -1.0)
    model = LogisticRegression(C=REGULARISATION, fit_intercept=False, max_iter=1000)
    model.fit(features.multiply(side[:, None]).tocsr(), side)
    return np.asarray(difference(preferred, other) @ model.coef_[0])


def sampled(pairs: TextPairs, *, seed: int, limit: int) -> TextPairs:
    """At most `limit` pairs, those whose SHA-256 of seed and texts comes first, whatever the order of the rows."""
    if len(pairs.preferred) <= limit:
        return pairs

    def key(row: int) -> bytes:
        text = f"{seed}:{pairs.preferred[row]}\x1d{pairs.other[row]}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    rows = sorted(sorted(range(len(pairs.preferred)), key=key)[:limit])
    return TextPairs([pairs.preferred[row] for row in rows], [pairs.other[row] for row in rows])


def counted(used: TextPairs, available: int) -> str:
    """`123 comparisons`, or `20,000 of 160,000 comparisons`."""
    part = f"{len(used.preferred):,}"
    return f"{part} comparisons" if len(used.preferred) == available else f"{part} of {available:,} comparisons"


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

    Under two prompts, or with fewer than two training pairs, there is nothing to fit on and the margins are NaN.
    """
    if training is not None:
        used = sampled(training, seed=seed, limit=limit)
        label = f"training split, {counted(used, len(training.preferred))}"
        if len(used.preferred) < 2:
            return Baseline("tfidf", np.full(len(preferred), np.nan), label)
        return Baseline("tfidf", fit_tfidf(used, preferred, other), label)
    folds = fold_count(cluster)
    margin = np.full(len(preferred), np.nan)
    if folds < 2:
        return Baseline("tfidf", margin, "nothing: too few prompts")
    fold = folds_of_clusters(cluster, seed=seed, folds=folds)
    for number in range(folds):
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        rest = sampled(TextPairs(pick(preferred, outside), pick(other, outside)), seed=seed, limit=limit)
        if len(rest.preferred) >= 2:
            margin[inside] = fit_tfidf(rest, pick(preferred, inside), pick(other, inside))
    if np.isnan(margin).any():
        return Baseline("tfidf", np.full(len(preferred), np.nan), "nothing: a fold was too small to fit on")
    capped = f", at most {limit:,} comparisons each" if len(preferred) * (folds - 1) > limit * folds else ""
    return Baseline("tfidf", margin, f"{folds}-fold by prompt{capped}")


def pick(texts: Sequence[str], rows: Int[np.ndarray, " M"]) -> list[str]:
    """The texts at these rows."""
    return [texts[row] for row in rows]
