"""Chat templates: pinned in time, rendered with the content's place known.

A template is part of the scoring contract: its text is stored, calls of a clock are replaced by a stored date, and it
is always rendered without a generation prompt.
"""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rewardsmith.errors import ContractError
from rewardsmith.files import hash_text
from rewardsmith.records import Message

CLOCK_CALL = re.compile(r"strftime_now\(\s*(['\"])(.*?)\1\s*\)")

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


def pin_clock(template: str, date: datetime.date) -> str:
    """Replace every `strftime_now("…")` by the text it gives on `date`, so that a reward cannot change overnight."""
    return CLOCK_CALL.sub(lambda call: repr(date.strftime(call[2])), template)


@dataclass(frozen=True)
class Piece:
    """A stretch of rendered text; `literal` is content that spells a special token and must not become one."""

    text: str
    literal: bool = False


class Renderer:
    """Messages to rendered text with one tokenizer and one pinned template."""

    def __init__(
        self, tokenizer: Any, template: str, *, kwargs: Mapping[str, Any], default_system: str | None = None
    ) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.kwargs = dict(kwargs)
        self.default_system = default_system
        specials = sorted(special_strings(tokenizer), key=len, reverse=True)
        self.special_pattern = re.compile("|".join(map(re.escape, specials))) if specials else re.compile(r"(?!)")
        self.trims = self._trims_content()

    def render(self, messages: Sequence[Message]) -> str:
        """The text that is scored, contents in place."""
        return self._apply([{"role": message.role, "content": message.content} for message in self._complete(messages)])

    def pieces(self, messages: Sequence[Message]) -> list[Piece]:
        """The rendered text as pieces: one piece, unless a content spells a special token.

        Such a content is rendered as a marker and put back afterwards as a literal piece of its own, so that no
        template and no tokenizer can take it for a control token.
        """
        messages = self._complete(messages)
        forged = {k: m.content for k, m in enumerate(messages) if self.special_pattern.search(m.content)}
        if not forged:
            return [Piece(self.render(messages))]
        markers = {marker_for(k, messages): content for k, content in forged.items()}
        by_index = dict(zip(forged, markers, strict=True))
        rendered = self._apply(
            [{"role": m.role, "content": by_index.get(k, m.content)} for k, m in enumerate(messages)]
        )
        return list(self._put_back(rendered, markers))

    def _put_back(self, rendered: str, markers: Mapping[str, str]) -> list[Piece]:
        pieces = []
        for part in re.split("(" + "|".join(map(re.escape, markers)) + ")", rendered):
            if part in markers:
                content = markers[part].strip() if self.trims else markers[part]
                pieces.append(Piece(content, literal=True))
            elif part:
                pieces.append(Piece(part))
        return pieces

    def _complete(self, messages: Sequence[Message]) -> list[Message]:
        """Add the stored default system prompt where the conversation has none."""
        if self.default_system is not None and (not messages or messages[0].role != "system"):
            return [Message("system", self.default_system), *messages]
        return list(messages)

    def _apply(self, messages: list[dict[str, str]]) -> str:
        try:
            text = self.tokenizer.apply_chat_template(
                messages, tokenize=False, chat_template=self.template, add_generation_prompt=False, **self.kwargs
            )
        except Exception as error:  # jinja2 raises many kinds, all of them about this conversation
            roles = ", ".join(message["role"] for message in messages) or "none"
            raise ContractError(f"the chat template refuses this conversation (roles: {roles}): {error}") from error
        return str(text)

    def _trims_content(self) -> bool:
        probe = "  rewardsmith-probe  "
        try:
            return probe not in self._apply([{"role": "user", "content": probe}])
        except ContractError:
            return False


def special_strings(tokenizer: Any) -> set[str]:
    """Every string that the tokenizer turns into a control token."""
    added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    return {string for string in added | set(tokenizer.all_special_tokens) if string}


def marker_for(index: int, messages: Sequence[Message]) -> str:
    """A string of private-use characters that stands in none of the contents."""
    for attempt in range(1000):
        marker = f"\ue000{index}x{attempt}\ue001"
        if not any(marker in message.content for message in messages):
            return marker
    raise ContractError("a content holds a thousand private-use markers; it cannot be scored")


@lru_cache(maxsize=64)
def template_hash(template: str) -> str:
    """SHA-256 of the template's text."""
    return hash_text(template)
