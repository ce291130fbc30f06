"""A language model as a reward model: the reward of a response is how much likelier training has made it.

Rafailov et al. 2023 (arXiv 2305.18290, equation 5, without the term that all responses of a prompt share):
r(x, y) = beta * (log p(y | x) - log p_ref(y | x)). With that as reward, DPO is Bradley-Terry (equation 7), and whatever
trains reward models trains language models.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rewardsmith.align.dpo.reference import Reference
from rewardsmith.errors import ModelError
from rewardsmith.model.forward.batches import Batch, KnownFeatures, on_device
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.forward.spoken import spoken_tokens, text_columns
from rewardsmith.scoring.trees import TokenTree


class PolicyNetwork(RewardNetwork):
    """Token trees to implicit rewards. `hf` is a causal language model; its head gives the logits.

    `beta` scales the log ratio; with `per_token` the ratio is divided by the number of the response's tokens. Without a
    `reference` its log probabilities count as 0. Trees must know how many tokens their answers have.
    """

    def __init__(
        self,
        hf: Any,
        *,
        pad_id: int,
        packed: bool = False,
        autocast: torch.dtype | None = None,
        beta: float = 1.0,
        per_token: bool = False,
    ) -> None:
        super().__init__(hf, kind="decoder", pad_id=pad_id, packed=packed, autocast=autocast)
        self.beta = beta
        self.per_token = per_token
        self.reference: Reference | None = None

    def take_head(self) -> None:
        """Find the head of the language model."""
        head = self.hf.get_output_embeddings()
        if not isinstance(head, nn.Linear):
            raise ModelError(f"{type(self.hf).__name__} has no linear language-model head, which DPO needs")
        self.head = head

    def collate(self, trees: Sequence[TokenTree]) -> Batch:
        """Trees as tensors, with the tokens whose probability is asked for and what the reference says of them."""
        batch = self.texts(trees)
        spoken = spoken_tokens(batch, trees, [True] * sum(len(tree.branches) for tree in trees))
        if self.reference is not None:
            known = [value for tree in trees for value in self.reference.of(tree)]
            spoken = replace(spoken, reference=on_device(np.array(known, dtype=np.float32), self.device))
        return replace(batch, spoken=spoken)

    def forward(
        self, batch: Batch, *, keep: Float[Tensor, "R H"] | None = None, head: bool = True, wide: bool = False
    ) -> Float[Tensor, "R ..."]:
        """One implicit reward per response; with `wide` three columns: reward, log p of the response, number of its tokens.

        With `head=False` the last hidden states of the responses. There is no dropout before this head: `keep` is not used.
        """
        if isinstance(batch, KnownFeatures):
            raise ModelError("a language model has no rewards of known features")
        with self._mixed_precision(), self._kept_activations():
            hidden = self._hidden(batch)
            if not head:
                return self._pool(batch, [hidden])
            if batch.spoken is None:
                raise ModelError("the batch does not mark which of its tokens are the responses")
            columns = text_columns(self._logits, hidden, self.head.weight, batch.spoken)
        total, count = columns[:, 0], columns[:, 1]
        ratio = total if batch.spoken.reference is None else total - batch.spoken.reference
        rewards = self.beta * (ratio / count.clamp(min=1) if self.per_token else ratio)
        return torch.cat([rewards[:, None], columns], dim=1) if wide else rewards

    def _logits(self, states: Float[Tensor, "A H"], weight: Tensor) -> Float[Tensor, "A V"]:
        """The logits behind some states, in fp32; the head has its own weight."""
        logits: Tensor = self.head(states)
        return logits.float()
