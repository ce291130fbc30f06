"""Benchmarks in layouts of their own: best-of-N lists, choices with marks, and answers rated one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from rewardsmith.data.formats.building import candidates, named_prompt, ordered
from rewardsmith.data.formats.dialogues import conversation, message_list, response, with_system
from rewardsmith.data.formats.written import python_value
from rewardsmith.data.input.fields import Columns, as_list, as_text, items, mapping, number, required, text
from rewardsmith.data.input.rows import RowError, trusted
from rewardsmith.records import Conversation, Record, Response

FEEDBACK_QA = {"bad": 0.0, "could-be-improved": 1.0, "acceptable": 2.0, "excellent": 3.0}
"""What FeedbackQA's annotators could say of an answer, with the numbers of its own code."""


def hhh(row: Columns) -> Record:
    """HHH alignment: `targets` has choices and a label for each, 1 where it is the right one."""
    targets = mapping(structure(required(row, "targets"), "targets"), "targets")
    choices, labels = (as_list(required(targets, name), f"targets.{name}") for name in ("choices", "labels"))
    if len(choices) != len(labels) or not all(label in (0, 1) and not isinstance(label, bool) for label in labels):
        raise RowError("no_judgement", "targets.labels failed 1 or 0 for each choice; drop the row")
    prompt = conversation(text(row, "input"), "input", role="user")
    answers = [spoken(choice, f"targets.choices[{at}]") for at, choice in enumerate(choices)]
    right, wrong = ([answer for answer, label in zip(answers, labels, strict=True) if label == side] for side in (1, 0))
    return ordered(with_system(prompt, row.get("system")), right, wrong)


def rmb_best_of_n(row: Columns) -> Record:
    """RMB's best-of-N set: one answer that beats each of several others."""
    best = answer_of(required(row, "bon_best"), "bon_best")
    losers = as_list(structure(required(row, "loser_list"), "loser_list"), "loser_list")
    others = [answer_of(each, f"loser_list[{at}]") for at, each in enumerate(losers)]
    return ordered(rmb_prompt(row), [best], others)


def rmb_pair(row: Columns) -> Record:
    """RMB's pairwise set: `chosen` is better than `reject`."""
    return ordered(rmb_prompt(row), *([answer_of(required(row, name), name)] for name in ("chosen", "reject")))


def rmb_prompt(row: Columns) -> Conversation:
    """The conversation that was to be continued."""
    return with_system(message_list(required(row, "conversation_input"), "conversation_input"), row.get("system"))


def answer_of(value: Any, name: str) -> Response:
    """An answer with the model that gave it."""
    entry = mapping(structure(value, name), name)
    model = entry.get("llm_name")
    return spoken(required(entry, "answer"), name, None if model is None else as_text(model, f"{name}.llm_name"))


def spoken(value: Any, name: str, generator: str | None = None) -> Response:
    """A text, or messages, as a response."""
    return response(conversation(value, name, role="assistant"), name, generator=generator)


def feedback_qa(row: Columns) -> Record:
    """FeedbackQA: a passage as the answer to a question, rated by several annotators; their mean is its rating."""
    said = as_list(structure(required(row, "rating"), "rating"), "rating")
    values = [
        FEEDBACK_QA.get("-".join(as_text(one, f"rating[{at}]").casefold().split())) for at, one in enumerate(said)
    ]
    known = [value for value in values if value is not None]
    if not known or len(known) != len(values):
        raise RowError("no_judgement", f"rating is {str(said)[:60]}; expected some of {', '.join(FEEDBACK_QA)}")
    record = candidates(row, [passage_text(row)], "passage", named_prompt(row))
    return replace(record, ratings={"overall": (sum(known) / len(known),)})


def passage_text(row: Columns) -> str:
    """What FeedbackQA shows of a passage: its last header, and its content."""
    passage = structure(required(row, "passage"), "passage")
    if isinstance(passage, str):
        return passage
    reference = mapping(required(mapping(passage, "passage"), "reference"), "passage.reference")
    headers = structure(reference.get("section_headers") or [], "section_headers")
    shown = [as_text(header, "section_headers") for header in as_list(headers, "section_headers")[-1:]]
    return "\n\n".join((*shown, as_text(required(reference, "section_content"), "section_content")))


def prometheus_rating(row: Columns) -> Record:
    """Prometheus' feedback sets: one response with a score from 1 to 5, which stands there as text."""
    said = required(row, "orig_score")
    if isinstance(said, str):
        if said.strip() not in ("1", "2", "3", "4", "5"):
            raise RowError("wrong_type", f"orig_score is {said[:20]!r}; expected 1 to 5")
        said = int(said)
    prompt = conversation(text(row, "orig_instruction"), "orig_instruction", role="user")
    record = candidates({"system": row.get("system")}, [text(row, "orig_response")], "orig_response", prompt)
    return replace(record, ratings={"overall": (number(said, "orig_score"),)})


def ranked_completions(row: Columns) -> tuple[Conversation, Sequence[Any], list[float]]:
    """NeMo's rows: the conversation, its completions, and the rank of each, the lowest the best."""
    prompt = conversation(required(row, "context"), "context", role="user")
    entries = [mapping(entry, f"completions[{at}]") for at, entry in enumerate(items(row, "completions"))]
    ranks = [number(required(entry, "rank"), f"completions[{at}].rank") for at, entry in enumerate(entries)]
    return prompt, [required(entry, "completion") for entry in entries], ranks


def structure(value: Any, name: str) -> Any:
    """A list or object that may stand there as text, JSON or Python; any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        found = python_value(value)
    if not isinstance(found, list | tuple | Mapping):
        raise RowError("wrong_type", f"{name} is text; expected a list or an object; export the data as JSON Lines")
    return trusted({"value": found})["value"]
