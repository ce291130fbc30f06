"""What two processes do in test_together.py: `torchrun --nproc-per-node 2 together_worker.py FOLDER`.

One launch makes all runs, since importing torch costs more than they do. Every process leaves what it saw as JSON.
"""

import sys
from pathlib import Path

import numpy as np
import orjson
import torch
from transformers import BertConfig

from builders import from_config, pair, ranking, tiny
from rewardsmith.data.synthetic.arithmetic import arithmetic
from rewardsmith.errors import ModelError, TrainingError
from rewardsmith.model.adapters.lora import LoraSettings, attach
from rewardsmith.model.heads import attach_outputs
from rewardsmith.model.language_head.head import NAME, LanguageHead
from rewardsmith.model.runtime.processes import ALONE, joined
from rewardsmith.model.scorer import Sequences, score
from rewardsmith.pipelines.train.frozen_cache import cache_states
from rewardsmith.progress import SILENT
from rewardsmith.train import resume
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.loop import Fit, FitSettings
from rewardsmith.train.losses import choose
from rewardsmith.train.optimizer import freeze, recompute_activations

STEPS = {"epochs": 2, "eval_every": 3}
LOSSES_OF = {
    "listwise": "plackett-luce", "odin": "odin", "members": "uncertainty", "gaussian": "gaussian", "inform": "inform",
    "process": "step-cross-entropy",
}  # fmt: skip
"""Runs with a loss of their own."""


def rows(n, *, start=0):
    """Pairs of different lengths, and a few rankings, so that tokens and responses never divide evenly."""
    pairs = [
        pair(f"Which is larger, {k} or {k + 3}? " + "Think. " * (k % 5), f"It is {k + 3}.", f"It is {k}, I think.")
        for k in range(start, start + n)
    ]
    return [*pairs, ranking("List", "a good answer", "a middling one", "bad"), pair("tie?", "a", "b", preference=0.6)]


def make(kind):
    """(model, changed settings) of a run."""
    if kind.startswith("bert"):
        small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        model = from_config(BertConfig(**small, **still, max_position_embeddings=256), max_length=256)
        if kind == "bert":
            model.network.hf.idle = torch.nn.Parameter(torch.ones(3))  # no reward depends on it
        return model, {}
    model = tiny(seed=1)
    if kind == "frozen":
        freeze(model.network, 1)
    if kind == "lora":
        model.adapter = attach(model.network, LoraSettings(r=2, alpha=4))
    if kind == "text":  # a head that is not tied to the embeddings, and passes in which no text counts
        draw = torch.Generator().manual_seed(3)
        head = LanguageHead(torch.randn(model.network.hf.get_input_embeddings().weight.shape, generator=draw) / 8, None)
        model.network.hf.add_module(NAME, head)
        return model, {"loss_options": {"lm": 0.5, "lm_share": 0.4}}
    if kind == "heads":
        loss = choose("bradley-terry", members=3)
        attach_outputs(model.network, loss.outputs, members=loss.members, seed=5)
        return model, {"members": 3}
    if kind in LOSSES_OF:
        loss = choose(LOSSES_OF[kind])
        attach_outputs(model.network, loss.outputs, members=loss.members, seed=5)
        return model, {"loss": LOSSES_OF[kind]}
    if kind == "half":
        model.network.autocast = torch.float16
    if kind == "bf16":
        model.network.autocast = torch.bfloat16
    if kind == "again":
        recompute_activations(model.network)
    return model, {"head_start": "probe"} if kind == "probe" else {}


def fit(folder, kind, *, team=ALONE, parallel="ddp", zero=None):
    """The run of this name, the same for any number of processes: 19 records in steps of 6, 6, 6 and 1."""
    model, changes = make(kind)
    share = model.network.packed
    encoder = model.answering if kind == "text" else model.encoder
    parts = (list(arithmetic(19)), list(arithmetic(7, seed=9))) if kind == "process" else (rows(17), rows(5, start=90))
    train, held = (encode_examples(r, encoder, share=share, rated=kind == "process").examples for r in parts)
    folder.mkdir(exist_ok=True)
    settings = {
        "epochs": 2, "batch": 6, "lr": 1e-3, "weight_decay": 0.01, "warmup": 0.1, "clip": 0.5, "dropout": 0.1,
        "loss": "bradley-terry", "seed": 0, "tokens_per_microbatch": 300, "eval_every": 3, "patience": 0, "keep": 9,
    }  # fmt: skip
    if kind == "frozen" and team.size > 1:  # one process computes the frozen layer, two read what it gives
        sequences = [example.sequences for example in (*train, *held)]
        cache_states(model.network, 1, sequences, FitSettings(**{**settings, **changes}), 2, SILENT, team)
        assert model.network.cache is not None
    trainer = Fit(
        model.network, FitSettings(**{**settings, **changes}), train=train, validation=held, folder=folder,
        fingerprint={"a": 1}, team=team, parallel=parallel, zero=zero,
    )  # fmt: skip
    if (
        kind == "half"
    ):  # at the usual scale, the larger gradients of two processes overflow once, and one step is left out
        trainer.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    return trainer


def shard_facts(trainer):
    """Types and sizes of the parameters in this process."""
    own = dict(trainer.network.hf.named_parameters())
    return {
        "types": sorted({type(p).__name__ for p in own.values()}),
        "here": sum(p.to_local().numel() for p in own.values() if hasattr(p, "to_local")),
        "all": sum(p.numel() for p in own.values()),
        "moments": sorted({type(m).__name__ for s in trainer.optimizer.state.values() for m in s.values() if m.dim()}),
    }


def message_of(action):
    """The message of the error that `action` ends with."""
    try:
        action()
    except (TrainingError, ModelError) as error:
        return str(error)
    return None


def run_all(folder, team):
    """All runs; returns what this process saw of them."""
    seen = {}
    for name in ("plain-ddp", "plain-fsdp", "probe-ddp", "probe-fsdp", "lora-ddp", "lora-fsdp", "half-ddp", "half-fsdp",
                 "bert-ddp", "bert-fsdp", "frozen-ddp", "frozen-fsdp", "listwise-ddp", "listwise-fsdp", "odin-ddp",
                 "odin-fsdp", "members-ddp", "members-fsdp",
                 "heads-ddp", "heads-fsdp", "gaussian-ddp", "gaussian-fsdp", "inform-ddp", "inform-fsdp",
                 "text-ddp", "text-fsdp", "process-ddp", "process-fsdp"):  # fmt: skip
        kind, parallel = name.split("-")
        trainer = fit(folder / name, kind, team=team, parallel=parallel)
        trainer.run()
        seen[name] = shard_facts(trainer)
        team.wait()
        if name == "plain-ddp":
            sequences = [Sequences(e.prompt_id, tuple(e.tree.sequences)) for e in trainer.train]
            both = [list(score(trainer.network, sequences, budget=100, team=t)) for t in (ALONE, team)]
            seen["scores_equal"] = all(np.array_equal(a, b) for a, b in zip(*both, strict=True))
    for parallel in ("ddp", "fsdp"):
        trainer = fit(folder / f"resumed-{parallel}", "plain", team=team, parallel=parallel)
        seen[f"resumed-{parallel}"] = trainer.run(resuming=True).resumed_from
        team.wait()
    seen.update(failures(folder, team))
    return seen


def failures(folder, team):
    """What both processes say where something is wrong."""
    broken = fit(folder / "broken", "plain", team=team)
    with torch.no_grad():
        broken.network.head.weight[0, 0] = float("inf")
    said = {"not_finite": message_of(broken.run)}

    def tied():
        model = tiny(seed=1)
        layers = model.network.hf.model.layers
        layers[1].input_layernorm.weight = layers[0].input_layernorm.weight
        example = encode_examples(rows(1), model.encoder, share=True).examples[0]
        from rewardsmith.train.engines.select import start_engine

        start_engine(model.network, team, "fsdp", example=example)

    said["tied"] = message_of(tied)
    said["disagree"] = message_of(lambda: team.agree({"data_train": team.rank, "lr": 1}))
    return said


if __name__ == "__main__":
    place = Path(sys.argv[1])
    with joined("cpu") as (together, device):
        told = run_all(place, together)
        (place / f"seen-{together.rank}.json").write_bytes(orjson.dumps(told))
        assert resume.is_whole(place / "plain-fsdp" / "checkpoints" / "best")
