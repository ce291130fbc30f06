"""Messages that a file holds as text: as JSON, or as Python writes lists and objects (pandas and many scripts do).

Only a text that is nothing but messages is taken for such; every other text, JSON or not, is somebody's words.
"""

import ast
import re
import warnings
from collections.abc import Mapping
from typing import Any

import orjson

from rewardsmith.data.input.rows import RowError, parse, trusted

ROLE_NAMES = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant", "system": "system"}
TOOL_ROLES = frozenset(
    {"tool", "function", "observation", "function_call", "tool_call", "tool_response", "tool_calls", "ipython"}
)
SPEAKERS = (("role", "content"), ("from", "value"))
"""The names of who speaks and of what is said, in the two ways that data sets have."""
INSIDE = ("messages", "conversations", "conversation")
"""Under which names an object holds messages."""
NOTHING = frozenset({"", "[]", "{}", "null", "None"})
BEGINS = re.compile(r"\s*(?:array\()?[\[({]")
FIRST_KEYS = "|".join(("role", "content", "from", "value", *INSIDE))
BEGINS_AS_MESSAGES = re.compile(rf"\s*(?:array\()?[\[(]?\s*\{{\s*[\"'](?:{FIRST_KEYS})[\"']\s*:")
SAYS_WHO_AND_WHAT = tuple(tuple(re.compile(rf"[\"']{name}[\"']\s*:") for name in names) for names in SPEAKERS)
PARSING_ERRORS = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def parsed(value: Any, name: str) -> Any:
    """The messages that a text holds, as a list or object; any other value as it is.

    RowError("wrong_type") for a text that begins as messages do and is neither JSON nor Python.
    """
    if not isinstance(value, str) or not BEGINS.match(value):
        return value
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        found = python_value(value)
    if is_messages(found):
        return checked(value, found)
    if names_speakers_only(found):
        raise RowError(
            "wrong_type",
            f"{name} is a list of messages without content, written as text; expected text, or whole messages",
        )
    if found is None and BEGINS_AS_MESSAGES.match(value) and says_who_and_what(value):
        raise RowError(
            "wrong_type",
            f"{name} is text that begins as a list of messages and is neither JSON nor Python; expected a list; "
            "export as JSON lines",
        )
    return value


def python_value(text: str) -> Any:
    """What a Python literal holds; None where the text is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a backslash in somebody's words
        try:
            return ast.literal_eval(text.strip())
        except PARSING_ERRORS:
            return None


def checked(text: str, found: Any) -> Any:
    """The messages of a text, held to the rules for rows: no key twice, no half characters, not too deep."""
    try:
        return parse(b'{"messages":' + text.encode() + b"}")["messages"]
    except RowError as error:
        if error.code != "broken_json":
            raise
    return trusted({"messages": found})["messages"]


def is_messages(value: Any) -> bool:
    """Whether a value is a list of messages, an object that holds one, or one message."""
    if isinstance(value, list | tuple):
        return any(map(is_message, value)) and all(speaker_of(entry) is not None for entry in value)
    return isinstance(value, Mapping) and (is_message(value) or any(is_messages(value.get(name)) for name in INSIDE))


def names_speakers_only(value: Any) -> bool:
    """Whether a value is a list of objects that name who speaks in a conversation, and none says what."""
    if not isinstance(value, list | tuple) or not value:
        return False
    speakers = [entry.get("role", entry.get("from")) if isinstance(entry, Mapping) else None for entry in value]
    return all(isinstance(speaker, str) and speaker in ROLE_NAMES for speaker in speakers)


def is_message(value: Any) -> bool:
    """Whether a value is one message of somebody who speaks in conversations."""
    speaker = speaker_of(value)
    return isinstance(speaker, str) and (speaker in ROLE_NAMES or speaker in TOOL_ROLES)


def speaker_of(value: Any) -> Any:
    """Who speaks in an object that says who and what; None for any other value."""
    if not isinstance(value, Mapping):
        return None
    return next((value[who] for who, what in SPEAKERS if who in value and what in value), None)


def says_who_and_what(text: str) -> bool:
    """Whether the names of who speaks and what is said stand in a text."""
    return any(all(pattern.search(text) for pattern in patterns) for patterns in SAYS_WHO_AND_WHAT)


def inside(value: Any) -> Any:
    """The list of messages in an object that holds one; any other value as it is."""
    if isinstance(value, Mapping) and speaker_of(value) is None:
        return next((value[name] for name in INSIDE if isinstance(value.get(name), list)), value)
    return value


def is_nothing(value: Any) -> bool:
    """Whether a value says that there is nothing: null, false, empty, or the text of an empty list or object."""
    if isinstance(value, str):
        return "".join(value.split()) in NOTHING
    return not value
