"""LoRA and QLoRA: what learns, what is saved, and that every reader gets the same rewards."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, BertConfig, GPT2Config, ModernBertConfig, Qwen3Config

import rewardsmith as rs
from builders import from_config, pair, tiny
from rewardsmith.errors import MissingExtraError, ModelError, UsageError
from rewardsmith.launch.installation import install_command
from rewardsmith.model.adapters.lora import LoraSettings, attach
from rewardsmith.model.adapters.quantized import open_bitsandbytes
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.loading.tiny import TinyConfig
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.losses import LOSSES
from rewardsmith.train.masks import Dropout
from rewardsmith.train.optimizer import count_parameters, make_optimizer
from rewardsmith.train.step import accumulate

pytest.importorskip("peft", reason="peft is not installed")
NO_DROPOUT = Dropout(0.0, 0, 0)
RANK_2 = LoraSettings(r=2, alpha=4)
ROWS = [pair(f"Which is larger, {k} or {k + 3}?", f"It is {k + 3}.", f"It is {k}, I think.") for k in range(4)]
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
FAMILIES = {
    "qwen3": lambda: Qwen3Config(**SMALL, num_key_value_heads=1, head_dim=16, max_position_embeddings=128),
    "gpt2": lambda: GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=128),
    "bert": lambda: BertConfig(**SMALL, max_position_embeddings=128),
    "modernbert": lambda: ModernBertConfig(
        **SMALL, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2
    ),
}


def learning(model):
    return {name for name, p in model.network.hf.named_parameters() if p.requires_grad}


def steps(model, count=3, lr=3e-2):
    """A few optimizer steps, so that adapter and head are no longer what they began as."""
    examples = encode_examples(ROWS, model.encoder, share=model.network.packed).examples
    optimizer = make_optimizer(model.network, lr=lr, weight_decay=0.0)
    for _ in range(count):
        accumulate(model.network, examples, LOSSES["bradley-terry"], dropout=NO_DROPOUT, budget=4096)
        optimizer.step()
        optimizer.zero_grad()
    model.network.eval()


def rewards(model):
    return np.concatenate(list(model.score_records(ROWS)))


def plain_rewards(hf, model):
    """transformers' own forward pass on the model's token ids, one sequence at a time."""
    hf.eval()
    ids = [torch.tensor([[*map(int, s)]]) for row in ROWS for s in model.encode(row).sequences]
    with torch.no_grad():
        return np.array([hf(input_ids=i, attention_mask=torch.ones_like(i)).logits.item() for i in ids])


def test_an_adapter_changes_nothing_before_the_first_step():
    model = tiny()
    before = rewards(model)
    attach(model.network, RANK_2)
    np.testing.assert_allclose(rewards(model), before, atol=1e-6)


def test_only_adapter_and_head_learn_and_are_counted():
    model = tiny()
    whole = count_parameters(model.network)
    model.adapter = attach(model.network, RANK_2)
    linears = 4 * (64 + 64) + 2 * (64 + 128) + (128 + 64)  # q k v o, gate and up, down: inputs + outputs
    assert whole.all == whole.trainable
    assert count_parameters(model.network) == (whole.all + 2 * 2 * linears, 2 * 2 * linears + 64)
    assert all("lora_" in name or name == "score.modules_to_save.default.weight" for name in learning(model))
    frozen = {name: p.detach().clone() for name, p in model.network.hf.named_parameters() if not p.requires_grad}
    before = model.network.head.weight.detach().clone()
    steps(model)
    now = dict(model.network.hf.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in frozen.items())
    assert not torch.equal(model.network.head.weight, before)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_merges_to_equal_rewards_and_learns_what_stands_behind_its_backbone(family, tmp_path):
    model = from_config(FAMILIES[family]())
    base = {name: p.detach().clone() for name, p in model.network.hf.named_parameters()}
    model.adapter = attach(model.network, RANK_2)
    steps(model)
    before = rewards(model)
    assert model.merge_adapter() <= 1e-4
    np.testing.assert_allclose(rewards(model), before, atol=1e-4)
    moved = {name for name, p in model.network.hf.named_parameters() if not torch.equal(p, base[name])}
    own = {"qwen3": "score", "gpt2": "score", "bert": "bert.pooler.dense", "modernbert": "head.dense"}[family]
    assert f"{own}.weight" in moved
    assert not any("embed" in name or "norm" in name.lower() for name in moved - {"head.norm.weight"})
    model.save(tmp_path / "model")
    np.testing.assert_allclose(rewards(rs.RewardModel.load(tmp_path / "model")), before, atol=1e-4)


def test_merged_model_and_adapter_open_in_plain_transformers_and_peft(tmp_path):
    from peft import PeftModel

    model = tiny(seed=3)
    model.adapter = attach(model.network, RANK_2, seed=3)
    steps(model)
    learned = rewards(model)
    model.merge_adapter()
    model.save(tmp_path / "model")
    files = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"model.safetensors", "adapter"} <= files
    assert not any(name.startswith("adapter_") for name in files)
    assert not any("lora" in key or "base_layer" in key for key in load_file(tmp_path / "model" / "model.safetensors"))
    merged = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    np.testing.assert_allclose(plain_rewards(merged, model), learned, atol=1e-4)
    base = open_backbone("tiny", seed=3, tiny=TinyConfig()).hf
    untrained = plain_rewards(base, model)
    adapted = PeftModel.from_pretrained(base, str(tmp_path / "model" / "adapter"))
    np.testing.assert_allclose(plain_rewards(adapted, model), learned, atol=1e-4)
    assert np.abs(untrained - learned).max() > 0.1  # else the lines above would prove nothing
    assert json.loads((tmp_path / "model" / "adapter" / "adapter_config.json").read_text())["task_type"] == "SEQ_CLS"


def test_a_model_with_its_adapter_apart_is_not_saved(tmp_path):
    model = tiny()
    model.adapter = attach(model.network, RANK_2)
    with pytest.raises(ModelError, match="the adapter of this model is not merged"):
        model.save(tmp_path / "model")


def test_the_same_seed_gives_the_same_adapter():
    def start(seed):
        model = tiny()
        torch.rand(seed + 5)  # whatever was drawn before
        attach(model.network, RANK_2, seed=seed)
        return {name: p for name, p in model.network.hf.named_parameters() if "lora_A" in name}

    first, again, other = start(0), start(0), start(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_targets_and_frozen_layers_choose_where_adapters_sit():
    model = tiny(n_layer=3)
    attach(model.network, LoraSettings(2, 4, target=("q_proj", "mlp.up_proj")), first_layer=1)
    named = {name.split(".lora_")[0] for name in learning(model) if "lora_" in name}
    assert named == {f"model.layers.{n}.{end}" for n in (1, 2) for end in ("self_attn.q_proj", "mlp.up_proj")}


def test_a_target_that_is_not_there_is_refused_with_those_that_are():
    known = "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"
    with pytest.raises(UsageError, match=f"--lora.target query: no such linear layer; this model has {known}"):
        attach(tiny().network, LoraSettings(2, 4, target=("q_proj", "query")))
    with pytest.raises(UsageError, match="leaves no linear layer"):
        attach(tiny().network, RANK_2, first_layer=2)
    with pytest.raises(ModelError, match="the model has 2 layers"):
        attach(tiny().network, RANK_2, first_layer=3)


def test_packed_and_separate_gradients_agree_under_an_adapter():
    def gradient(packed):
        model = tiny()
        attach(model.network, RANK_2)
        model.network.packed = packed
        model.network.use_attention()
        for name, p in model.network.hf.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(p, generator=torch.Generator().manual_seed(1))
        examples = encode_examples(ROWS, model.encoder, share=packed).examples
        accumulate(model.network, examples, LOSSES["bradley-terry"], dropout=NO_DROPOUT, budget=4096)
        return torch.cat([p.grad.flatten() for p in model.network.hf.parameters() if p.requires_grad])

    packed, separate = gradient(True), gradient(False)
    assert (packed - separate).norm() <= 1e-5 * separate.norm()
    assert separate.norm() > 1e-3


def test_mixed_precision_keeps_head_and_adapter_in_fp32():
    model = tiny()
    attach(model.network, RANK_2)
    model.network.autocast = torch.bfloat16
    steps(model, count=1)
    assert {p.dtype for p in model.network.hf.parameters() if p.requires_grad} == {torch.float32}
    assert next(model.network.hf.parameters()).dtype == torch.float32


def test_folders_with_loose_adapters_are_refused(tmp_path):
    model = tiny()
    model.adapter = attach(model.network, RANK_2)
    model.merge_adapter()
    model.save(tmp_path / "model")
    with pytest.raises(ModelError, match="is a LoRA adapter that does not name its base model; pass --base FOLDER"):
        open_backbone(str(tmp_path / "model" / "adapter"))
    (tmp_path / "model" / "manifest.json").unlink()
    (tmp_path / "model" / "adapter" / "adapter_config.json").rename(tmp_path / "model" / "adapter_config.json")
    with pytest.raises(ModelError, match="contains a complete model and a LoRA adapter"):
        rs.RewardModel.load(tmp_path / "model")


@pytest.mark.parametrize(("name", "extra"), [("peft", "lora"), ("bitsandbytes", "qlora")])
def test_a_missing_library_is_one_line_that_names_the_extra(name, extra, monkeypatch):
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)  # Python's own way to say: not to be had
    network, cpu = tiny().network, torch.device("cpu")
    action = {"peft": lambda: attach(network, RANK_2), "bitsandbytes": lambda: open_bitsandbytes("4bit", cpu)}[name]
    expected = f"needs the package {name}; install it with: {install_command(extra)}"
    with pytest.raises(MissingExtraError, match=re.escape(expected)):
        action()


def test_a_library_that_cannot_quantise_here_is_one_line_too():
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    with pytest.raises(ModelError, match=r"--quantize 4bit: bitsandbytes \S+ cannot be used on meta .*; use a CUDA"):
        open_bitsandbytes("4bit", torch.device("meta"))


def quantized_model(bits):
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    backbone = open_backbone("tiny", seed=0, tiny=TinyConfig())
    try:
        model = rs.RewardModel.build(backbone, tiny().contract, device="cpu", bits=bits)
    except ModelError as error:
        pytest.skip(f"bitsandbytes does not run here: {error}")
    model.adapter = attach(model.network, LoraSettings(r=2, alpha=4, target=("q_proj", "up_proj")))
    return model


@pytest.mark.parametrize(("bits", "close"), [("4bit", 1e-4), ("8bit", 0.2)])
def test_a_quantised_base_is_saved_dequantised_and_scores_what_its_probes_say(bits, close, tmp_path):
    model = quantized_model(bits)
    assert model.network.packed
    assert count_parameters(model.network).all == pytest.approx(count_parameters(tiny().network).all, rel=0.1)
    kinds = {type(p).__name__ for p in model.network.hf.parameters()}
    assert kinds == {"Parameter", {"4bit": "Params4bit", "8bit": "Int8Params"}[bits]}
    steps(model)
    before = rewards(model)
    assert model.merge_adapter() <= close
    np.testing.assert_allclose(rewards(model), before, atol=close)
    assert {type(p).__name__ for p in model.network.hf.parameters()} == {"Parameter"}
    model.save(tmp_path / "model")
    np.testing.assert_allclose(rewards(rs.RewardModel.load(tmp_path / "model")), rewards(model), atol=1e-5)


@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_scoring_in_between_does_not_change_a_quantised_models_gradient(bits):
    """bitsandbytes 0.50.2 repacks 4-bit weights in a scoring pass on some CPUs, for a product without a gradient."""

    def gradient(model):
        model.network.zero_grad()
        examples = encode_examples(ROWS, model.encoder, share=True).examples
        accumulate(model.network, examples, LOSSES["bradley-terry"], dropout=NO_DROPOUT, budget=4096)
        return torch.cat([p.grad.flatten() for p in model.network.hf.parameters() if p.requires_grad])

    model = quantized_model(bits)
    model.network.train()
    before = gradient(model)
    rewards(model)
    model.network.train()
    assert (gradient(model) - before).norm() <= 1e-4 * before.norm()


def test_opening_the_command_line_opens_neither_peft_nor_bitsandbytes():
    program = "import sys, rewardsmith.commands.train; print([m for m in ('peft', 'bitsandbytes') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
