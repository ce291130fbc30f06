"""The network: any sequence classifier of transformers with one output, its head computed in fp32."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from rewardsmith.errors import ModelError
from rewardsmith.model.forward.attention.tree import TREE_ATTENTION
from rewardsmith.model.forward.batches import (
    Batch,
    KnownFeatures,
    PackedTrees,
    PaddedRows,
    TextBatch,
    pack_trees,
    pad_rows,
)
from rewardsmith.model.forward.lower_layers import LowerLayers
from rewardsmith.model.forward.readout import LayerOutputs, Readout, last_places, pooled
from rewardsmith.model.forward.spoken import text_columns
from rewardsmith.model.heads.extra import WholeReward, extra_of
from rewardsmith.model.language_head.head import embeddings_of, language_head_of
from rewardsmith.scoring.trees import TokenTree

PLAIN_ATTENTION = "sdpa"


class OutputCache(Protocol):
    """What frozen parts of a network gave for texts before: their features, or the outputs of the lower layers."""

    def batch(self, network: "RewardNetwork", trees: Sequence[TokenTree]) -> Batch | None:
        """A batch that begins where the cached outputs end; None where one of the texts is not cached."""


class RewardNetwork(nn.Module):
    """Token trees to rewards. `hf` is the transformers model, unchanged, so that saving it saves everything.

    `packed` says whether trees share their prefix in one row (decoders that pass the self-check) or become padded
    rows; with `padded=False` each row is computed alone, without padding. Rewards are raw fp32 logits plus `offset`
    (the bias of a value head, for which a decoder's head has no place); `autocast` is the dtype of mixed precision
    below the head, or None; with `offload` activations wait in the host's memory. `cache`, where there is one, is asked
    for every batch first; with `lower` its batches begin above those layers. `whole_reward`, where there is one, takes the
    place of the head.
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
        self.offload = False
        before = hf.config._attn_implementation
        self.plain_attention = PLAIN_ATTENTION if before in (None, TREE_ATTENTION) else before
        self._features: Tensor | None = None
        self.readout: Readout | None = None
        self._outputs: LayerOutputs | None = None
        self.cache: OutputCache | None = None
        self.lower: LowerLayers | None = None
        self.whole_reward: WholeReward | None = None
        self.head: nn.Linear
        self.take_head()
        self.use_attention()

    def read(self, readout: Readout) -> None:
        """From now on the head reads what `readout` says; it becomes a new one, all zeros, of that width.

        It stays where the class has its own, so that it learns, is saved and adapted like any head; plain transformers
        refuses to load it for its shape.
        """
        hidden = self.hf.config.get_text_config().hidden_size
        head = nn.Linear(readout.width(hidden), 1, bias=False, device=self.device)
        nn.init.zeros_(head.weight)
        self.hf.set_submodule(name_of(self.hf, self.head), head)
        self.head = head
        self.readout, self._outputs = readout, LayerOutputs(layer_stack(self.hf.base_model), readout.layers)

    def take_head(self) -> None:
        """Find the head in `hf` (again, once an adapter has put a copy of it that learns in its place)."""
        self.head = find_head(self.hf)
        self.head.register_forward_pre_hook(self._keep_features)

    def parameter_sizes(self) -> Iterator[tuple[nn.Parameter, int]]:
        """Each parameter and how many numbers it stands for, quantised or not; what an adapter replaced is left out."""
        for name, parameter in self.hf.named_parameters():
            if ".original_module." not in name:
                quantized = getattr(parameter, "quant_state", None)
                yield parameter, (quantized.shape if quantized else parameter.shape).numel()

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
        cached = None if self.cache is None else self.cache.batch(self, trees)
        return self.texts(trees) if cached is None else cached

    def texts(self, trees: Sequence[TokenTree]) -> TextBatch:
        """Trees as tensors of tokens."""
        if self.packed:
            return pack_trees(trees, self.device)
        return pad_rows(trees, self.pad_id, self.device)

    def forward(
        self, batch: Batch, *, keep: Float[Tensor, "R H"] | None = None, head: bool = True, wide: bool = False
    ) -> Float[Tensor, "R ..."]:
        """One reward per response; `keep` multiplies the pooled features (head dropout, already scaled).

        With `head=False` the features themselves; with `wide` (R, O) columns, the rewards, what `heads.extra` adds and, of a
        batch that asks for it, the two columns of `spoken.text_columns`. All work goes through this one call, on which
        sharded weights are gathered and freed again.
        """
        features, text = self._pooled(batch)
        if not head:
            return features
        features = features.float()
        if keep is not None:
            features = features * keep
        with torch.autocast(self.device.type, enabled=False):
            rewards = self._read(features)
            extra = extra_of(self) if wide else None
            columns = rewards if extra is None else extra(rewards, features, self._head_weight())
            if not wide or text is None:
                return columns
            return torch.cat([columns.reshape(len(rewards), -1), text], dim=1)

    def features(self, batch: Batch) -> Float[Tensor, "R H"]:
        """What the head reads: what `readout` says, else the last token's hidden state (decoders) or the class's own
        pooling (encoders).
        """
        rows: Tensor = self(batch, head=False)
        return rows

    def along(self, batch: TextBatch) -> tuple[Float[Tensor, "R F"], Float[Tensor, "rows tokens"]]:
        """The features that the head reads, in fp32, and what it gives at every token of a decoder's rows.

        Attention is causal, so the value at a token is that of the conversation that ends there; the reward is the value at
        the last token, or the mean of the answer's values, as the head pools. Not for encoders, nor for a head that pools
        in two ways.
        """
        with self._mixed_precision():
            states = self._states(self._hidden(batch))
            features = self._pool(batch, states).float()
        return features, self._read(torch.cat([state.float() for state in states], dim=-1))

    def _read(self, features: Float[Tensor, "... F"]) -> Float[Tensor, "..."]:
        """The head, in fp32."""
        with torch.autocast(self.device.type, enabled=False):
            if self.whole_reward is not None:
                return self.whole_reward(features) + self.offset
            bias = None if self.head.bias is None else self.head.bias.float()
            return F.linear(features, self._head_weight(), bias).squeeze(-1) + self.offset

    def _head_weight(self) -> Float[Tensor, "1 F"]:
        """The weights of the head in fp32: of a reward that is a sum of learning outputs, the sum of theirs."""
        extra = extra_of(self)
        weight: Tensor = self.head.weight.float() if extra is None or not extra.replaces else extra.reward_weight()
        return weight

    def _pooled(self, batch: Batch) -> tuple[Float[Tensor, "R H"], Float[Tensor, "R 2"] | None]:
        """The features of each response, and the columns of its text where the batch asks for them."""
        if isinstance(batch, KnownFeatures):
            return batch.rows, None
        with self._mixed_precision(), self._kept_activations():
            if isinstance(batch, PackedTrees) or self.padded:
                return self._batch_features(batch)
            return torch.cat([self._batch_features(batch.row(index))[0] for index in range(len(batch.ids))]), None

    def _batch_features(self, batch: TextBatch) -> tuple[Float[Tensor, "R H"], Float[Tensor, "R 2"] | None]:
        if self.readout is None and isinstance(batch, PaddedRows) and self.kind == "encoder":
            return self._own_pooling(batch), None
        hidden = self._hidden(batch)
        language = language_head_of(self)
        text = None
        if batch.spoken is not None and language is not None:
            text = text_columns(language, hidden, embeddings_of(self.hf), batch.spoken)
        return self._pool(batch, self._states(hidden)), text

    def _states(self, hidden: Tensor) -> list[Tensor]:
        """The outputs of the layers that the head reads, in order; of the pass that ended with `hidden`."""
        return [hidden] if self._outputs is None else self._outputs.take(hidden)

    def _pool(self, batch: TextBatch, states: Sequence[Tensor]) -> Float[Tensor, "R F"]:
        """The features of each response from the states that the head reads."""
        if self.readout is not None:
            return pooled(states, batch, self.readout, last_places(batch, self.kind))
        if isinstance(batch, PackedTrees):
            return torch.index_select(states[0][0], 0, batch.pooled)
        return last_of_rows(states[0], batch.mask)

    def _hidden(self, batch: TextBatch) -> Float[Tensor, "rows tokens H"]:
        """The backbone's output."""
        if isinstance(batch, PackedTrees):
            arguments = {"position_ids": batch.positions, "use_cache": False, "tree_layout": batch.layout}
        elif self.kind == "decoder":
            arguments = {"attention_mask": batch.mask, "use_cache": False}
        else:
            arguments = {"attention_mask": batch.mask}
        with self._known_layers(batch):
            hidden: Tensor = self.hf.base_model(input_ids=batch.ids, **arguments).last_hidden_state
        return hidden

    def _own_pooling(self, batch: PaddedRows) -> Float[Tensor, "R H"]:
        with self._known_layers(batch):
            self.hf(input_ids=batch.ids, attention_mask=batch.mask)
        if self._features is None:
            raise ModelError(
                f"{type(self.hf).__name__} does not use its output head; it cannot be used as a reward model"
            )
        features, self._features = self._features, None
        return self.late_pooling(features, batch.mask) if features.dim() > 2 else features

    def _keep_features(self, module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        self._features = arguments[0]

    def _known_layers(self, batch: TextBatch) -> contextlib.AbstractContextManager[None]:
        """Where the outputs of the lower layers are known, these layers are not computed."""
        if self.lower is None or batch.states is None:
            return contextlib.nullcontext()
        return self.lower.answering(batch.states)

    def _kept_activations(self) -> contextlib.AbstractContextManager[Any]:
        """Where the forward pass leaves what the backward pass needs: on the device, or with `offload` on the host."""
        if self.offload and self.training:
            return torch.autograd.graph.save_on_cpu(pin_memory=self.device.type == "cuda")
        return contextlib.nullcontext()

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


def name_of(hf: Any, head: nn.Module) -> str:
    """The name under which `hf` holds its head."""
    return next(str(name) for name, module in hf.named_modules() if module is head)


def layer_stack(backbone: Any) -> list[nn.Module]:
    """The backbone's layers: its longest ModuleList."""
    stacks = [list(module) for module in backbone.modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise ModelError(f"{type(backbone).__name__} has no list of layers")
    return max(stacks, key=len)


def kind_of(hf: Any) -> str:
    """ "decoder" where the last token is pooled by a bare `score` head, else "encoder" (the class pools by itself)."""
    return "decoder" if isinstance(getattr(hf, "score", None), nn.Linear) else "encoder"
