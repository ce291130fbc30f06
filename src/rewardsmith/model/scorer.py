"""Many records to rewards: equal texts are scored once, texts with the same prompt share it, bins hold a token budget."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float64

from rewardsmith.errors import ModelError
from rewardsmith.model.batches import cost, micro_batches
from rewardsmith.model.network import RewardNetwork
from rewardsmith.progress import SILENT, Progress
from rewardsmith.scoring.trees import Ids, TokenTree, build_tree

Rewards = Float64[np.ndarray, " _"]  # of one record's K responses
WINDOW = 2048  # records looked at together for equal texts and shared prompts; bounds memory
DEFAULT_BUDGET = {"cpu": 4096, "mps": 8192, "cuda": 32768}


@dataclass(frozen=True)
class Sequences:
    """A record's K token sequences and the key of their shared prompt."""

    prompt: str
    ids: tuple[Ids, ...]


def score(
    network: RewardNetwork,
    records: Iterable[Sequences],
    *,
    budget: int | None = None,
    total: int | None = None,
    progress: Progress = SILENT,
) -> Iterator[Rewards]:
    """Rewards of every record, in order; `budget` is the tokens per forward pass.

    Streams: at most WINDOW records are held. Raises ModelError on a reward that is not finite.
    """
    budget = budget or DEFAULT_BUDGET.get(network.device.type, 4096)
    was_training = network.training
    network.eval()
    iterator = iter(records)
    try:
        with progress.task("scoring", total, "records") as task:
            while window := list(islice(iterator, WINDOW)):
                rewards = score_window(network, window, budget)
                task.advance(len(window))
                yield from rewards
    finally:
        network.train(was_training)


def score_window(network: RewardNetwork, window: Sequence[Sequences], budget: int) -> list[Rewards]:
    """Score one window: each distinct sequence once, grouped by prompt."""
    groups: dict[str, dict[bytes, Ids]] = {}
    for record in window:
        unique = groups.setdefault(record.prompt, {})
        for ids in record.ids:
            unique.setdefault(ids.tobytes(), ids)
    known: dict[bytes, float] = {}
    trees, keys = [], []
    for unique in groups.values():
        fresh = {key: ids for key, ids in unique.items() if key not in known}
        for tree, names in split(list(fresh.items()), budget, share=network.packed):
            trees.append(tree)
            keys.append(names)
            known.update(dict.fromkeys(names, float("nan")))
    for group in micro_batches(trees, budget, packed=network.packed):
        with torch.inference_mode():
            rewards = network(network.collate([trees[index] for index in group])).double().cpu().numpy()
        names = [name for index in group for name in keys[index]]
        known.update(zip(names, map(float, rewards), strict=True))
    results = [np.array([known[ids.tobytes()] for ids in record.ids]) for record in window]
    if not all(np.isfinite(values).all() for values in results):
        raise ModelError("the model gives a reward that is not finite (NaN or infinite); its weights are damaged")
    return results


def split(named: Sequence[tuple[bytes, Ids]], budget: int, *, share: bool) -> Iterator[tuple[TokenTree, list[bytes]]]:
    """Sequences of one prompt as trees within the budget: siblings sorted, so that neighbours share the most."""
    named = sorted(named, key=lambda item: item[1].tolist()) if share else sorted(named, key=lambda item: len(item[1]))
    chunk: list[tuple[bytes, Ids]] = []
    for item in named:
        candidate = build_tree([ids for _, ids in (*chunk, item)], share=share)
        if chunk and cost(candidate, packed=share) > budget:
            yield build_tree([ids for _, ids in chunk], share=share), [name for name, _ in chunk]
            chunk = []
        chunk.append(item)
    if chunk:
        yield build_tree([ids for _, ids in chunk], share=share), [name for name, _ in chunk]
