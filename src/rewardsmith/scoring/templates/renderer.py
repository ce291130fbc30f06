"""Chat templates: pinned in time, rendered with the content's place known.

A template is part of the scoring contract: its text is stored, calls of a clock are replaced by a stored date, and it
is always rendered without a generation prompt.
"""

import datetime
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import TemplateSyntaxError

from rewardsmith.errors import ContractError, ModelError, first_line
from rewardsmith.records import ROLES, Message
from rewardsmith.scoring.templates.clock import pin_clock
from rewardsmith.scoring.templates.sandbox import WorkError, render, written_by

UNPINNED = datetime.date(2025, 1, 1)
"""What a template that is not pinned yet reads, as where it is asked for its last token."""
MOST_FRAMES = 1024
NAMED_ROLES = 20  # in a message about a conversation
WHITESPACE: tuple[Callable[[str], str], ...] = (
    str,
    str.strip,
    str.rstrip,
    str.lstrip,
    lambda text: text.strip("\n"),
    lambda text: text.lstrip("\n"),
    lambda text: text.rstrip("\n"),
)
"""What a template may leave of a content."""

# For a decoder whose tokenizer has no template (base models): roles in words, the end token after the last turn.
PLAIN_DECODER = (
    "{{ bos_token if bos_token else '' }}{% for message in messages %}"
    "{{ message['role'] + ': ' + message['content'] + '\\n\\n' }}{% endfor %}{{ eos_token if eos_token else '' }}"
)
# Encoders read one segment; [CLS] and [SEP] are written here because `apply_chat_template` adds none.
PLAIN_ENCODER = (
    "{{ cls_token }}{% for message in messages %}"
    "{{ message['role'] + ': ' + message['content'] + sep_token }}{% endfor %}"
)


@dataclass(frozen=True)
class Content:
    """Where in a rendered text the content of a message stands."""

    message: int
    start: int
    end: int


@dataclass(frozen=True)
class TextPiece:
    """A stretch of rendered text; `literal` is content that must not become a control token.

    `contents` are those of the other contents that stand in it, None where the template rewrites them, so that nothing
    tells which characters are whose. `frame` is the same text with placeholders for contents; of a part of a text "".
    """

    text: str
    literal: bool = False
    contents: tuple[Content, ...] | None = ()
    frame: str = ""


class Renderer:
    """Messages to rendered text with one tokenizer and one template, which is pinned to `date` where it is not yet."""

    def __init__(
        self,
        tokenizer: Any,
        template: str,
        *,
        kwargs: Mapping[str, Any],
        default_system: str | None = None,
        date: datetime.date = UNPINNED,
    ) -> None:
        self.tokenizer = tokenizer
        self.kwargs = dict(kwargs)
        self.default_system = default_system
        try:
            self.template = pin_clock(template, date)
        except (TemplateSyntaxError, RecursionError) as error:
            raise ContractError(f"the chat template is not a valid Jinja template: {first_line(error)}") from error
        self.frames: dict[object, list[str]] = {}
        self.control_strings = special_strings(tokenizer) | self._markers()
        by_length = sorted(self.control_strings, key=len, reverse=True)
        self.special_pattern = re.compile("|".join(map(re.escape, by_length)) if by_length else r"(?!)")
        self.trims = self._trims_content()

    def render(self, messages: Sequence[Message]) -> str:
        """The text that is scored, contents in place."""
        return self._apply(self.complete(messages))

    def pieces(self, messages: Sequence[Message], apart: frozenset[int] = frozenset()) -> list[TextPiece]:
        """The rendered text as pieces: one piece, unless a content spells a control token or is among `apart`.

        Such a content is rendered as a placeholder and put back afterwards as a literal piece of its own, so that no
        template and no tokenizer can take it for a control token. Messages are counted as `complete` gives them.
        """
        messages = self.complete(messages)
        held = {k for k, m in enumerate(messages) if k in apart or self.special_pattern.search(m.content)}
        attempt = unused_attempt(messages) if held else 0
        shown = [replace(m, content=placeholder(k, attempt)) if k in held else m for k, m in enumerate(messages)]
        rendered = self._apply(shown)
        contents, frame = self._contents(shown, rendered)
        if shown == messages:
            return [TextPiece(rendered, contents=contents, frame=frame)]
        literal = {placeholder(k, attempt): messages[k].content for k in held}
        return self._put_back(rendered, re.compile(f"({placeholder('[0-9]+', attempt)})"), literal, contents)

    def _put_back(
        self,
        rendered: str,
        placeholders: re.Pattern[str],
        literal: Mapping[str, str],
        contents: tuple[Content, ...] | None,
    ) -> list[TextPiece]:
        pieces, start = [], 0
        for part in placeholders.split(rendered):
            end = start + len(part)
            if part in literal:
                pieces.append(TextPiece(literal[part].strip() if self.trims else literal[part], literal=True))
            elif part:
                pieces.append(TextPiece(part, contents=contents and contents_within(contents, start, end)))
            start = end
        return pieces

    def _contents(self, messages: Sequence[Message], rendered: str) -> tuple[tuple[Content, ...] | None, str]:
        """Where the contents stand, found with the frame that the template writes around contents like these."""
        frame = self._frame(messages)
        found, at = [], 0
        for number, part in enumerate(frame):
            if number % 2 == 0:  # the template's own
                if not rendered.startswith(part, at):
                    return None, "".join(frame)
                at += len(part)
                continue
            behind = frame[number + 1]
            for shape in WHITESPACE:
                text = shape(messages[int(part)].content)
                if rendered.startswith(text, at) and rendered.startswith(behind, at + len(text)):
                    break
            else:
                return None, "".join(frame)
            found.append(Content(int(part), at, at + len(text)))
            at += len(text)
        return (tuple(found) if at == len(rendered) else None), "".join(frame)

    def _frame(self, messages: Sequence[Message]) -> list[str]:
        """What the template writes, and between that the numbers of the messages whose contents stand there."""
        key = (self.template, *((m.role, m.content if not m.content.strip() else None) for m in messages))
        if key not in self.frames:
            if len(self.frames) >= MOST_FRAMES:
                self.frames.clear()
            held = [replace(m, content=placeholder(k, 0)) if m.content.strip() else m for k, m in enumerate(messages)]
            try:
                self.frames[key] = re.split(PLACEHOLDER, self._apply(held))
            except ContractError:  # it asks something of the contents
                self.frames[key] = []
        return self.frames[key]

    def complete(self, messages: Sequence[Message]) -> list[Message]:
        """Add the stored default system prompt where the conversation has none."""
        if self.default_system is not None and (not messages or messages[0].role != "system"):
            return [Message("system", self.default_system), *messages]
        return list(messages)

    def _apply(self, messages: Sequence[Message]) -> str:
        try:
            text = self._rendered([{"role": message.role, "content": message.content} for message in messages])
        except (WorkError, MemoryError) as error:
            raise ModelError(
                "the chat template was stopped: it loops endlessly or renders unlimited text; use another template"
            ) from error
        except Exception as error:  # jinja2 raises many kinds, all of them about this conversation
            roles = (
                ", ".join([*(m.role for m in messages[:NAMED_ROLES]), *("…" for _ in messages[NAMED_ROLES:][:1])])
                or "none"
            )
            raise ContractError(
                f"the chat template rejects this conversation (roles: {roles}): {first_line(error)}"
            ) from error
        return text

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        """As `apply_chat_template` of transformers renders; a tokenizer class with a way of its own is asked itself."""
        tokenizer, own = self.tokenizer, {"add_generation_prompt": False, **self.kwargs}
        if not messages:
            raise ValueError("the conversation has no error messages")
        if not type(tokenizer).apply_chat_template.__module__.startswith("transformers.tokenization_utils"):
            return str(tokenizer.apply_chat_template(messages, tokenize=False, chat_template=self.template, **own))
        variables = {"tools": None, "documents": None, **tokenizer.special_tokens_map, **own, "messages": messages}
        return render(self.template, variables, characters=sum(len(m["content"]) for m in messages))

    def _markers(self) -> set[str]:
        """Added tokens that the tokenizer does not call special but the template writes, as `<think>` or `<|user|>`.

        White space is left out: templates hold it as ordinary text.
        """
        ordinary = not_special(self.tokenizer)
        if not ordinary:
            return set()
        text = written_by(self.template)
        named = set(getattr(self.tokenizer, "chat_control_tokens", None) or ())
        found = {token for token in ordinary.values() if token in text or token in named}
        for role in ROLES:  # put together from what the template and the role say
            found |= {ordinary[index] for index in self._turn_of(role) if index in ordinary}
        return found

    def _turn_of(self, role: str) -> list[int]:
        """The token ids of a short conversation that ends with `role`; none where the template refuses it."""
        try:
            rendered = self._apply([Message("user", "x"), Message(role, "x")])
        except ContractError:
            return []
        ids: list[int] = self.tokenizer(rendered, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _trims_content(self) -> bool:
        probe = "  rewardsmith-probe  "
        try:
            return probe not in self._apply([Message("user", probe)])
        except ContractError:
            return False


def special_strings(tokenizer: Any) -> set[str]:
    """Every string that the tokenizer calls special."""
    added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    return {string for string in added | set(tokenizer.all_special_tokens) if string}


def not_special(tokenizer: Any) -> dict[int, str]:
    """Added tokens by id that the tokenizer does not call special, without white space."""
    added = tokenizer.added_tokens_decoder
    return {index: token.content for index, token in added.items() if not token.special and token.content.strip()}


PLACEHOLDER = "\ue000([0-9]+)x[0-9]+\ue001"


def placeholder(index: int | str, attempt: int) -> str:
    """A string of private-use characters for a message; `index` may be a pattern for the numbers of all of them."""
    return f"\ue000{index}x{attempt}\ue001"


def unused_attempt(messages: Sequence[Message]) -> int:
    """An attempt whose placeholders stand in none of the contents."""
    for attempt in range(1000):
        end = f"x{attempt}\ue001"
        if not any(end in message.content for message in messages):
            return attempt
    raise ContractError("a content contains a thousand private-use markers; it cannot be scored")


def contents_within(contents: Sequence[Content], start: int, end: int) -> tuple[Content, ...]:
    """Of contents in the order of the text, those from `start` to `end`, placed within that part."""
    first = bisect_left(contents, start, key=lambda content: content.start)
    last = bisect_right(contents, end, key=lambda content: content.end)
    return tuple(Content(c.message, c.start - start, c.end - start) for c in contents[first:last])
