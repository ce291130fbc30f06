"""Formats with two answers and a number about them, and answers rated one by one in rows of their own."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rewardsmith.data.formats.building import (
    NONE,
    candidates,
    first_of,
    has,
    marks_of,
    named_prompt,
    prompt_columns,
    two_columns,
)
from rewardsmith.data.formats.dialogues import message_list, response, with_system
from rewardsmith.data.formats.judgements import by_value, from_shares
from rewardsmith.data.input.fields import (
    Columns,
    as_list,
    mapping,
    number,
    optional_number,
    required,
    text,
)
from rewardsmith.data.input.rows import RowError, kind
from rewardsmith.records import Comparison, Record

HELPSTEER_ATTRIBUTES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
IS_SAFE = ("is_response_0_safe", "is_response_1_safe")
STRONGEST = 3
TURN = re.compile(r"\n?<extra_id_1>(User|Assistant)\n")
TURN_ROLES = {"User": "user", "Assistant": "assistant"}
KTO_ANSWERS = ("completion", "output", "response")
KTO_CONVERSATIONS = ("messages", "conversations")


def web_gpt(row: Columns) -> Record:
    """WebGPT comparisons as published: two answers with a score each, equal scores being ties."""
    question = required(row, "question")
    if isinstance(question, str) and question.startswith(("{'dataset'", '{"dataset"')):  # as pandas writes it to CSV
        raise RowError(
            "wrong_type", "the question is an object written as text; expected text; export the data as JSON Lines"
        )
    prompt = question if isinstance(question, str) else text(mapping(question, "question"), "full_text")
    scores = tuple(number(required(row, name), name) for name in ("score_0", "score_1"))
    record = two_columns(row, prompt, ("answer_0", "answer_1"))
    return replace(record, comparisons=tuple(by_value(scores)), ratings={"overall": scores})


def help_steer(row: Columns) -> Record:
    """HelpSteer 2 and 3 preferences: a whole number, below zero where the first response is better; 0 is a tie.

    HelpSteer 3 also has what each annotator said: their shares are the preference, as for votes.
    """
    names = ("response1", "response2") if row.get("response1") is not None else ("response_1", "response_2")
    column = "overall_preference" if names[0] == "response1" else "preference_strength"
    strength = number(required(row, column), column)
    if abs(strength) > STRONGEST:
        raise RowError("no_judgement", f"{column} is {strength:g}; expected -{STRONGEST} to {STRONGEST}; drop the row")
    prompt = row["context"] if row.get("context") is not None else turns_of(required(row, "prompt"))
    record = two_columns(row, prompt, names)
    (comparison,) = by_value((-strength, 0.0))
    if row.get("individual_preference"):
        comparison = from_shares(comparison, annotators(row["individual_preference"]))
    return replace(record, comparisons=(comparison,))


def annotators(value: Any) -> tuple[int, int, int]:
    """How many annotators preferred the first response, the second, or neither."""
    entries = [
        mapping(entry, f"individual_preference[{at}]")
        for at, entry in enumerate(as_list(value, "individual_preference"))
    ]
    scores = [number(required(entry, "score"), "individual_preference.score") for entry in entries]
    return sum(s < 0 for s in scores), sum(s > 0 for s in scores), sum(s == 0 for s in scores)


def is_help_steer(row: Columns) -> frozenset[str]:
    """The columns of HelpSteer's preferences, where a row has them."""
    return has("response1", "response2", "overall_preference")(row) or has(
        "response_1", "response_2", "preference_strength"
    )(row)


def help_steer_ratings(row: Columns) -> Record:
    """HelpSteer 1 and 2: one response rated in five attributes; its sibling is in the next row."""
    record = candidates({"prompt": turns_of(required(row, "prompt"))}, [text(row, "response")])
    rated = {name: (optional_number(row, name),) for name in HELPSTEER_ATTRIBUTES}
    return replace(record, ratings=rated)


def turns_of(prompt: Any) -> Any:
    """The turns of a HelpSteer prompt: text, with `<extra_id_1>User` and `<extra_id_1>Assistant` between later turns."""
    if not isinstance(prompt, str) or not TURN.search(prompt):
        return prompt
    first, *rest = TURN.split(prompt)
    roles = ["user", *(TURN_ROLES[name] for name in rest[::2])]
    turns = [first, *rest[1::2]]
    if not first:
        roles, turns = roles[1:], turns[1:]
    if roles[-1] != "user":
        raise RowError("no_answer", "the prompt's turns end with the assistant; expected a user turn; drop the row")
    return [{"role": role, "content": content} for role, content in zip(roles, turns, strict=True)]


def shp(row: Columns) -> Record:
    """SHP: two Reddit comments, `labels` 1 where A is preferred and 0 where B is; the scores are their votes."""
    said = required(row, "labels")
    if isinstance(said, bool) or said not in (0, 1):
        raise RowError("no_judgement", f"labels is {str(said)[:40]}; expected 1 (A is better) or 0 (B is better)")
    record = two_columns(row, text(row, "history"), ("human_ref_A", "human_ref_B"))
    scores = (optional_number(row, "score_A"), optional_number(row, "score_B"))
    rated = {} if None in scores else {"overall": scores}
    best = 0 if said == 1 else 1
    agreeing = [c.margin for c in by_value(scores) if c.i == best]
    comparison = Comparison(best, 1 - best, margin=agreeing[0] if agreeing else None)
    return replace(record, comparisons=(comparison,), ratings=rated)


def safe_rlhf(row: Columns) -> Record:
    """PKU-SafeRLHF: which of two responses helps more, which is safer, and whether each is safe at all.

    Without `safer_response_id` (the single-dimension version) the better one is better overall.
    """
    record = two_columns(row, text(row, "prompt"), ("response_0", "response_1"))
    comparisons = tuple(safety_comparisons(row))
    if not comparisons:
        raise RowError("no_judgement", "neither better_response_id nor safer_response_id is given; drop the row")
    safe = [truth(row[name], name) for name in IS_SAFE if row.get(name) is not None]
    rated = {"safe": tuple(safe)} if len(safe) == 2 else {}
    harms = {name: harm_names(row, name) for name in ("response_0_harm_category", "response_1_harm_category")}
    fields = {name: found for name, found in harms.items() if found is not None}
    return replace(record, comparisons=comparisons, ratings=rated, fields=fields)


def safety_comparisons(row: Columns) -> Iterator[Comparison]:
    """Which response helps more, and which is safer, as far as the row says."""
    two_sided = any(row.get(name) is not None for name in ("safer_response_id", *IS_SAFE))
    helpful = "helpful" if two_sided else "overall"
    for attribute, name in ((helpful, "better_response_id"), ("safe", "safer_response_id")):
        best = row.get(name)
        if best is None:
            continue
        if isinstance(best, bool) or best not in (0, 1):
            raise RowError("no_judgement", f"{name} is {str(best)[:40]}; expected 0 or 1; drop the row")
        yield Comparison(int(best), 1 - int(best), attribute=attribute)


def beaver_tails(row: Columns) -> Record:
    """BeaverTails: one response, whether it is safe, and which kinds of harm it does."""
    record = candidates({"prompt": text(row, "prompt")}, [text(row, "response")])
    safe = truth(required(row, "is_safe"), "is_safe")
    harms = harm_names(row, "category")
    return replace(record, ratings={"safe": (safe,)}, fields={} if harms is None else {"harm_category": harms})


def harm_names(row: Columns, name: str) -> str | None:
    """The harms that are true in an object of harms, in its order, as one text; None where there is no such object."""
    if row.get(name) is None:
        return None
    found = {harm: truth(said, f"{name}.{harm}") for harm, said in mapping(row[name], name).items()}
    return "; ".join(harm for harm, said in found.items() if said)


def truth(value: Any, name: str) -> float:
    """1.0 for true, 0.0 for false; anything else is refused."""
    if not isinstance(value, bool):
        raise RowError("wrong_type", f"{name} is {kind(value)}; expected true or false")
    return float(value)


def same_prompt(row: Columns, record: Record) -> Any:
    """What siblings share that stand in rows of their own: the prompt."""
    return record.prompt


def kto(row: Columns) -> Record:
    """KTO's unpaired labels: one answer that was liked (true) or not (false), which becomes its rating 1 or 0."""
    label = "kto_tag" if row.get("kto_tag") is not None else "label"
    rating = {"overall": (truth(required(row, label), label),)}
    whole = first_of(row, KTO_CONVERSATIONS)
    if whole is not None:
        turns = message_list(required(row, whole), whole)
        found = Record(with_system(turns[:-1], row.get("system")), (response(turns[-1:], whole),))
        return replace(found, ratings=rating)
    name = first_of(row, KTO_ANSWERS) or KTO_ANSWERS[0]
    record = candidates({"system": row.get("system")}, [required(row, name)], name, named_prompt(row))
    return replace(record, ratings=rating)


def is_kto(row: Columns) -> frozenset[str]:
    """The columns of one answer with a label true or false."""
    spoken = first_of(row, KTO_CONVERSATIONS)
    if row.get("kto_tag") is not None:
        return marks_of("kto_tag", spoken or first_of(row, KTO_ANSWERS))
    return has("prompt", "completion", "label")(row) or (
        marks_of(spoken, "label") if isinstance(row.get("label"), bool) else NONE
    )


def kto_columns(row: Columns) -> frozenset[str]:
    """The columns that `kto` reads in this row."""
    whole = first_of(row, KTO_CONVERSATIONS)
    if whole is not None:
        return frozenset({whole})
    return prompt_columns(row) | frozenset(filter(None, [first_of(row, KTO_ANSWERS)]))
