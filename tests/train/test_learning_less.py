"""Adapters in the loop, fewer steps than the epochs hold, and activations computed twice."""

import hashlib

import orjson
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, Qwen3Config

from builders import from_config, pair, tiny
from rewardsmith.errors import ModelError
from rewardsmith.model.adapters.lora import LoraSettings, attach
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.loop import Fit, FitSettings
from rewardsmith.train.losses import LOSSES
from rewardsmith.train.masks import Dropout
from rewardsmith.train.optimizer import recompute_activations
from rewardsmith.train.step import accumulate

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}
MODELS = {
    "tiny": lambda: tiny(n_layer=3),
    "qwen3": lambda: from_config(Qwen3Config(**SMALL, num_key_value_heads=1, head_dim=16, max_position_embeddings=128)),
    "bert": lambda: from_config(
        BertConfig(**SMALL, max_position_embeddings=128, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    ),
}


def records(n, start=0):
    return [
        pair(f"Which is larger, {k} or {k + 3}?", f"It is {k + 3}.", f"It is {k}, I think.").at("made", k)
        for k in range(start, start + n)
    ]


def examples(model, rows):
    return encode_examples(rows, model.encoder, share=model.network.packed).examples


def fit(folder, *, lora=None, **changes):
    model = tiny(seed=1)
    if lora:
        attach(model.network, lora, seed=1)
    values = {
        "epochs": 2, "batch": 4, "lr": 1e-2, "weight_decay": 0.01, "warmup": 0.1, "clip": 1.0, "dropout": 0.1,
        "loss": "bradley-terry", "seed": 0, "tokens_per_microbatch": 400, "eval_every": 3, "patience": 0, "keep": 2,
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    return Fit(
        model.network,
        FitSettings(**{**values, **changes}),
        train=examples(model, records(20)),
        validation=examples(model, records(6, start=100)),
        folder=folder,
        fingerprint={},
    )


def digest(trainer):
    total = hashlib.sha256()
    for name, parameter in sorted(trainer.network.hf.named_parameters()):
        total.update(name.encode() + parameter.detach().numpy().tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("stop_at", [2, 3, 7])
def test_a_resumed_adapter_ends_with_the_same_bits_also_with_its_own_dropout(tmp_path, stop_at):
    lora = LoraSettings(r=2, alpha=4, dropout=0.2)
    whole = fit(tmp_path / "whole", lora=lora)
    whole.run()
    broken = fit(tmp_path / "broken", lora=lora)
    one_step = broken._one_step

    def stopping(epoch, chosen, task):
        if broken.state.step == stop_at:
            raise RuntimeError("power cut")
        one_step(epoch, chosen, task)

    broken._one_step = stopping
    with pytest.raises(RuntimeError, match="power cut"):
        broken.run()
    torch.rand(17)  # the random state of another process
    resumed = fit(tmp_path / "broken", lora=lora)
    assert resumed.run(resuming=True).resumed_from == (stop_at // 3 * 3 or None)
    assert digest(resumed) == digest(whole)


def test_checkpoints_hold_the_learning_parameters_only(tmp_path):
    trainer = fit(tmp_path, lora=LoraSettings(r=2, alpha=4))
    trainer.run()
    learning = {name for name, p in trainer.network.hf.named_parameters() if p.requires_grad}
    for name in ("best", "step-00000010"):
        saved = load_file(tmp_path / "checkpoints" / name / "weights.safetensors")
        assert saved.keys() == learning
        assert all("lora_" in key or "score" in key for key in saved)


def test_an_adapter_learns(tmp_path):
    fit(tmp_path, lora=LoraSettings(r=4, alpha=8), epochs=8, lr=2e-2, dropout=0.0).run()
    rows = [orjson.loads(line) for line in (tmp_path / "metrics.jsonl").read_bytes().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert sum(losses[-5:]) / 5 < 0.3 < losses[0]


def test_max_steps_ends_the_run_and_its_schedule(tmp_path):
    result = fit(tmp_path / "short", max_steps=3).run()
    assert (result.state.step, result.total_steps) == (3, 3)
    rows = [orjson.loads(line) for line in (tmp_path / "short" / "metrics.jsonl").read_bytes().splitlines()]
    steps = [row for row in rows if "loss" in row]
    assert len(steps) == 3
    assert result.state.train_loss == pytest.approx(sum(row["loss"] for row in steps) / 3)
    assert steps[-1]["learning_rate"] == pytest.approx(1e-2 * 0.5)  # one step of warm-up, then half of the cosine
    assert "eval_loss" in rows[-1]
    assert fit(tmp_path / "over_an_epoch", max_steps=7).run().state.step == 7
    assert fit(tmp_path / "more_than_there_are", max_steps=99).run().state.step == 10


def test_a_short_run_can_be_resumed_at_its_end(tmp_path):
    first = fit(tmp_path, max_steps=4)
    first.run()
    again = fit(tmp_path, max_steps=4)
    assert again.run(resuming=True).resumed_from == 4
    assert digest(again) == digest(first)


def gradient(model):
    model.network.zero_grad()
    model.network.train()
    accumulate(
        model.network, examples(model, records(4)), LOSSES["bradley-terry"], dropout=Dropout(0.0, 0, 0), budget=4096
    )
    return torch.cat([p.grad.flatten() for p in model.network.hf.parameters() if p.requires_grad])


@pytest.mark.parametrize("adapter", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("family", MODELS)
def test_recomputed_activations_give_the_same_gradient(family, adapter):
    model = MODELS[family]()
    assert model.network.packed == (family != "bert")
    if adapter:
        attach(model.network, LoraSettings(r=2, alpha=4))
    kept = gradient(model)
    calls = []
    layer = model.network.hf.base_model.get_submodule({"bert": "encoder.layer.1"}.get(family, "layers.1"))
    linear = next(module for module in layer.modules() if isinstance(module, torch.nn.Linear))
    linear.register_forward_hook(lambda *_: calls.append(1))
    gradient(model)
    once = len(calls)
    recompute_activations(model.network)
    again = gradient(model)
    assert len(calls) - once == 2 * once  # computed a second time indeed
    assert (again - kept).abs().max() <= 1e-6
    assert (again - kept).norm() <= 1e-5 * kept.norm()


def test_recomputing_keeps_fewer_activations_for_the_backward_pass():
    def held(recompute):
        model = tiny(n_layer=6)
        if recompute:
            recompute_activations(model.network)
        model.network.train()
        sizes = []

        def pack(tensor):
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model.network(model.network.collate([e.tree for e in examples(model, records(4))])).sum()
        return sum(sizes)

    assert held(True) < held(False) / 4


def test_a_model_that_cannot_recompute_says_so():
    model = tiny()
    model.network.hf.supports_gradient_checkpointing = False
    with pytest.raises(ModelError, match="LlamaForSequenceClassification does not support --gradient-checkpointing"):
        recompute_activations(model.network)
