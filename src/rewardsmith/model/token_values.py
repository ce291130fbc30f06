"""The value of every token: what a linear head gives for the conversation up to there.

The head of a decoder is linear in the hidden state (TRL's ValueHead, `v_head.summary`, is the same map with dropout before
it), so one pass gives a value at each token beside the reward. A head that reads the last token has the reward as the
value there; one that averages over the answer has it as the mean of the answer's values.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64

from rewardsmith.errors import DataError, ModelError
from rewardsmith.model.ensembles.network import EnsembleNetwork
from rewardsmith.model.forward.batches import Batch, KnownFeatures, PaddedRows, TextBatch
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.heads.head import ColumnSource
from rewardsmith.model.scorer import Sequences, computed, finite
from rewardsmith.scoring.trees import Ids, build_tree


@dataclass(frozen=True)
class TokenValues:
    """The reward of a response, what the model gives beside it, and the values of all T tokens of its conversation."""

    reward: float
    columns: tuple[float, ...]
    values: Float64[np.ndarray, " T"]


def why_no_values(network: RewardNetwork) -> str | None:
    """Why a token has no value under this model; None where it has."""
    if isinstance(network, EnsembleNetwork):
        return "it is an ensemble of several members"
    if network.kind != "decoder":
        return "the model is an encoder, in which every token attends to the whole text"
    if network.readout is not None and len(network.readout.pooling) > 1:
        return f"the head pools by {' and '.join(network.readout.pooling)}, so no single value belongs to a token"
    return None


def refuse_without_values(network: RewardNetwork, asked: str) -> None:
    """ModelError where tokens have no values; `asked` is what was asked for."""
    if reason := why_no_values(network):
        raise ModelError(f"{asked}: this model has no values per token, because {reason}")


def token_values(
    network: RewardNetwork,
    records: Iterable[Sequences],
    source: ColumnSource | None = None,
    *,
    budget: int | None = None,
) -> Iterator[list[TokenValues]]:
    """Rewards, columns of `source` and token values of each record's responses, in order; one pass, as `scorer.outputs`."""
    refuse_without_values(network, "token values")

    def each(batch: Batch) -> np.ndarray:
        found = np.empty(0, dtype=object)
        if isinstance(batch, KnownFeatures):
            raise ModelError("token values need the texts, but features are all that is cached of them")
        rows = [batch]
        if isinstance(batch, PaddedRows) and not network.padded:
            rows = [batch.row(index) for index in range(len(batch.ids))]
        return np.concatenate([found, *(valued(network, part, source) for part in rows)])

    for values in computed(network, records, each, budget=budget):
        yield list(values)


def valued(network: RewardNetwork, batch: TextBatch, source: ColumnSource | None) -> np.ndarray:
    """An array of one TokenValues per response of a forward pass."""
    features, along = network.along(batch)
    rewards = network(KnownFeatures(features))
    columns = rewards.new_zeros((len(rewards), 0))
    if source is not None:
        with torch.autocast(network.device.type, enabled=False):
            columns = source.values(rewards, features)
    found = np.empty(len(rewards), dtype=object)
    whole = torch.cat([rewards[:, None], columns], dim=1).double().cpu().numpy()
    each = zip(finite(whole).tolist(), by_response(batch, along.double().cpu().numpy()), strict=True)
    for number, ((reward, *more), values) in enumerate(each):
        found[number] = TokenValues(reward, tuple(more), values)
    return found


def by_response(batch: TextBatch, along: Float64[np.ndarray, "rows tokens"]) -> Iterator[Float64[np.ndarray, " T"]]:
    """The values of each response's tokens, those of a shared prefix for each that shares it."""
    if isinstance(batch, PaddedRows):
        yield from (row[:length] for row, length in zip(along, batch.lengths, strict=True))
        return
    start = 0
    for segment in batch.layout.segments:
        prefix = along[0, start : start + segment.prefix]
        start += segment.prefix
        for length in segment.branches:
            yield np.concatenate([prefix, along[0, start : start + length]])
            start += length


def values_of_ids(
    network: RewardNetwork, opening: Ids, response: Any, *, limit: int, before: bool
) -> Float64[np.ndarray, " T"]:
    """The values of T response tokens behind the tokens `opening`, at each token or `before` it."""
    refuse_without_values(network, "values")
    ids = checked_ids(response, network.hf.get_input_embeddings().num_embeddings)
    if len(opening) + len(ids) > limit:
        raise DataError(
            f"the prompt has {len(opening)} tokens and the response {len(ids)}, together more than max_length {limit}; "
            "shorten one of them"
        )
    if before and not len(opening):
        raise DataError(
            "there is no token before the response, so its first token has no value before it; add a prompt"
        )
    whole = np.concatenate([opening, ids])
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            batch = network.texts([build_tree([whole], answers=[len(ids)])])
            (found_values,) = by_response(batch, network.along(batch)[1].double().cpu().numpy())
    finally:
        network.train(was_training)
    start = len(opening) - int(before)
    return found_values[start : start + len(ids)]


def checked_ids(given: Any, size: int) -> Ids:
    """Token ids from a list or a one-dimensional tensor; DataError for anything else, and for ids beyond the vocabulary."""
    numbers = np.asarray(given.tolist() if hasattr(given, "tolist") else given)
    if numbers.ndim != 1 or not len(numbers) or numbers.dtype.kind not in "iu":
        found = f"{numbers.dtype} of shape {list(numbers.shape)}"
        raise DataError(
            f"response_ids is {found}; expected a list or a one-dimensional tensor of at least one token id"
        )
    if numbers.min() < 0 or numbers.max() >= size:
        raise DataError(f"response_ids has ids from {numbers.min()} to {numbers.max()}; expected 0 to {size - 1}")
    ids: Ids = numbers.astype(np.int32)
    return ids
