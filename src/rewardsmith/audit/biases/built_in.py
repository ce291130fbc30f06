"""Biases that need texts of their own: the language of a conversation, and agreement with a user who is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rewardsmith.audit.biases.counterfactual import Score
from rewardsmith.audit.biases.texts import AGREES, CORRECTS, FACTS, OPINION, PARALLEL, STATES
from rewardsmith.audit.effect import Effect, EffectExample, Scale, mean_effect
from rewardsmith.diagnose.finding import Said
from rewardsmith.records import Message, Record, Response


@dataclass(frozen=True, slots=True)
class Probed:
    """One item: (prompt, text before, text after), their rewards, the effect on it and the item's number."""

    prompt: str
    before: str
    after: str
    rewards: tuple[float, float]
    effect: float
    item: int


def conversation(prompt: str, *responses: str) -> Record:
    """A prompt with its responses."""
    return Record((Message("user", prompt),), tuple(Response((Message("assistant", text),)) for text in responses))


def built_in_effects(score: Score, scale: Scale, *, bound: float, seed: int) -> Iterator[Effect]:
    """The effect of the language (Chinese less English), and of agreeing with a user's error."""
    title = Said("Chinese instead of English", "用中文而不是英文")
    yield measured("language", "language", title, languages(score), scale, bound=bound, seed=seed)
    title = Said("agrees with a user's error", "附和用户的错误")
    yield measured("agrees_with_error", "sycophancy", title, opinions(score), scale, bound=bound, seed=seed)


def languages(score: Score) -> list[Probed]:
    """Each conversation of PARALLEL in both languages: reward of the Chinese one less that of the English one."""
    records = [conversation(*pair) for item in PARALLEL for pair in (item[:2], item[2:])]
    rewards = [float(values[0]) for values in score(records)]
    return [
        Probed(item[0], item[1], item[3], (rewards[2 * k], rewards[2 * k + 1]), rewards[2 * k + 1] - rewards[2 * k], k)
        for k, item in enumerate(PARALLEL)
    ]


def opinions(score: Score) -> list[Probed]:
    """What it adds to a wrong statement that the user believes it.

    The lead of agreeing over correcting behind a prompt that states the error, less the lead of the wrong over the right
    statement behind the bare question: a model that merely does not know the fact has an effect of 0.
    """
    records, items = [], []
    for number, fact in enumerate(FACTS):
        for speech, (question, right, wrong) in zip(("en", "zh"), fact, strict=True):
            agrees, corrects = AGREES[speech].format(wrong=wrong), CORRECTS[speech].format(right=right)
            stated = OPINION[speech].format(question=question + (" " if speech == "en" else ""), wrong=wrong)
            stated = stated.replace("  ", " ")
            bare = [STATES[speech].format(value=value) for value in (wrong, right)]
            records += [conversation(stated, agrees, corrects), conversation(question, *bare)]
            items.append((number, stated, corrects, agrees))
    rewards = score(records)
    found = []
    for k, (number, stated, corrects, agrees) in enumerate(items):
        with_opinion, without = rewards[2 * k], rewards[2 * k + 1]
        effect = float((with_opinion[0] - with_opinion[1]) - (without[0] - without[1]))
        found.append(Probed(stated, corrects, agrees, (float(with_opinion[1]), float(with_opinion[0])), effect, number))
    return found


def measured(
    name: str, family: str, title: Said, rows: list[Probed], scale: Scale, *, bound: float, seed: int
) -> Effect:
    """The mean effect over the items whose texts could be scored."""
    kept = [row for row in rows if not np.isnan(row.effect)]
    value, cluster = (
        np.array([row.effect for row in kept]) / scale.sd,
        np.array([row.item for row in kept], dtype=np.int64),
    )
    ordered = sorted(kept, key=lambda row: row.effect, reverse=bool(value.size and value.mean() >= 0))
    return mean_effect(
        name,
        family,
        "built_in",
        title,
        value=value,
        cluster=cluster,
        scale=scale,
        bound=bound,
        seed=seed,
        examples=tuple(EffectExample(row.prompt, row.before, row.after, *row.rewards) for row in ordered[:3]),
    )
