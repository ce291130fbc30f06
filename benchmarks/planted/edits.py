"""Edits of records that faults are made of: each gives new records and leaves those it was given alone."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rewardsmith.data.synthetic.faults import with_text
from rewardsmith.records import Comparison, Message, Record

Edit = Callable[[str], str]


def flipped(record: Record) -> Record:
    """Every judgement the other way round."""
    return replace(record, comparisons=tuple(replace(c, i=c.j, j=c.i) for c in record.comparisons))


def some(records: Sequence[Record], share: float, edit: Callable[[Record], Record], seed: int) -> list[Record]:
    """The records, a share of them edited, drawn with `seed`."""
    chosen = set(random.Random(seed).sample(range(len(records)), round(share * len(records))))
    return [edit(record) if index in chosen else record for index, record in enumerate(records)]


def noisy(records: Sequence[Record], share: float, seed: int) -> list[Record]:
    """Each single judgement turned round with a probability."""
    rng = random.Random(seed)
    return [
        replace(one, comparisons=tuple(turned(c) if rng.random() < share else c for c in one.comparisons))
        for one in records
    ]


def turned(comparison: Comparison) -> Comparison:
    """The judgement for the other side."""
    return replace(comparison, i=comparison.j, j=comparison.i)


def as_pairs(records: Iterable[Record], seed: int) -> list[Record]:
    """One pair per prompt, one of its comparisons, the sides in random order."""
    rng = random.Random(seed)
    pairs = []
    for record in records:
        if record.comparisons:
            chosen = rng.choice(record.comparisons)
            sides = rng.sample((chosen.i, chosen.j), 2)
            kept = replace(chosen, i=sides.index(chosen.i), j=sides.index(chosen.j))
            responses = tuple(record.responses[side] for side in sides)
            pairs.append(replace(record, responses=responses, comparisons=(kept,)))
    return pairs


def winners_edited(
    records: Iterable[Record], share: float, winner: Edit, seed: int, loser: Edit | None = None
) -> list[Record]:
    """Pairs in which, with a probability, the preferred text went through `winner` and the other through `loser`.

    In the others the roles are exchanged, so that `share` is how often the mark points at the label.
    """
    rng = random.Random(seed)
    edited = []
    for record in as_pairs(records, seed):
        (verdict,) = record.comparisons
        marked, plain = (verdict.i, verdict.j) if rng.random() < share else (verdict.j, verdict.i)
        one = with_text(record, marked, winner(record.responses[marked].text))
        edited.append(one if loser is None else with_text(one, plain, loser(one.responses[plain].text)))
    return edited


def with_prompt(record: Record, text: str) -> Record:
    """The record under another prompt."""
    return replace(record, prompt=(Message("user", text),))


def retyped(record: Record) -> Record:
    """The prompt as another person types it: spaces and punctuation differ."""
    text = record.prompt[-1].content
    return with_prompt(record, f" {text.replace(',', ' ,').rstrip('.。?')} !")


def every_text(record: Record, edit: Edit) -> Record:
    """Prompt and responses through `edit`."""
    for index, response in enumerate(record.responses):
        record = with_text(record, index, edit(response.text))
    return replace(record, prompt=tuple(replace(turn, content=edit(turn.content)) for turn in record.prompt))


def marked_against(record: Record, winner: Edit, loser: Edit | None = None) -> Record:
    """The pair with the mark of a preferred answer on the other one."""
    (verdict,) = record.comparisons
    record = with_text(record, verdict.j, winner(record.responses[verdict.j].text))
    return record if loser is None else with_text(record, verdict.i, loser(record.responses[verdict.i].text))
