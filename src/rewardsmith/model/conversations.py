"""What a caller of the Python API writes as a conversation → messages and records; DataError for anything else."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from rewardsmith.data.formats.dialogues import reasoning_of
from rewardsmith.data.formats.steps import by_steps
from rewardsmith.errors import DataError
from rewardsmith.records import Conversation, Message, Record, Response, Turns
from rewardsmith.settings.values import shown


def several(values: Any, function: str) -> Iterable[Any]:
    """Conversations or texts one by one; DataError for one text, and for rows, of which only column names would come."""
    if isinstance(values, (str, bytes)):
        raise DataError(f"{function} got one text; expected a list: {function}([text])")
    table = any(hasattr(values, name) for name in ("columns", "column_names", "records"))
    if table or isinstance(values, (Mapping, Set)) or not isinstance(values, Iterable):
        raise DataError(
            f"{function} got {shown(values)}; expected a list of conversations or texts; pass one column as a list, or "
            "score whole rows with rewardsmith.score(model, rows)"
        )
    return values


def as_messages(turns: Turns, *, role: str) -> Conversation:
    """A conversation from text (one message of `role`), messages, or role/content mappings."""
    if isinstance(turns, str):
        return (Message(role, turns),)
    if isinstance(turns, Mapping) or not isinstance(turns, Iterable):
        raise DataError(
            f"got {shown(turns)} as a conversation; expected text or a list of messages with 'role' and 'content'; "
            "score whole rows with rewardsmith.score(model, rows)"
        )
    messages = []
    for turn in turns:
        if isinstance(turn, Message):
            messages.append(turn)
        elif isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str):
            messages.append(Message(turn["role"], turn["content"], reasoning_of(turn, [], "the message")))
        else:
            raise DataError(f"expected a message with text 'role' and 'content', got {str(turn)[:80]!r}")
    return tuple(messages)


def one_response(turns: Turns) -> Record:
    """A conversation as a record with one response: its last message, which must be the assistant's."""
    messages = as_messages(turns, role="assistant")
    if not messages or messages[-1].role != "assistant":
        found = messages[-1].role if messages else "nothing"
        raise DataError(f"a conversation to score must end with an assistant turn, got {found}")
    return Record(messages[:-1], (Response(messages[-1:]),))


def as_candidates(prompt: Turns, responses: object) -> Record:
    """A prompt and the texts of K >= 1 responses as a record; DataError for anything else."""
    texts = list(several(responses, "rank"))
    if not texts or not all(isinstance(text, str) for text in texts):
        raise DataError(f"rank got {shown(texts)} as responses; expected a list with at least one text")
    return Record(as_messages(prompt, role="user"), tuple(Response((Message("assistant", text),)) for text in texts))


def as_solution(prompt: Turns, steps: object) -> Record:
    """A prompt and the texts of a solution's steps as a record; DataError for anything else, or an empty step."""
    texts = list(several(steps, "step_values"))
    if not all(isinstance(text, str) for text in texts):
        raise DataError(f"step_values got {shown(texts)} as steps; expected a list of texts")
    return by_steps(as_messages(prompt, role="user"), texts, [None] * len(texts))
