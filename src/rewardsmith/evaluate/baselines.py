"""What can be had without a reward model: the longer or the shorter one wins, word counts, nothing at all.

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
from rewardsmith.evaluate.folds import held_out_folds
from rewardsmith.evaluate.metrics import correctness, weighted_mean
from rewardsmith.evaluate.statistics import FEW_CLUSTERS

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FIT_LIMIT = 20_000
"""Comparisons that TF-IDF is fitted on at most: its accuracy hardly grows beyond, its time does."""

REGULARISATION = 1.0
"""scikit-learn's own C for logistic regression, not tuned: a baseline is not to be made strong or weak on the test."""

CJK_RANGES = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
PIECES = re.compile(f"(?P<cjk>[{CJK_RANGES}]+)|[^\\W{CJK_RANGES}]+")


FIXED = "not fitted (fixed rule)"


def by_folds(folds: int, capped: str = "") -> str:
    """What a rule was fitted on that no other data was given for: the set that it judges, though never the prompt."""
    return f"{folds}-fold by prompt{capped}"


def fitted_on_itself(source: str) -> bool:
    """Whether a `fitted_on` (or the source of a temperature) is the evaluated set."""
    return re.match(r"\d+-fold", source) is not None


def fitted_in_words(source: str) -> str:
    """What a `fitted_on` (or the source of a temperature) means, in English; "" for a rule that needs no fit."""
    if not source or source == FIXED or source.startswith("nothing: "):  # the latter as until 0.3.0
        return ""
    if fitted_on_itself(source):
        return f"fitted on the evaluated set itself, {source}"
    return source if source.startswith("not fitted") else f"fitted on {source}"


@dataclass(frozen=True, slots=True)
class TextPairs:
    """Responses of decided comparisons, row by row: the preferred one, the other, the weight > 0 (None: all 1)."""

    preferred: Sequence[str]
    other: Sequence[str]
    weight: Float[np.ndarray, " M"] | None = None

    def __post_init__(self) -> None:
        sizes = {len(self.preferred), len(self.other), len(self.preferred) if self.weight is None else len(self.weight)}
        if len(sizes) > 1:
            raise DataError(
                f"{len(self.preferred)} preferred texts, but {len(self.other)} other texts; expected equal numbers"
            )

    def weights(self) -> Float[np.ndarray, " M"]:
        """The weight of each row."""
        return np.ones(len(self.preferred)) if self.weight is None else self.weight


@dataclass(frozen=True, eq=False)
class Baseline:
    """Margins of a rule, shape (N,), NaN throughout where it could not be fitted; `fitted_on` says on what it was.

    `direction` is "longer" or "shorter", of a rule based on length.
    """

    name: str
    margin: Float[np.ndarray, " N"]
    fitted_on: str
    direction: str | None = None


@dataclass(frozen=True, eq=False)
class Lengths:
    """Decided comparisons of positive weight as a rule by length sees them: preferred minus other length, shape (N,)."""

    difference: Float[np.ndarray, " N"]
    weight: Float[np.ndarray, " N"]
    cluster: Int[np.ndarray, " N"]

    def sign(self, rows: Any = slice(None)) -> float:
        """1 where the longer response is preferred by at least half of the weight of these rows, else -1."""
        return 1.0 if weighted_mean(correctness(self.difference[rows]), self.weight[rows]) >= 0.5 else -1.0


def longer(preferred_length: npt.NDArray[Any], other_length: npt.NDArray[Any]) -> Baseline:
    """The longer response wins: preferred minus other length, shape (N,); equal lengths are a tie."""
    margin = preferred_length.astype(np.float64) - other_length.astype(np.float64)
    return Baseline("longer", margin, FIXED, "longer")


def by_length(judged: Lengths, *, validation: Lengths | None = None, seed: int = 0) -> Baseline:
    """Length decides, in the direction that is right more often on `validation`, else on the other folds by prompt.

    Its name is `longer` either way, and `direction` says which one wins. A validation of under FEW_CLUSTERS prompts gives
    no direction; with fewer than two prompts there is nothing to find it on, and the longer response wins. Equal lengths
    are a tie.
    """
    if validation is not None and np.unique(validation.cluster).size >= FEW_CLUSTERS:
        sign, source = validation.sign(), f"validation, {validation.difference.size:,} comparisons"
        return Baseline("longer", sign * judged.difference, source, "longer" if sign > 0 else "shorter")
    folds, margin = held_out_folds(judged.cluster, seed=seed), np.empty(judged.difference.size)
    if not folds:
        return Baseline("longer", judged.difference, FIXED, "longer")
    for here in folds:
        margin[here] = judged.sign(~here) * judged.difference[here]
    direction = "longer" if judged.sign() > 0 else "shorter"
    return Baseline("longer", margin, by_folds(len(folds)), direction)


def constant(n: int) -> Baseline:
    """The same reward for every response: all ties, accuracy 0.5."""
    return Baseline("constant", np.zeros(n), FIXED)


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


def fit_linear(difference: Any, weight: Float[np.ndarray, " M"]) -> Float[np.ndarray, " F"]:
    """The coefficients of a Bradley-Terry model that is linear in features, from M >= 2 rows preferred minus other (M, F).

    Logistic regression without intercept; weights count relative to their mean, so that their unit does not matter.
    """
    from scipy.sparse import issparse
    from sklearn.linear_model import LogisticRegression

    # Turning every second row round changes neither the likelihood nor its maximum, and gives the two classes that
    # scikit-learn asks for.
    side = np.where(np.arange(weight.size) % 2 == 0, 1.0, -1.0)
    turned = difference.multiply(side[:, None]).tocsr() if issparse(difference) else difference * side[:, None]
    model = LogisticRegression(C=REGULARISATION, fit_intercept=False, max_iter=1000)
    model.fit(turned, side, sample_weight=weight / weight.mean())
    return np.asarray(model.coef_[0])


def fitted_margins(
    counts: GramCounts | None,
    train: Int[np.ndarray, " M"],
    judged: Int[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " M"] | None = None,
) -> Float[np.ndarray, " N"]:
    """Margins of the rows `judged` by a Bradley-Terry model that is linear in TF-IDF, fitted on the rows `train`.

    `weight` are those of the rows `train`. The grams and the document frequencies are of `train` alone. NaN with fewer
    than two rows, or where no gram is in two of their texts.
    """
    nothing = np.full(judged.size, np.nan)
    if counts is None or train.size < 2:
        return nothing
    from scipy.sparse import vstack
    from sklearn.feature_extraction.text import TfidfTransformer

    texts = vstack([counts.preferred[train], counts.other[train]]).tocsr()
    known = np.flatnonzero(np.bincount(texts.indices, minlength=texts.shape[1]) >= 2)
    if not known.size:
        return nothing
    scaler = TfidfTransformer(sublinear_tf=True).fit(texts[:, known])

    def difference(rows: Int[np.ndarray, " R"]) -> "csr_matrix":
        return scaler.transform(counts.preferred[rows][:, known]) - scaler.transform(counts.other[rows][:, known])

    found = fit_linear(difference(train), np.ones(train.size) if weight is None else weight)
    return np.asarray(difference(judged) @ found)


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
    weight: Float[np.ndarray, " N"] | None = None,
) -> Baseline:
    """TF-IDF margins of decided comparisons, shape (N,): fitted on `training`, else on the other folds by prompt.

    `weight` is used where they are fitted on themselves. Each fit takes at most `limit` comparisons. Where there is nothing
    to fit on, the margins are NaN and `fitted_on` says why.
    """
    if training is None:
        return cross_fitted_tfidf(TextPairs(preferred, other, weight), cluster=cluster, seed=seed, limit=limit)
    available = len(training.preferred)
    rows = sampled(training, np.arange(available), seed=seed, limit=limit)
    chosen = [training.preferred[row] for row in rows], [training.other[row] for row in rows]
    counts = count_grams(TextPairs([*chosen[0], *preferred], [*chosen[1], *other]))
    judged = rows.size + np.arange(len(preferred))
    size = f"{available:,}" if rows.size == available else f"{rows.size:,} of {available:,}"
    margin = fitted_margins(counts, np.arange(rows.size), judged, weight=training.weights()[rows])
    return Baseline("tfidf", margin, f"training split, {size} comparisons")


def cross_fitted_tfidf(pairs: TextPairs, *, cluster: Int[np.ndarray, " N"], seed: int, limit: int) -> Baseline:
    """TF-IDF margins of each fold by a model fitted on the other folds; no prompt is on both sides."""
    size, folds = len(pairs.preferred), held_out_folds(cluster, seed=seed)
    margin = np.full(size, np.nan)
    if not folds:
        return Baseline("tfidf", margin, "not fitted (too few prompts)")
    counts, capped = count_grams(pairs), ""
    for here in folds:
        inside, outside = np.flatnonzero(here), np.flatnonzero(~here)
        rows = sampled(pairs, outside, seed=seed, limit=limit)
        capped = capped or (f", at most {limit:,} comparisons each" if rows.size < outside.size else "")
        margin[inside] = fitted_margins(counts, rows, inside, weight=pairs.weights()[rows])
    if np.isnan(margin).any():
        return Baseline("tfidf", np.full(size, np.nan), "not fitted (a fold was too small)")
    return Baseline("tfidf", margin, by_folds(len(folds), capped))
