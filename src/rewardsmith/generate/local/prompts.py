"""Prompts to what the model reads: the chat template with its cue for an answer, no control token out of a user's text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rewardsmith.generate.candidates import Sampling
from rewardsmith.records import Conversation
from rewardsmith.scoring.contract import ScoringContract, template_of
from rewardsmith.scoring.reasoning import OMIT, spoken
from rewardsmith.scoring.tokens import Encoder
from rewardsmith.thinking import TAGS, Thoughts, apart, opened_by

PLAIN = (
    "{{ bos_token if bos_token else '' }}{% for message in messages %}"
    "{{ message['role'] + ': ' + message['content'] + '\\n\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)
"""For a base model, whose tokenizer has no chat template: roles in words, as in a document."""
NO_LIMIT = 2**30


@dataclass(frozen=True)
class RenderedPrompt:
    """A prompt's token ids, and the closing tag of reasoning that its template has begun."""

    ids: tuple[int, ...]
    awaited: str | None


class Prompts:
    """The chat template of one model: prompts to token ids, and generated ids to text.

    A date that the template asks for is that of `scoring.templates.renderer.UNPINNED`, so that a resumed run reads the same.
    """

    def __init__(self, tokenizer: Any, sampling: Sampling) -> None:
        self.tokenizer = tokenizer
        self.template = template_of(tokenizer, "decoder") if tokenizer.chat_template else PLAIN
        asked = {} if sampling.thinking is None else {"enable_thinking": sampling.thinking}
        contract = ScoringContract(
            kind="decoder",
            template=self.template,
            pad_token_id=0,
            tokenizer_hash="",
            max_length=NO_LIMIT,
            response_reserve=1,
            template_kwargs={"add_generation_prompt": True, **asked},
        )
        self.encoder = Encoder(tokenizer, contract)
        self.dropped = dropped_ids(tokenizer)

    def render(self, prompt: Conversation) -> RenderedPrompt:
        """What is read before the first token of an answer; ContractError where the template refuses the prompt."""
        turns = spoken(prompt, OMIT)
        ids = self.encoder.ids(turns)
        return RenderedPrompt(tuple(map(int, ids)), opened_by(self.encoder.renderer.render(turns)))

    def text(self, ids: Sequence[int], awaited: str | None) -> Thoughts:
        """Generated ids as text, control tokens left out but for the tags of reasoning."""
        kept = [each for each in ids if each not in self.dropped]
        written = self.tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return apart(written.removeprefix(" ") if self.template == PLAIN else written, awaited)


def dropped_ids(tokenizer: Any) -> frozenset[int]:
    """The special tokens that are no tag of reasoning."""
    tags = {tag for pair in TAGS for tag in pair}
    added = tokenizer.added_tokens_decoder
    special = {index for index, token in added.items() if token.special} | set(tokenizer.all_special_ids)
    return frozenset(index for index in special if index not in added or added[index].content not in tags)
