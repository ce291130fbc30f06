"""Many records to rewards: equal texts are scored once, texts with the same prompt share it, bins hold a token budget."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float32, Float64

from rewardsmith.errors import ModelError
from rewardsmith.model.forward.batches import Batch, KnownFeatures, cost, micro_batches
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.heads.head import ColumnSource
from rewardsmith.model.runtime.processes import ALONE, Team
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.scoring.tokens import Encoded
from rewardsmith.scoring.trees import Ids, TokenTree, build_tree

RecordRewards = Float64[np.ndarray, " _"]  # of one record's K responses
WINDOW = 2048  # records looked at together for equal texts and shared prompts; bounds memory
DEFAULT_BUDGET = {"cpu": 4096, "mps": 8192, "cuda": 32768}


@dataclass(frozen=True)
class Sequences:
    """A record's K token sequences, the key of their shared prompt, and their answers' lengths where the head asks.

    `nested`: each sequence begins the next one, so that one pass over the last gives the rewards of all.
    """

    prompt: str
    ids: tuple[Ids, ...]
    answers: tuple[int, ...] = ()
    nested: bool = False

    def texts(self) -> "Iterator[Text]":
        """The sequences one by one."""
        answers: Sequence[int | None] = self.answers or (None,) * len(self.ids)
        return (Text(ids, answer) for ids, answer in zip(self.ids, answers, strict=True))


def sequences_of(record: Record, encoded: Encoded) -> Sequences:
    """What the scorer takes of an encoded record."""
    return Sequences(record.prompt_id, encoded.sequences, encoded.answers, record.by_steps)


@dataclass(frozen=True)
class Text:
    """A token sequence and how many of its last tokens are its answer, None where nobody asks."""

    ids: Ids
    answer: int | None

    @property
    def key(self) -> bytes:
        """Equal for equal texts."""
        return self.ids.tobytes() + b"|" + str(self.answer).encode()


@dataclass(frozen=True)
class Outputs:
    """What a model gives for the responses of one record: their rewards, and columns beside them by name (see
    `model.heads`); each of all has one number per response.
    """

    rewards: RecordRewards
    columns: Mapping[str, RecordRewards]


def score(
    network: RewardNetwork,
    records: Iterable[Sequences],
    *,
    budget: int | None = None,
    total: int | None = None,
    progress: Progress = SILENT,
    team: Team = ALONE,
) -> Iterator[RecordRewards]:
    """Rewards of every record, in order; `budget` is the tokens per forward pass.

    The processes of a `team` must all call this with the same records: each computes a part of the forward passes that
    one process would make, and all get the same rewards. Streams: at most WINDOW records are held.
    Raises ModelError on a reward that is not finite.
    """

    def rewards(batch: Batch) -> Float64[np.ndarray, " R"]:
        return network(batch).double().cpu().numpy()  # type: ignore[no-any-return]

    with progress.task("scoring", total, "records") as task:
        for values in computed(network, records, rewards, budget=budget, team=team):
            task.advance()
            yield finite(values)


def outputs(
    network: RewardNetwork,
    records: Iterable[Sequences],
    source: ColumnSource | None,
    *,
    budget: int | None = None,
    team: Team = ALONE,
) -> Iterator[Outputs]:
    """The rewards of every record, the same bits as `score` gives, with the columns of `source` (None: no columns)."""
    names = () if source is None else source.columns

    def columns(batch: Batch) -> Float64[np.ndarray, "R O"]:
        features = network.features(batch).float()
        rewards = network(KnownFeatures(features))
        found = [rewards.double()[:, None]]
        if source is not None:
            with torch.autocast(network.device.type, enabled=False):
                found.append(source.values(rewards, features).double())
        return torch.cat(found, dim=1).cpu().numpy()  # type: ignore[no-any-return]

    for values in computed(network, records, columns, budget=budget, team=team):
        rewards, *others = finite(values).T
        yield Outputs(rewards, dict(zip(names, others, strict=True)))


def finite(rewards: np.ndarray) -> np.ndarray:
    """The rewards as they are; ModelError where one is not finite."""
    if not np.isfinite(rewards).all():
        raise ModelError("the model gives a non-finite reward (NaN or infinity); its weights are damaged")
    return rewards


def features(
    network: RewardNetwork, records: Iterable[Sequences], *, budget: int | None = None, team: Team = ALONE
) -> Iterator[Float32[np.ndarray, "K H"]]:
    """What the head reads for every response of each record, in order, like `score`."""

    def pooled(batch: Batch) -> Float32[np.ndarray, "R H"]:
        return network.features(batch).float().cpu().numpy()

    return computed(network, records, pooled, budget=budget, team=team)


def computed(
    network: RewardNetwork,
    records: Iterable[Sequences],
    compute: Callable[[Batch], np.ndarray],
    *,
    budget: int | None,
    team: Team = ALONE,
) -> Iterator[np.ndarray]:
    """What `compute` gives for each response (a number or a row), stacked by record; each distinct sequence once."""
    budget = budget or DEFAULT_BUDGET.get(network.device.type, DEFAULT_BUDGET["cpu"])
    iterator = iter(records)
    with scoring(network):
        while window := list(islice(iterator, WINDOW)):
            yield from computed_window(network, window, compute, budget, team)


@contextlib.contextmanager
def scoring(network: RewardNetwork) -> Iterator[None]:
    """Without dropout while it is open. A network that scores anyway is left alone: to switch each of its modules over and
    back takes as long as a layer does for a short text."""
    was_training = network.training
    switched = any(module.training for module in network.modules())
    if switched:
        network.eval()
    try:
        yield
    finally:
        network.settle()
        if switched:
            network.train(was_training)


def computed_window(
    network: RewardNetwork,
    window: Sequence[Sequences],
    compute: Callable[[Batch], np.ndarray],
    budget: int,
    team: Team = ALONE,
) -> list[np.ndarray]:
    """One window: each distinct sequence once, grouped by prompt."""
    trees, keys = planned(window, budget, share=network.packed)
    known: dict[bytes, np.ndarray] = {}
    for group in team.share(micro_batches(trees, budget, packed=network.packed)):
        with torch.inference_mode() if team.size == 1 else torch.no_grad():  # shards gathered in either are kept
            values = compute(network.collate([trees[index] for index in group]))
        known.update(zip((name for index in group for name in keys[index]), values, strict=True))
    known = team.merge(known)
    return [np.stack([known[text.key] for text in record.texts()]) for record in window]


def planned(window: Sequence[Sequences], budget: int, *, share: bool) -> tuple[list[TokenTree], list[list[bytes]]]:
    """Trees of the distinct sequences of a window, each of one prompt, and the keys of the texts of every tree."""
    groups: dict[str, dict[bytes, Text]] = {}
    chains, others = divided(window, share=share)
    for record in others:
        unique = groups.setdefault(record.prompt, {})
        for text in record.texts():
            unique.setdefault(text.key, text)
    seen: set[bytes] = set()
    trees, keys = [], []
    for unique in groups.values():
        fresh = [text for key, text in unique.items() if key not in seen]
        seen.update(unique)
        for chunk in split(fresh, budget, share=share):
            trees.append(tree_of(chunk, share=share))
            keys.append([text.key for text in chunk])
    for tree, chain in planned_chains(chains, seen):
        trees.append(tree)
        keys.append(chain)
    return trees, keys


def divided(window: Sequence[Sequences], *, share: bool) -> tuple[list[Sequences], list[Sequences]]:
    """The records whose nested sequences are computed in one pass, which takes shared prefixes, and all others."""
    chains = [record for record in window if share and record.nested]
    return chains, [record for record in window if not (share and record.nested)]


def planned_chains(records: Sequence[Sequences], seen: set[bytes]) -> Iterator[tuple[TokenTree, list[bytes]]]:
    """A tree for each record of nested sequences with one that was not `seen`, and the keys of its texts."""
    for record in records:
        texts = {text.key: text for text in record.texts()}
        if not seen.issuperset(texts):
            seen.update(texts)
            yield tree_of(list(texts.values()), share=True, nested=True), list(texts)


def split(texts: Sequence[Text], budget: int, *, share: bool) -> Iterator[list[Text]]:
    """Texts of one prompt in chunks whose trees fit the budget: siblings sorted, so that neighbours share the most."""
    chunk: list[Text] = []
    for text in sorted(texts, key=lambda text: text.ids.tolist() if share else [len(text.ids)]):
        if chunk and cost(tree_of([*chunk, text], share=share), packed=share) > budget:
            yield chunk
            chunk = []
        chunk.append(text)
    if chunk:
        yield chunk


def tree_of(texts: Sequence[Text], *, share: bool, nested: bool = False) -> TokenTree:
    """Texts of one prompt as a tree."""
    answers = [text.answer for text in texts if text.answer is not None]
    return build_tree([text.ids for text in texts], share=share, answers=answers, nested=nested)
