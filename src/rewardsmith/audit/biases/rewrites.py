"""Effects of an attribute from a file of rewrites: RATE, rewrites of rewrites.

A rewrite by a language model changes more than the attribute it is asked to change. RATE (Reber et al., arXiv 2410.11348,
Algorithm 1) compares the rewrite with the rewrite of the rewrite, which has the original attribute back and carries the same
side effects. With d = reward of the text with the attribute less that of the text without it,

    d = R(rewrite of rewrite) - R(rewrite)   where the original has the attribute (their mean is the ATT),
    d = R(rewrite) - R(rewrite of rewrite)   where it has not (the ATU); the ATE is the mean over all.

The two rewards belong to one original, so the error is that of the paired differences, clustered by prompt.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.audit.biases.counterfactual import Score, example
from rewardsmith.audit.effect import Effect, EffectExample, Scale, mean_effect
from rewardsmith.diagnose.finding import Said
from rewardsmith.errors import DataError
from rewardsmith.files.reading import read_lines
from rewardsmith.records import Message, Record, Response

TEXTS = ("response", "rewrite", "rewrite_of_rewrite")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A response, its rewrite and the rewrite of that, as a record of three responses; `has` says that the original (and so
    the last) has the attribute."""

    record: Record
    attribute: str
    has: bool


def read_rewrites(path: Path) -> list[Rewritten]:
    """The rows of a JSON Lines file: attribute, has (true or false), prompt, response, rewrite, rewrite_of_rewrite.

    DataError where a line lacks one of them or there is no line.
    """
    if not path.is_file():
        raise DataError(
            f"--rewrites {path}: no such file; expected JSON Lines with {', '.join(TEXTS)}, attribute and has"
        )
    rows = [rewritten(line.row, line.place) for line in read_lines(path)]
    if not rows:
        raise DataError(f"--rewrites {path}: the file is empty; expected a JSON object per line")
    return rows


def rewritten(row: Mapping[str, Any], place: str) -> Rewritten:
    """One row."""
    for name in ("prompt", *TEXTS):
        if not isinstance(row.get(name), str):
            raise DataError(f"{place}: {name} is {row.get(name)!r}; expected a text")
    if not isinstance(row.get("has"), bool):
        raise DataError(
            f"{place}: has is {row.get('has')!r}; expected true where the response has the attribute, else false"
        )
    prompt = (Message("user", row["prompt"]),) if row["prompt"] else ()
    responses = tuple(Response((Message("assistant", row[name]),)) for name in TEXTS)
    return Rewritten(Record(prompt, responses), str(row.get("attribute") or "attribute"), row["has"])


def rewrite_effects(
    rows: Sequence[Rewritten], score: Score, scale: Scale, *, bound: float, seed: int
) -> Iterator[Effect]:
    """The average effect of each attribute; `details` hold ATT, ATU, the effect from single rewrites, and what rewriting
    itself does to the reward (twice rewritten less original)."""
    rewards = score([row.record for row in rows])
    for attribute in dict.fromkeys(row.attribute for row in rows):
        chosen = [k for k, row in enumerate(rows) if row.attribute == attribute]
        table = np.array([rewards[k] for k in chosen])
        known = ~np.isnan(table).any(axis=1)
        kept = [rows[k] for k, good in zip(chosen, known, strict=True) if good]
        if kept:
            yield attribute_effect(attribute, kept, table[known], scale, bound=bound, seed=seed)


def attribute_effect(
    attribute: str, rows: Sequence[Rewritten], table: np.ndarray, scale: Scale, *, bound: float, seed: int
) -> Effect:
    """The effect of one attribute from rewards of originals, rewrites and rewrites of rewrites, shape (N, 3)."""
    has = np.array([row.has for row in rows])
    numbers: dict[str, int] = {}
    cluster = np.array([numbers.setdefault(row.record.prompt_id, len(numbers)) for row in rows])
    sign = np.where(has, 1.0, -1.0)
    twice, once = sign * (table[:, 2] - table[:, 1]) / scale.sd, sign * (table[:, 0] - table[:, 1]) / scale.sd
    order = [float(value) for value in (table[:, 2] - table[:, 0]) / scale.sd]
    return mean_effect(
        f"rewrite_{attribute}",
        "rewrite",
        "rewrite",
        Said(f"{attribute} (rewrites of rewrites)", f"{attribute}（改写的改写）"),
        value=twice,
        cluster=cluster,
        scale=scale,
        bound=bound,
        seed=seed,
        examples=most_moved(rows, table, twice),
        details={
            "att": mean_of(twice[has]),
            "atu": mean_of(twice[~has]),
            "with_attribute": int(has.sum()),
            "single_rewrite": mean_of(once),
            "rewriting_itself": mean_of(np.array(order)),
        },
    )


def mean_of(values: np.ndarray) -> float:
    """The mean; NaN for none."""
    return float(values.mean()) if values.size else math.nan


def most_moved(rows: Sequence[Rewritten], table: np.ndarray, twice: np.ndarray) -> tuple[EffectExample, ...]:
    """The three originals with the largest effect: the text without the attribute, and the one with it."""
    found = []
    for k in np.argsort(-np.abs(twice), kind="stable")[:3]:
        texts = [response.text for response in rows[k].record.responses]
        without, having = (1, 2) if rows[k].has else (2, 1)
        prompt = rows[k].record.prompt[0].content if rows[k].record.prompt else ""
        found.append(example(prompt, (texts[without], texts[having]), (table[k, without], table[k, having])))
    return tuple(found)
