"""Conversations in the shapes data sets use, as tuples of Message: message lists and `Human: … Assistant: …` text."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.data.formats.written import ROLE_NAMES, TOOL_ROLES, inside, is_nothing, parsed, speaker_of
from rewardsmith.data.input.fields import as_list, as_text, mapping, required
from rewardsmith.data.input.rows import RowError, kind
from rewardsmith.records import Conversation, Message, Response

TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")
DIALOGUE_ROLES = {"Human": "user", "Assistant": "assistant"}
TOOL_KEYS = ("tool_calls", "function_call", "tool_call_id")
MEDIA_KEYS = ("images", "image", "audio", "audios", "videos", "video")
REASONING_KEYS = ("reasoning_content", "thinking", "reasoning")
THINKING_PARTS = ("thinking", "reasoning")
"""Types of content parts that hold reasoning, under the same name."""


def message(value: Any, name: str) -> Message:
    """One message from {"role", "content"} or {"from", "value"}; tools and images are refused until supported."""
    entry = mapping(value, name)
    refuse_unsupported(entry, name)
    keys = ("from", "value") if entry.get("from") is not None else ("role", "content")
    role = as_text(required(entry, keys[0]), f"{name}.{keys[0]}")
    if role in TOOL_ROLES:
        raise RowError("tool_calls", f"{name} is a tool message; tool use is not supported yet; drop the row")
    if role not in ROLE_NAMES:
        raise RowError("unknown_role", f"{name} has the role {role!r}; expected one of {', '.join(ROLE_NAMES)}")
    content, thoughts = content_of(required(entry, keys[1]), name)
    return Message(ROLE_NAMES[role], as_text(content, f"{name}.{keys[1]}"), reasoning_of(entry, thoughts, name))


def content_of(content: Any, name: str) -> tuple[Any, list[Any]]:
    """What is said, and the thoughts before it, of content that is text or a list with one text part.

    A list with more parts, or others than texts and thoughts, is refused: how they would be joined is unknown.
    """
    if not isinstance(content, list):
        return content, []
    thoughts = [part[key] for part in content for key in THINKING_PARTS if is_part(part, key)]
    spoken = [part["text"] for part in content if is_part(part, "text")]
    if len(spoken) != 1 or len(thoughts) + 1 != len(content):
        raise RowError(
            "multimodal", f"{name} has content parts, such as images; expected text; only plain text is supported"
        )
    return spoken[0], thoughts


def is_part(part: Any, kind_of_part: str) -> bool:
    """Whether a part of a content is of this type and holds nothing else."""
    if not isinstance(part, Mapping) or part.get("type") != kind_of_part:
        return False
    held = {key for key, value in part.items() if value is not None}
    return held - {"signature"} == {"type", kind_of_part}


def reasoning_of(entry: Mapping[str, Any], thoughts: list[Any], name: str) -> str | None:
    """The reasoning that a message keeps apart from its content; None without. The same under two names counts once."""
    given = {as_text(value, f"{name}.{key}") for key in REASONING_KEYS if (value := entry.get(key)) is not None}
    given |= {as_text(thought, f"{name}.content") for thought in thoughts}
    given = {text for text in given if text.strip()}
    if len(given) > 1:
        raise RowError("two_columns", f"{name} has two different texts of reasoning; expected one; drop one")
    return given.pop() if given else None


def refuse_unsupported(entry: Mapping[str, Any], name: str) -> None:
    """Refuse a message or row that carries tool calls or media."""
    for key in TOOL_KEYS:
        if not is_nothing(entry.get(key)):
            raise RowError("tool_calls", f"{name} has {key}; tool use is not supported yet; drop the row")
    for key in MEDIA_KEYS:
        if not is_nothing(entry.get(key)):
            raise RowError("multimodal", f"{name} has {key}; expected text; only plain text is supported")


def message_list(value: Any, name: str) -> Conversation:
    """A list of messages, also as text or inside of an object; one message alone is a list of one."""
    value = inside(parsed(value, name))
    if speaker_of(value) is not None:
        return (message(value, name),)
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
    """A prompt or an answer: messages, a dialogue text (prompts only), or plain text spoken by `role`."""
    value = inside(parsed(value, name))
    if isinstance(value, list) or speaker_of(value) is not None:
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


def answers_to(
    prompt: Conversation, answers: Sequence[Conversation], names: Sequence[str]
) -> tuple[Conversation, list[Conversation]]:
    """The prompt of several answers and what each says after it; answers may repeat its turns.

    Where all of them begin with the same turns, and the prompt (without its system turn, which they may leave out) is among
    those, the shared turns are the prompt: the row's prompt is then one turn of a conversation, or lacks its system turn.
    """
    after = [without_prompt(turns, prompt) for turns in answers]
    if all(after):
        return moved(prompt, [turns for turns in after if turns])
    if all(answers):
        shared, rest = split_common(answers)
        if holds(shared, spoken_turns(prompt)):
            return with_system_of(prompt, shared), rest
    number = next(at for at, turns in enumerate(after) if not turns)
    raise refusal_of(prompt, answers[number], names[number])


def refusal_of(prompt: Conversation, turns: Conversation, name: str) -> RowError:
    """Why an answer says nothing after its prompt; RowError of its own where it is no response at all."""
    if not turns or turns in (prompt, spoken_turns(prompt)):
        return RowError("empty_response", f"{name} is empty; expected a response; drop the row")
    response(turns, name)
    return RowError(
        "prompt_conflict", f"{name} begins with a {turns[0].role} turn that is not the prompt; expected a response"
    )


def moved(prompt: Conversation, answers: list[Conversation]) -> tuple[Conversation, list[Conversation]]:
    """Turns with which all of several answers begin, as part of the prompt: each keeps at least its last turn."""
    if len(answers) < 2:
        return prompt, answers
    shared, rest = split_common(answers)
    return prompt + shared, rest


def without_prompt(answer: Conversation, prompt: Conversation) -> Conversation | None:
    """An answer without the prompt's turns, where it repeats them; None where it begins otherwise, or says nothing."""
    for opening in (prompt, spoken_turns(prompt)):
        if opening and answer[: len(opening)] == opening:
            return answer[len(opening) :] or None
    return answer if answer and answer[0].role == "assistant" else None


def spoken_turns(turns: Conversation) -> Conversation:
    """A conversation without its system turns."""
    return tuple(turn for turn in turns if turn.role != "system")


def holds(turns: Conversation, part: Conversation) -> bool:
    """Whether some turns stand one after another among others; no turns are nowhere."""
    return bool(part) and any(turns[at : at + len(part)] == part for at in range(len(turns)))


def with_system_of(prompt: Conversation, shared: Conversation) -> Conversation:
    """The shared turns with the system turn of the prompt; refused where they have another one."""
    said = [turn for turn in prompt if turn.role == "system"]
    return with_system(shared, said[0].content) if said else shared


def response(messages: Conversation, name: str, *, generator: str | None = None) -> Response:
    """A response that ends with words of the assistant; RowError("empty_response") or ("no_answer") for others."""
    if not messages:
        raise RowError("empty_response", f"{name} is empty; expected a response; drop the row")
    if messages[-1].role != "assistant":
        raise RowError("no_answer", f"{name} ends with a {messages[-1].role} turn; expected an assistant turn")
    if not messages[-1].content.strip():
        raise RowError("empty_response", f"{name} is empty; expected a response; drop the row")
    return Response(messages, generator)
