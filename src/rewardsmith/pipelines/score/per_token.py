"""`score --per-token`: the tokens of each response with the value at each."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rewardsmith.scoring.token_texts import token_texts

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.scorer import Outputs, Sequences

COLUMN = "per_token"
"""The column of a scored row that holds them."""


def outputs_and_tokens(
    model: "RewardModel", sequences: "Sequence[Sequences]", budget: int | None
) -> "Iterator[tuple[Outputs, list[dict[str, Any]]]]":
    """What the model gives for each record, and of each response `ids`, `texts` and `values` of its answer's tokens.

    The value at a token is that of the text which ends there. The reward is the last value, or their mean, as the head
    pools.
    """
    from rewardsmith.model.scorer import Outputs
    from rewardsmith.model.token_values import token_values

    names = () if model.head is None else model.head.columns
    for record, found in zip(sequences, token_values(model.network, sequences, model.head, budget=budget), strict=True):
        rows = []
        for ids, answer, one in zip(record.ids, record.answers, found, strict=True):
            own = ids[-answer:]
            texts = token_texts(model.tokenizer, own)
            rows.append({"ids": own.tolist(), "texts": texts, "values": one.values[-answer:].tolist()})
        columns = {name: np.array([one.columns[k] for one in found]) for k, name in enumerate(names)}
        yield Outputs(np.array([one.reward for one in found]), columns), rows
