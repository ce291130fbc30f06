"""Pairs of data on the cached features of a frozen model: what a loss or a filter of labels costs and gains.

Used by other benchmarks here. Every text is tokenized and computed once; then a run is the loop of `train` on the head
alone, which takes seconds. The groups of the data (debates, prompts) are cut into `FOLDS` parts by hash: run k is tested on
part k, stops early on some groups of the next part, and learns from the rest, so that every group is tested on once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import rewardsmith as rs
from rewardsmith.data.merging import merge_prompts
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.model.heads import attach_outputs, describe_head
from rewardsmith.model.heads.extra import detach
from rewardsmith.model.loading.backbones import draw_head
from rewardsmith.model.scorer import score
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.fitting import PEER_SEED
from rewardsmith.pipelines.train.frozen_cache import filled
from rewardsmith.pipelines.train.setup import open_model
from rewardsmith.progress import SILENT
from rewardsmith.records import Record
from rewardsmith.scoring.trees import build_tree
from rewardsmith.train.examples import Example, encode_examples, rank_by_hash
from rewardsmith.train.fitting.collaborative import CollaborativeFit, Filtering
from rewardsmith.train.loop import Fit, FitSettings
from rewardsmith.train.losses import choose

FOLDS, BUDGET, BATCH = 4, 4096, 128
EPOCHS, PATIENCE = 8, 4
MODELS: Mapping[str, Mapping[str, Any]] = {
    "minilm-l6": {},
    "smollm2-135m": {"read_layers": (12, 15, 18), "pooling": ("last", "mean")},
    "e5-multilingual": {"read_layers": (6, 9, 12), "pooling": ("last", "mean")},
}
"""What the head of each model reads: 384, 3,456 and 2,304 numbers."""
RESPONSES = 4
"""Of each prompt of the built-in data: six comparisons."""
Pairs = list[Example]


@dataclass(frozen=True)
class Pool:
    """The model that all runs share (`peer`: a second one), the records by prompt, and their pairs by group."""

    model: Any
    peer: Any
    rankings: Sequence[Example]
    records: Sequence[Record]
    pairs: Mapping[str, Pairs]
    sides: Mapping[str, np.ndarray]

    def groups(self, number: int, held: int) -> tuple[list[str], list[str], list[str]]:
        """The groups of fold `number`: to learn from, `held` to stop early on, and to test on."""
        names = sorted(self.pairs)
        order = [names[at] for at in rank_by_hash(names, salt="folds")]
        start, end = len(order) * number // FOLDS, len(order) * (number + 1) // FOLDS
        rest = order[end:] + order[:start]
        return rest[held:], rest[:held], order[start:end]

    def of(self, groups: Sequence[str]) -> Pairs:
        """The pairs of some groups."""
        return [pair for name in groups for pair in self.pairs.get(name, ())]


def drawn(pairs: Pairs, count: int) -> Pairs:
    """`count` of the pairs, by hash."""
    return [pairs[at] for at in rank_by_hash((pair.id for pair in pairs), salt="drawn")[:count]]


def open_frozen(name: str) -> Any:
    """A model of which only the head learns."""
    config = Config(model=name, dataset=("none",), output=Path("none"), freeze_layers=-1, threads=1, **MODELS[name])
    return open_model(config).model


def pools_of(model: Any, *sources: Sequence[Record], group: str | None) -> list[Pool]:
    """A pool of each source, on the same model; what the head reads of their texts is computed, once for all runs.

    Pairs are grouped by the field `group`, or by prompt. Prompts with a response that is too long are left out.
    """
    merged = [merge_prompts(records) for records in sources]
    rankings = [encode_examples(records, model.encoder, share=model.network.packed).examples for records in merged]
    peer = deepcopy(model.network)
    asked = [ranking.sequences for some in rankings for ranking in some]
    model.network.cache, _ = filled(model.network, asked, BUDGET, SILENT)
    peer.cache = model.network.cache
    return [pool_of(model, peer, *both, group) for both in zip(merged, rankings, strict=True)]


def pool_of(model: Any, peer: Any, records: Sequence[Record], rankings: Sequence[Example], group: str | None) -> Pool:
    """The pool of one source."""
    by_prompt = {record.prompt_id: record for record in records}
    pairs: dict[str, Pairs] = {}
    sides: dict[str, np.ndarray] = {}
    for ranking in rankings:
        record = by_prompt[ranking.prompt_id]
        name = record.prompt_id if group is None else str(record.fields[group])
        for at, pair in apart(ranking):
            pairs.setdefault(name, []).append(pair)
            sides[pair.id] = np.array([ranking.preferred[at], ranking.other[at]])
    return Pool(model, peer, rankings, [by_prompt[ranking.prompt_id] for ranking in rankings], pairs, sides)


def open_ukp(place: str, name: str) -> Pool:
    """UKP from the folder `place`: 32 prompts in 16 debates."""
    records = list(rs.load(str(Path(place) / "ukp-convarg/strict.jsonl.gz"), progress=SILENT).records)
    (pool,) = pools_of(open_frozen(name), records, group="topic")
    return pool


def open_built_in(prompts: int, name: str) -> Pool:
    """Built-in data in both languages; the gold reward decides every label. A group is a prompt."""
    made = generate(prompts, responses_per_prompt=RESPONSES, noise=0.0).records
    (pool,) = pools_of(open_frozen(name), made, group=None)
    return pool


def apart(ranking: Example) -> Iterator[tuple[int, Example]]:
    """Each decided comparison of a ranking, by number, as an example of its own with the same tokens."""
    for at, (i, j) in enumerate(zip(ranking.preferred, ranking.other, strict=True)):
        if ranking.preference[at] == 0.5:
            continue
        texts = (ranking.tree.sequences[i], ranking.tree.sequences[j])
        answers = tuple(ranking.tree.answers[side] for side in (i, j)) if ranking.tree.answers else ()
        yield at, replace(
            ranking, id=f"{ranking.prompt_id}:{at}", tree=build_tree(texts, share=False, answers=answers),
            preferred=np.array([0]), other=np.array([1]), preference=ranking.preference[at : at + 1],
            weight=np.ones(1, dtype=np.float32), margin=ranking.margin[at : at + 1], votes=ranking.votes[at : at + 1],
            ratings=np.full(2, np.nan, dtype=np.float32), judged=None,
        )  # fmt: skip


def flipped(pairs: Iterable[Example], rate: float, seed: int) -> Pairs:
    """The pairs with the label of a share of them turned."""
    draw = np.random.default_rng(seed)
    return [replace(p, preferred=p.other, other=p.preferred) if draw.random() < rate else p for p in pairs]


class Unsaved:
    """Mixed into a loop: no checkpoints to resume from."""

    def _checkpoint(self) -> None:
        pass


class One(Unsaved, Fit):
    """A run of one head."""


class Two(Unsaved, CollaborativeFit):
    """A run of two heads that filter each other's comparisons."""


def learn(
    pool: Pool, train: Pairs, validation: Pairs, *, lr: float, seed: int, loss: str = "bradley-terry",
    options: Mapping[str, float] | None = None, head: str = "scalar", filtering: Filtering | None = None,
) -> None:  # fmt: skip
    """Train a new head from the seed, stop early by validation loss, leave the best weights in the network."""
    settings = FitSettings(
        epochs=EPOCHS, batch=BATCH, lr=lr, weight_decay=0.01, warmup=0.05, clip=1.0, dropout=0.0, loss=loss,
        loss_options=options, seed=seed, tokens_per_microbatch=10**9, eval_every=-(-len(train) // BATCH),
        patience=PATIENCE, keep=1,
    )  # fmt: skip
    network = pool.model.network
    new_head(network, settings, head, seed)
    with TemporaryDirectory() as place:
        folder = Path(place)
        given: dict[str, Any] = {"train": train, "validation": validation, "folder": folder, "fingerprint": {}}
        if filtering is None:
            One(network, settings, **given).run()
            detach(network)
            return
        (folder / "peer").mkdir()
        other = replace(settings, seed=seed + PEER_SEED)
        new_head(pool.peer, other, head, other.seed)
        beside = One(pool.peer, other, **{**given, "folder": folder / "peer"})
        Two(network, settings, peer=beside, filtering=filtering, **given).run()
        detach(network)


def new_head(network: Any, settings: FitSettings, head: str, seed: int) -> None:
    """Draw the head again, and what the loss needs beside it."""
    detach(network)
    draw_head(network.head, seed=seed)
    network.head.weight.requires_grad_(True)
    loss = choose(settings.loss, settings.loss_options, members=settings.members)
    attach_outputs(network, loss.outputs, describe_head(head), members=loss.members, seed=seed)


def rewards(pool: Pool) -> dict[str, np.ndarray]:
    """The reward of every argument, by prompt."""
    found = score(pool.model.network, [ranking.sequences for ranking in pool.rankings], budget=10**9)
    return {ranking.prompt_id: values for ranking, values in zip(pool.rankings, found, strict=True)}


def margins(pool: Pool, pairs: Sequence[Example], found: Mapping[str, np.ndarray]) -> np.ndarray:
    """Reward of the preferred argument of each pair minus that of the other."""
    return np.array([np.diff(found[p.prompt_id][pool.sides[p.id][[p.other[0], p.preferred[0]]]])[0] for p in pairs])


def right(margin: np.ndarray) -> np.ndarray:
    """1 where the preferred response has the higher reward, a half where both are equal."""
    return (np.sign(margin) + 1) / 2
