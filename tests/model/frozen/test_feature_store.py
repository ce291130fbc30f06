"""Features of a frozen backbone: computed once, found again, bounded, and good for the same training."""

import os

import numpy as np
import pytest
import torch

from builders import pair, tiny
from rewardsmith.errors import ModelError
from rewardsmith.model.forward.readout import Readout
from rewardsmith.model.frozen import feature_cache
from rewardsmith.model.frozen.feature_cache import FeatureStore, fill_store, make_room, open_store, store_name
from rewardsmith.train.examples import encode_examples


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(feature_cache, "SIZE", 5)


def texts(model, n=8):
    records = [pair(f"Question {k}?", f"Answer {k}.", "No idea.") for k in range(n)]
    return encode_examples(records, model.encoder, share=model.network.packed).examples


def test_known_features_are_those_of_the_network_and_computed_once(tmp_path):
    model = tiny()
    examples = texts(model)
    store = FeatureStore(tmp_path)
    assert fill_store(store, model.network, [e.sequences for e in examples]) == 16
    assert fill_store(store, model.network, [e.sequences for e in examples]) == 0
    again = FeatureStore(tmp_path)
    assert len(again.parts) == 4
    trees = [example.tree for example in examples]
    with torch.no_grad():
        expected = model.network.features(model.network.texts(trees))
    torch.testing.assert_close(again.batch(model.network, trees).rows, expected, rtol=1e-5, atol=1e-5)
    assert again.batch(model.network, [*trees, texts(model, 9)[8].tree]) is None


def test_an_interrupted_run_goes_on_where_it_was(tmp_path):
    model = tiny()
    examples = texts(model)
    fill_store(FeatureStore(tmp_path), model.network, [e.sequences for e in examples[:5]])
    (tmp_path / "part-000009.safetensors").write_bytes(b"half a file")
    store = FeatureStore(tmp_path)
    assert not (tmp_path / "part-000009.safetensors").exists()
    assert fill_store(store, model.network, [e.sequences for e in examples]) == 6
    assert FeatureStore(tmp_path).places.keys() == store.places.keys()


def test_every_change_of_the_backbone_is_another_store():
    model = tiny()
    names = {store_name(model.network)}
    with torch.no_grad():
        model.network.head.weight.mul_(2)
    assert store_name(model.network) in names
    model.network.autocast = torch.bfloat16
    names.add(store_name(model.network))
    model.network.autocast = None
    model.network.read(Readout((1,), ("mean",)))
    names.add(store_name(model.network))
    with torch.no_grad():
        model.network.hf.base_model.layers[0].self_attn.q_proj.weight[0, 0] += 1
    names.add(store_name(model.network))
    assert len(names) == 4


def test_the_stores_used_longest_ago_make_room(tmp_path):
    new, old, oldest = "a" * 32, "b" * 32, "states-" + "c" * 32
    for age, name in enumerate((new, old, oldest)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part-00.safetensors").write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    make_room(tmp_path, keep=tmp_path / "mine", room=250.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [new, old]
    make_room(tmp_path, keep=tmp_path / old, room=0.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [old]


def test_making_room_leaves_what_is_no_store(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "part-1.jpg").write_bytes(b"x" * 100)
    store = tmp_path / ("d" * 32)
    store.mkdir()
    (store / "part-00.safetensors").write_bytes(b"x" * 100)
    (store / "notes.txt").write_text("mine")
    make_room(tmp_path, keep=tmp_path / "mine", room=0.0)
    assert (tmp_path / "photos" / "part-1.jpg").is_file()
    assert [path.name for path in store.iterdir()] == ["notes.txt"]


def test_a_damaged_part_is_computed_again_and_takes_no_other_parts_place(tmp_path):
    model = tiny()
    records = [example.sequences for example in texts(model)]
    store = FeatureStore(tmp_path)
    for record in records:
        fill_store(store, model.network, [record])
    parts = sorted(tmp_path.glob("part-*"))
    right = {key: store.parts[part][row].numpy().copy() for key, (part, row) in store.places.items()}
    data = bytearray(parts[0].read_bytes())
    data[-1] ^= 4  # one bit of a feature, of which safetensors notices nothing
    parts[0].write_bytes(data)
    again = FeatureStore(tmp_path)
    assert len(again.parts) == len(parts) - 1
    assert fill_store(again, model.network, records) > 0
    whole = FeatureStore(tmp_path)
    assert whole.places.keys() == right.keys()
    for key, (part, row) in whole.places.items():
        np.testing.assert_allclose(whole.parts[part][row].numpy(), right[key], rtol=1e-5, atol=1e-6)


def test_more_than_the_limit_stays_in_memory_and_a_wrong_limit_is_refused(tmp_path, monkeypatch):
    network = tiny().network
    monkeypatch.setenv(feature_cache.LIMIT, "0.000001")
    assert open_store(tmp_path, network, 10).folder is None
    monkeypatch.setenv(feature_cache.LIMIT, "0.1")
    assert open_store(tmp_path, network, 10).folder == tmp_path / store_name(network)
    monkeypatch.setenv(feature_cache.LIMIT, "much")
    with pytest.raises(ModelError, match="REWARDSMITH_FEATURES_GB is 'much'"):
        open_store(tmp_path, network, 10)


def test_training_on_known_features_is_training_on_texts(tmp_path):
    from rewardsmith.train.losses import LOSSES
    from rewardsmith.train.masks import Dropout
    from rewardsmith.train.optimizer import freeze
    from rewardsmith.train.step import accumulate

    gradients = []
    for known in (False, True):
        model = tiny()
        freeze(model.network, -1)
        examples = texts(model)
        if known:
            store = FeatureStore(None)
            fill_store(store, model.network, [e.sequences for e in examples])
            model.network.cache = store
            model.network.hf.base_model.forward = None  # must not be called any more
        accumulate(model.network, examples, LOSSES["bradley-terry"], dropout=Dropout(0.2, 0, 0), budget=300)
        gradients.append(model.network.head.weight.grad.numpy())
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-4, atol=1e-6)
