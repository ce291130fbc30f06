"""What is drawn for a record, and depends on nothing else: masks of dropout, and whether its text counts in an epoch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.files import hash_text
from rewardsmith.model.forward.batches import on_device
from rewardsmith.train.examples import Example
from rewardsmith.train.losses.text import TextTerm


@dataclass(frozen=True)
class Dropout:
    """Head dropout at `rate`; every mask depends on (seed, epoch, record id, response), never on the order of calls."""

    rate: float
    seed: int
    epoch: int

    def masks(self, examples: Sequence[Example], width: int, device: torch.device) -> Float[Tensor, "R H"] | None:
        """One mask per response, scaled by 1 / (1 - rate); None at rate 0."""
        if self.rate <= 0:
            return None
        rows = [
            np.random.default_rng(self._seed_of(example, k)).random(width, dtype=np.float32) >= self.rate
            for example in examples
            for k in range(example.responses)
        ]
        return on_device(np.stack(rows), device).to(torch.float32) / (1 - self.rate)

    def _seed_of(self, example: Example, response: int) -> int:
        text = f"{self.seed}:{self.epoch}:{example.id}:{response}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def wanted_texts(term: TextTerm, examples: Sequence[Example], dropout: Dropout) -> list[bool]:
    """Of each response, whether its log p is asked for: what a comparison prefers; both where it is tied, or for terms on
    both.
    """
    asked: list[bool] = []
    for example in examples:
        heard = [False] * example.responses
        if term.lm_share == 1.0 or drawn_share(example.id, dropout) < term.lm_share:
            both = (example.preference < 1.0) | term.both
            for index in (*example.preferred.tolist(), *example.other[both].tolist()):
                heard[index] = True
        asked += heard
    return asked


def drawn_share(key: str, dropout: Dropout) -> float:
    """A number in [0, 1) that depends on the record, the seed and the epoch alone."""
    digest = hashlib.sha256(f"{dropout.seed}:{dropout.epoch}:text:{key}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def seed_of(seed: int, step: int, rank: int) -> int:
    """A seed of its own for every step and process."""
    return int(hash_text(f"{seed}:{step}:{rank}")[:15], 16)
