"""The tokens of responses whose probability a loss on text takes, and their log probabilities from one forward pass."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.errors import ModelError
from rewardsmith.model.forward.batches import PackedTrees, SpokenTokens, TextBatch, on_device
from rewardsmith.model.language_head.head import ToLogits, next_token_log_probs
from rewardsmith.scoring.trees import TokenTree


def spoken_tokens(batch: TextBatch, trees: Sequence[TokenTree], wanted: Sequence[bool]) -> SpokenTokens:
    """The answer tokens of the responses that are `wanted`, in the batch that was made of the trees.

    A response's first token has nothing before it where the text begins with it, and does not count. Where nothing is
    wanted, one token stands in with the weight 0: all processes then go through the same modules.
    """
    before: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    owner: list[np.ndarray] = []
    each = zip(placed_sequences(batch, trees), wanted, strict=True)
    for response, ((places, ids, answer), asked) in enumerate(each):
        count = min(answer, len(ids) - 1) if asked else 0
        if count:
            before.append(places[-count - 1 : -1])
            targets.append(ids[-count:])
            owner.append(np.full(count, response))
    device = batch.ids.device
    return SpokenTokens(
        before=on_device(np.concatenate(before) if owner else np.zeros(1, dtype=np.int64), device),
        target=on_device(np.concatenate(targets).astype(np.int64) if owner else np.zeros(1, dtype=np.int64), device),
        response=on_device(np.concatenate(owner) if owner else np.zeros(1, dtype=np.int64), device),
        weight=1.0 if owner else 0.0,
        responses=len(wanted),
    )


def placed_sequences(batch: TextBatch, trees: Sequence[TokenTree]) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Of each response, where its tokens stand in the flattened batch, their ids, and how many are its answer."""
    start = 0
    width = 0 if isinstance(batch, PackedTrees) else batch.ids.shape[1]
    for tree in trees:
        if not tree.answers:
            raise ModelError(
                "a loss on text needs the lengths of the responses, but the texts were passed without them"
            )
        top, length = start, len(tree.prefix)
        start += 0 if width else length
        for branch, ids, answer in zip(tree.branches, tree.sequences, tree.answers, strict=True):
            if width:
                yield np.arange(start, start + len(ids)), ids, answer
                start += width
                continue
            yield np.concatenate([np.arange(top, top + length), np.arange(start, start + len(branch))]), ids, answer
            start += len(branch)


def text_columns(
    head: ToLogits,
    hidden: Float[Tensor, "rows tokens H"],
    embeddings: Float[Tensor, "W H"],
    spoken: SpokenTokens,
) -> Float[Tensor, "R 2"]:
    """The sum of log p over each response's answer tokens, and how many these are; both 0 where it is not wanted."""
    states = hidden.reshape(-1, hidden.shape[-1])[spoken.before]
    found = next_token_log_probs(head, states, embeddings, spoken.target) * spoken.weight
    empty = found.new_zeros(spoken.responses)
    counts = empty.index_add(0, spoken.response, torch.full_like(found, spoken.weight))
    return torch.stack([empty.index_add(0, spoken.response, found), counts], dim=1)
