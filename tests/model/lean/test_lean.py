"""Lean modules: the formulas of the modules they stand for, found by trying, and as exact in half precision."""

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import families
from builders import pair, tiny
from rewardsmith.model.lean.kernels import GatedProjection, Lookup, RmsNorm
from rewardsmith.model.lean.swap import (
    LeanGated,
    LeanLookup,
    LeanNorm,
    gathering,
    make_lean,
    make_plain,
    normed,
    projected,
)
from rewardsmith.scoring.trees import build_tree

DRAW = torch.Generator().manual_seed(3)


def drawn(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=DRAW, dtype=dtype).requires_grad_()


def test_rms_norm_by_hand():
    x = torch.tensor([[3.0, 4.0]])
    found = RmsNorm.apply(x, torch.tensor([1.0, 10.0]), 0.0, torch.float32)
    root = (25 / 2) ** 0.5
    torch.testing.assert_close(found, torch.tensor([[3 / root, 40 / root]]))


def test_gradients_of_the_norm_are_those_of_finite_differences_and_of_torch():
    x, weight = drawn(2, 5, 6), drawn(6)
    assert torch.autograd.gradcheck(lambda *given: RmsNorm.apply(*given, 1e-3, torch.float64), (x, weight))
    torch.testing.assert_close(RmsNorm.apply(x, weight, 1e-3, torch.float64), F.rms_norm(x, (6,), weight, 1e-3))


@pytest.mark.parametrize("activation", [F.silu, F.gelu, torch.tanh])
def test_gradients_of_the_gated_projection_are_those_of_finite_differences(activation):
    gate, up, weight = drawn(2, 4, 6), drawn(2, 4, 6), drawn(3, 6)
    assert torch.autograd.gradcheck(lambda *given: GatedProjection.apply(*given, activation), (gate, up, weight))
    frozen = weight.detach()
    assert torch.autograd.gradcheck(lambda *given: GatedProjection.apply(*given, frozen, activation), (gate, up))


def test_a_lookup_adds_what_autograd_would_add():
    module = nn.Embedding(7, 3, padding_idx=2)
    ids = torch.tensor([[1, 2, 1, 6]])
    for _ in range(2):
        (module(ids) ** 2).sum().backward()
    other = nn.Parameter(module.weight.detach().clone())
    for _ in range(2):
        (Lookup.apply(other, ids, 2) ** 2).sum().backward()
    torch.testing.assert_close(other.grad, module.weight.grad)
    assert not other.grad[2].any()
    assert other.grad[1].any()


def gradients(network, tree, dtype=None):
    network.autocast = dtype
    network.zero_grad(set_to_none=True)
    with gathering(network.hf):
        network(network.collate([tree])).diff().sum().backward()
    return torch.cat([p.grad.flatten().clone() for _, p in sorted(network.named_parameters())])


def tree_of(model):
    record = pair("why is the sky blue?", "because light scatters, the short waves most", "天空是蓝色的" * 8)
    return build_tree(model.encode(record).sequences)


def test_a_lean_model_has_the_rewards_and_gradients_of_a_plain_one():
    model = tiny()
    plain = deepcopy(model.network)
    make_plain(plain.hf)
    plain.take_head()
    assert not any(isinstance(module, LeanNorm | LeanGated | LeanLookup) for module in plain.hf.modules())
    exact = gradients(plain, tree_of(model))
    found = gradients(model.network, tree_of(model))
    assert (found - exact).norm() <= 1e-5 * exact.norm()
    half = gradients(plain, tree_of(model), torch.bfloat16)
    lean = gradients(model.network, tree_of(model), torch.bfloat16)
    assert (lean - exact).norm() <= 1.2 * (half - exact).norm()  # rounding of bf16, and no more of it


@pytest.mark.parametrize("name", families.SHARED)
def test_no_family_is_computed_otherwise(name):
    model = families.build(name)
    network, tree = model.network, tree_of(model)
    make_plain(network.hf)
    with torch.no_grad():
        for number, parameter in enumerate(network.hf.parameters()):  # norms of ones could hide another formula
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)), alpha=0.05)
    exact = gradients(network, tree)
    make_lean(network)
    found = gradients(network, tree)
    assert (found - exact).norm() <= 2e-5 * exact.norm()


@pytest.mark.parametrize(
    ("name", "norms", "rounding"), [("llama", 5, 4), ("qwen3", 9, 4), ("olmo2", 9, 0), ("gemma", 0, 0)]
)
def test_which_norms_hand_over_half_precision(name, norms, rounding):
    network = families.build(name).network
    make_plain(network.hf)
    counts = make_lean(network)
    assert (counts["norms"], counts["rounding"]) == (norms, rounding)


def kept_bytes(network, tree):
    kept = {}

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network.autocast = torch.bfloat16
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        rewards = network(network.collate([tree]))
    assert rewards.requires_grad
    return sum(size for place, size in kept.items() if place not in weights)


def test_it_keeps_much_less_for_the_backward_pass():
    model = tiny()
    plain = deepcopy(model.network)
    make_plain(plain.hf)
    plain.take_head()
    assert kept_bytes(model.network, tree_of(model)) < 0.75 * kept_bytes(plain, tree_of(model))


def test_final_norms_keep_full_precision_since_more_than_projections_read_them():
    model = tiny()
    norms = {name: module for name, module in model.network.hf.named_modules() if isinstance(module, LeanNorm)}
    rounding = {name for name, module in norms.items() if module.lean_rounds}
    assert rounding
    assert {name for name in norms if name not in rounding} == {"model.norm"}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = torch.randn(2, norms["model.norm"].weight.numel())
        assert norms["model.norm"](x).dtype == torch.float32
        assert norms[sorted(rounding)[0]](x).dtype == torch.bfloat16


def test_modules_that_compute_otherwise_stay_as_they_are():
    class OnePlusNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.eps = nn.Parameter(torch.zeros(8)), 1e-6

        def forward(self, x):
            return F.rms_norm(x, (8,), 1 + self.weight, self.eps)

    model = tiny()
    network = model.network
    make_plain(network.hf)
    layer = network.hf.base_model.layers[0]
    width = network.hf.config.hidden_size
    layer.input_layernorm = OnePlusNorm()
    layer.input_layernorm.weight = nn.Parameter(torch.zeros(width))
    layer.input_layernorm.forward = lambda x: F.rms_norm(x, (width,), 1 + layer.input_layernorm.weight, 1e-6)
    layer.mlp.act_fn = nn.PReLU()  # an activation that learns
    counts = make_lean(network)
    assert type(layer.input_layernorm) is OnePlusNorm
    assert not isinstance(layer.mlp, LeanGated)
    layers = len(network.hf.base_model.layers)
    assert counts == {"norms": 2 * layers, "rounding": 2 * layers - 1, "gated": layers - 1, "lookups": 1}


def test_without_gradients_the_same_formulas_run_outside_of_autograd():
    x, weight = drawn(2, 5, 6, dtype=torch.float32), drawn(6, dtype=torch.float32)
    gate, up, down = (drawn(*shape, dtype=torch.float32) for shape in ((2, 4, 6), (2, 4, 6), (3, 6)))
    with torch.no_grad():
        expected = RmsNorm.apply(x, weight, 1e-3, torch.float32), GatedProjection.apply(gate, up, down, F.silu)
        found = normed(x, weight, 1e-3, torch.float32), projected(gate.clone(), up, down, F.silu)
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.equal(mine, theirs)
        assert mine.grad_fn is None
