"""Token trees to tensors: one packed row for decoders that share prefixes, a padded batch for everything else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rewardsmith.model.forward.attention.layout import Layout, Segment
from rewardsmith.scoring.trees import TokenTree, pack, pack_padded


@dataclass(frozen=True)
class AnswerTokens:
    """The answers' tokens: their places in the flattened batch, the response of each, and how many a response has.

    `before` is the token at which each prompt ends: the one before the answer, or the first where nothing stands before it.
    """

    token: Int64[Tensor, " A"]
    response: Int64[Tensor, " A"]
    count: Int64[Tensor, " R"]
    before: Int64[Tensor, " R"]


@dataclass(frozen=True)
class SpokenTokens:
    """Tokens whose log probability is asked for (see `spoken`): the place in the flattened batch of the token before each,
    its id, and the response that it belongs to, of `responses`. `weight` is 0 where none is asked for and one stands in.
    `reference` is the log probability of each whole response under another model, where it is known.
    """

    before: Int64[Tensor, " A"]
    target: Int64[Tensor, " A"]
    response: Int64[Tensor, " A"]
    weight: float
    responses: int
    reference: Float[Tensor, " R"] | None = None


@dataclass(frozen=True)
class PackedTrees:
    """Trees behind each other in one row; `pooled` points at the last token of every response, in order.

    `states` are outputs of S frozen layers, where they are known (see `lower_layers`).
    """

    ids: Int64[Tensor, "1 T"]
    positions: Int64[Tensor, "1 T"]
    pooled: Int64[Tensor, " R"]
    layout: Layout
    answers: AnswerTokens | None = None
    states: Float[Tensor, "1 T S H"] | None = None
    spoken: SpokenTokens | None = None


@dataclass(frozen=True)
class PaddedRows:
    """One row per response, padded on the right; the mask, never the pad id, tells lengths. `states` as in PackedTrees.

    `lengths` and `answered` (answer tokens; empty where nobody asks) are the same for the host, which need not wait for
    the device to know them.
    """

    ids: Int64[Tensor, "R L"]
    mask: Int64[Tensor, "R L"]
    lengths: tuple[int, ...]
    answered: tuple[int, ...] = ()
    answers: AnswerTokens | None = None
    states: Float[Tensor, "R L S H"] | None = None
    spoken: SpokenTokens | None = None

    def row(self, index: int) -> "PaddedRows":
        """One row alone, without its padding."""
        part, length = slice(index, index + 1), self.lengths[index]
        places = [answer_in(range(length), count) for count in self.answered[part]]
        return PaddedRows(
            self.ids[part, :length],
            self.mask[part, :length],
            self.lengths[part],
            self.answered[part],
            answer_tokens(places, self.ids.device) if places else None,
        )


@dataclass(frozen=True)
class KnownFeatures:
    """Responses whose pooled features were computed before (a frozen backbone's); nothing is left but the head."""

    rows: Float[Tensor, "R F"]


TextBatch = PackedTrees | PaddedRows
Batch = TextBatch | KnownFeatures


def on_device(values: np.ndarray | Sequence[int], device: torch.device) -> Tensor:
    """Numbers of the host as a tensor; a GPU takes them from pinned memory, for which the host does not wait."""
    tensor = torch.as_tensor(values)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def pack_trees(trees: Sequence[TokenTree], device: torch.device) -> PackedTrees:
    """Lay trees behind each other; positions of a branch continue from its prefix."""
    ids, positions, pooled, segments, start = [], [], [], [], 0
    answers: list[AnswerPlaces] = []
    for tree in trees:
        length, top = len(tree.prefix), start
        segments.append(Segment(length, tuple(map(len, tree.branches))))
        ids.append(tree.prefix)
        positions.append(np.arange(length))
        start += length
        for number, branch in enumerate(tree.branches):
            ids.append(branch)
            positions.append(np.arange(length, length + len(branch)))
            if tree.ends:
                pooled += [start + end - 1 for end in tree.ends]
                answers += [
                    answer_in(range(start, start + end), n) for end, n in zip(tree.ends, tree.answers, strict=False)
                ]
                start += len(branch)
                continue
            if tree.answers:
                path = range(top, top + length), range(start, start + len(branch))
                answers.append(answer_on_path(*path, tree.answers[number]))
            start += len(branch)
            pooled.append(start - 1)
    return PackedTrees(
        ids=on_device(np.concatenate(ids).astype(np.int64)[None], device),
        positions=on_device(np.concatenate(positions).astype(np.int64)[None], device),
        pooled=on_device(pooled, device),
        layout=Layout(tuple(segments)),
        answers=answer_tokens(answers, device) if len(answers) == len(pooled) else None,
    )


AnswerPlaces = tuple[int, Sequence[int]]
"""Of one response: the place of the token before its answer, and those of the answer's tokens."""


def answer_in(row: range, count: int) -> AnswerPlaces:
    """Of a response whose tokens stand side by side and end with `count` of its answer."""
    return row[max(len(row) - count - 1, 0)], row[len(row) - count :]


def answer_on_path(prefix: range, branch: range, count: int) -> AnswerPlaces:
    """Of a response that is a prefix and a branch behind it; where siblings begin alike, the answer begins in the prefix."""
    if count < len(branch) or not prefix:
        return answer_in(branch, count)
    before, early = answer_in(prefix, count - len(branch))
    return before, [*early, *branch]


def answer_tokens(places: Sequence[AnswerPlaces], device: torch.device) -> AnswerTokens:
    """From the places of every response, in order."""
    counts = [len(tokens) for _, tokens in places]
    return AnswerTokens(
        token=on_device([place for _, tokens in places for place in tokens], device),
        response=on_device(np.repeat(np.arange(len(counts)), counts), device),
        count=on_device(counts, device),
        before=on_device([before for before, _ in places], device),
    )


def pad_rows(trees: Sequence[TokenTree], pad_id: int, device: torch.device) -> PaddedRows:
    """Every response as a row of its own, padded on the right to the longest."""
    sequences = [sequence for tree in trees for sequence in tree.sequences]
    width = max(map(len, sequences))
    ids = np.full((len(sequences), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(sequences), width), dtype=np.int64)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    counts = tuple(count for tree in trees for count in tree.answers)
    counts = counts if len(counts) == len(sequences) else ()
    places = [answer_in(range(k * width, k * width + len(sequences[k])), n) for k, n in enumerate(counts)]
    return PaddedRows(
        ids=on_device(ids, device),
        mask=on_device(mask, device),
        lengths=tuple(map(len, sequences)),
        answered=counts,
        answers=answer_tokens(places, device) if places else None,
    )


def micro_batches(trees: Sequence[TokenTree], budget: int, *, packed: bool) -> list[list[int]]:
    """Indices of the trees of each forward pass: at most `budget` tokens computed, padding counted."""
    if packed:
        return pack([tree.tokens for tree in trees], budget)
    return pack_padded([(tree.depth, len(tree.branches)) for tree in trees], budget)


def cost(tree: TokenTree, *, packed: bool) -> int:
    """Tokens that a tree adds to a micro-batch: shared once when packed, every sequence whole when padded."""
    return tree.tokens if packed else tree.depth * len(tree.branches)
