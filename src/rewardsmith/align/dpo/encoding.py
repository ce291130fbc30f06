"""Records to the token ids of a language model: the prompt as generation reads it, the response, and the token that ends it.

Generation tokenizes the prompt by itself and goes on from there, so training does the same: the ids of the prompt are those
of `generate.local.prompts`, and those of a response are its own.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from rewardsmith.errors import ContractError, ModelError
from rewardsmith.generate.candidates import LENGTH, Sampling
from rewardsmith.generate.local.prompts import PLAIN, Prompts
from rewardsmith.records import Message, Record, Response
from rewardsmith.scoring.tokens import Encoded, Encoder
from rewardsmith.scoring.truncation import Cuts
from rewardsmith.thinking import TAGS

FINISHED = "finish_reasons"
"""The field of a record that says of each response why it ended, as `generate` writes it."""


class PolicyEncoder(Encoder):
    """Turns records into what a language model generates: [prompt, response, end token] for every response.

    A response that stopped at a limit of tokens (`finish_reasons` of the record: length) gets no end token, which nobody
    wrote there. Nothing is cut: a conversation of more than `max_length` tokens counts as one whose response does not fit.
    """

    def __init__(self, tokenizer: Any, *, ends: frozenset[int], max_length: int, thinking: bool | None = None) -> None:
        self.thinking = thinking
        self.prompts = Prompts(tokenizer, Sampling(thinking=thinking))
        self.end = end_of(self.prompts, ends)
        contract = replace(
            self.prompts.encoder.contract,
            max_length=max_length,
            response_reserve=max_length // 2,
            suffix=str(tokenizer.convert_ids_to_tokens(self.end)),
        )
        super().__init__(tokenizer, contract, answers=True)

    def encode(self, record: Record) -> Encoded:
        """Token ids of every response; ContractError where the template refuses the prompt, or a response is no single
        assistant turn.
        """
        rendered = self.prompts.render(record.prompt)
        cut_off = stopped_early(record)
        bodies = [
            [*self._spoken(response, rendered.awaited), *([] if cut else [self.end])]
            for response, cut in zip(record.responses, cut_off, strict=True)
        ]
        if not all(bodies):
            raise ContractError("a response has no token; drop the row")
        whole = [np.asarray([*rendered.ids, *body], dtype=np.int32) for body in bodies]
        limit = self.contract.max_length
        over = tuple(max(0, len(ids) - limit) for ids in whole)
        none = (0,) * len(whole)
        return Encoded(
            tuple(ids[:limit] for ids in whole),
            Cuts(none, none, over),
            self._forged(record),
            tuple(min(len(body), limit) for body in bodies),
        )

    def _spoken(self, response: Response, awaited: str | None) -> list[int]:
        """The token ids of a response without its end, reasoning in its tags before it."""
        if len(response.messages) != 1 or response.messages[0].role != "assistant":
            raise ContractError(
                f"the response has {len(response.messages)} turns; a language model is trained on one assistant turn"
            )
        message = response.messages[0]
        thoughts = self._thoughts(message, awaited)
        content = f" {message.content}" if self.prompts.template == PLAIN else message.content
        return [*thoughts, *self._literal(content)]

    def _thoughts(self, message: Message, awaited: str | None) -> list[int]:
        if message.reasoning is None:
            if awaited is not None:  # the prompt has begun reasoning, and this response has none
                return self._control(f"\n{awaited}\n\n")
            return []
        opening, closing = next((pair for pair in TAGS if pair[1] == awaited), TAGS[0])
        begin = [] if awaited is not None else self._control(f"{opening}\n")
        return [*begin, *self._literal(message.reasoning), *self._control(f"\n{closing}\n\n")]

    def _literal(self, text: str) -> list[int]:
        """Token ids of what somebody wrote: nothing in it becomes a control token."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False)[
            "input_ids"
        ]
        return ids

    def _control(self, text: str) -> list[int]:
        """Token ids of what the model's format asks for."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _forged(self, record: Record) -> int:
        """How many contents spell a control token."""
        said = [*record.prompt, *(message for response in record.responses for message in response.messages)]
        return sum(bool(self.renderer.special_pattern.search(message.content)) for message in said)


def stopped_early(record: Record) -> list[bool]:
    """Which responses ended at a limit of tokens, as far as the record tells."""
    told = record.fields.get(FINISHED)
    if not isinstance(told, list) or len(told) != len(record.responses):
        return [False] * len(record.responses)
    return [reason == LENGTH for reason in told]


def end_of(prompts: Prompts, ends: frozenset[int]) -> int:
    """The token that ends a response: the first behind the content in the template that ends generation, else the
    tokenizer's own; ModelError where there is none.
    """
    turns = (Message("user", "x"), Message("assistant", "x"))
    written = [int(each) for each in prompts.encoder.ids(turns[:1])]
    both = [int(each) for each in Encoder(prompts.tokenizer, without_cue(prompts)).ids(turns)]
    behind = [each for each in both[len(written) :] if each in ends]
    if behind:
        return behind[0]
    if prompts.tokenizer.eos_token_id is None:
        raise ModelError("the tokenizer has no end-of-text token, so a response cannot be ended; set eos_token")
    return int(prompts.tokenizer.eos_token_id)


def without_cue(prompts: Prompts) -> Any:
    """The contract of the prompts without the cue for an answer behind the last turn."""
    contract = prompts.encoder.contract
    kept = {name: value for name, value in contract.template_kwargs.items() if name != "add_generation_prompt"}
    return replace(contract, template_kwargs=kept)
