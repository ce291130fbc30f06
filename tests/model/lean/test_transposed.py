"""Weights stored by columns: the same rewards, the same files, and never where rows are wanted."""

import numpy as np
import torch

from builders import tiny
from rewardsmith.model.lean.transposed import store_transposed
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.records import Message


def linears(model):
    return [m for m in model.network.hf.modules() if type(m) is torch.nn.Linear and m.out_features > 1]


def test_a_loaded_model_holds_its_weights_by_columns_and_saves_them_by_rows(tmp_path):
    model = tiny(head_scale=20.0)
    texts = [[Message("user", "Hi"), Message("assistant", "good " * count)] for count in (1, 7, 40)]
    before = model.score(texts)
    model.save(tmp_path / "first")
    loaded = RewardModel.load(tmp_path / "first", device="cpu")
    assert linears(loaded)
    assert all(layer.weight.t().is_contiguous() and not layer.weight.is_contiguous() for layer in linears(loaded))
    np.testing.assert_allclose(loaded.score(texts), before, rtol=0, atol=1e-5)
    loaded.save(tmp_path / "second")
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second")]
    assert files[0] == files[1]


def test_embeddings_heads_and_models_in_half_precision_keep_their_rows():
    model = tiny()
    looked_up = model.network.hf.get_input_embeddings()
    first = linears(model)[0]
    first.weight = torch.nn.Parameter(looked_up.weight.detach()[: first.out_features, : first.in_features].contiguous())
    looked_up.weight = first.weight  # shared, as tied weights are
    model.network.autocast = torch.bfloat16
    assert store_transposed(model.network) == 0
    model.network.autocast = None
    assert store_transposed(model.network) == len(linears(model)) - 1
    assert first.weight.is_contiguous()
    assert model.network.head.weight.is_contiguous()
