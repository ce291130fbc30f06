"""One text, one reward: alone, padded on either side, in any batch, in a tree with any siblings, in plain transformers."""

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    ModernBertConfig,
    Qwen2Config,
    Qwen3Config,
)

from builders import from_config, pair, ranking, tiny
from rewardsmith.model.equivalence.tree_support import self_check, telling_length, why_not
from rewardsmith.model.forward.batches import pack_trees
from rewardsmith.model.scorer import Sequences, score
from rewardsmith.scoring.trees import build_tree

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}
DECODERS = {
    "llama": LlamaConfig(**SIZES, num_key_value_heads=2),
    "qwen2": Qwen2Config(**SIZES, num_key_value_heads=2),
    "qwen3": Qwen3Config(**SIZES, num_key_value_heads=2, head_dim=8),
    "gpt2": GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=256, embd_pdrop=0, attn_pdrop=0, resid_pdrop=0),
    "mistral-short-window": MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=16),
}
ENCODERS = {
    "bert": BertConfig(**SIZES, initializer_range=0.2),
    "modernbert": ModernBertConfig(
        **SIZES, pad_token_id=0, local_attention=16, global_attn_every_n_layers=2, bos_token_id=1, eos_token_id=3,
        cls_token_id=1, sep_token_id=3,
    ),
}  # fmt: skip
ANSWERS = ("yes", "no, never", "天空是蓝色的", "a much longer answer " * 3, "x")


@pytest.fixture(scope="module", params=[*DECODERS, *ENCODERS])
def model(request):
    built = from_config({**DECODERS, **ENCODERS}[request.param])
    with torch.no_grad():
        built.network.head.weight.mul_(20)
    built.network.eval()
    return built


def plain_rewards(model, sequences, *, side="right"):
    """What AutoModelForSequenceClassification itself gives, in one padded batch."""
    model.network.hf.set_attn_implementation("eager")
    width = max(map(len, sequences))
    ids, mask = [], []
    for sequence in sequences:
        blank = [0] * (width - len(sequence))
        pads = [model.contract.pad_token_id] * len(blank)
        ids.append([*pads, *sequence] if side == "left" else [*sequence, *pads])
        mask.append([*blank, *[1] * len(sequence)] if side == "left" else [*[1] * len(sequence), *blank])
    kwargs = {"input_ids": torch.tensor(np.array(ids, dtype=np.int64)), "attention_mask": torch.tensor(mask)}
    if side == "left":
        kwargs["position_ids"] = (kwargs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        rewards = model.network.hf(**kwargs).logits[:, 0].numpy()
    model.network.use_attention()
    return rewards


def test_every_way_of_scoring_gives_the_reward_of_plain_transformers(model):
    record = ranking("why is the sky blue?", *ANSWERS)
    sequences = model.encode(record).sequences
    alone = [plain_rewards(model, [ids])[0] for ids in sequences]
    assert np.std(alone) > 1e-3
    together = next(model.score_records([record]))
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(plain_rewards(model, sequences), alone, atol=1e-5)


def test_left_padding_changes_nothing_for_decoders(model):
    if model.network.kind == "encoder":
        pytest.skip("encoders have no left padding")
    sequences = model.encode(ranking("why?", *ANSWERS)).sequences
    together = next(model.score_records([ranking("why?", *ANSWERS)]))
    np.testing.assert_allclose(plain_rewards(model, sequences, side="left"), together, atol=1e-5)


@pytest.mark.parametrize("budget", [1, 60, 200, 100_000])
def test_any_batch_and_any_siblings_give_the_same_reward(model, budget):
    records = [ranking("why?", *ANSWERS), pair("why?", "yes", "perhaps"), pair("how?", "so", "yes"), pair("", "a", "b")]
    alone = [model.score_records([record], budget=100_000) for record in records]
    together = list(model.score_records(records, budget=budget))
    for expected, found in zip(alone, together, strict=True):
        np.testing.assert_allclose(found, next(expected), atol=1e-5)


def test_a_short_window_is_never_put_in_a_tree():
    model = from_config(DECODERS["mistral-short-window"])
    assert not model.network.packed
    assert "sliding window of 16 tokens is shorter" in model.why_separate
    assert from_config(DECODERS["llama"]).why_separate is None


def test_the_self_check_catches_a_wrong_mask(monkeypatch):
    model = from_config(DECODERS["llama"])
    assert self_check(model.network, 64) is None
    import rewardsmith.model.forward.attention.tree as attention

    monkeypatch.setattr(
        attention.Layout, "mask", lambda self, prefix, branch, like: torch.zeros(branch, prefix + branch)
    )
    assert "from those of separate sequences" in self_check(model.network, 64)


def test_the_self_check_takes_the_whole_length_only_where_something_hangs_on_it():
    hf = from_config(DECODERS["llama"]).network.hf
    assert telling_length(hf, 2048) == 256
    assert telling_length(hf, 100) == 100
    hf.config.rope_parameters = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    assert telling_length(hf, 2048) == 2048
    hf.config.rope_parameters = {"full": {"rope_type": "yarn"}, "sliding": {"rope_type": "longrope"}}
    assert telling_length(hf, 2048) == 2048
    hf.config.rope_parameters = {"rope_type": "llama3"}
    assert telling_length(hf, 2048) == 256
    hf.config.sliding_window = 4096
    assert telling_length(hf, 2048) == 2048

    class Foreign(type(hf)):
        pass

    hf.config.sliding_window = None
    hf.__class__ = Foreign
    assert telling_length(hf, 2048) == 2048


def test_an_encoder_never_shares():
    assert "encoder" in why_not(from_config(ENCODERS["bert"]).network.hf, "encoder", 64)


def test_gradients_in_a_tree_are_those_of_separate_sequences():
    model = tiny()
    record = ranking("why is the sky blue?", *ANSWERS)
    sequences = model.encode(record).sequences
    gradients = []
    for trees in ([build_tree(sequences)], [build_tree([ids]) for ids in sequences]):
        model.network.zero_grad()
        rewards = model.network(pack_trees(trees, torch.device("cpu")))
        (rewards * torch.arange(1.0, 6.0)).sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.network.hf.parameters()]))
    assert (gradients[0] - gradients[1]).norm() <= 1e-5 * gradients[1].norm()


def test_gradient_checkpointing_sees_the_tree():
    model = tiny()
    tree = build_tree(model.encode(ranking("why?", *ANSWERS)).sequences)
    gradients = []
    for on in (False, True):
        if on:
            model.network.hf.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.network.train()
        model.network.zero_grad()
        model.network(model.network.collate([tree])).sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.network.hf.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-7)


def test_equal_texts_are_scored_once(monkeypatch):
    model = tiny()
    seen = []
    forward = model.network.forward
    monkeypatch.setattr(model.network, "forward", lambda batch: (seen.append(len(batch.pooled)), forward(batch))[1])
    ids = model.encode(pair("q", "a", "b")).sequences
    rewards = list(score(model.network, [Sequences("q", ids), Sequences("q", ids[::-1]), Sequences("other", ids)]))
    assert sum(seen) == 2
    assert rewards[0].tolist() == rewards[1][::-1].tolist() == rewards[2].tolist()


def test_rewards_that_are_not_finite_are_refused():
    from rewardsmith.errors import ModelError

    model = tiny()
    with torch.no_grad():
        model.network.head.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="non-finite"):
        list(model.score_records([pair("q", "a", "b")]))
