"""A folder in the layout of TRL's AutoModelForCausalLMWithValueHead: the language model, and `v_head.summary` beside it.

In TRL (`trl/experimental/ppo/modeling_value_head.py`, until PPO was removed) a value is dropout, then one linear map of the
last hidden state at each token; LLaMA-Factory reads the same names. A head that reads the last layer is that map, so its
values stay what they are, whether the reward is the last of them or their mean.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.errors import ModelError, first_line
from rewardsmith.files import write_json
from rewardsmith.model.checkpoint.hf_folder import patch_rope, patch_tokenizer
from rewardsmith.model.forward.network import RewardNetwork, layer_stack
from rewardsmith.model.language_head.weights import read_language_head
from rewardsmith.model.runtime.quiet import quiet_transformers
from rewardsmith.model.token_values import refuse_without_values
from rewardsmith.scoring.contract import ScoringContract
from rewardsmith.scoring.trees import Ids, build_tree

MARKER = "export.json"
LAYOUT = "trl-value-head"
CLOSE = 1e-4
"""Of the largest value: another hidden state, or a final norm applied twice, is off by far more."""
ONE_FILE = "100TB"
"""The largest file: TRL looks for a head in `model.safetensors` alone."""
OF_CLASSIFIERS = ("num_labels", "problem_type", "id2label", "label2id")


def refuse_value_head(network: RewardNetwork) -> None:
    """ModelError where the head is no linear map of the last layer's state at each token."""
    refuse_without_values(network, f"--to={LAYOUT}")
    last, readout = len(layer_stack(network.hf.base_model)), network.readout
    if readout is not None and readout.layers != (last,):
        raise ModelError(
            f"--to {LAYOUT}: the head reads layers {', '.join(map(str, readout.layers))}, but this layout has a head on "
            f"the last layer ({last}) only"
        )


def language_model_of(network: RewardNetwork, base: Path | None) -> Any:
    """The language model with the network's backbone; its head is tied, or that of the folder `base`."""
    from transformers import AutoModelForCausalLM

    head = read_language_head(network.hf, network.kind, base)
    config = deepcopy(network.hf.config)
    if head.weight is None:
        config.tie_word_embeddings = True
    try:
        with quiet_transformers():
            lm = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa").eval()
        lm.base_model.load_state_dict(network.hf.base_model.state_dict())
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{type(network.hf).__name__} has no language model to export: {first_line(error)}") from error
    if head.weight is None:
        lm.tie_weights()
        return lm
    own = lm.get_output_embeddings()
    with torch.no_grad():
        own.weight.zero_()
        own.weight[: len(head.weight)].copy_(head.weight)
        if own.bias is not None:
            own.bias.zero_()
            if head.bias is not None:
                own.bias[: len(head.bias)].copy_(head.bias)
    return lm


def value_head_of(network: RewardNetwork) -> dict[str, Tensor]:
    """`v_head.summary` with a bias, which is the offset where the head has none."""
    weight = network.head.weight.detach().float().cpu()
    bias = network.offset + (0.0 if network.head.bias is None else float(network.head.bias))
    return {"v_head.summary.weight": weight.clone(), "v_head.summary.bias": torch.tensor([bias])}


def values_by_trl(lm: Any, head: dict[str, Tensor], ids: Ids) -> Float[Tensor, " T"]:
    """The values of one text as TRL computes them."""
    with torch.inference_mode():
        states = lm(input_ids=torch.from_numpy(ids).long()[None], output_hidden_states=True).hidden_states[-1][0]
        values: Tensor = states @ head["v_head.summary.weight"][0] + head["v_head.summary.bias"]
        return values


def largest_difference(network: RewardNetwork, lm: Any, head: dict[str, Tensor], texts: list[Ids]) -> float:
    """How far TRL's values are from ours on some texts; ModelError where the layout does not give the same."""
    worst = 0.0
    for ids in texts:
        with torch.inference_mode():
            own = network.along(network.texts([build_tree([ids], answers=[len(ids)])]))[1][0].cpu()
        apart = (values_by_trl(lm, head, ids) - own).abs().max().item()
        if not apart <= CLOSE * max(1.0, own.abs().max().item()):
            raise ModelError(
                f"--to {LAYOUT}: the language model gives other values than this model (a difference of {apart:.2g}); its "
                "family treats the last hidden state in a way of its own and cannot be exported"
            )
        worst = max(worst, apart)
    return worst


def save_value_head(
    network: RewardNetwork,
    tokenizer: Any,
    contract: ScoringContract,
    folder: Path,
    *,
    base: Path | None,
    texts: list[Ids],
    facts: dict[str, Any],
) -> float:
    """Write the folder; returns the largest difference of a value on the `texts`."""
    refuse_value_head(network)
    lm, head = language_model_of(network, base), value_head_of(network)
    apart = largest_difference(network, lm, head, texts)
    for name in OF_CLASSIFIERS:
        lm.config.__dict__.pop(name, None)
    lm.config.summary_dropout_prob = 0.0
    template = tokenizer.chat_template
    tokenizer.chat_template = contract.template
    try:
        with quiet_transformers():
            lm.save_pretrained(
                folder, state_dict={**lm.state_dict(), **head}, safe_serialization=True, max_shard_size=ONE_FILE
            )
            tokenizer.save_pretrained(folder)
    finally:
        tokenizer.chat_template = template
    patch_rope(folder / "config.json")
    patch_tokenizer(folder / "tokenizer_config.json", contract.template, fast=tokenizer.is_fast)
    write_json(folder / MARKER, {"layout": LAYOUT, **facts, "largest_difference": apart})
    return apart
