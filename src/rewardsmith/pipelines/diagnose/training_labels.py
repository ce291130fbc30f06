"""What the labels and weights of the training data are like: marks that give them away, weights, preferences, validation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rewardsmith.pipelines.diagnose.bench import Workbench
from rewardsmith.pipelines.evaluate.evaluation import score_all
from rewardsmith.quality.cross_row.minhash import units
from rewardsmith.quality.cross_row.overlap import digest, prompt_text
from rewardsmith.quality.shortcuts.marks import LabelMark, marks_of, trait_shares
from rewardsmith.records import Message, Record, Response

TRIED, FEWEST_TRIED = 100, 10
"""Responses with a phrase that are scored once more without it; and how many it takes."""

ALIKE = 0.5
"""Share of the words of the shorter of two prompts with the same answers, from which they ask the same in other words."""

FEWEST_WORDS = 4
"""Words of the responses from which the same ones under another prompt are no chance, as `yes` and `no` are."""


def training_labels(bench: Workbench) -> Mapping[str, Any]:
    """The objects `marks`, `weights`, `preferences` and `margins` of the training data, `traits` of both sides, the share
    `validation_in_training`, and `judged_restated`.
    """
    training = bench.data.splits.train
    return {
        "marks": {**(marks := marks_of(training)).to_json(), "reaction": reaction(bench, training, marks.found)},
        "weights": weights_of(training),
        "preferences": preferences_of(training),
        "margins": margins_in(training),
        "traits": {"training": trait_shares(training), "judged": trait_shares(bench.judged)},
        "validation_in_training": known_in(bench.data.splits.validation, training),
        "judged_restated": restated_in(bench.judged),
    }


def reaction(bench: Workbench, records: Sequence[Record], found: Sequence[LabelMark]) -> float | None:
    """By how many standard deviations of the reward responses lose, or gain, when the first phrase is taken out of them,
    positive where the model goes along with the labels; None where there is no phrase, or too few responses with it.
    """
    mark = next((mark for mark in found if mark.kind == "text"), None)
    if mark is None:
        return None
    scored = score_all(bench.model, without_phrase(records, mark.name))
    if len(scored.records) < FEWEST_TRIED:
        return None
    rewards = np.stack([np.asarray(values, dtype=np.float64) for values in scored.rewards])
    spread = float(rewards[:, 0].std()) or 1.0
    lost = float((rewards[:, 0] - rewards[:, 1]).mean()) / spread
    return lost if mark.wins else -lost


def without_phrase(records: Sequence[Record], phrase: str) -> list[Record]:
    """For the first TRIED records with a response that holds a phrase: this response, and the same without it."""
    holders = [record for record in records if any(phrase in one.text for one in record.responses)]
    pairs = (beside_itself(record, phrase) for record in holders[:TRIED])
    return [pair for pair in pairs if pair is not None]


def beside_itself(record: Record, phrase: str) -> Record | None:
    """The first response with a phrase, and the same without it; None where nothing would be left."""
    text = next(one.text for one in record.responses if phrase in one.text)
    bare = text.replace(phrase, "")
    if not bare.strip():
        return None
    sides = tuple(Response((Message("assistant", side),)) for side in (text, bare))
    return replace(record, responses=sides, comparisons=(), ratings={})


def weights_of(records: Sequence[Record]) -> dict[str, Any]:
    """How many decided comparisons there are, and as how many of equal weight they count (Kish 1965)."""
    weights = np.array([c.weight for record in records for c in record.comparisons if not c.is_tie], dtype=np.float64)
    squares = float((weights**2).sum())
    return {"n": int(weights.size), "effective": float(weights.sum()) ** 2 / squares if squares else 0.0}


def preferences_of(records: Sequence[Record]) -> dict[str, Any]:
    """The median and the 90 % quantile of the preferences of decided comparisons, from 0.5 to 1; empty without any."""
    values = [c.preference for record in records for c in record.comparisons if not c.is_tie and c.weight > 0]
    if not values:
        return {}
    median, most = np.quantile(values, (0.5, 0.9))
    return {"n": len(values), "median": float(median), "most": float(most)}


def margins_in(records: Sequence[Record]) -> dict[str, Any]:
    """The median of the margins that the labels of decided comparisons name; empty without any."""
    values = [c.margin for record in records for c in record.comparisons if not c.is_tie and c.margin is not None]
    return {"n": len(values), "median": float(np.median(values))} if values else {}


def known_in(validation: Sequence[Record], training: Sequence[Record]) -> float:
    """The share of validation records that have the prompt and a response of a training record."""
    known = {(record.prompt_id, one.text) for record in training for one in record.responses}
    again = sum(any((record.prompt_id, one.text) in known for one in record.responses) for record in validation)
    return again / len(validation) if validation else 0.0


def restated_in(records: Sequence[Record]) -> dict[str, Any]:
    """How many records there are, and how many different ones where those with the same responses, under prompts that say
    much the same in other words, count once.
    """
    first: dict[tuple[bytes, ...], set[str]] = {}
    distinct = 0
    for record in records:
        words = set(units(prompt_text(record)))
        texts = [one.text for one in record.responses]
        known = first.setdefault(tuple(sorted(map(digest, texts))), words)
        if known is words or min(len(units(text)) for text in texts) < FEWEST_WORDS or not alike(known, words):
            distinct += 1
    return {"records": len(records), "distinct": distinct}


def alike(one: set[str], other: set[str]) -> bool:
    """Whether two sets of words have ALIKE of the smaller one in common."""
    return len(one & other) >= ALIKE * min(len(one), len(other))
