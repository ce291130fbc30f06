"""Masks of dropout that depend on the record, never on the order of calls."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.model.forward.batches import on_device
from rewardsmith.train.examples import Example


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
