"""From the last hidden state to the logits of the next token, with the weights of the language model.

A sequence classifier does not load them (see `weights`). They stand inside the transformers model while it learns, so that
they are trained, saved for a resume and cut over processes like any weight, and are dropped with the end of training.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

NAME = "language_head"
ToLogits = Callable[[Tensor, Tensor], Tensor]
"""From states (A, H) and the weight of the embeddings to logits (A, V) in fp32."""
LARGEST = 2**25
"""Logits of one piece: 128 MiB in fp32."""
FEWEST = 16
"""Tokens of one piece, however large the vocabulary."""


class LanguageHead(nn.Module):
    """States to logits; without a `weight` of its own it takes that of the embeddings."""

    weight: Tensor | None
    bias: Tensor | None

    def __init__(self, weight: Float[Tensor, "V H"] | None, bias: Float[Tensor, " V"] | None) -> None:
        super().__init__()
        self.register_parameter("weight", None if weight is None else nn.Parameter(weight))
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias))

    def forward(self, states: Float[Tensor, "A H"], embeddings: Float[Tensor, "W H"]) -> Float[Tensor, "A V"]:
        """The logits of the token after each state, in fp32."""
        weight = embeddings if self.weight is None else self.weight
        return F.linear(states, weight, self.bias).float()


def detach_language_head(network: Any) -> None:
    """Take the head away again, where there is one."""
    if language_head_of(network) is not None:
        delattr(network.hf, NAME)


def language_head_of(network: Any) -> LanguageHead | None:
    """The language-model head that a network has during training."""
    found = getattr(network.hf, NAME, None)
    return found if isinstance(found, LanguageHead) else None


def embeddings_of(hf: Any) -> Float[Tensor, "W H"]:
    """The embeddings that a tied head shares."""
    weight: Tensor = hf.get_input_embeddings().weight
    return weight


def next_token_log_probs(
    head: ToLogits,
    states: Float[Tensor, "A H"],
    embeddings: Float[Tensor, "W H"],
    targets: Tensor,
) -> Float[Tensor, " A"]:
    """log p of each target token, computed in pieces of at most LARGEST logits, which the backward pass makes again."""
    rows = max(FEWEST, LARGEST // len(embeddings))
    pieces = []
    for start in range(0, len(targets), rows):
        part = slice(start, start + rows)
        arguments = (head, states[part], embeddings, targets[part])
        if torch.is_grad_enabled():
            pieces.append(torch.utils.checkpoint.checkpoint(log_probs_of, *arguments, use_reentrant=False))
        else:
            pieces.append(log_probs_of(*arguments))
    return torch.cat(pieces)


def log_probs_of(
    head: ToLogits, states: Float[Tensor, "A H"], embeddings: Float[Tensor, "W H"], targets: Tensor
) -> Float[Tensor, " A"]:
    """log p of each target token."""
    logits = head(states, embeddings)
    chosen: Tensor = logits.gather(1, targets[:, None]).squeeze(1) - logits.logsumexp(dim=1)
    return chosen
