"""What helps on Anthropic HH at this size, found out cheaply: linear heads on a frozen SmolLM2-135M.

    REWARDSMITH_DATA=… python benchmarks/hh_features.py --cache FOLDER [--extra]

Hidden states of every third layer are computed once per text (a few minutes per thousand pairs on two CPU cores) and
kept in FOLDER. Linear heads are then fitted by cross-validation over prompts: which layer, which pooling, how much
training data, more data of other kinds. Every comparison of HH is judged by a head that has not seen its prompt, and its
strength of regularisation is chosen inside the training folds. Differences are paired, with 95 % intervals by prompt.
Writes `benchmarks/results/quality/hh-features.json`.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import rewardsmith as rs
from rewardsmith.evaluate.baselines import tfidf
from rewardsmith.evaluate.folds import folds_of_clusters
from rewardsmith.evaluate.paired import compare_margins
from rewardsmith.files import write_json
from rewardsmith.model.forward.batches import PackedTrees, micro_batches
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.progress import Progress
from rewardsmith.records import Record
from rewardsmith.terminal import progress_for
from rewardsmith.train.examples import Example, encode_examples, rank_by_hash
from rewardsmith.train.optimizer import layer_stack

RESULT = Path(__file__).parent / "results" / "quality" / "hh-features.json"
HH = ("hh-rlhf/harmless-base.jsonl.gz", "hh-rlhf/helpful.jsonl.gz")
EXTRA = ("webgpt/comparisons.jsonl.gz", "alpaca-eval/pairs_length_balanced.jsonl.gz")
EXTRA_ROWS = 700
"""Of each extra file, chosen by hash: its long answers cost many times what HH's do."""
EVERY = 3
LENGTH = 512
BUDGET = 2048
POOLINGS = ("last", "mean")
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""scikit-learn's C on standardised features; small is strong."""


@dataclass(frozen=True)
class Pairs:
    """Decided comparisons: features (N, layers, poolings, H) of both sides, texts, prompts and sources."""

    preferred: np.ndarray
    other: np.ndarray
    prompts: np.ndarray
    source: np.ndarray
    texts: tuple[list[str], list[str]]


def open_backbone(model: str) -> RewardModel:
    """The embedded model with a new head, scored under its own contract."""
    from rewardsmith.pipelines.train.config import Config
    from rewardsmith.pipelines.train.setup import open_model

    config = Config(model=model, dataset=("none",), output=Path("none"), freeze_layers=-1, max_length=LENGTH)
    return open_model(config).model


def hidden_states(model: RewardModel, batch: PackedTrees, taken: Sequence[int]) -> list[torch.Tensor]:
    """Output (T, H) of each layer number in `taken`; the last one behind the final norm."""
    kept: dict[int, torch.Tensor] = {}
    layers = layer_stack(model.network.hf.base_model)

    def keep(number: int) -> Any:
        def hook(module: torch.nn.Module, inputs: Any, output: Any) -> None:
            kept[number] = (output[0] if isinstance(output, tuple) else output)[0]

        return hook

    hooks = [layers[number - 1].register_forward_hook(keep(number)) for number in taken if number < len(layers)]
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        final = model.network.hf.base_model(
            input_ids=batch.ids, position_ids=batch.positions, use_cache=False, tree_layout=batch.layout
        ).last_hidden_state
    for hook in hooks:
        hook.remove()
    kept[len(layers)] = final[0]
    return [kept[number] for number in taken]


def pooled(states: Sequence[torch.Tensor], examples: Sequence[Example]) -> Iterator[np.ndarray]:
    """Per example (K, layers, poolings, H) in fp16: last token, and mean over the response's own tokens."""
    start = 0
    for example in examples:
        start += len(example.tree.prefix)
        rows = []
        for branch in example.tree.branches:
            span = slice(start, start + len(branch))
            rows.append(torch.stack([torch.stack([s[span][-1], s[span].mean(0)]) for s in states]))
            start += len(branch)
        yield torch.stack(rows).float().numpy().astype(np.float16)


def features(model: RewardModel, examples: Sequence[Example], taken: Sequence[int], progress: Progress) -> list[Any]:
    """Pooled features of every example, in order."""
    found: list[Any] = [None] * len(examples)
    with progress.task("features", len(examples), "records") as task:
        for group in micro_batches([e.tree for e in examples], BUDGET, packed=True):
            chosen = [examples[index] for index in group]
            batch = model.network.collate([e.tree for e in chosen])
            assert isinstance(batch, PackedTrees)
            states = hidden_states(model, batch, taken)
            for index, values in zip(group, pooled(states, chosen), strict=True):
                found[index] = values
            task.advance(len(group))
    return found


def columns(records: Sequence[Record], examples: Sequence[Example], found: Sequence[Any], source: int) -> Pairs:
    """The decided comparisons of the records that could be encoded."""
    by_place = {record.place: record for record in records}
    left, right, prompts, texts = [], [], [], ([], [])
    for example, values in zip(examples, found, strict=True):
        record = by_place[example.place]
        for i, j, p in zip(example.preferred, example.other, example.preference, strict=True):
            if p == 0.5:
                continue
            left.append(values[i])
            right.append(values[j])
            prompts.append(int(example.prompt_id[:12], 16))
            texts[0].append(record.responses[i].text)
            texts[1].append(record.responses[j].text)
    return Pairs(np.stack(left), np.stack(right), np.array(prompts), np.full(len(left), source), texts)


def cached(name: str, data: Path, cache: Path, source: int) -> Pairs:
    """Features of one file, from the cache where they are there."""
    path = cache / f"{name.replace('/', '-')}.npz"
    records = list(rs.load(str(data / name)).records)
    if name in EXTRA:
        chosen = rank_by_hash((record.id for record in records), salt="extra")
        records = [records[index] for index in sorted(chosen[:EXTRA_ROWS])]
    model = open_backbone("smollm2-135m")
    examples = encode_examples(records, model.encoder, share=True).examples
    taken = range(EVERY, 31, EVERY)
    if path.is_file():
        with np.load(path) as stored:
            sizes, flat = stored["sizes"], stored["flat"]
        found = np.split(flat, np.cumsum(sizes)[:-1])
    else:
        found = features(model, examples, list(taken), progress_for(sys.stderr))
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, sizes=[len(v) for v in found], flat=np.concatenate(found))
    return columns(records, examples, found, source)


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Several files as one."""
    texts = ([t for p in parts for t in p.texts[0]], [t for p in parts for t in p.texts[1]])
    stacked = [np.concatenate([getattr(p, key) for p in parts]) for key in ("preferred", "other", "prompts", "source")]
    return Pairs(*stacked, texts)


def head(difference: np.ndarray, strength: float) -> np.ndarray:
    """Weights of a Bradley-Terry head without intercept (logistic regression on differences)."""
    from sklearn.linear_model import LogisticRegression

    side = np.where(np.arange(len(difference)) % 2 == 0, 1.0, -1.0)
    model = LogisticRegression(C=strength, fit_intercept=False, max_iter=300, tol=1e-3)
    return np.asarray(model.fit(difference * side[:, None], side).coef_[0])


def margins(x: np.ndarray, prompts: np.ndarray, judged: np.ndarray, *, share: float = 1.0, seed: int = 0) -> np.ndarray:
    """Cross-validated margins of the rows `judged`; all other rows only ever train. x: differences (N, D)."""
    fold = folds_of_clusters(prompts, seed=seed)
    inner = folds_of_clusters(prompts, seed=seed + 1)
    thin = np.random.default_rng(seed).random(len(x)) < share
    result = np.zeros(len(x))
    for number in range(5):
        train = ((fold != number) | ~judged) & thin
        scale = x[train].std(0) + 1e-6
        fit, check = train & (inner != 0), train & (inner == 0) & judged
        accuracy = [((x[check] / scale) @ head(x[fit] / scale, c) > 0).mean() for c in STRENGTHS]
        weights = head(x[train] / scale, STRENGTHS[int(np.argmax(accuracy))])
        rows = judged & (fold == number)
        result[rows] = (x[rows] / scale) @ weights
    return result[judged]


def told(name: str, margin: np.ndarray, base: np.ndarray, pairs: Pairs, judged: np.ndarray) -> dict[str, Any]:
    """A row of the result: accuracy, by source, and the paired difference to the base."""
    source, prompts = pairs.source[judged], pairs.prompts[judged]
    rng = np.random.default_rng(0)
    paired = compare_margins(margin, base, preference=np.ones(len(margin)), cluster=prompts, rng=rng)
    absolute = compare_margins(margin, -margin * 0, preference=np.ones(len(margin)), cluster=prompts, rng=rng)
    right = (margin > 0) + 0.5 * (margin == 0)
    row = {
        "name": name,
        "n": len(margin),
        "accuracy": float(right.mean()),
        "accuracy_ci": [0.5 + absolute.interval.low, 0.5 + absolute.interval.high],
        "harmless": float(right[source == 0].mean()),
        "helpful": float(right[source == 1].mean()),
        "minus_base": paired.difference,
        "minus_base_ci": [paired.interval.low, paired.interval.high],
    }
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    """Compute or read the features, fit all heads, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--extra", action="store_true", help="also train on WebGPT and AlpacaEval pairs")
    arguments = parser.parse_args()
    if not (folder := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds hh-rlhf/")
    data, started = Path(folder), time.time()
    hh = joined([cached(name, data, arguments.cache, k) for k, name in enumerate(HH)])
    both = hh
    if arguments.extra:
        both = joined([hh, *(cached(name, data, arguments.cache, 2 + k) for k, name in enumerate(EXTRA))])
    write_json(RESULT, {"rows": explore(hh, both), "minutes": (time.time() - started) / 60})


def explore(hh: Pairs, both: Pairs) -> list[dict[str, Any]]:
    """All heads; the base of the differences is the usual one: last layer, last token."""
    judged = np.ones(len(hh.prompts), dtype=bool)
    difference = hh.preferred.astype(np.float32) - hh.other.astype(np.float32)
    layers = difference.shape[1]
    base = margins(difference[:, -1, 0], hh.prompts, judged)
    rows = []

    def add(name: str, margin: np.ndarray) -> None:
        rows.append(told(name, margin, base, hh, judged))

    words = [np.array([len(t) for t in side], dtype=float) for side in hh.texts]
    add("longer wins (characters)", words[0] - words[1])
    add("TF-IDF", tfidf(*hh.texts, cluster=hh.prompts).margin)
    for layer in range(layers):
        for number, pooling in enumerate(POOLINGS):
            add(f"layer {(layer + 1) * EVERY}, {pooling}", margins(difference[:, layer, number], hh.prompts, judged))
    wide = difference[:, :, 1].reshape(len(difference), -1)
    add("all layers, mean", margins(wide, hh.prompts, judged))
    two = difference[:, -1].reshape(len(difference), -1)
    add("last layer, last and mean", margins(two, hh.prompts, judged))
    for share in (0.25, 0.5):
        add(
            f"last layer, mean, {share:.0%} of the data", margins(difference[:, -1, 1], hh.prompts, judged, share=share)
        )
    if len(both.prompts) > len(hh.prompts):
        here = both.source < len(HH)
        for number, pooling in enumerate(POOLINGS):
            x = both.preferred[:, -1, number].astype(np.float32) - both.other[:, -1, number].astype(np.float32)
            add(f"last layer, {pooling}, with extra data", margins(x, both.prompts, here))
    return rows


if __name__ == "__main__":
    main()
