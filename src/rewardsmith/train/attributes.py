"""What annotators said of several attributes of the same responses: which there are, and how a loss is told.

A head with one output per attribute learns each from ratings where the data rate all responses that they compare, on more
than two levels, else from its comparisons. Ratings are brought to mean 0 and standard deviation 1 over the training data, so
that no attribute counts more for its scale.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32, Int64

from rewardsmith.model.forward.batches import on_device
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.records import Comparison, Record
from rewardsmith.train.losses.loss import AttributeLabels

LEVELS = 3
"""An attribute is learned from ratings where they take at least so many values."""


@dataclass(frozen=True)
class AttributeJudgements:
    """What a record says of A attributes: D comparisons, the number of each one's attribute, and ratings (NaN: none)."""

    preferred: Int64[np.ndarray, " D"]
    other: Int64[np.ndarray, " D"]
    preference: Float32[np.ndarray, " D"]
    weight: Float32[np.ndarray, " D"]
    attribute: Int64[np.ndarray, " D"]
    rating: Float32[np.ndarray, "K A"]

    @property
    def empty(self) -> bool:
        """Whether nothing was said."""
        return len(self.preferred) == 0 and bool(np.isnan(self.rating).all())


def judgements_of(record: Record, comparisons: Iterable[Comparison], plan: AttributePlan) -> AttributeJudgements:
    """What a record says of the attributes of a plan; `comparisons` are those of it that may be used."""
    number = {name: at for at, name in enumerate(plan.names)}
    used = heard_comparisons(comparisons, plan)
    return AttributeJudgements(
        preferred=np.array([c.i for c in used], dtype=np.int64),
        other=np.array([c.j for c in used], dtype=np.int64),
        preference=np.array([c.preference for c in used], dtype=np.float32),
        weight=np.array([c.weight for c in used], dtype=np.float32),
        attribute=np.array([number[c.attribute] for c in used], dtype=np.int64),
        rating=scaled_ratings(record, plan),
    )


def heard_comparisons(comparisons: Iterable[Comparison], plan: AttributePlan) -> list[Comparison]:
    """Those of attributes that the plan learns from comparisons."""
    learned = set(plan.names) - (set() if plan.both else plan.rated.keys())
    return [c for c in comparisons if c.attribute in learned and c.weight > 0]


def scaled_ratings(record: Record, plan: AttributePlan) -> Float32[np.ndarray, "K A"]:
    """The ratings of a record as the plan scales them; NaN for what is not rated, or not learned from ratings."""
    rating = np.full((len(record.responses), len(plan.names)), np.nan, dtype=np.float32)
    for at, name in enumerate(plan.names):
        values = record.ratings.get(name, ()) if name in plan.rated else ()
        mean, scale = plan.rated.get(name, (0.0, 1.0))
        for k, value in enumerate(values):
            if value is not None:
                rating[k, at] = (value - mean) / scale
    return rating


def stacked_judgements(
    parts: Sequence[AttributeJudgements], offsets: Int64[np.ndarray, " _"], device: torch.device
) -> AttributeLabels:
    """Those of several records, whose responses begin at `offsets`."""
    first = np.repeat(offsets, [len(part.preferred) for part in parts])

    def joined(name: str, moved: np.ndarray | int = 0) -> torch.Tensor:
        return on_device(np.concatenate([getattr(part, name) for part in parts]) + moved, device)

    return AttributeLabels(
        preferred=joined("preferred", first),
        other=joined("other", first),
        preference=joined("preference"),
        weight=joined("weight"),
        attribute=joined("attribute"),
        rating=joined("rating"),
    )


def attribute_counts(records: Iterable[Record]) -> dict[str, int]:
    """How many judgements there are of each attribute: comparisons and rated responses."""
    counts: dict[str, int] = defaultdict(int)
    for record in records:
        for comparison in record.comparisons:
            counts[comparison.attribute] += 1
        for name, values in record.ratings.items():
            counts[name] += sum(value is not None for value in values)
    return {name: count for name, count in sorted(counts.items()) if count}


def rating_plan(records: Sequence[Record], plan: AttributePlan) -> AttributePlan:
    """The plan with the attributes that are learned from ratings, and the mean and standard deviation of these."""
    unrated = {c.attribute for record in records for c in record.comparisons if not both_rated(record, c)}
    rated: dict[str, tuple[float, float]] = {}
    for name in plan.names:
        values = [float(value) for record in records for value in record.ratings.get(name, ()) if value is not None]
        if name not in unrated and len(set(values)) >= LEVELS:
            rated[name] = (float(np.mean(values)), float(np.std(values)))
    return replace(plan, rated=rated)


def both_rated(record: Record, comparison: Comparison) -> bool:
    """Whether both responses of a comparison are rated on its attribute."""
    rated = record.ratings.get(comparison.attribute, ())
    return bool(rated) and rated[comparison.i] is not None and rated[comparison.j] is not None
