"""Outputs of frozen layers: what is read from disk is what the layers give, however texts are grouped again."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, GemmaConfig, GPT2Config

from builders import from_config, pair, ranking, tiny
from rewardsmith.model.forward.readout import Readout
from rewardsmith.model.frozen import eligibility, state_cache
from rewardsmith.model.frozen.eligibility import NotKept, below, check_reading, checked_form, open_states, state_name
from rewardsmith.model.frozen.state_cache import Form, StateStore, fill, plan
from rewardsmith.model.scorer import Sequences, score
from rewardsmith.train.examples import encode_examples

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
MODELS = {
    "llama": lambda: tiny(n_layer=3),
    "gemma, which scales embeddings": lambda: from_config(
        GemmaConfig(**SMALL, num_hidden_layers=3, num_key_value_heads=2, head_dim=16)
    ),
    "gpt2, which adds positions": lambda: from_config(
        GPT2Config(n_embd=32, n_head=2, n_layer=3, n_positions=128, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    ),
    "bert, an encoder": lambda: from_config(
        BertConfig(**SMALL, **STILL, num_hidden_layers=3, max_position_embeddings=128)
    ),
}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(state_cache, "PART_BYTES", 30_000)


def texts(model, n=6, start=0):
    records = [pair(f"Question {k}?", f"Answer {k}.", "No idea.") for k in range(start, start + n)]
    records.append(ranking("List", "a good answer", "a middling one", "bad"))
    return [e.sequences for e in encode_examples(records, model.encoder, share=model.network.packed).examples]


def kept(model, records, folder, *, layers=2, budget=200):
    """The network with the outputs of its first layers in a store; the store and how many trees were computed."""
    network = model.network
    network.lower = below(network, layers)
    form = checked_form(network, records[:3])
    store = StateStore(folder, form)
    trees = plan(network, records, budget, store)
    fill(store, network, trees, budget)
    network.cache = store
    return store, len(trees)


def forbid(layers):
    """Make layers fail where they are computed."""

    def fail(*arguments, **named):
        raise AssertionError("a frozen layer was computed")

    for layer in layers:
        layer.forward = fail


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_rewards_that_begin_with_known_states_are_those_of_a_whole_pass(tmp_path, make):
    model = make()
    records = texts(model)
    whole = list(score(model.network, records))
    store, _ = kept(model, records, tmp_path)
    assert len(store.files) > 1
    forbid(model.network.lower.layers)
    for budget in (4096, 60):
        begun = list(score(model.network, records, budget=budget))
        for mine, theirs in zip(begun, whole, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_texts_that_are_grouped_in_another_way_find_their_states(tmp_path):
    model = tiny(n_layer=3)
    ids = [np.array([1, 2, 3, 4, 5, *rest], dtype=np.int32) for rest in ([6, 7], [6, 8, 9], [10], [10, 11])]
    together = [Sequences("p", tuple(ids))]
    alone = [Sequences(str(k), (one,)) for k, one in enumerate(ids)]
    some = [Sequences("p", (ids[3], ids[0]))]
    whole = [list(score(model.network, given)) for given in (together, alone, some)]
    store, trees = kept(model, together, tmp_path)
    assert trees == 1
    assert store.bytes < 1.5 * store.form.bytes * 12 + 1000  # 5 shared tokens are stored once
    forbid(model.network.lower.layers)
    for given, expected in zip((together, alone, some), whole, strict=True):
        for mine, theirs in zip(score(model.network, given), expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_layers_that_the_head_reads_are_kept_too(tmp_path):
    model = tiny(n_layer=4)
    model.network.read(Readout((1, 3, 4), ("last",)))
    records = texts(model)
    trees = eligibility.trees_of(model.network, records)
    with torch.no_grad():
        whole = model.network.features(model.network.texts(trees))
        store, _ = kept(model, records, tmp_path, layers=3)
        assert store.form == Form(2, 64, torch.float32)
        begun = model.network.features(model.network.collate(trees))
    torch.testing.assert_close(begun, whole, rtol=1e-5, atol=1e-6)


def test_an_interrupted_run_goes_on_and_half_files_are_never_read(tmp_path):
    model = tiny(n_layer=3)
    records = texts(model)
    store, first = kept(model, records[:4], tmp_path)
    part = sorted(tmp_path.glob("part-*"))[0]
    (tmp_path / "part-damaged.safetensors").write_bytes(part.read_bytes()[:-1])
    (tmp_path / ".part-other.safetensors.4194999.tmp").write_bytes(b"killed while it was written")
    (tmp_path / "part-empty.safetensors").write_bytes(b"")
    again, second = kept(model, records, tmp_path)
    assert (first, second) == (4, len(records) - 4)
    assert not any("damaged" in p.name or "empty" in p.name or "other" in p.name for p in tmp_path.iterdir())
    assert again.places.keys() > store.places.keys()
    assert kept(model, records, tmp_path)[1] == 0
    check_reading(again, model.network, records)


def test_a_text_that_is_not_known_is_computed(tmp_path):
    model = tiny(n_layer=3)
    kept(model, texts(model), tmp_path)
    fresh = texts(model, 2, start=50)
    known = list(score(model.network, fresh))
    model.network.cache = None
    for mine, theirs in zip(known, score(model.network, fresh), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_states_have_the_dtype_of_the_residual_stream(tmp_path):
    """Under mixed precision the sums stay in fp32; a model whose weights are in bf16 has them in bf16."""
    model = tiny(n_layer=3)
    model.network.autocast = torch.bfloat16
    store, _ = kept(model, texts(model), tmp_path / "mixed")
    assert store.form.dtype == torch.float32
    model.network.autocast, model.network.cache = None, None
    model.network.hf.to(torch.bfloat16)
    store, _ = kept(model, texts(model), tmp_path / "half")
    assert store.form == Form(1, 64, torch.bfloat16)
    check_reading(store, model.network, texts(model))


def test_what_changes_the_states_is_another_store_and_what_does_not_is_not():
    def name(change=lambda network: None, layers=2):
        network = tiny(n_layer=4).network
        change(network)
        network.lower = below(network, layers)
        return state_name(network)

    def weight(path):
        def change(network):
            with torch.no_grad():
                network.hf.get_submodule(path).weight.view(-1)[0].add_(1)

        return change

    def half(network):
        network.autocast = torch.bfloat16

    same = {name(), name(weight("model.layers.2.mlp.up_proj")), name(weight("score"))}
    others = [
        name(weight("model.layers.1.mlp.up_proj")),
        name(weight("model.embed_tokens")),
        name(half),
        name(layers=3),
        name(lambda network: network.read(Readout((1, 4)))),
    ]
    assert len(same) == 1
    assert len(same | set(others)) == 6


def test_a_class_that_does_not_bear_it_is_noticed():
    model = tiny(n_layer=3)
    stack = model.network.hf.model.layers
    kept_back = []
    stack[0].register_forward_hook(lambda module, inputs, output: kept_back.append(output))

    def borrow(module, inputs, output):  # a later layer that looks at an early one's own work
        return output + kept_back[-1].mean()

    stack[2].register_forward_hook(borrow)
    model.network.lower = below(model.network, 2)
    with pytest.raises(NotKept, match="from that of a full forward pass"):
        checked_form(model.network, texts(model))


def test_files_that_hold_something_else_are_noticed(tmp_path):
    model = tiny(n_layer=3)
    records = texts(model)
    store, _ = kept(model, records, tmp_path)
    for path in tmp_path.iterdir():
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle] ^= 1  # a disk that does not keep what it promised
        path.write_bytes(data)
    assert StateStore(tmp_path, store.form).places == {}
    assert kept(model, records, tmp_path)[1] == len(records)


def test_a_store_that_gives_other_features_is_not_used(tmp_path):
    model = tiny(n_layer=3)
    records = texts(model)
    store, _ = kept(model, records, tmp_path)
    with torch.no_grad():
        model.network.hf.base_model.layers[0].self_attn.v_proj.weight.mul_(1.5)
    with pytest.raises(NotKept, match="from that of a full forward pass"):
        check_reading(StateStore(tmp_path, store.form), model.network, records)
    assert not tmp_path.exists()  # the next run begins anew


def opened(model, records, root, *, passes=2, form=None):
    model.network.lower = below(model.network, 2)
    form = form or checked_form(model.network, records[:3])
    return open_states(root, model.network, form, records, budget=200, passes=passes)


def test_what_is_used_once_or_too_large_is_not_kept_and_says_so(tmp_path, monkeypatch):
    model = tiny(n_layer=3)
    records = texts(model)
    with pytest.raises(NotKept, match="every text is used only once"):
        opened(model, records, tmp_path, passes=1)
    assert not list(tmp_path.iterdir())
    store, missing = opened(model, records, tmp_path)
    fill(store, model.network, missing, 200)
    assert opened(model, records, tmp_path, passes=1)[1] == []  # an earlier run has computed them
    tokens = sum(tree.tokens for tree in missing)
    needed = tokens * 64 * 4
    monkeypatch.setenv("REWARDSMITH_FEATURES_GB", str((needed - 1) / 1e9))
    with pytest.raises(NotKept, match=r"they need \S+ GB, but REWARDSMITH_FEATURES_GB is"):
        opened(model, records, tmp_path)


def test_states_of_other_texts_make_room(tmp_path, monkeypatch):
    model = tiny(n_layer=3)
    store, missing = opened(model, texts(model), tmp_path)
    fill(store, model.network, missing, 200)
    monkeypatch.setenv("REWARDSMITH_FEATURES_GB", str(1.5 * store.bytes / 1e9))
    others = texts(model, start=100)
    store, missing = opened(model, others, tmp_path)
    assert store.bytes == 0
    assert len(missing) == len(others)  # the ranking that both have is computed again, since all went


def test_dropout_in_frozen_layers_is_kept_up_instead():
    model = from_config(BertConfig(**SMALL, num_hidden_layers=3, max_position_embeddings=128))
    with pytest.raises(NotKept, match=r"the frozen layers use dropout \(0.1\)"):
        below(model.network, 2)
    model.network.hf.bert.encoder.layer[2].attention.self.dropout.p = 0.1  # above: no matter
    model = MODELS["bert, an encoder"]()
    model.network.hf.bert.encoder.layer[2].attention.self.dropout.p = 0.1
    below(model.network, 2)
