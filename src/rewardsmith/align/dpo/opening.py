"""A name to a policy that is ready to be trained: opened as for generation, checked against its own class."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.align.dpo.encoding import PolicyEncoder
from rewardsmith.align.dpo.policy import PolicyNetwork
from rewardsmith.errors import ModelError, UsageError
from rewardsmith.generate.local.model import LanguageModel, open_language_model
from rewardsmith.model.adapters.lora import Adapter
from rewardsmith.model.equivalence.path_check import near, random_texts
from rewardsmith.model.equivalence.tree_support import self_check, why_alone, why_not
from rewardsmith.model.frozen.dropout import switch_off_dropout
from rewardsmith.model.language_head.weights import refuse_scaled
from rewardsmith.model.lean.swap import make_lean, make_plain
from rewardsmith.model.runtime.devices import autocast_dtype, choose_device
from rewardsmith.scoring.contract import DEFAULT_MAX_LENGTH
from rewardsmith.scoring.trees import TokenTree


@dataclass
class OpenedPolicy:
    """A language model in training: its network, tokenizer and encoder; `why_separate` says why prefixes are not shared."""

    network: PolicyNetwork
    language_model: LanguageModel
    encoder: PolicyEncoder
    why_separate: str | None = None
    adapter: Adapter | None = None

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the model."""
        return self.language_model.tokenizer

    def generating(self) -> LanguageModel:
        """The same model, weights as they are now, ready to generate."""
        hf = self.network.hf
        make_plain(hf)
        hf.set_attn_implementation(self.network.plain_attention)
        return LanguageModel(hf.eval(), self.tokenizer, self.language_model.files)


def open_policy(
    name: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    max_length: int | None = None,
    thinking: bool | None = None,
    beta: float = 1.0,
    per_token: bool = False,
    trust_remote_code: bool = False,
) -> OpenedPolicy:
    """Open a folder, an embedded model or a Hub name; weights stay in fp32, `dtype` is that of mixed precision.

    ModelError where the class's logits are more than its head gives, or depend on what stands beside a text.
    """
    opened = open_language_model(str(name), device="cpu", trust_remote_code=trust_remote_code)
    hf = opened.hf
    refuse_scaled(hf)
    switch_off_dropout(hf)
    length = longest(opened, max_length)
    pad = opened.tokenizer.pad_token_id
    network = PolicyNetwork(hf, pad_id=0 if pad is None else int(pad), beta=beta, per_token=per_token)
    network.eval()
    check_log_probs(network)
    place = choose_device(device)
    hf.to(place)
    make_lean(network)
    if alone := why_alone(hf, length):
        raise ModelError(f"{name} cannot be trained here: {alone}")
    reason = why_not(hf, "decoder", length) or self_check(network, length)
    network.packed = reason is None
    network.use_attention()
    network.autocast = autocast_dtype(dtype, place, hf.config)
    encoder = PolicyEncoder(opened.tokenizer, ends=opened.ends, max_length=length, thinking=thinking)
    return OpenedPolicy(network, opened, encoder, reason)


def longest(opened: LanguageModel, asked: int | None) -> int:
    """`asked`, checked against what the model can read; by default 1024 or less."""
    can = opened.longest
    if asked is None:
        return min(DEFAULT_MAX_LENGTH, can or DEFAULT_MAX_LENGTH)
    if can is not None and asked > can:
        raise UsageError(f"--max-length {asked}: the model supports at most {can} tokens")
    return asked


def check_log_probs(network: PolicyNetwork) -> None:
    """ModelError where the network does not give the log probabilities of the class's own forward pass."""
    trees = random_texts(network, seed=0)
    with torch.no_grad():
        own = torch.stack([log_prob_of_class(network, tree) for tree in trees])
        found = network(network.collate(trees), wide=True)[:, 1]
    if not near(found.cpu(), own.cpu()):
        raise ModelError(
            f"{type(network.hf).__name__} computes its logits in a way of its own, or they depend on padding; it cannot be "
            "trained with DPO here"
        )


def log_prob_of_class(network: PolicyNetwork, tree: TokenTree) -> Float[Tensor, ""]:
    """The sum of log p over a text but its first token, by the class itself, alone."""
    ids = torch.from_numpy(tree.sequences[0].astype("int64"))[None].to(network.device)
    logits = network.hf(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[0, :-1]
    chosen: Tensor = logits.float().log_softmax(dim=-1).gather(1, ids[0, 1:, None])
    return chosen.sum()
