"""Keys and values with room to grow: a step writes its own and copies none of those before it."""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from rewardsmith.errors import ModelError

ROOM = 64
"""Tokens by which a full buffer grows."""


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A layer of transformers' cache whose keys and values are the beginning of a larger buffer.

    `DynamicLayer` joins old and new at every step, which copies all of them; here that happens once in ROOM steps.
    """

    def __init__(self) -> None:
        super().__init__()
        self.keys: torch.Tensor | None
        self.values: torch.Tensor | None
        self.buffers: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the keys and values of some tokens (rows, heads, tokens, width); returns all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        after = before + key_states.shape[-2]
        if self.buffers is None or after > self.buffers[0].shape[-2]:
            self.buffers = self._grown(self.keys, key_states, before), self._grown(self.values, value_states, before)
        for buffer, new in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, before:after] = new
        self.keys, self.values = (buffer[:, :, :after] for buffer in self.buffers)
        return self.keys, self.values

    @staticmethod
    def _grown(old: torch.Tensor | None, new: torch.Tensor, before: int) -> torch.Tensor:
        rows, heads, tokens, width = new.shape
        buffer = new.new_empty(rows, heads, before + tokens + ROOM, width)
        if before and old is not None:
            buffer[:, :, :before] = old
        return buffer

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Give every row `repeats` copies beside each other."""
        super().batch_repeat_interleave(repeats)
        self.buffers = None

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep some rows."""
        super().batch_select_indices(indices)
        self.buffers = None


def new_cache(config: Any) -> Any:
    """An empty cache for a model: its layers of full attention grow in place, all others are transformers' own."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    for layer in cache.layers:
        if not (hasattr(layer, "batch_repeat_interleave") and hasattr(layer, "batch_select_indices")):
            raise ModelError(
                f"the cache of {config.model_type} models ({type(layer).__name__}) cannot be shared by the samples of a "
                "prompt; serve the model with vLLM and pass its address"
            )
    return cache
