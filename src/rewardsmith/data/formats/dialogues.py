"""Conversations in the shapes data sets use, as tuples of Message: message lists and `Human: … Assistant: …` text."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.data.input.fields import as_list, as_text, mapping, required
from rewardsmith.data.input.rows import RowError, kind
from rewardsmith.records import Conversation, Message, Response

ROLE_NAMES = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant", "system": "system"}
TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")
DIALOGUE_ROLES = {"Human": "user", "Assistant": "assistant"}
TOOL_KEYS = ("tool_calls", "function_call", "tool_call_id")
MEDIA_KEYS = ("images", "image", "audio", "videos", "video")


def message(value: Any, name: str) -> Message:
    """One message from {"role", "content"} or {"from", "value"}; tools and images are refused until supported."""
    entry = mapping(value, name)
    refuse_unsupported(entry, name)
    keys = ("from", "value") if "from" in entry else ("role", "content")
    role = as_text(required(entry, keys[0]), f"{name}.{keys[0]}")
    if role in ("tool", "function", "observation", "function_call"):
        raise RowError("tool_calls", f"{name} is a tool message; tool use is not supported yet; drop the row")
    if role not in ROLE_NAMES:
        raise RowError("unknown_role", f"{name} has the role {role!r}; expected one of {', '.join(ROLE_NAMES)}")
    content = required(entry, keys[1])
    if isinstance(content, list):
        content = only_text(content, name)
    return Message(ROLE_NAMES[role], as_text(content, f"{name}.{keys[1]}"))


def only_text(parts: list[Any], name: str) -> Any:
    """The text of content that is a list with one text part and nothing else; how parts would be joined is unknown."""
    part = parts[0] if len(parts) == 1 else None
    if isinstance(part, Mapping) and {key for key, value in part.items() if value is not None} == {"type", "text"}:
        return part["text"]
    raise RowError(
        "multimodal", f"{name} has content parts, such as images; expected text; only plain text is supported"
    )


def refuse_unsupported(entry: Mapping[str, Any], name: str) -> None:
    """Refuse a message or row that carries tool calls or media."""
    for key in TOOL_KEYS:
        if entry.get(key):
            raise RowError("tool_calls", f"{name} has {key}; tool use is not supported yet; drop the row")
    for key in MEDIA_KEYS:
        if entry.get(key):
            raise RowError("multimodal", f"{name} has {key}; expected text; only plain text is supported")


def message_list(value: Any, name: str) -> Conversation:
    """A list of messages."""
    return tuple(message(entry, f"{name}[{at}]") for at, entry in enumerate(as_list(value, name)))


def is_dialogue(value: Any) -> bool:
    """Whether a text is a `Human: … Assistant: …` dialogue in the format of Anthropic's HH."""
    if not isinstance(value, str):
        return False
    return value.startswith(("\n\nHuman:", "\n\nAssistant:")) or (
        value.startswith("Human: ") and "\n\nAssistant:" in value
    )


def dialogue(value: str) -> Conversation:
    """The turns of a dialogue text; the one space after each role's colon belongs to the format, not to the words."""
    pieces = TURN.split(value)
    turns = zip(pieces[1::2], pieces[2::2], strict=True)
    return tuple(Message(DIALOGUE_ROLES[role], content.removeprefix(" ")) for role, content in turns)


def conversation(value: Any, name: str, *, role: str) -> Conversation:
    """A prompt or an answer: a message list, a dialogue text (prompts only), or plain text spoken by `role`."""
    if isinstance(value, list):
        return message_list(value, name)
    if not isinstance(value, str):
        raise RowError("wrong_type", f"{name} is {kind(value)}; expected text or a list of messages")
    if role == "user" and is_dialogue(value):
        turns = dialogue(value)
        # A prompt in this format ends with the cue "Assistant:", which is no turn yet.
        return turns[:-1] if turns[-1] == Message("assistant", "") else turns
    return (Message(role, value),) if value or role == "assistant" else ()


def with_system(prompt: Conversation, system: Any) -> Conversation:
    """The prompt with the text of a `system` column before it; refused where it has another system turn already."""
    if system is None or system == "":
        return prompt
    first = Message("system", as_text(system, "system"))
    if prompt and prompt[0].role == "system":
        if prompt[0] != first:
            raise RowError(
                "system_conflict", "the system column and the prompt's system turn differ; expected only one of them"
            )
        return prompt
    return (first, *prompt)


def split_common(conversations: Sequence[Conversation]) -> tuple[Conversation, list[Conversation]]:
    """The turns all conversations share, and the rest of each, which keeps at least its last turn."""
    shared = 0
    most = min(len(turns) for turns in conversations) - 1
    while shared < most and len({turns[shared] for turns in conversations}) == 1:
        shared += 1
    return conversations[0][:shared], [turns[shared:] for turns in conversations]


def without_prompt(answer: Conversation, prompt: Conversation, name: str) -> Conversation:
    """An answer that repeats the prompt's turns, without them; one that goes on with a user turn is refused."""
    spoken = tuple(turn for turn in prompt if turn.role != "system")
    for opening in (prompt, spoken):
        if opening and answer[: len(opening)] == opening:
            return answer[len(opening) :]
    if answer and answer[0].role != "assistant":
        raise RowError(
            "prompt_conflict", f"{name} begins with a {answer[0].role} turn that is not the prompt; expected a response"
        )
    return answer


def response(messages: Conversation, name: str, *, generator: str | None = None) -> Response:
    """A response that ends with words of the assistant; RowError("empty_response") or ("no_answer") for others."""
    if not messages:
        raise RowError("empty_response", f"{name} is empty; expected a response; drop the row")
    if messages[-1].role != "assistant":
        raise RowError("no_answer", f"{name} ends with a {messages[-1].role} turn; expected an assistant turn")
    if not messages[-1].content.strip():
        raise RowError("empty_response", f"{name} is empty; expected a response; drop the row")
    return Response(messages, generator)
