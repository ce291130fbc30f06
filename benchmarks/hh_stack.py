"""What each source of evidence adds on Anthropic HH: nested cross-validation over all prompts of both files, pooled.

    REWARDSMITH_DATA=… python benchmarks/hh_stack.py --cache FOLDER [--states]

Every block of features (length, TF-IDF, hidden states of SmolLM2-135M, its log-probabilities, embeddings of
multilingual-e5-small) gives a kernel over comparisons, from differences between the two responses, and a ridge fit without
intercept. Its penalty is chosen inside the training folds by leave-fold-out predictions, which a ridge has in closed form.
"by prompt" blocks multiply that kernel with one of prompts, so that what counts may depend on what was asked; how harmful
a prompt is, is predicted by a classifier of the two files fitted on training prompts. The stack is a logistic regression on
the out-of-fold margins of the training prompts. No test prompt takes part in any choice. "all" was named as the main result
before the first run. Writes `benchmarks/results/quality/hh-stack.json`.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from hh_features import HH
from hh_texts import LAYERS, Texts, cached
from paired_rows import figures
from rewardsmith.evaluate.folds import FOLDS, folds_of_clusters
from rewardsmith.files import write_json
from rewardsmith.quality.shortcuts.features import FEATURES
from rewardsmith.quality.text.characters import length_in_words

RESULT = Path(__file__).parent / "results" / "quality" / "hh-stack.json"
PENALTIES = (1.0, 4.0, 16.0)
"""Of kernels whose diagonal has a mean of 1."""
READ = tuple(LAYERS.index(layer) for layer in (12, 15, 18, 21, 24, 27, 30))


@dataclass(frozen=True)
class Pairs:
    """Both files as one: N comparisons, the first text of each preferred."""

    blocks: dict[str, np.ndarray]
    """Differences of features, (N, D)."""
    prompt: np.ndarray
    prompts: np.ndarray
    source: np.ndarray
    texts: tuple[list[str], list[str]]


def joined(parts: Sequence[Texts]) -> Pairs:
    """The blocks of both files."""
    texts = ([t for p in parts for t in p.texts[0]], [t for p in parts for t in p.texts[1]])
    words = [np.array([[length_in_words(t)] for t in side], dtype=np.float64) for side in texts]
    seen = [np.array([[feature(t) for feature in FEATURES.values()] for t in side], dtype=np.float64) for side in texts]
    embedded = sides(parts, "embedded")
    blocks = {
        "length": np.log1p(words[0]) - np.log1p(words[1]),
        "simple features": np.log1p(seen[0]) - np.log1p(seen[1]),
        "e5, response": embedded[0][:, 0] - embedded[1][:, 0],
        "e5, with prompt": embedded[0][:, 1] - embedded[1][:, 1],
    }
    if parts[0].states is not None:
        blocks |= of_language_model(parts)
    source = np.concatenate([np.full(len(p.prompts), k) for k, p in enumerate(parts)])
    return Pairs(
        blocks, np.concatenate([p.prompt for p in parts]), np.concatenate([p.prompts for p in parts]), source, texts
    )


def sides(parts: Sequence[Texts], key: str) -> list[np.ndarray]:
    """Features of the preferred and of the other responses of both files."""
    return [np.concatenate([getattr(p, key)[side] for p in parts]).astype(np.float64) for side in (0, 1)]


def of_language_model(parts: Sequence[Texts]) -> dict[str, np.ndarray]:
    """The blocks from the language model's states and log-probabilities."""
    states, likelihood = sides(parts, "states"), sides(parts, "likelihood")
    per_token = [side[:, :1] / side[:, 1:] for side in likelihood]
    flat = [side[:, READ].transpose(0, 2, 1, 3).reshape(len(side), 2, -1) for side in states]
    return {
        "log-probability": np.concatenate(
            [(likelihood[0] - likelihood[1])[:, :1], per_token[0] - per_token[1]], axis=1
        ),
        "layers, mean": flat[0][:, 1] - flat[1][:, 1],
        "layers, last": flat[0][:, 0] - flat[1][:, 0],
    }


def words_of(texts: tuple[list[str], list[str]], train: np.ndarray) -> np.ndarray:
    """A kernel of TF-IDF differences, words and pairs of words of the training texts."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=3, sublinear_tf=True)
    vectorizer.fit([t for side in texts for t, taken in zip(side, train, strict=True) if taken])
    difference = vectorizer.transform(texts[0]) - vectorizer.transform(texts[1])
    return np.asarray((difference @ difference.T).todense())


def kernel_of(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """A linear kernel of features scaled by the training rows."""
    scaled = x / (np.sqrt((x[train] ** 2).mean(axis=0)) + 1e-9)
    return scaled @ scaled.T / x.shape[1]


def normed(kernel: np.ndarray) -> np.ndarray:
    return kernel / np.diag(kernel).mean()


def harmful(pairs: Pairs, train: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """From −1 to 1, whether a prompt is one of the harmless file; of training rows, out of fold."""
    x, found = pairs.prompt / (pairs.prompt[train].std(axis=0) + 1e-9), np.zeros(len(train))
    for number in np.unique(fold[train]):
        fit, asked = train & (fold != number), train & (fold == number)
        found[asked] = classifier(x[fit], pairs.source[fit]).predict_proba(x[asked])[:, 0]
    found[~train] = classifier(x[train], pairs.source[train]).predict_proba(x[~train])[:, 0]
    return 2 * found - 1


def classifier(x: np.ndarray, source: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=1e-3, max_iter=300).fit(x, source)


@dataclass(frozen=True)
class Fit:
    """Margins of one kernel: of training rows out of fold, of the others from all training rows."""

    margins: np.ndarray
    penalty: float


def ridge(kernel: np.ndarray, train: np.ndarray, fold: np.ndarray) -> Fit:
    """Kernel ridge with labels +1 on differences; the penalty with the best accuracy out of fold.

    Leaving a fold F out of a ridge gives predictions y_F − B_FF⁻¹ (B y)_F with B the inverse of the whole kernel plus
    penalty, so no fold is fitted again.
    """
    rows, best = np.flatnonzero(train), None
    inside, ones = kernel[np.ix_(rows, rows)], np.ones(train.sum())
    for penalty in PENALTIES:
        inverse = cho_solve(cho_factor(inside + penalty * np.eye(len(rows))), np.eye(len(rows)))
        weights, out = inverse @ ones, np.zeros(len(rows))
        for number in np.unique(fold[rows]):
            held = np.flatnonzero(fold[rows] == number)
            out[held] = 1 - np.linalg.solve(inverse[np.ix_(held, held)], weights[held])
        right = (out > 0).mean()
        if best is None or right > best[0]:
            best = (right, penalty, out, weights)
    assert best is not None
    margins = np.zeros(len(train))
    margins[rows] = best[2]
    margins[~train] = kernel[np.ix_(~train, train)] @ best[3]
    return Fit(margins, best[1])


def stacked(columns: np.ndarray, train: np.ndarray) -> np.ndarray:
    """A logistic regression without intercept on out-of-fold margins, no weight below zero left in."""
    scaled = columns / (columns[train].std(axis=0) + 1e-9)
    side = np.where(np.arange(train.sum()) % 2 == 0, 1.0, -1.0)
    kept = list(range(columns.shape[1]))
    while True:
        model = LogisticRegression(C=0.1, fit_intercept=False).fit(scaled[train][:, kept] * side[:, None], side)
        if (model.coef_[0] >= 0).all() or len(kept) == 1:
            return np.asarray(scaled[:, kept] @ model.coef_[0])
        kept = [k for k, weight in zip(kept, model.coef_[0], strict=True) if weight >= 0]


ARMS: dict[str, tuple[str, ...]] = {
    "length + TF-IDF": ("length", "TF-IDF"),
    "layers, both poolings": ("layers, mean", "layers, last"),
    "SmolLM2 (layers, log-probability)": ("layers, mean", "layers, last", "log-probability"),
    "e5": ("e5, response", "e5, with prompt"),
    "all, the same for every prompt": (
        "length", "simple features", "TF-IDF", "log-probability", "layers, mean", "layers, last", "e5, response",
        "e5, with prompt",
    ),
    "by prompt: length + TF-IDF": ("length, by prompt", "TF-IDF, by prompt"),
    "by prompt: layers, both poolings": ("layers, mean, by prompt", "layers, last, by prompt"),
    "by prompt: e5": ("e5, response, by prompt", "e5, with prompt, by prompt"),
}  # fmt: skip
MAIN = "all"


def one_fold(pairs: Pairs, number: int, seed: int) -> dict[str, np.ndarray]:
    """Margins of every block and stack for one outer fold (other rows hold out-of-fold margins)."""
    train = folds_of_clusters(pairs.prompts, seed=seed) != number
    fold = folds_of_clusters(pairs.prompts, seed=seed + 1)
    asked = harmful(pairs, train, fold)
    alike = normed(kernel_of(pairs.prompt, train))
    gate = 0.5 * (1 + np.outer(asked, asked)) + 0.5 * alike
    kernels = {name: normed(kernel_of(x, train)) for name, x in pairs.blocks.items()}
    kernels["TF-IDF"] = normed(words_of(pairs.texts, train))
    found = {}
    for name, kernel in kernels.items():
        found[name] = ridge(kernel, train, fold).margins
        found[f"{name}, by prompt"] = ridge(normed(kernel * gate), train, fold).margins
    arms = {name: members for name, members in ARMS.items() if set(members) <= set(found)} | {MAIN: tuple(found)}
    for name, members in arms.items():
        found[f"stack: {name}"] = stacked(np.stack([found[m] for m in members], axis=1), train)
    found["sum of kernels, by prompt"] = ridge(
        normed(sum(normed(kernel * gate) for kernel in kernels.values())), train, fold
    ).margins
    return {name: margins[~train] for name, margins in found.items()}


def main() -> None:
    """All folds, and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--states", action="store_true", help="also the language model's states")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if not (folder := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds hh-rlhf/")
    started = time.process_time()
    pairs = joined([cached(name, Path(folder), arguments.cache, states=arguments.states) for name in HH])
    outer = folds_of_clusters(pairs.prompts, seed=arguments.seed)
    margins: dict[str, np.ndarray] = {}
    for number in range(FOLDS):
        for name, values in one_fold(pairs, number, arguments.seed).items():
            margins.setdefault(name, np.zeros(len(outer)))[outer == number] = values
        print(f"fold {number + 1} of {FOLDS}, {time.process_time() - started:.0f} CPU seconds", flush=True)
    rows = []
    for name, margin in margins.items():
        right = (margin > 0) + 0.5 * (margin == 0)
        rows.append({
            "name": name, "n": len(margin), "prompts": len(np.unique(pairs.prompts)),
            **figures(margin, margins["TF-IDF"], pairs.prompts, minus="minus_tfidf"),
            "harmless": float(right[pairs.source == 0].mean()), "helpful": float(right[pairs.source == 1].mean()),
        })  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    write_json(
        arguments.output, {"rows": rows, "seed": arguments.seed, "cpu_minutes": (time.process_time() - started) / 60}
    )


if __name__ == "__main__":
    main()
