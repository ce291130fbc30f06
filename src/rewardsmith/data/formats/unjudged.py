"""Formats without a judgement: responses that await scoring."""

from dataclasses import replace

from rewardsmith.data.formats.building import candidates, first_of, marks_of
from rewardsmith.data.formats.dialogues import message_list, response, with_system
from rewardsmith.data.input.fields import Columns, optional_number, required
from rewardsmith.data.input.rows import RowError
from rewardsmith.records import Record

ANSWERS = ("response", "completion")
CONVERSATIONS = ("messages", "conversations", "conversation")


def single(row: Columns) -> Record:
    """One prompt with one response, to be scored; `score` becomes its rating."""
    name = first_of(row, ANSWERS) or ANSWERS[0]
    record = candidates({key: row.get(key) for key in ("prompt", "system")}, [required(row, name)])
    score = optional_number(row, "score")
    return record if score is None else replace(record, ratings={"overall": (score,)})


def is_single(row: Columns) -> frozenset[str]:
    """The columns of a prompt with one response."""
    return marks_of(first_of(row, ("prompt",)), first_of(row, ANSWERS))


def whole_conversation(row: Columns) -> Record:
    """One conversation in `messages` (or `conversations`), to be scored: its last turn is the response."""
    name = first_of(row, CONVERSATIONS) or CONVERSATIONS[0]
    turns = message_list(required(row, name), name)
    if not turns:
        raise RowError("empty_response", f"{name} is empty; expected a response; drop the row")
    return Record(with_system(turns[:-1], row.get("system")), (response(turns[-1:], name),))


def is_conversation(row: Columns) -> frozenset[str]:
    """The column of a row that is one whole conversation."""
    return marks_of(first_of(row, CONVERSATIONS))


def answer_column(row: Columns) -> frozenset[str]:
    """The column that `single` reads the response from."""
    return frozenset(filter(None, [first_of(row, ANSWERS)]))


def conversation_column(row: Columns) -> frozenset[str]:
    """The column that `whole_conversation` reads."""
    return frozenset(filter(None, [first_of(row, CONVERSATIONS)]))
