"""A causal language model that tests build themselves: two layers, byte-level tokenizer, random weights."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from rewardsmith.model.loading.tiny import byte_tokenizer


def save_language_model(folder, *, seed=0, heads=4, key_heads=2, template=None, positions=512, sharp=1.0):
    """Write such a model; `sharp` scales its head, so that its distributions are less flat."""
    torch.manual_seed(seed)
    tokenizer = byte_tokenizer()
    if template is not None:
        tokenizer.chat_template = template
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        max_position_embeddings=positions,
        initializer_range=0.2,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
    )
    hf = LlamaForCausalLM(config)
    with torch.no_grad():
        hf.lm_head.weight.mul_(sharp)
    hf.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
