"""One batch: prompts read once, their keys and values shared by the samples of each, then one token a step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rewardsmith.generate.candidates import LENGTH, STOP, Sampling
from rewardsmith.generate.local.cache import new_cache
from rewardsmith.generate.local.choosing import Draws, choose

BUCKET = 16
"""Prompts of a batch are padded to a multiple of so many tokens, so that few shapes occur."""
SPARE = 0.25
"""Share of finished rows from which on a batch is made smaller."""


@dataclass
class GrowingSample:
    """One sample while it grows: its draws, the tokens so far (the end token included) and their log-probability."""

    draws: Draws | None
    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0
    finish: str = ""


@torch.inference_mode()
def decode(
    hf: Any,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[Sequence[GrowingSample]],
    sampling: Sampling,
    *,
    ends: frozenset[int],
) -> None:
    """Generate all rows of some prompts, each prompt with as many as every other; fills them in.

    A row ends with one of `ends`, or at `sampling.max_tokens`.
    """
    samples = len(rows[0])
    batch = DecodingState(hf, prompts, samples)
    live = [row for group in rows for row in group]
    logits = batch.logits.repeat_interleave(samples, dim=0)
    while True:
        tokens = advance(live, logits, sampling, ends)
        finished = sum(bool(row.finish) for row in live)
        if finished == len(live):
            return
        if finished >= SPARE * len(live):
            kept = [at for at, row in enumerate(live) if not row.finish]
            live, tokens = [live[at] for at in kept], tokens[kept]
            batch.keep(kept)
        logits = batch.step(tokens)


def advance(live: Sequence[GrowingSample], logits: Tensor, sampling: Sampling, ends: frozenset[int]) -> Tensor:
    """Choose the next token of every row and note it in those that are not finished."""
    uniforms = None
    if not sampling.greedy:
        drawn = [0.0 if row.finish or row.draws is None else row.draws.next() for row in live]
        uniforms = torch.from_numpy(np.array(drawn)).to(logits.device)
    tokens, logprobs = choose(logits, sampling, uniforms)
    for row, token, logprob in zip(live, tokens.tolist(), logprobs.tolist(), strict=True):
        if row.finish:
            continue
        row.tokens.append(token)
        row.logprob += logprob
        if token in ends:
            row.finish = STOP
        elif len(row.tokens) >= sampling.max_tokens:
            row.finish = LENGTH
    return tokens


class DecodingState:
    """The state of a model between two steps: one row per sample, its prompt padded on the left.

    Positions are counted from each prompt's first token, and padding is masked. `logits` are those behind the prompts.
    """

    def __init__(self, hf: Any, prompts: Sequence[Sequence[int]], samples: int) -> None:
        self.hf = hf
        self.cache = new_cache(hf.config)
        ids, self.mask = padded(prompts, hf.device)
        positions = (self.mask.cumsum(dim=-1) - 1).clamp(min=0)
        self.logits = self._forward(ids, positions)
        self.positions = positions[:, -1:]
        if samples > 1:
            self.cache.batch_repeat_interleave(samples)
            self.mask = self.mask.repeat_interleave(samples, dim=0)
            self.positions = self.positions.repeat_interleave(samples, dim=0)

    def step(self, tokens: Tensor) -> Tensor:
        """The logits (rows, vocabulary) behind one more token a row."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=-1)
        self.positions = self.positions + 1
        return self._forward(tokens[:, None], self.positions)

    def keep(self, rows: Iterable[int]) -> None:
        """Go on with some of the rows."""
        chosen = torch.tensor(list(rows), device=self.mask.device)
        self.cache.batch_select_indices(chosen)
        self.mask, self.positions = self.mask[chosen], self.positions[chosen]

    def _forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        output = self.hf(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits


def padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and mask (prompts, tokens), padded on the left; what stands in the padding is never looked at."""
    width = -(-max(map(len, prompts)) // BUCKET) * BUCKET
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros(len(prompts), width, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)
