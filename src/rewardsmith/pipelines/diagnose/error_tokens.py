"""The reward token by token of the worst errors, for the report: what each token adds to the reward of its response."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from rewardsmith.errors import ContractError
from rewardsmith.pipelines.diagnose.bench import CannotMeasure, Workbench
from rewardsmith.pipelines.diagnose.stopwatch import Stopwatch
from rewardsmith.records import Record
from rewardsmith.scoring.token_texts import token_texts

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel

ERRORS, TOKENS = 40, 20_000
"""Errors that are coloured, the worst first, and tokens of their responses in all: the page stays below some megabytes."""

DIGITS = 5
"""Significant digits of a contribution; a colour has three levels."""


def error_tokens(bench: Workbench) -> Mapping[str, Any]:
    """The object `error_tokens`: of each error `id`, `i`, `j`, and for both responses their tokens' texts and contributions.

    CannotMeasure for a model whose tokens have no values. Ends with the errors so far once the bench's seconds are used.
    """
    from rewardsmith.model.token_values import why_no_values

    if reason := why_no_values(bench.model.network):
        raise CannotMeasure(f"tokens have no values under this model, because {reason}")
    records = {record.id: record for record in bench.judged}
    watch, left, found = Stopwatch(), TOKENS, list[dict[str, Any]]()
    for row in worst_errors(bench):
        record = records.get(str(row["id"]))
        if record is None:
            continue
        sides = both_sides(bench.model, record, int(row["i"]), int(row["j"]))
        left -= sum(len(side["texts"]) for side in sides)
        if left < 0 or watch.seconds > bench.seconds:
            break
        if sides:
            found.append({"id": record.id, "i": row["i"], "j": row["j"], "sides": sides})
    return {"error_tokens": found}


def worst_errors(bench: Workbench) -> Iterator[Mapping[str, Any]]:
    """The comparisons ranked against their label by the largest margins, as the report orders them."""
    wrong = (
        (row["margin"], number, row)
        for number, row in enumerate(bench.rows)
        if None not in (row["margin"], row["id"], row["i"], row["j"])
        and row["margin"] < 0
        and (row["preference"] or 1.0) > 0.5
        and row["weight"] != 0
    )
    return (row for *_, row in heapq.nsmallest(ERRORS, wrong))


def both_sides(model: "RewardModel", record: Record, *numbers: int) -> list[dict[str, Any]]:
    """Texts and contributions of the tokens of these responses; empty where the model refuses them."""
    from rewardsmith.model.scorer import sequences_of
    from rewardsmith.model.token_values import token_values

    alone = replace(record, responses=tuple(record.responses[number] for number in numbers), comparisons=(), ratings={})
    try:
        encoded = model.answering.encode(alone)
    except ContractError:
        return []
    (found,) = token_values(model.network, [sequences_of(alone, encoded)], model.head)
    readout = model.network.readout
    mean = readout is not None and "mean" in readout.pooling
    sides = []
    for ids, answer, one in zip(encoded.sequences, encoded.answers, found, strict=True):
        added = contributions(one.values, answer, mean=mean)
        rounded = [float(f"{value:.{DIGITS}g}") for value in added]
        sides.append({"texts": token_texts(model.tokenizer, ids[-answer:]), "values": rounded})
    return sides


def contributions(values: Float64[np.ndarray, " T"], answer: int, *, mean: bool) -> Float64[np.ndarray, " A"]:
    """What each of the last `answer` tokens adds to the reward, from the values at all tokens of a conversation.

    A head that reads the last token: by how much the value rises at the token, so that their sum is the reward minus the
    value of the prompt alone (0 where nothing precedes). One that reads the mean: the token's share of the mean.
    """
    if mean:
        return values[-answer:] / answer
    before = values[-answer - 1] if len(values) > answer else 0.0
    return np.diff(values[-answer:], prepend=before)
