"""A scored file → prompts with their candidates; rows of one prompt are joined."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.data.input.renaming import Rename
from rewardsmith.data.loading.load import iterate_rows, source_order
from rewardsmith.data.loading.understanding import Read
from rewardsmith.pipelines.best_of_n.selection import PromptCandidates
from rewardsmith.records import Record, Response


@dataclass
class Gathered:
    """The responses of one prompt as they are found."""

    first: Record
    responses: list[Response] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    gold: list[float] = field(default_factory=list)


@dataclass
class ReadingCounts:
    """What the scored rows held, and what of it no choice is made of.

    `not_scored` rows have an error in place of rewards, `without_reward` responses have none, `repeated` responses of a
    prompt are texts that it had already, `beyond_n` are behind the first n.
    """

    rows: int = 0
    not_scored: int = 0
    without_reward: int = 0
    repeated: int = 0
    beyond_n: int = 0
    fewer_than_n: int = 0


def read_candidates(
    path: Path, columns: tuple[Rename, ...], n: int | None, counts: ReadingCounts
) -> list[PromptCandidates]:
    """Every prompt with a scored response, in the order of its first row; what is left out is counted."""
    gathered: dict[str, Gathered] = {}
    for read in iterate_rows(str(path), columns=columns):
        counts.rows += 1
        item, row = read.item, read.row
        if not isinstance(item, Record) or row is None or "rewards" not in row:
            counts.not_scored += 1
            continue
        add(gathered.setdefault(item.prompt_id, Gathered(item)), read, item, row, counts)
    return [limited(one, n, counts) for one in gathered.values() if one.responses]


def add(one: Gathered, read: Read, record: Record, row: Mapping[str, Any], counts: ReadingCounts) -> None:
    """Add the responses of a row to those of its prompt."""
    known = {response.messages for response in one.responses}
    given = record.ratings.get("overall", (None,) * len(record.responses))
    order = source_order(record, hashed_order=read.hashed_order)
    for index, reward in zip(order, row["rewards"], strict=True):
        response = record.responses[index]
        if reward is None:
            counts.without_reward += 1
        elif response.messages in known:
            counts.repeated += 1
        else:
            known.add(response.messages)
            one.responses.append(response)
            one.rewards.append(float(reward))
            rating = given[index]
            one.gold.append(np.nan if rating is None else float(rating))


def limited(one: Gathered, n: int | None, counts: ReadingCounts) -> PromptCandidates:
    """The first n responses of a prompt."""
    found = len(one.responses)
    if n is not None:
        counts.beyond_n += max(0, found - n)
        counts.fewer_than_n += found < n
    return PromptCandidates(
        one.first.prompt,
        one.responses[:n],
        np.array(one.rewards[:n], dtype=np.float64),
        np.array(one.gold[:n], dtype=np.float64),
        one.first.fields,
        one.first.place,
    )


def several(prompts: Sequence[PromptCandidates]) -> Iterator[PromptCandidates]:
    """The prompts with more than one response, among which there is a choice."""
    return (one for one in prompts if len(one.responses) > 1)
