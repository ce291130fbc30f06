"""Examples to the labels that a loss takes, and what each unit of it counts."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from rewardsmith.errors import TrainingError
from rewardsmith.model.forward.batches import on_device
from rewardsmith.train.attributes import stacked_judgements
from rewardsmith.train.examples import Example
from rewardsmith.train.losses.loss import Annotations, Unit
from rewardsmith.train.losses.rankings import Choices, Pick, choices_of, rows_of


def labels_of(examples: Sequence[Example], device: torch.device, unit: Unit = "comparison") -> Annotations:
    """The labels of a micro-batch or a step; responses and comparisons are counted through all of its examples."""
    offsets = np.cumsum([0, *(example.responses for example in examples)])
    first = np.repeat(offsets[:-1], [len(example.preferred) for example in examples])

    judged = [example.judged for example in examples if example.judged is not None]

    def stacked(of: Callable[[Example], np.ndarray], moved: np.ndarray | int = 0) -> Tensor:
        return on_device(np.concatenate(list(map(of, examples))) + moved, device)

    return Annotations(
        preferred=stacked(lambda example: example.preferred, first),
        other=stacked(lambda example: example.other, first),
        preference=stacked(lambda example: example.preference),
        weight=stacked(lambda example: example.weight),
        margin=stacked(lambda example: example.margin),
        votes=stacked(lambda example: example.votes),
        rating=stacked(lambda example: example.ratings),
        length=stacked(lambda example: example.lengths),
        record=on_device(np.repeat(np.arange(len(examples)), np.diff(offsets)), device),
        choices=stacked_choices(examples, device) if unit == "ranking" else None,
        unit_weight=stacked(lambda example: unit_weights(example, unit)),
        attributes=stacked_judgements(judged, offsets[:-1], device) if len(judged) == len(examples) else None,
    )


def unit_weights(example: Example, unit: Unit) -> Float32[np.ndarray, " U"]:
    """What the units of a record count: its comparisons their weights, its rated responses, its ranking and the record
    itself share the sum of those; a record without comparisons counts 1, a response without rating 0.
    """
    if unit == "comparison":
        return example.weight
    whole = float(example.weight.sum()) if len(example.weight) else 1.0
    if unit == "record":
        return np.array([whole], dtype=np.float32)
    if unit == "ranking":
        return np.array([whole if ranking_of(example) else 0.0], dtype=np.float32)
    rated = ~np.isnan(example.ratings)
    shares: Float32[np.ndarray, " U"] = (rated * (whole / max(1, int(rated.sum())))).astype(np.float32)
    return shares


def total_weight(examples: Sequence[Example], unit: Unit) -> float:
    """What all units of a step count together."""
    return float(sum(unit_weights(example, unit).sum() for example in examples))


def unit_places(example: Example, unit: Unit) -> list[str]:
    """The row of each unit, for a message."""
    return [example.place] * len(unit_weights(example, unit))


def ranking_of(example: Example) -> list[Pick]:
    """The choices that the record's ranking is made of; TrainingError, with its row, where too many responses are tied."""
    try:
        return choices_of(example.preferred, example.other, example.preference, example.responses)
    except TrainingError as error:
        raise TrainingError(f"{example.place}: {error}") from None


def stacked_choices(examples: Sequence[Example], device: torch.device) -> Choices:
    """The choices of all rankings, padded to the widest."""
    every: list[Pick] = []
    record: list[int] = []
    rows: list[tuple[list[int], list[bool], list[float]]] = []
    offset = 0
    width = max(example.responses for example in examples)
    for number, example in enumerate(examples):
        found = ranking_of(example)
        rows += rows_of(found, offset=offset, width=width)
        every += found
        record += [number] * len(found)
        offset += example.responses

    def table(column: int, kind: type) -> Tensor:
        return on_device(np.array([row[column] for row in rows], dtype=kind).reshape(-1, width), device)

    def line(values: Sequence[int | float], kind: type) -> Tensor:
        return on_device(np.array(values, dtype=kind), device)

    return Choices(
        members=table(0, np.int64),
        mask=table(1, np.bool_),
        chosen=table(2, np.float32),
        weight=line([choice.weight for choice in every], np.float32),
        pick=line([choice.pick for choice in every], np.int64),
        record=line(record, np.int64),
    )
