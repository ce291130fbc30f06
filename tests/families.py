"""Tiny random models of the families of transformers, windows and chunks far shorter than the texts that are scored."""

import torch
from transformers import AutoConfig

from builders import from_config

WINDOW = 16
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}
GROUPED = {**SIZES, "num_key_value_heads": 2}
HEADS = {**GROUPED, "head_dim": 8}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
OLD = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "embd_pdrop": 0, "attn_pdrop": 0, "resid_pdrop": 0}
MARKS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 3, "cls_token_id": 1, "sep_token_id": 3}

SHARED = {
    "llama": GROUPED,
    "mistral": {**GROUPED, "sliding_window": 128},
    "qwen2": GROUPED,
    "qwen3": HEADS,
    "gemma": HEADS,
    "phi": SIZES,
    "phi3": {**GROUPED, "pad_token_id": 0},
    "gpt2": OLD,
    "gpt_neox": SIZES,
    "gpt_bigcode": OLD,
    "opt": {
        "hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "max_position_embeddings": 256, "word_embed_proj_dim": 32, "dropout": 0.0,
    },
    "olmo2": GROUPED,
    "granite": GROUPED,
    "cohere": GROUPED,
    "glm4": {**HEADS, "pad_token_id": 0},
    "smollm3": {**GROUPED, "pad_token_id": 0, "no_rope_layer_interval": 2},
    "mixtral": {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": {**HEADS, **EXPERTS, "num_experts": 4},
    "deepseek_v3": {
        **SIZES, **EXPERTS, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
        "v_head_dim": 8, "n_routed_experts": 4, "n_group": 2, "topk_group": 1, "first_k_dense_replace": 1,
        "num_key_value_heads": 4,
    },
}  # fmt: skip
"""Decoders that are exact in a prefix tree."""

WINDOWED = {
    name: {**sizes, "sliding_window": WINDOW}
    for name, sizes in {
        "mistral": GROUPED,
        "phi3": {**GROUPED, "pad_token_id": 0},
        "gemma2": HEADS,
        "gemma3_text": HEADS,
        "cohere2": GROUPED,
        "starcoder2": GROUPED,
        "olmo3": GROUPED,
        "gpt_oss": {**HEADS, "num_local_experts": 4, "num_experts_per_tok": 2},
        "qwen2": {**GROUPED, "use_sliding_window": True, "max_window_layers": 1},
    }.items()
}
"""Decoders with a window shorter than the texts."""

SEPARATE = {
    "gpt_neo": {
        "hidden_size": 32, "num_layers": 2, "num_heads": 4, "max_position_embeddings": 256, "window_size": WINDOW,
        "attention_types": [[["global", "local"], 1]],
    },
    "gptj": {**OLD, "rotary_dim": 4},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 256},
    "falcon": {**SIZES, "alibi": True, "new_decoder_architecture": False, "multi_query": False},
    "stablelm": GROUPED,
    "nemotron": GROUPED,
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
    "jamba": {
        **GROUPED, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
        "num_experts": 4, "num_experts_per_tok": 2, "use_mamba_kernels": False, "mamba_d_state": 4,
    },
    "falcon_h1": {
        **HEADS, "mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_chunk_size": 16,
    },
    "qwen3_next": {
        **HEADS, **EXPERTS, "num_experts": 4, "shared_expert_intermediate_size": 16, "linear_num_value_heads": 4,
        "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"],
    },
    "lfm2": {**GROUPED, "layer_types": ["conv", "full_attention"]},
}  # fmt: skip
"""Decoders whose attention (or the lack of it) cannot take a tree."""

ENCODERS = {
    "bert": SIZES,
    "roberta": {**SIZES, "pad_token_id": 0},
    "xlm-roberta": {**SIZES, "pad_token_id": 0},
    "deberta-v2": {
        **SIZES, "relative_attention": True, "position_buckets": 16, "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True, "norm_rel_ebd": "layer_norm",
    },
    "modernbert": {**SIZES, **MARKS, "local_attention": WINDOW, "global_attn_every_n_layers": 2},
    "modernbert-decoder": {**SIZES, **MARKS, "local_attention": WINDOW},
    "distilbert": {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4, "max_position_embeddings": 256},
    "electra": {**SIZES, "embedding_size": 32},
    "eurobert": GROUPED,
    "xlnet": {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64},
    "fnet": {name: size for name, size in SIZES.items() if name != "num_attention_heads"},
}  # fmt: skip
"""Models whose class pools by itself."""

DECODERS = {
    **{name: (name, sizes) for name, sizes in (SHARED | SEPARATE).items()},
    **{f"{name}-window": (name, sizes) for name, sizes in WINDOWED.items()},
}
FAMILIES = {**DECODERS, **{name: (name, sizes) for name, sizes in ENCODERS.items()}}


def build(name, *, scale=4.0, max_length=128):
    """A random reward model; weights scaled up, so that what a token sees shows in the reward."""
    kind, sizes = FAMILIES[name]
    model = from_config(AutoConfig.for_model(kind, **sizes), max_length=max_length)
    with torch.no_grad():
        for parameter_name, parameter in model.network.hf.named_parameters():
            if parameter.ndim >= 2 and "embed" not in parameter_name:
                parameter.mul_(scale)
    model.network.eval()
    return model
