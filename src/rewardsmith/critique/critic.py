"""Critiques from the language model inside a reward network: the same weights read the reward and write the critique.

A critique depends on the prompt, the response, its number and the settings, through a seed made of them, and not on what
else is written beside it (but for rounding in the sums of a batch).
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rewardsmith.critique.turns import CritiqueLanguage, asking
from rewardsmith.errors import ModelError, UsageError
from rewardsmith.generate.candidates import LENGTH, Sampling, seed_of
from rewardsmith.generate.local.choosing import Draws
from rewardsmith.generate.local.decoding import GrowingSample, decode
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.language_head.head import LanguageHead, embeddings_of, language_head_of
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Conversation, Message, Record, Response
from rewardsmith.scoring.contract import ScoringContract
from rewardsmith.scoring.tokens import Encoder

LEAST_ROOM = 32
"""Tokens that a conversation must have beside its critique."""


@dataclass(frozen=True, kw_only=True)
class CritiqueSettings:
    """How a model writes critiques: `samples` per response (the reward is their mean), of at most `tokens` tokens.

    `temperature` 0 takes the likeliest token, None stands for 0 with one sample and 1 with several. `language` is that of
    the question (see `turns`).
    """

    tokens: int = 256
    samples: int = 1
    temperature: float | None = None
    seed: int = 0
    language: CritiqueLanguage = "auto"

    def __post_init__(self) -> None:
        sampling = self.sampling
        if self.samples > 1 and sampling.greedy:
            raise UsageError(
                f"{self.samples} critiques at temperature 0 are all the same; expected a temperature above 0, or 1 critique"
            )

    @property
    def sampling(self) -> Sampling:
        """The same as `generate` takes it; UsageError for a value out of range."""
        chosen = float(self.samples > 1) if self.temperature is None else self.temperature
        return Sampling(n=self.samples, max_tokens=self.tokens, temperature=chosen, seed=self.seed)

    def to_json(self) -> dict[str, Any]:
        """The settings by name."""
        return asdict(self)


@dataclass(frozen=True)
class Critique:
    """A critique, and whether it was stopped at the limit of tokens."""

    text: str
    truncated: bool


class SpokenNetwork:
    """A reward network as `generate` sees a language model: logits of the next token, with keys and values kept."""

    def __init__(self, network: RewardNetwork, head: LanguageHead, *, never: Sequence[int]) -> None:
        self.network, self.head = network, head
        self.config, self.device = network.hf.config, network.device
        self.never = never

    def __call__(self, *, input_ids: Int64[Tensor, "R T"], logits_to_keep: int, **arguments: Any) -> Any:
        """The logits (R, 1, V) behind the last token of each row; tokens that no text contains are impossible."""
        with torch.autocast(self.device.type, dtype=self.network.autocast, enabled=self.network.autocast is not None):
            hidden = self.network.hf.base_model(input_ids=input_ids, **arguments).last_hidden_state[:, -1]
            logits: Float[Tensor, "R V"] = self.head(hidden, embeddings_of(self.network.hf))
        logits[:, self.never] = -torch.inf
        return SimpleNamespace(logits=logits[:, None])


class Critic:
    """Writes critiques under the contract of a model that has a head of language."""

    def __init__(self, model: RewardModel, settings: CritiqueSettings, *, batch: int = 16) -> None:
        head = language_head_of(model.network)
        if head is None:
            raise ModelError("this model has no language-model head, so it writes no critiques")
        self.network, self.tokenizer, self.settings, self.batch = model.network, model.tokenizer, settings, batch
        self.encoder = Encoder(model.tokenizer, with_room(model.contract, settings.tokens), answers=True)
        self.ends = ends_of(model.tokenizer, model.contract)
        rows = len(embeddings_of(model.network.hf))
        never = [index for index in special_ids(model.tokenizer) - self.ends if index < rows]
        self.spoken = SpokenNetwork(model.network, head, never=sorted(never))

    def critiques(
        self, records: Sequence[Record], progress: Progress = SILENT
    ) -> Iterator[tuple[tuple[Critique, ...], ...]]:
        """The critiques of each record's responses, in order; the same text is criticised once.

        ContractError where a prompt cannot be rendered.
        """
        openings = [self.openings(record) for record in records]
        distinct = {conversation: ids for each in openings for conversation, ids in each}
        order = sorted(distinct, key=lambda conversation: len(distinct[conversation]))
        found: dict[Conversation, tuple[Critique, ...]] = {}
        per_batch = max(1, self.batch // self.settings.samples)
        with self.ready(), progress.task("writing critiques", len(order), "responses") as task:
            for start in range(0, len(order), per_batch):
                some = order[start : start + per_batch]
                found |= zip(some, self._written([(one, distinct[one]) for one in some]), strict=True)
                task.advance(len(some))
        return (tuple(found[conversation] for conversation, _ in each) for each in openings)

    def openings(self, record: Record) -> list[tuple[Conversation, tuple[int, ...]]]:
        """What is read before the critique of each response; ContractError where it cannot be rendered."""
        return [self.opening(record, index) for index in range(len(record.responses))]

    def opening(self, record: Record, index: int) -> tuple[Conversation, tuple[int, ...]]:
        """What is read before a critique: the conversation, and its token ids as the contract cuts them."""
        asked = asking(record, index, self.settings.language)
        one = Record(record.prompt, (Response((*asked, Message("assistant", "x"))),))
        encoded = self.encoder.encode(one)
        ids = encoded.sequences[0]
        return (*record.prompt, *asked), tuple(map(int, ids[: len(ids) - encoded.answers[0]]))

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """While it is open, the network computes one token after the other, in evaluation mode."""
        network, training = self.network, self.network.training
        network.eval()
        network.hf.set_attn_implementation(network.plain_attention)
        try:
            yield
        finally:
            network.use_attention()
            network.train(training)

    def _written(self, openings: Sequence[tuple[Conversation, tuple[int, ...]]]) -> list[tuple[Critique, ...]]:
        sampling, samples = self.settings.sampling, range(self.settings.samples)
        rows = [
            [
                GrowingSample(None if sampling.greedy else Draws(seed_of(sampling.seed, conversation, k)))
                for k in samples
            ]
            for conversation, _ in openings
        ]
        decode(self.spoken, [ids for _, ids in openings], rows, sampling, ends=self.ends)
        return [tuple(self._critique(row) for row in each) for each in rows]

    def _critique(self, row: GrowingSample) -> Critique:
        text = self.tokenizer.decode(row.tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        cut = row.finish == LENGTH
        return Critique((text.rstrip("\ufffd") if cut else text).strip(), cut)


def with_room(contract: ScoringContract, tokens: int) -> ScoringContract:
    """The contract for what stands before a critique of so many tokens; UsageError where it leaves too little."""
    length = contract.max_length - tokens
    if length < LEAST_ROOM:
        raise UsageError(
            f"critiques of {tokens} tokens leave {length} of {contract.max_length} for prompt and response; expected fewer "
            "critique tokens (--critique.tokens), or a longer --max-length"
        )
    return replace(contract, max_length=length, response_reserve=min(contract.response_reserve, length // 2))


def ends_of(tokenizer: Any, contract: ScoringContract) -> frozenset[int]:
    """The control tokens that the template writes behind an answer; ModelError where it writes none."""
    special = special_ids(tokenizer)
    behind = tokenizer(contract.suffix, add_special_tokens=False)["input_ids"] if contract.suffix else []
    found = frozenset(index for index in behind if index in special)
    if not found:
        raise ModelError(
            "the chat template writes no end token behind a response, so a critique would never end; expected a template "
            "such as ChatML"
        )
    return found


def special_ids(tokenizer: Any) -> frozenset[int]:
    """The control tokens."""
    added = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    return frozenset(added | set(tokenizer.all_special_ids))
