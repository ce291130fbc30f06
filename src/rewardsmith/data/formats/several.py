"""Formats that hold several answers to one prompt in one row, with what annotators said about each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rewardsmith.data.formats.benchmarks import ranked_completions
from rewardsmith.data.formats.building import (
    NONE,
    PROMPT_NAMES,
    candidates,
    first_of,
    has,
    marks_of,
    named_prompt,
    prompt_columns,
)
from rewardsmith.data.formats.dialogues import message_list
from rewardsmith.data.formats.judgements import (
    STATEMENTS,
    answers_of,
    by_value,
    compare,
    has_votes,
    is_stated,
    ratings,
    tied_choice,
    verdict,
)
from rewardsmith.data.input.fields import Columns, as_text, items, mapping, number, optional_number, required, text
from rewardsmith.data.input.rows import RowError
from rewardsmith.records import Record

ASPECTS = ("helpfulness", "honesty", "instruction_following", "truthfulness")
NOT_RATED = "N/A"
GENERATION_RATINGS = ("ratings", "rating")
RATED = frozenset({"scores", "ratings"})


def listed(row: Columns) -> Record:
    """K responses with scores, ranks, a ranking, votes or a chosen one; or nothing, where they await scoring."""
    return compared(row, candidates(row, items(row, "responses")))


def compared(row: Columns, record: Record) -> Record:
    """The record of a row's `responses` with what the row says of them."""
    answers = items(row, "responses")
    found = compare(row, answers)
    tied = tied_choice(row, answers, found)
    return replace(record, comparisons=tuple(found), ratings=ratings(row, len(answers)), fields=tied)


def listed_columns(row: Columns) -> frozenset[str]:
    """The votes where `listed` reads them."""
    return frozenset({"votes"}) if has_votes(row) else NONE


def judged(row: Columns) -> Record:
    """Two responses, shown to a judge in this order, with its verdict: 1, 2, A, B, "Answer A", A>B, tie and the like.

    Where the verdict is none of these, what else the row says counts.
    """
    answers = items(row, "responses")
    found = verdict(row)
    if found is None or len(answers) != 2:
        if is_stated(row):
            return listed(row)
        if found is not None:
            raise RowError("wrong_length", f"a verdict needs two responses; got {len(answers)}")
        shown = str(row.get("verdict"))[:40]
        raise RowError("no_judgement", f"the verdict is {shown!r}; expected 1, 2, A, B or tie; drop the row")
    return replace(candidates(row, answers), comparisons=(found,), ratings=ratings(row, len(answers)))


def judged_columns(row: Columns) -> frozenset[str]:
    """What else `judged` reads where the verdict says nothing."""
    understood = verdict(row) is not None and len(answers_of(row)) == 2
    return RATED if understood else RATED | {*STATEMENTS, "rejected"} | listed_columns(row)


def generated(row: Columns) -> Record:
    """distilabel's steps: several generations for an instruction, or for messages, and a rating of each."""
    answers = items(row, "generations")
    told = row["messages"] if row.get("messages") is not None else None
    prompt = named_prompt(row) if told is None else message_list(told, "messages")
    system = row.get("system_prompt") if row.get("system") is None else row["system"]
    rating = first_of(row, GENERATION_RATINGS)
    renamed = {"responses": answers, "system": system, "models": row.get("generation_models")}
    record = candidates(renamed, answers, "generations", prompt)
    return compared({"responses": answers, "scores": rating and row[rating]}, record)


def is_generated(row: Columns) -> frozenset[str]:
    """The columns of a row with generations for a prompt."""
    return marks_of(first_of(row, ("messages", *PROMPT_NAMES)), first_of(row, ("generations",)))


def generated_columns(row: Columns) -> frozenset[str]:
    """The columns that `generated` reads in this row."""
    rating = frozenset(filter(None, [first_of(row, GENERATION_RATINGS)]))
    return rating | (frozenset({"messages"}) if row.get("messages") is not None else prompt_columns(row))


def ranked(row: Columns) -> Record:
    """NeMo's preference data: completions with ranks, the lowest the best; equal ranks are ties."""
    prompt, completions, ranks = ranked_completions(row)
    record = candidates({"system": row.get("system")}, completions, "completions", prompt)
    return replace(record, comparisons=tuple(by_value([-rank for rank in ranks], margins=False)))


def ultra_feedback(row: Columns) -> Record:
    """UltraFeedback as published: K completions, each rated by GPT-4 overall and in four aspects.

    `overall_score` orders them; the aspects and their mean `fine-grained_score` are attributes of their own.
    """
    entries = entries_of(row, "completions", ("response",))
    rated = {
        name: values
        for name, values in ratings_by_aspect(entries).items()
        if any(value is not None for value in values)
    }
    record = several(row, "instruction", [(entry["response"], entry.get("model")) for _, entry in entries])
    comparisons = [c for name, each in rated.items() for c in by_value(each, attribute=name)]
    return replace(record, comparisons=tuple(comparisons), ratings=rated)


def ratings_by_aspect(entries: Sequence[tuple[int, Mapping[str, Any]]]) -> dict[str, tuple[float | None, ...]]:
    """What GPT-4 said of each completion, in the order in which the attributes are named in a record."""
    found = [mapping(entry.get("annotations") or {}, f"completions[{at}].annotations") for at, entry in entries]
    overall = tuple(optional_number(entry, "overall_score") for _, entry in entries)
    aspects = {aspect: tuple(aspect_rating(each, aspect) for each in found) for aspect in ASPECTS}
    mean = tuple(optional_number(entry, "fine-grained_score") for _, entry in entries)
    return {"overall": overall, **aspects, "fine-grained_score": mean}


def aspect_rating(annotations: Mapping[str, Any], aspect: str) -> float | None:
    """GPT-4's rating in one aspect, which the source writes as the text "1" to "5", or "N/A" for none."""
    if annotations.get(aspect) is None:
        return None
    rating = mapping(annotations[aspect], f"annotations.{aspect}").get("Rating")
    if rating is None or rating == NOT_RATED:
        return None
    if not isinstance(rating, str):
        return number(rating, f"{aspect}.Rating")
    if rating not in ("1", "2", "3", "4", "5"):
        raise RowError("wrong_type", f"{aspect}.Rating is {rating[:20]!r}; expected 1 to 5 or {NOT_RATED}")
    return float(rating)


def nectar(row: Columns) -> Record:
    """Nectar: answers with GPT-4's rank, 1 = best; equal ranks are ties, and ranks have no unit for a margin."""
    entries = entries_of(row, "answers", ("answer", "rank"))
    ranks = [number(entry["rank"], f"answers[{at}].rank") for at, entry in entries]
    record = several(row, "prompt", [(entry["answer"], entry.get("model")) for _, entry in entries])
    return replace(record, comparisons=tuple(by_value([-rank for rank in ranks], margins=False)))


def is_nectar(row: Columns) -> frozenset[str]:
    """The columns of a row with Nectar's ranked answers."""
    answers = row.get("answers")
    several = isinstance(answers, list) and any(isinstance(entry, dict) for entry in answers)
    return has("prompt", "answers")(row) if several else NONE


def entries_of(row: Columns, name: str, needed: tuple[str, ...]) -> list[tuple[int, Mapping[str, Any]]]:
    """The objects of a list column with their index, each of which has the `needed` values."""
    found = [(at, mapping(entry, f"{name}[{at}]")) for at, entry in enumerate(items(row, name))]
    for at, entry in found:
        for key in needed:
            if entry.get(key) is None:
                raise RowError("missing_field", f"{name}[{at}] has no {key}; expected a value; drop the row")
    return found


def several(row: Columns, prompt: str, answers: list[tuple[Any, Any]]) -> Record:
    """A record from (answer, its model) pairs in the order of the row."""
    spoken = [as_text(answer, f"response {at}") for at, (answer, _) in enumerate(answers)]
    record = candidates({"prompt": prompt_of(row, prompt), "system": row.get("system")}, spoken, "answers")
    named = tuple(
        each if model is None else replace(each, generator=as_text(model, "model"))
        for each, (_, model) in zip(record.responses, answers, strict=True)
    )
    return replace(record, responses=named)


def prompt_of(row: Columns, name: str) -> Any:
    """The prompt of a row: Nectar's may be a list of messages, UltraFeedback's is text."""
    return text(row, name) if name == "instruction" else required(row, name)
