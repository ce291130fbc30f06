"""Logits → tokens: greedy, or drawn with one uniform number per row, so that a row's draw depends on no other row."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rewardsmith.generate.candidates import Sampling

FEW = 256


def kept_probabilities(logits: Float[Tensor, "R V"], sampling: Sampling) -> Float[Tensor, "R V"]:
    """The distribution that is drawn from: softmax(logits / temperature), cut to the `top_k` likeliest tokens, then
    to the nucleus of `top_p`; 0 for the others, not normalised again.

    Tokens as likely as the last one kept are kept too. The likeliest token always is.
    """
    scaled = logits / sampling.temperature
    if 0 < sampling.top_k < scaled.shape[-1]:
        lowest = scaled.topk(sampling.top_k, dim=-1).values[:, -1:]
        scaled = scaled.masked_fill(scaled < lowest, -torch.inf)
    probabilities = scaled.softmax(dim=-1)
    if sampling.top_p < 1:
        probabilities = probabilities.masked_fill(probabilities < least_in_nucleus(probabilities, sampling.top_p), 0)
    return probabilities


def least_in_nucleus(probabilities: Float[Tensor, "R V"], top_p: float) -> Float[Tensor, "R 1"]:
    """The probability of the last token in the nucleus of each row.

    A nucleus is nearly always a few tokens, so the likeliest FEW are ordered first, and all only where these do not do.
    """
    for size in (min(FEW, probabilities.shape[-1]), probabilities.shape[-1]):
        ordered = probabilities.topk(size, dim=-1).values.double()
        cumulated = ordered.cumsum(dim=-1)
        if bool((cumulated[:, -1] >= top_p).all()):
            break
    outside = cumulated - ordered >= top_p
    return ordered.masked_fill(outside, torch.inf).amin(dim=-1, keepdim=True).to(probabilities)


def choose(
    logits: Float[Tensor, "R V"], sampling: Sampling, uniforms: Float[Tensor, " R"] | None
) -> tuple[Int64[Tensor, " R"], Float[Tensor, " R"]]:
    """A token per row, and its log-probability under softmax(logits), whatever the temperature.

    `uniforms` in [0, 1) pick the token by the inverse of the distribution function in the order of the vocabulary; they are
    not needed for greedy decoding.
    """
    logits = logits.float()
    if sampling.greedy:
        tokens = logits.argmax(dim=-1)
    else:
        assert uniforms is not None
        cumulated = kept_probabilities(logits, sampling).double().cumsum(dim=-1)
        wanted = uniforms.to(cumulated)[:, None] * cumulated[:, -1:]
        tokens = torch.searchsorted(cumulated, wanted, right=True)[:, 0]
        tokens = torch.minimum(tokens, last_possible(cumulated))  # a product may round up to the sum
    chosen = logits.gather(-1, tokens[:, None])[:, 0]
    return tokens, chosen - logits.logsumexp(dim=-1)


def last_possible(cumulated: Float[Tensor, "R V"]) -> Int64[Tensor, " R"]:
    """The last token of each row that has any probability."""
    return (cumulated < cumulated[:, -1:]).sum(dim=-1)


class Draws:
    """The uniform numbers of one sample, in order: Philox with the sample's seed as its key (Salmon et al., SC 2011)."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.Generator(np.random.Philox(key=seed))

    def next(self) -> float:
        """The next number, in [0, 1)."""
        return float(self.generator.random())
