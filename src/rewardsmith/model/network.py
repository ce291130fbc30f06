"""The network: any sequence classifier of transformers with one output, its head computed in fp32."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from rewardsmith.errors import ModelError
from rewardsmith.model.attention import TREE_ATTENTION
from rewardsmith.model.batches import Batch, PackedTrees, PaddedRows, pack_trees, pad_rows
from rewardsmith.scoring.trees import TokenTree

PLAIN_ATTENTION = "sdpa"


class RewardNetwork(nn.Module):
    """Token trees to rewards. `hf` is the transformers model, unchanged, so that saving it saves everything.

    `packed` says whether trees share their prefix in one row (decoders that pass the self-check) or become padded
    rows; with `padded=False` each row is computed alone, without padding. Rewards are raw fp32 logits plus `offset`
    (the bias of a value head, for which a decoder's head has no place); `autocast` is the dtype of mixed precision
    below the head, or None.
    """

    def __init__(self, hf: Any, *, kind: str, pad_id: int, packed: bool, autocast: torch.dtype | None = None) -> None:
        super().__init__()
        self.hf = hf
        self.kind = kind
        self.pad_id = pad_id
        self.packed = packed
        self.padded = True
        self.offset = 0.0
        self.late_pooling = last_of_rows  # of a class that applies its head to every token; check_path finds it out
        self.autocast = autocast
        before = hf.config._attn_implementation
        self.plain_attention = PLAIN_ATTENTION if before in (None, TREE_ATTENTION) else before
        self._features: Tensor | None = None
        self.take_head()
        self.use_attention()

    def take_head(self) -> None:
        """Find the head in `hf` (anew, once an adapter has put a copy of it that learns in its place)."""
        self.head = find_head(self.hf)
        self.head.register_forward_pre_hook(self._keep_features)

    @property
    def device(self) -> torch.device:
        """Where the parameters lie."""
        device: torch.device = next(self.hf.parameters()).device
        return device

    def use_attention(self) -> None:
        """Switch the backbone to the attention that fits `packed`."""
        if self.kind == "decoder":
            self.hf.set_attn_implementation(TREE_ATTENTION if self.packed else self.plain_attention)

    def settle(self) -> None:
        """Free what forward passes without a backward pass have gathered of sharded weights (embeddings, norm, head)."""
        if isinstance(self, FSDPModule):
            self.reshard()

    def collate(self, trees: Sequence[TokenTree]) -> Batch:
        """Trees as the tensors that `forward` takes; responses keep their order."""
        if self.packed:
            return pack_trees(trees, self.device)
        return pad_rows(trees, self.pad_id, self.device)

    def forward(
        self, batch: Batch, *, keep: Float[Tensor, "R H"] | None = None, head: bool = True
    ) -> Float[Tensor, "R ..."]:
        """One reward per response; `keep` multiplies the pooled features (head dropout, already scaled).

        With `head=False` the features themselves. All work goes through this one call, on which sharded weights are
        gathered and freed again.
        """
        features = self._pooled(batch)
        if not head:
            return features
        features = features.float()
        if keep is not None:
            features = features * keep
        with torch.autocast(self.device.type, enabled=False):
            bias = None if self.head.bias is None else self.head.bias.float()
            return F.linear(features, self.head.weight.float(), bias).squeeze(-1) + self.offset

    def features(self, batch: Batch) -> Float[Tensor, "R H"]:
        """What the head reads: the last token's hidden state (decoders) or the class's own pooling (encoders)."""
        pooled: Tensor = self(batch, head=False)
        return pooled

    def _pooled(self, batch: Batch) -> Float[Tensor, "R H"]:
        with self._mixed_precision():
            if isinstance(batch, PackedTrees):
                return self._packed_features(batch)
            if self.padded:
                return self._padded_features(batch)
            lengths = batch.mask.sum(dim=1).tolist()
            alone = [
                PaddedRows(batch.ids[k : k + 1, :n], batch.mask[k : k + 1, :n]) for k, n in enumerate(map(int, lengths))
            ]
            return torch.cat([self._padded_features(row) for row in alone])

    def _packed_features(self, batch: PackedTrees) -> Float[Tensor, "R H"]:
        hidden = self.hf.base_model(
            input_ids=batch.ids, position_ids=batch.positions, use_cache=False, tree_layout=batch.layout
        ).last_hidden_state
        return torch.index_select(hidden[0], 0, batch.pooled)

    def _padded_features(self, batch: PaddedRows) -> Float[Tensor, "R H"]:
        if self.kind == "decoder":
            hidden = self.hf.base_model(
                input_ids=batch.ids, attention_mask=batch.mask, use_cache=False
            ).last_hidden_state
            return last_of_rows(hidden, batch.mask)
        self.hf(input_ids=batch.ids, attention_mask=batch.mask)
        if self._features is None:
            raise ModelError(f"{type(self.hf).__name__} does not call its head; it cannot be used as a reward model")
        features, self._features = self._features, None
        return self.late_pooling(features, batch.mask) if features.dim() > 2 else features

    def _keep_features(self, module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        self._features = arguments[0]

    @contextlib.contextmanager
    def _mixed_precision(self) -> Iterator[None]:
        if self.autocast is None:
            yield
        else:
            with torch.autocast(self.device.type, dtype=self.autocast):
                yield


def last_of_rows(hidden: Float[Tensor, "R L H"], mask: Tensor) -> Float[Tensor, "R H"]:
    """The hidden state of every row's last real token."""
    last = mask.sum(dim=1) - 1
    pooled: Tensor = hidden[torch.arange(len(last), device=hidden.device), last]
    return pooled


def mean_of_rows(hidden: Float[Tensor, "R L H"], mask: Tensor) -> Float[Tensor, "R H"]:
    """The mean hidden state of every row's real tokens; a linear head may be applied before or after a mean."""
    weight = mask.unsqueeze(-1).to(hidden.dtype)
    pooled: Tensor = (hidden * weight).sum(dim=1) / weight.sum(dim=1)
    return pooled


def find_head(hf: Any) -> nn.Linear:
    """The last linear layer with one output: `score` of decoders, `classifier` (or its `out_proj`) of encoders."""
    heads = [module for module in hf.modules() if isinstance(module, nn.Linear) and module.out_features == 1]
    if not heads:
        raise ModelError(f"{type(hf).__name__} has no head with one output; open it with num_labels=1")
    return heads[-1]


def layer_stack(backbone: Any) -> list[nn.Module]:
    """The backbone's layers: its longest ModuleList."""
    stacks = [list(module) for module in backbone.modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise ModelError(f"{type(backbone).__name__} has no list of layers")
    return max(stacks, key=len)


def kind_of(hf: Any) -> str:
    """ "decoder" where the last token is pooled by a bare `score` head, else "encoder" (the class pools by itself)."""
    return "decoder" if isinstance(getattr(hf, "score", None), nn.Linear) else "encoder"
