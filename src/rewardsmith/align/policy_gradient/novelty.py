"""How far responses are from the texts that a reward model learned from."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

ORDER = 3


@dataclass(frozen=True)
class Novelty:
    """The n-grams (n = ORDER) of a reward model's training responses, in tokens."""

    known: frozenset[tuple[int, ...]]

    def __call__(self, responses: Sequence[Sequence[int]]) -> Float[Tensor, " B"]:
        """The share of each response's n-grams that the training texts do not have; 0 for a response with none."""
        return torch.tensor([self.share(response) for response in responses])

    def share(self, response: Sequence[int]) -> float:
        """The share for one response."""
        found = ngrams(response)
        return sum(ngram not in self.known for ngram in found) / len(found) if found else 0.0


def ngrams(tokens: Sequence[int]) -> list[tuple[int, ...]]:
    """The n-grams of a text, with its beginning and its end (-1) as tokens of their own."""
    whole = (-1, *tokens, -1)
    return [tuple(whole[k : k + ORDER]) for k in range(len(whole) - ORDER + 1)]


def novelty_of(responses: Sequence[Sequence[int]]) -> Novelty:
    """The measure against these training responses."""
    return Novelty(frozenset(ngram for response in responses for ngram in ngrams(response)))
