"""Dropout that a model brings along in its own config (encoders: usually 0.1), and how to switch it off."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import nn


def rates(modules: Iterable[nn.Module]) -> Iterator[tuple[Any, str, float]]:
    """Every dropout rate: who holds it, under which name, and its value.

    Some classes hold a rate as a plain number (`attention_dropout`) that they give to the attention function.
    """
    for module in modules:
        for name in ["p"] if isinstance(module, nn.Dropout) else [name for name in vars(module) if "dropout" in name]:
            rate = getattr(module, name)
            if isinstance(rate, float):
                yield module, name, rate


def switch_off_dropout(hf: Any) -> float:
    """Set every dropout rate inside `hf` to 0 and return the highest that was set; its config keeps what it says."""
    highest = 0.0
    for module, name, rate in list(rates(hf.modules())):
        highest = max(highest, rate)
        setattr(module, name, 0.0)
    return highest
