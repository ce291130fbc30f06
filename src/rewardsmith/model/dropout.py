"""Dropout that a model brings along in its own config (encoders: usually 0.1), and how to switch it off."""

from typing import Any

from torch import nn


def switch_off_dropout(hf: Any) -> float:
    """Set every dropout rate inside `hf` to 0 and return the highest that was set; its config keeps what it says.

    Some classes hold a rate as a plain number (`attention_dropout`) that they give to the attention function.
    """
    highest = 0.0
    for module in hf.modules():
        held = ["p"] if isinstance(module, nn.Dropout) else [name for name in vars(module) if "dropout" in name]
        for name in held:
            rate = getattr(module, name)
            if isinstance(rate, float):
                highest = max(highest, rate)
                setattr(module, name, 0.0)
    return highest
