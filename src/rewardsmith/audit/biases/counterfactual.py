"""Edits and constant texts applied to responses, and what they do to the reward.

For each response the edited one is scored behind the same prompt; the difference is the effect of the edit on that response.
Everything that is not edited is the same on both sides, so no label is needed and nothing is confounded.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from rewardsmith.audit.biases.attacks import ATTACKS, REFUSAL, ConstantText
from rewardsmith.audit.edits.edit import Edit, speech_of
from rewardsmith.audit.edits.table import EDITS
from rewardsmith.audit.effect import Effect, EffectExample, Scale, mean_effect, mean_with_interval
from rewardsmith.evaluate.statistics import Interval
from rewardsmith.quality.text.refusals import is_refusal
from rewardsmith.records import Conversation, Message, Record, Response

Score = Callable[[Sequence[Record]], Sequence[np.ndarray]]
"""Rewards of every response of each record, in order; NaN for a response that cannot be scored."""

EXAMPLES = 3
SHOWN_CHARS = 600


@dataclass(frozen=True)
class Variants:
    """A record whose responses, and edited responses behind them, are scored together: they share their prompt.

    `places[name][k]` is the index of response k after the edit `name` among the responses of `record`; None where the edit
    does not apply.
    """

    record: Record
    originals: int
    places: Mapping[str, tuple[int | None, ...]]


@dataclass(frozen=True)
class Shifted:
    """Rewards of one record before and after one edit, shape (K,), NaN where it does not apply, and both texts."""

    prompt: str
    cluster: int
    before: Float[np.ndarray, " K"]
    after: Float[np.ndarray, " K"]
    texts: tuple[tuple[str, str], ...]

    @property
    def shift(self) -> Float[np.ndarray, " K"]:
        """After minus before."""
        return np.asarray(self.after - self.before)


def variants_of(record: Record) -> Variants:
    """The record with every edit of every response, and every constant text, as further responses."""
    responses = list(record.responses)
    places: dict[str, tuple[int | None, ...]] = {}
    known: dict[Conversation, int] = {response.messages: k for k, response in reversed(list(enumerate(responses)))}

    def place_of(messages: Conversation) -> int:
        if messages not in known:
            known[messages] = len(responses)
            responses.append(Response(messages))
        return known[messages]

    for name, edit in EDITS.items():
        edited = [edited_messages(response.messages, edit) for response in record.responses]
        places[name] = tuple(None if messages is None else place_of(messages) for messages in edited)
    for name, text in constant_texts(record):
        place = place_of((Message("assistant", text),))
        places[name] = tuple(place for _ in record.responses)
    bare = replace(record, responses=tuple(responses), comparisons=(), ratings={})
    return Variants(bare, len(record.responses), places)


def edited_messages(messages: Conversation, edit: Edit) -> Conversation | None:
    """The response with its last message edited; None where that is not the assistant's, or the edit changes nothing."""
    *first, last = messages
    if last.role != "assistant":
        return None
    changed = edit.apply(last.content)
    return None if changed is None or changed == last.content else (*first, replace(last, content=changed))


def constant_texts(record: Record) -> Iterator[tuple[str, str]]:
    """The constant texts in the language of the record, by name."""
    speech = speech_of("\n".join([*(m.content for m in record.prompt), *(r.text for r in record.responses)]))
    refuses = any(is_refusal(response.text) for response in record.responses)
    for name, attack in ATTACKS.items():
        if speech is not None and not (attack.family == REFUSAL and refuses):
            yield name, attack.words[speech]


def shifted(records: Sequence[Record], score: Score) -> tuple[list[np.ndarray], dict[str, list[Shifted]]]:
    """(rewards of the responses as they are, rewards before and after by name of edit or constant text)."""
    made = [variants_of(record) for record in records]
    scored = score([one.record for one in made])
    clusters: dict[str, int] = {}
    found: dict[str, list[Shifted]] = {name: [] for name in (*EDITS, *ATTACKS)}
    for one, rewards in zip(made, scored, strict=True):
        cluster = clusters.setdefault(one.record.prompt_id, len(clusters))
        for name, row in shifted_by_each(one, rewards, cluster):
            found[name].append(row)
    return [rewards[: one.originals] for one, rewards in zip(made, scored, strict=True)], found


def shifted_by_each(one: Variants, rewards: np.ndarray, cluster: int) -> Iterator[tuple[str, Shifted]]:
    """The rewards of one record before and after each edit that applies to one of its responses."""
    prompt = "\n\n".join(message.content for message in one.record.prompt)
    for name, places in one.places.items():
        if any(place is not None for place in places):
            after = np.array([math.nan if place is None else rewards[place] for place in places])
            texts = tuple((one.record.responses[k].text, text_at(one.record, place)) for k, place in enumerate(places))
            yield name, Shifted(prompt, cluster, rewards[: one.originals], after, texts)


def text_at(record: Record, place: int | None) -> str:
    """The text of a response; "" for none."""
    return "" if place is None else record.responses[place].text


def counterfactual_effects(
    found: Mapping[str, Sequence[Shifted]], scale: Scale, *, bound: float, seed: int
) -> Iterator[Effect]:
    """The effect of every edit and constant text that applied to a response."""
    for name, rows in found.items():
        if any(not np.isnan(row.shift).all() for row in rows):
            yield effect_of(name, EDITS.get(name) or ATTACKS[name], rows, scale, bound=bound, seed=seed)


def effect_of(
    name: str, what: Edit | ConstantText, rows: Sequence[Shifted], scale: Scale, *, bound: float, seed: int
) -> Effect:
    """The mean shift over all responses to which one edit applies."""
    attack = isinstance(what, ConstantText)
    shift = np.concatenate([row.shift for row in rows])
    cluster = np.concatenate([np.full(row.shift.size, row.cluster) for row in rows])
    known = ~np.isnan(shift)
    value, cluster = shift[known] / scale.sd, cluster[known]
    upwards = bool(value.mean() >= 0)
    found = mean_effect(
        name,
        what.family,
        "attack" if attack else "edit",
        what.title,
        value=value,
        cluster=cluster,
        scale=scale,
        bound=bound,
        seed=seed,
        against=-bound if attack else 0.0,
        examples=examples_of(rows, downwards=not upwards and not attack),
        details={"sentences": what.dose} if isinstance(what, Edit) and what.dose else {},
    )
    share, share_interval = share_moved(rows, attack=attack, upwards=upwards)
    return replace(found, flipped=share, flipped_interval=share_interval)


def share_moved(rows: Sequence[Shifted], *, attack: bool, upwards: bool) -> tuple[float, Interval]:
    """The mean over prompts of `beaten` for a constant text, of `flipped` for an edit, with its interval."""
    order = np.array([beaten(row) if attack else flipped(row, upwards=upwards) for row in rows])
    cluster = np.array([row.cluster for row in rows])
    judged = ~np.isnan(order)
    return mean_with_interval(order[judged], cluster[judged], bounds=(0.0, 1.0))


def flipped(row: Shifted, *, upwards: bool) -> float:
    """The share of pairs of responses whose order changes when the edit is made to one of the two: to the lower one where
    it raises rewards, else to the higher one. NaN where no such pair can be edited."""
    r, v = row.before, row.after
    low, high = r[:, None], r[None, :]
    pairs = low < high
    edited = v[:, None] if upwards else v[None, :]
    can = pairs & ~np.isnan(edited)
    crossed = edited > high if upwards else edited < low
    return float((crossed & can).sum() / can.sum()) if can.any() else math.nan


def beaten(row: Shifted) -> float:
    """The share of the responses that a constant text outranks, a tie half."""
    known = ~np.isnan(row.shift)
    return float(((row.shift > 0) + 0.5 * (row.shift == 0))[known].mean()) if known.any() else math.nan


def examples_of(rows: Sequence[Shifted], *, downwards: bool) -> tuple[EffectExample, ...]:
    """The responses that moved most in the direction of the effect, at most one of a prompt."""
    best: dict[int, tuple[float, EffectExample]] = {}
    for row in rows:
        moved = -row.shift if downwards else row.shift
        if np.isnan(moved).all():
            continue
        k = int(np.nanargmax(moved))
        if row.cluster not in best or best[row.cluster][0] < moved[k]:
            best[row.cluster] = (float(moved[k]), example(row.prompt, row.texts[k], (row.before[k], row.after[k])))
    ordered = sorted(best.values(), key=lambda entry: -entry[0])
    return tuple(example for _, example in ordered[:EXAMPLES])


def example(prompt: str, texts: tuple[str, str], rewards: tuple[float, float]) -> EffectExample:
    """An example of texts as they are shown."""
    before, after = map(shortened, texts)
    return EffectExample(shortened(prompt), before, after, float(rewards[0]), float(rewards[1]))


def shortened(text: str) -> str:
    """Begin and end of a text, with the number of characters between them that are not shown."""
    if len(text) <= SHOWN_CHARS:
        return text
    half = SHOWN_CHARS // 2
    return f"{text[:half]} […{len(text) - 2 * half}…] {text[-half:]}"
