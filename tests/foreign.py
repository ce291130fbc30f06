"""Reward models as other programs write them, built on the spot, each with its reward by the program's own rule."""

import json

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

from rewardsmith.model.loading.tiny import byte_tokenizer

SIZES = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.3,
    "bos_token_id": 1, "eos_token_id": 3, "pad_token_id": 0,
}  # fmt: skip
CONVERSATIONS = [
    [{"role": "user", "content": "天空为什么是蓝色的？"}, {"role": "assistant", "content": "散射。"}],
    [{"role": "user", "content": "Name a fruit."}, {"role": "assistant", "content": "A pear, of course, or an apple."}],
]


def config(**changes):
    return LlamaConfig(vocab_size=len(byte_tokenizer()), **{**SIZES, **changes})


def save_tokenizer(folder, **changes):
    tokenizer = byte_tokenizer()
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    tokenizer.save_pretrained(folder)
    return tokenizer


def ids_of(tokenizer, turns):
    return tokenizer.apply_chat_template(turns, return_dict=True, return_tensors="pt")["input_ids"]


def rewards_by(rule, tokenizer):
    return rewards_of(rule, tokenizer, CONVERSATIONS)


def rewards_of(rule, tokenizer, conversations):
    with torch.no_grad():
        return [float(rule(ids_of(tokenizer, turns))) for turns in conversations]


def classifier(folder, *, num_labels=1, tokenizer=None, seed=0, **changes):
    """What plain transformers saves; the reward is its own forward's logit."""
    torch.manual_seed(seed)
    hf = LlamaForSequenceClassification(config(num_labels=num_labels, **changes)).eval()
    hf.save_pretrained(folder)
    tokenizer = save_tokenizer(folder, **(tokenizer or {}))
    return hf, tokenizer


def language_model(seed=0):
    torch.manual_seed(seed)
    return LlamaForCausalLM(config()).eval(), nn.Linear(SIZES["hidden_size"], 1)


def value_rule(lm, head):
    """TRL and LLaMA-Factory: the head on the last hidden state, read at the last attended token."""
    return lambda ids: head(lm(input_ids=ids, output_hidden_states=True).hidden_states[-1])[0, -1, 0]


def value_head_weights(head):
    return {f"v_head.summary.{name}": value.detach().clone() for name, value in head.state_dict().items()}


def trl(folder):
    """AutoModelForCausalLMWithValueHead.save_pretrained: the language model's weights and `v_head.summary` in one file."""
    lm, head = language_model()
    lm.save_pretrained(folder)
    save_file({**load_file(folder / "model.safetensors"), **value_head_weights(head)}, folder / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    return rewards_by(value_rule(lm, head), save_tokenizer(folder))


def llama_factory(folder):
    """Full tuning: the language model as it is, and `value_head.safetensors` beside it."""
    lm, head = language_model(seed=1)
    lm.save_pretrained(folder)
    save_file(value_head_weights(head), folder / "value_head.safetensors", metadata={"format": "pt"})
    return rewards_by(value_rule(lm, head), save_tokenizer(folder))


def llama_factory_lora(folder):
    """LoRA tuning: an adapter of the language model, which lies elsewhere, and `value_head.safetensors`."""
    from peft import LoraConfig, get_peft_model

    lm, head = language_model(seed=2)
    base = folder.parent / f"{folder.name}-base"
    lm.save_pretrained(base)
    save_tokenizer(base)
    lm.name_or_path = str(base)
    model = get_peft_model(
        lm, LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"])
    ).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    model.save_pretrained(folder)
    save_file(value_head_weights(head), folder / "value_head.safetensors", metadata={"format": "pt"})
    return rewards_by(value_rule(model, head), save_tokenizer(folder))


def openrlhf(folder, *, prefix="value_head"):
    """`RewardModel`: the backbone and a head named by value_head_prefix; mean and std in the config."""
    torch.manual_seed(3)
    hf = LlamaForSequenceClassification(config(num_labels=1)).eval()
    hf.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    weights[f"{prefix}.weight"] = weights.pop("score.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    change_config(folder, architectures=["RewardModel"], normalize_reward=True, mean=0.25, std=1.5)
    tokenizer = save_tokenizer(folder)
    return rewards_by(lambda ids: hf.score(hf.model(ids).last_hidden_state)[0, -1, 0], tokenizer)


def change_config(folder, **changes):
    change_json(folder / "config.json", **changes)


def change_json(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
