"""Training comparisons whose labels are known without an annotator, made from the training records themselves.

After Crome (Srivastava et al. 2025, arXiv 2506.16507): neutral pairs, which differ in what does not matter and are ties, and
pairs in which one response was surely made worse. Crome has a language model write them; here they come from the other
records and from the edits of `audit.edits`. They are marked in `fields`, and only training sees them.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from rewardsmith.audit.edits import layout, surface
from rewardsmith.audit.edits.edit import Edit, sentences_of
from rewardsmith.quality.text.languages import language_of
from rewardsmith.records import Comparison, Record, Response

AugmentKind = Literal["other-prompt", "edit", "cut", "other-response"]
AUGMENT_WEIGHT = 0.5
"""Weight of a comparison that is added, unless another is given."""

MEANING_KEPT: Mapping[str, Edit] = {**layout.EDITS, **surface.EDITS}
"""Edits of layout and of characters, which change nothing of what is said."""
SHORTEST = 12
"""Characters below which a response is not cut."""


def augmented(
    records: Sequence[Record], kinds: Sequence[AugmentKind], *, weight: float, seed: int
) -> dict[AugmentKind, list[Record]]:
    """For each kind at most one new record per record with a decided comparison; the same for the same seed and records.

    - `other-prompt`: both responses under the prompt of another record: a tie.
    - `edit`: the preferred response and itself in another layout or with other characters: a tie.
    - `cut`: the preferred response against its first half.
    - `other-response`: the preferred response against the preferred response of another record.
    """
    usable = [(record, c) for record in records if (c := first_decided(record)) is not None]
    partners = partners_of([record for record, _ in usable], seed=seed)
    made: dict[AugmentKind, list[Record]] = {kind: [] for kind in kinds}
    for number, (record, comparison) in enumerate(usable):
        other = usable[partners[number]] if number in partners else None
        for kind in kinds:
            new = MADE_BY[kind](record, comparison, other, seed)
            if new is not None:
                made[kind].append(marked(new, record, kind, weight))
    return made


Made = tuple[Record, Comparison]
Maker = Callable[[Record, Comparison, "Made | None", int], "Record | None"]


def first_decided(record: Record) -> Comparison | None:
    """The first comparison that prefers one response and counts."""
    return next((c for c in record.comparisons if not c.is_tie and c.weight > 0), None)


def partners_of(records: Sequence[Record], *, seed: int) -> dict[int, int]:
    """For each record the number of another one with another prompt in the same language, by hash, where there is one."""
    groups: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        groups.setdefault(language_of(" ".join(m.content for m in record.prompt)), []).append(number)
    found = {}
    for group in groups.values():
        order = sorted(group, key=lambda number: (key_of(seed, records[number].id), number))
        for place, number in enumerate(order):
            later = (order[(place + step) % len(order)] for step in range(1, len(order)))
            partner = next((n for n in later if records[n].prompt_id != records[number].prompt_id), None)
            if partner is not None:
                found[number] = partner
    return found


def key_of(seed: int, name: str) -> str:
    """A hash to order by."""
    return hashlib.sha256(f"{seed}:augment:{name}".encode()).hexdigest()


def marked(new: Record, source: Record, kind: AugmentKind, weight: float) -> Record:
    """The new record with its origin, its mark and its weight."""
    comparisons = tuple(replace(c, weight=weight) for c in new.comparisons)
    return replace(
        new,
        comparisons=comparisons,
        fields={**source.fields, "synthetic": kind},
        source=source.source,
        line=source.line,
    )


def other_prompt(record: Record, comparison: Comparison, other: Made | None, seed: int) -> Record | None:
    """Both responses under a prompt that neither responds to."""
    if other is None:
        return None
    responses = (record.responses[comparison.i], record.responses[comparison.j])
    return Record(other[0].prompt, responses, (Comparison(0, 1, preference=0.5),))


def meaning_kept(record: Record, comparison: Comparison, other: Made | None, seed: int) -> Record | None:
    """The preferred response, and the first edit that applies to it, in an order by hash."""
    whole = record.responses[comparison.i]
    edited = next(edits_of(whole.text, key_of(seed, record.id)), None)
    if edited is None:
        return None
    return Record(record.prompt, (whole, with_text(whole, edited)), (Comparison(0, 1, preference=0.5),))


def edits_of(text: str, key: str) -> Iterator[str]:
    """What the edits that apply make of a text."""
    for name in sorted(MEANING_KEPT, key=lambda name: hashlib.sha256(f"{key}:{name}".encode()).digest()):
        if (edited := MEANING_KEPT[name].apply(text)) is not None:
            yield edited


def cut_short(record: Record, comparison: Comparison, other: Made | None, seed: int) -> Record | None:
    """The preferred response, and its first half."""
    whole = record.responses[comparison.i]
    half = first_half(whole.text)
    return None if half is None else Record(record.prompt, (whole, with_text(whole, half)), (Comparison(0, 1),))


def first_half(text: str) -> str | None:
    """The sentences within the first half of a text's characters, else half of its characters; None of a short one."""
    stripped = text.strip()
    if len(stripped) < SHORTEST:
        return None
    half, end = len(stripped) // 2, 0
    for sentence in sentences_of(stripped):
        at = stripped.index(sentence, end) + len(sentence)
        if at > half:
            break
        end = at
    return stripped[: end or half].rstrip()


def other_response(record: Record, comparison: Comparison, other: Made | None, seed: int) -> Record | None:
    """The preferred response against the one that was preferred under another prompt."""
    if other is None:
        return None
    foreign, theirs = other
    pair = record.responses[comparison.i], foreign.responses[theirs.i]
    return None if pair[0].text == pair[1].text else Record(record.prompt, pair, (Comparison(0, 1),))


def with_text(response: Response, text: str) -> Response:
    """A response whose last message says something else."""
    return replace(response, messages=(*response.messages[:-1], replace(response.messages[-1], content=text)))


MADE_BY: Mapping[AugmentKind, Maker] = {
    "other-prompt": other_prompt,
    "edit": meaning_kept,
    "cut": cut_short,
    "other-response": other_response,
}
