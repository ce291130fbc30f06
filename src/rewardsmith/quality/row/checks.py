"""Checks of one record by itself. A check reports; rows go only where somebody asked for it.

To add one: a function that yields (severity, detail), a line in CHECKS, its meaning in MEANINGS, a test. A check that
compares a value with a threshold is a line in `limits.LIMITS` instead.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

from rewardsmith.quality.row.limits import LIMITS, OTHER_LANGUAGE
from rewardsmith.quality.text.characters import TEXT_CHECKS, texts_of
from rewardsmith.quality.text.markup import boilerplate, role_tag
from rewardsmith.records import CHOSEN_IN_A_TIE, Comparison, Document, Message, Record

EXCERPT_CHARS = 200
LABEL_NOISE = "label_noise"

ULTRAFEEDBACK = frozenset({"helpfulness", "honesty", "instruction_following", "truthfulness"})
BEST_OVERALL = 10
"""The best overall rating where these aspects, from 1 to 5, are rated."""

Details = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RowFinding:
    """Something a person should know about a row: which check, "warning" or "info", `file:line`, and what was seen.

    `value` and `threshold` are there for checks that compare one with the other.
    """

    check: str
    severity: str
    place: str
    detail: str
    value: float | str | None = None
    threshold: float | str | None = None


def text_check(name: str) -> Callable[[Record], Details]:
    """A check of TEXT_CHECKS over all texts of a record."""
    find = TEXT_CHECKS[name]

    def check_texts(record: Record) -> Details:
        for where, text in texts_of(record):
            if detail := find(text):
                yield "warning", f"{where}: {detail}"

    return check_texts


def role_tags(record: Record) -> Details:
    """Answers that run on into another turn."""
    for at, response in enumerate(record.responses):
        for message in response.messages:
            if message.role == "assistant" and (detail := role_tag(message.content)):
                yield "warning", f"responses[{at}]: {detail}"


def assistant_boilerplate(record: Record) -> Details:
    """Responses that speak of themselves as of a language model, whatever was asked."""
    for at, response in enumerate(record.responses):
        if detail := boilerplate(response.text):
            yield "info", f"responses[{at}]: {detail}"


def empty_prompt(record: Record) -> Details:
    """A record that tells a model nothing to answer to."""
    if not any(message.content.strip() for message in record.prompt if message.role == "user"):
        yield "info", "no user turn with text before the responses"


def role_order(record: Record) -> Details:
    """Turns that do not alternate between user and assistant, or a system turn that is not the first."""
    for at, conversation in enumerate(record.conversations):
        roles = [message.role for message in conversation]
        problem = misplaced(roles[1:] if roles[:1] == ["system"] else roles)
        if problem:
            yield "warning", f"responses[{at}]: {problem}"
            return


def misplaced(roles: list[str]) -> str | None:
    """What is unusual about the order of the roles after a system turn."""
    if "system" in roles:
        return "a system turn that is not the first"
    if any(first == second for first, second in pairwise(roles)):
        return "two turns of the same role in a row"
    return None


def identical_responses(record: Record) -> Details:
    """Responses of one record that are the same text."""
    count = len(record.responses) - len({response.messages for response in record.responses})
    if count:
        yield "info", f"{count} of {len(record.responses)} responses are duplicates of another one"


def label_conflict(record: Record) -> Details:
    """A preferred response that the votes or ratings of the same row rank lower, and whose preference was kept; or one that
    was chosen among equals, whose preference was not.
    """
    for comparison in record.comparisons:
        if comparison.preference > 0.5 and (detail := contradiction(record, comparison)):
            yield "warning", f"response {comparison.i} is preferred to {comparison.j}, but {detail}"
    chosen = record.fields.get(CHOSEN_IN_A_TIE)
    for comparison in record.comparisons if chosen is not None else ():
        if comparison.is_tie and chosen in (comparison.i, comparison.j):
            other = comparison.i + comparison.j - chosen
            yield "warning", f"response {chosen} is chosen, but {other} is rated as high; the two count as a tie"


def contradiction(record: Record, comparison: Comparison) -> str | None:
    """What in the row speaks against a comparison."""
    if comparison.votes is not None:
        for_i, for_j, undecided = comparison.votes
        if for_i < for_j:
            return f"the votes are {for_i} to {for_j} ({undecided} undecided)"
    rated = both_ratings(record, comparison)
    return f"the ratings are {rated[0]:g} and {rated[1]:g}" if rated is not None and rated[0] < rated[1] else None


def both_ratings(record: Record, comparison: Comparison) -> tuple[float, float] | None:
    """The ratings of the two responses of a comparison in its attribute; None where one has none."""
    values = record.ratings.get(comparison.attribute)
    if values is None:
        return None
    high, low = values[comparison.i], values[comparison.j]
    return None if high is None or low is None else (high, low)


def label_without_majority(record: Record) -> Details:
    """A preferred response for which the votes or ratings of the same row are even."""
    for comparison in record.comparisons:
        if comparison.preference == 0.5:
            continue
        votes, rated = comparison.votes, both_ratings(record, comparison)
        if votes is not None and any(votes) and votes[0] == votes[1]:
            yield "info", f"response {comparison.i} is preferred to {comparison.j}, with {votes[0]} to {votes[1]} votes"
        elif rated is not None and rated[0] == rated[1]:
            yield "info", f"response {comparison.i} is preferred to {comparison.j}, and both are rated {rated[0]:g}"


def overall_against_aspects(record: Record) -> Details:
    """An overall rating that all ratings of the response's aspects contradict, as UltraFeedback's 10 that was a 1."""
    overall, aspects = record.ratings.get("overall"), aspects_of(record)
    if overall is None or len(aspects) < 2:
        return
    if record.ratings.keys() >= ULTRAFEEDBACK:
        yield from best_without_aspects(overall, aspects)
    for i, j in permutations(range(len(record.responses)), 2):
        high, low, rated = overall[i], overall[j], rated_in(aspects, i, j)
        if high is None or low is None or len(rated) < 2:
            continue
        if high > low and all(a < b for a, b in rated):
            yield (
                "warning",
                f"response {i} is rated {high:g} and {j} {low:g}, and lower in each of {len(rated)} aspects",
            )


def best_without_aspects(overall: Sequence[float | None], aspects: Sequence[tuple[float | None, ...]]) -> Details:
    """The best overall rating of responses that are bad in every aspect, on UltraFeedback's scales."""
    for at, rating in enumerate(overall):
        said = rated_in(aspects, at)
        if rating == BEST_OVERALL and len(said) >= 2 and max(said)[0] <= 2:
            most = max(said)[0]
            yield (
                "warning",
                f"response {at} is rated {rating:g}, and at most {most:g} of 5 in each of {len(said)} aspects",
            )


def rated_in(aspects: Sequence[tuple[float | None, ...]], *places: int) -> list[tuple[float, ...]]:
    """The ratings of some responses in each aspect in which all of them have one."""
    chosen = [tuple(value for at in places if (value := values[at]) is not None) for values in aspects]
    return [values for values in chosen if len(values) == len(places)]


def aspects_of(record: Record) -> list[tuple[float | None, ...]]:
    """The ratings of the aspects of a record; a mean of them is none."""
    return [values for name, values in record.ratings.items() if name not in ("overall", "fine-grained_score")]


def reasoning_apart(record: Record) -> Details:
    """Responses that keep their reasoning apart from what they say: scored only where a model was trained to."""
    count = sum(any(turn.reasoning is not None for turn in response.messages) for response in record.responses)
    if count:
        yield "info", f"{count} of {len(record.responses)} responses have reasoning apart from their text"


CHECKS: dict[str, Callable[[Record], Details]] = {
    **{name: text_check(name) for name in TEXT_CHECKS},
    "role_tag": role_tags,
    "assistant_boilerplate": assistant_boilerplate,
    "empty_prompt": empty_prompt,
    "role_order": role_order,
    "identical_responses": identical_responses,
    "label_conflict": label_conflict,
    "label_without_majority": label_without_majority,
    "overall_against_aspects": overall_against_aspects,
    "reasoning": reasoning_apart,
}


CONTRADICTION = "contradiction"
DUPLICATE = "duplicate"
REMOVABLE = (*CHECKS, *LIMITS, OTHER_LANGUAGE)
"""Checks whose rows are removed on request. A row that fails several is removed by the first of this order."""

MEANINGS = {
    LABEL_NOISE: "a label that is more likely wrong than right (--label-noise)",
    "damaged_text": "mojibake: text decoded with the wrong encoding; --repair restores it where no bytes were lost",
    "replacement_character": "characters lost before this data was written (U+FFFD)",
    "control_characters": "control characters other than tab and line breaks",
    "invisible_characters": "invisible zero-width and direction characters",
    "template_token": "markup of a chat template inside a text",
    "placeholder": "placeholders such as [removed] and [deleted]",
    "role_tag": "another turn inside a response, such as Human:",
    "assistant_boilerplate": "a response that refers to itself as a language model",
    "empty_prompt": "no user turn with text before the responses",
    "role_order": "turns that do not alternate",
    "identical_responses": "more than two responses, some of them the same",
    "label_conflict": "the votes or ratings of the row contradict the preference",
    "label_without_majority": "the votes or ratings of the row are tied, but a response is preferred",
    "overall_against_aspects": "an overall rating above that of a response which is better in every aspect",
    "reasoning": "reasoning kept apart from the response's text (train --reasoning)",
    "too_few_chars": "a response shorter than --min-chars",
    "too_many_chars": "a response longer than --max-chars",
    "too_few_words": "a response shorter than --min-words",
    "too_many_words": "a response longer than --max-words",
    "similar_responses": "nearly identical responses (--max-similarity)",
    "repetition": "a response with repeated phrases (--max-repetition)",
    "compressible": "a response with a high zlib compression ratio (--max-compression)",
    "refusal": "a response that begins with a refusal",
    "low_agreement": "low annotator agreement (--min-agreement)",
    "few_votes": "fewer votes than --min-votes",
    "other_language": "responses in a language that --languages does not name",
    "contradiction": "at least as many rows prefer the other response of the same pair",
    "duplicate": "the same prompt, responses and judgement as an earlier row",
    "near_duplicate": "nearly identical prompt and responses as in a kept row (--near-threshold)",
    "near_contradiction": "nearly identical to another row that prefers the other response",
    "preference_cycle": "preferences of one prompt that form a cycle",
    "order_changes_verdict": "another row has the two responses in the other order with the opposite verdict",
    "near_prompt_leak": "a prompt nearly identical to one in another split",
    "contamination": "contains a text of a benchmark named by --decontaminate (--overlap)",
    "repaired": "encoding damage that was repaired",
    "lost_text": "encoding damage that cannot be repaired",
    "not_taken": "not sampled, because of a share or a cap",
}
"""What each check looks for, in one line for reports."""


def check(record: Record) -> list[RowFinding]:
    """Everything CHECKS has to say about a record."""
    return [
        RowFinding(name, severity, record.place, detail)
        for name, find in CHECKS.items()
        for severity, detail in find(record)
    ]


def check_document(document: Document) -> list[RowFinding]:
    """Everything TEXT_CHECKS has to say about a line of plain text."""
    place = f"{document.source}:{document.line}"
    return [
        RowFinding(name, "warning", place, detail)
        for name, find in TEXT_CHECKS.items()
        if (detail := find(document.text)) is not None
    ]


def digest(*parts: object) -> int:
    """64 bits of the SHA-256 of some values; among a million rows two collide with probability 3e-8."""
    hashed = hashlib.sha256(repr(parts).encode(errors="surrogatepass")).digest()
    return int.from_bytes(hashed[:8], "big")


def turns(messages: tuple[Message, ...]) -> tuple[tuple[str, str], ...]:
    """Messages as plain values."""
    return tuple((message.role, message.content) for message in messages)


def longer_preferred(record: Record, lengths: Sequence[int]) -> tuple[int, int]:
    """(decided comparisons of weight whose preferred response is longer, and all those of unequal length)."""
    decided = [c for c in record.comparisons if not c.is_tie and c.weight > 0 and lengths[c.i] != lengths[c.j]]
    return sum(lengths[c.i] > lengths[c.j] for c in decided), len(decided)
