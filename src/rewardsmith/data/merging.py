"""Rows that share a prompt as one ranking, so that every text is stored and computed once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rewardsmith.data.formats.judgements import by_value
from rewardsmith.records import Comparison, Record, Response

RolesAndTexts = tuple[tuple[str, ...], ...]


def merge_prompts(records: Iterable[Record]) -> list[Record]:
    """Join records with the same prompt: their distinct responses, and every comparison between them.

    A ranking counts as one record (its comparisons share weight 1), as in Ouyang et al. 2022, section 3.5, where all
    comparisons of a prompt form one batch element. Ratings and fields are kept where the records agree.
    Responses that were rated and not compared are compared by their ratings. The merged record's place is that of its first
    row. Order: first appearance of each prompt and response.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.id if record.by_steps else record.prompt_id, []).append(record)
    return [group[0] if len(group) == 1 else compared_by_ratings(merged(group)) for group in groups.values()]


def compared_by_ratings(record: Record) -> Record:
    """A record of responses that were rated one by one, with the comparisons that their ratings amount to."""
    if record.comparisons:
        return record
    rated = [c for name, values in record.ratings.items() for c in by_value(values, attribute=name)]
    return replace(record, comparisons=tuple(rated))


def merged(group: Sequence[Record], *, repeats: bool = True) -> Record:
    """One record from several with the same prompt; equal responses become one.

    Without `repeats`, a comparison that an earlier record of the group states already is not stated again.
    """
    index: dict[RolesAndTexts, int] = {}
    responses: list[Response] = []
    comparisons: list[Comparison] = []
    ratings: dict[str, dict[int, set[float]]] = {}
    for record in group:
        places = []
        for response in record.responses:
            key = turns(response)
            if key not in index:
                index[key] = len(responses)
                responses.append(response)
            places.append(index[key])
        comparisons += moved(record.comparisons, places)
        for attribute, values in record.ratings.items():
            said = ratings.setdefault(attribute, {})
            for place, value in zip(places, values, strict=True):
                if value is not None:
                    said.setdefault(place, set()).add(value)
    return Record(
        group[0].prompt,
        tuple(responses),
        tuple(comparisons if repeats else dict.fromkeys(comparisons)),
        {name: tuple(agreed(said.get(at, ())) for at in range(len(responses))) for name, said in ratings.items()},
        shared_fields(group),
        source=group[0].source,
        line=group[0].line,
        byte=group[0].byte,
    )


def turns(response: Response) -> RolesAndTexts:
    """A response's turns as plain values; who wrote it plays no part."""
    return tuple(message.parts for message in response.messages)


def moved(comparisons: Iterable[Comparison], places: Sequence[int]) -> Iterable[Comparison]:
    """Comparisons with the responses' new places; one between responses that became one is gone."""
    for comparison in comparisons:
        i, j = places[comparison.i], places[comparison.j]
        if i != j:
            shown = None if comparison.shown_first is None else places[comparison.shown_first]
            yield replace(comparison, i=i, j=j, shown_first=shown)


def agreed(values: Iterable[float]) -> float | None:
    """The one rating that all gave; None where nobody gave one or they differ."""
    distinct = list(values)
    return distinct[0] if len(distinct) == 1 else None


def shared_fields(group: Sequence[Record]) -> Mapping[str, Any]:
    """The fields that have the same value in every record."""
    first, *others = (record.fields for record in group)
    return {name: value for name, value in first.items() if all(name in f and f[name] == value for f in others)}
