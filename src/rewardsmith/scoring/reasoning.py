"""Reasoning that a message keeps apart from its content: scored as part of it, or left out, as the contract says."""

from rewardsmith.records import Conversation, Message

OMIT = "omit"
THINK = "think"
WAYS = (OMIT, THINK)
"""Left out; or before the content in think tags, as most models write it."""


def spoken(turns: Conversation, way: str) -> Conversation:
    """The turns as they are rendered: no reasoning apart, that of the assistant in its content where `way` is THINK."""
    if not has_reasoning(turns):
        return turns
    return tuple(Message(turn.role, said(turn) if way == THINK else turn.content) for turn in turns)


def has_reasoning(turns: Conversation) -> bool:
    """Whether any turn has reasoning of its own."""
    return any(turn.reasoning is not None for turn in turns)


def said(turn: Message) -> str:
    """The content with the reasoning before it, in the form of the templates that render `reasoning_content`."""
    if turn.reasoning is None:
        return turn.content
    thoughts = turn.reasoning.strip("\n")
    return f"<think>\n{thoughts}\n</think>\n\n{turn.content}"
