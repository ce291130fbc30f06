"""What was measured of the labels of the training data, and of the places of responses: objects of measurements.json."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardsmith.diagnose.values import count, mapping, number, share, words


@dataclass(frozen=True, slots=True)
class MarkFacts:
    """A phrase ("text") or a trait that stands in one response alone on `prompts` prompts, and the share that side `won`."""

    kind: str
    name: str
    prompts: int
    won: float


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """The comparisons of a source: in which share the preferred response is listed first; (n, accuracy) of the model where
    it is the first, and where it is the later one.
    """

    source: str
    trained: bool
    n: int
    share_first: float
    first: tuple[int, float]
    later: tuple[int, float]


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """All of it; what was not measured is empty, 0 or None.

    `marks` were found on the share `decided` of `prompts` training prompts; without the first phrase, responses lose
    `reaction` standard deviations of the reward. The `weighted` training comparisons count as `effective` of equal weight.
    `preferences` are (n, median, 90 % quantile). `validation_in_training` is a share of the validation records; of the
    judged `records`, `distinct` remain where the same responses under prompts in other words count once. `margin` is the
    median of the margins that labels name, and `traits` are the shares of training and of judged responses with each trait.
    """

    prompts: int = 0
    decided: float = 0.0
    marks: tuple[MarkFacts, ...] = ()
    reaction: float | None = None
    weighted: int = 0
    effective: float = 0.0
    preferences: tuple[int, float, float] | None = None
    validation_in_training: float = 0.0
    records: int = 0
    distinct: int = 0
    margin: float | None = None
    traits: tuple[Mapping[str, float], Mapping[str, float]] = ({}, {})
    places: tuple[PlaceFacts, ...] = ()


def labels_from(row: Mapping[str, Any]) -> LabelFacts:
    """From measurements.json."""
    marks, weights, restated = (mapping(row, name) for name in ("marks", "weights", "judged_restated"))
    prompts, weighted = (count(one, name) or 0 for one, name in ((marks, "prompts"), (weights, "n")))
    records, distinct = (count(restated, name) or 0 for name in ("records", "distinct"))
    return LabelFacts(
        prompts=prompts,
        decided=share(marks, "decided") or 0.0,
        marks=tuple(marks_from(marks)),
        reaction=number(marks, "reaction"),
        weighted=weighted,
        effective=number(weights, "effective") or 0.0,
        preferences=preferences_from(mapping(row, "preferences")),
        validation_in_training=share(row, "validation_in_training") or 0.0,
        records=records,
        distinct=distinct,
        margin=number(mapping(row, "margins"), "median"),
        traits=(traits_from(row, "training"), traits_from(row, "judged")),
        places=tuple(places_from(row.get("places") or ())),
    )


def traits_from(row: Mapping[str, Any], side: str) -> dict[str, float]:
    """One side of the object `traits`."""
    shares = mapping(mapping(row, "traits"), side)
    return {name: share(shares, name) or 0.0 for name in shares}


def marks_from(marks: Mapping[str, Any]) -> Iterator[MarkFacts]:
    """The list `found` of the object `marks`."""
    for row in marks.get("found") or ():
        yield MarkFacts(words(row, "kind"), str(row.get("name")), count(row, "prompts") or 0, share(row, "won") or 0.0)


def preferences_from(row: Mapping[str, Any]) -> tuple[int, float, float] | None:
    """The object `preferences`."""
    median, most = share(row, "median"), share(row, "most")
    return None if median is None or most is None else (count(row, "n") or 0, median, most)


def places_from(rows: Sequence[Mapping[str, Any]]) -> Iterator[PlaceFacts]:
    """The list `places`."""
    for row in rows:
        sides = [mapping(row, name) for name in ("first", "later")]
        first, later = ((count(one, "n") or 0, share(one, "accuracy") or 0.0) for one in sides)
        if first[0] and later[0]:
            source, n = words(row, "source"), count(row, "n") or 0
            yield PlaceFacts(source, bool(row.get("trained")), n, share(row, "share_first") or 0.0, first, later)
