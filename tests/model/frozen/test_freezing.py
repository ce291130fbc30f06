"""What --freeze-layers lets learn is all that the frozen layers' outputs do not hang on, whatever a family calls it."""

import numpy as np
import pytest
import torch

from families import build
from rewardsmith.model.forward.network import layer_stack
from rewardsmith.scoring.trees import build_tree
from rewardsmith.train.optimizer import freeze

FAMILIES = [
    *("llama", "gpt2", "gpt_neox", "opt", "bloom", "mamba", "falcon_h1", "lfm2"),
    *("bert", "deberta-v2", "modernbert", "modernbert-decoder", "distilbert", "electra", "eurobert"),
]


def outputs(network, layer):
    """What the layer gives for some tokens, and the reward."""
    kept = []
    hook = layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    with torch.no_grad():
        reward = network(network.texts([build_tree([np.arange(5, 25, dtype=np.int32)])]))
    hook.remove()
    state = kept[0][0] if isinstance(kept[0], tuple) else kept[0]
    return state.clone(), reward.clone()


@pytest.mark.parametrize("family", FAMILIES)
def test_what_comes_after_the_frozen_layers_learns_and_what_they_hang_on_does_not(family):
    network = build(family, max_length=64).network
    layer = layer_stack(network.hf.base_model)[0]
    freeze(network, 1)
    state, reward = outputs(network, layer)
    learning = set()
    for name, parameter in network.hf.base_model.named_parameters():
        before = parameter.detach().clone()
        with torch.no_grad():
            parameter.add_(torch.rand(parameter.shape, generator=torch.Generator().manual_seed(1)))
            changed, moved = outputs(network, layer)
            parameter.copy_(before)
        if not torch.equal(changed, state):
            assert not parameter.requires_grad, name
        elif not torch.equal(moved, reward):
            assert parameter.requires_grad, name
            learning.add(name.split(".")[0])
    assert learning
    assert network.training is False


@pytest.mark.parametrize(("family", "last"), [("modernbert", "final_norm"), ("mamba", "norm_f"), ("bert", "pooler")])
def test_the_last_norm_learns_above_frozen_layers_and_not_where_all_is_frozen(family, last):
    network = build(family, max_length=64).network
    freeze(network, 2)
    learning = [name for name, p in network.hf.base_model.named_parameters() if p.requires_grad]
    assert learning
    assert all(name.startswith(last) for name in learning)
    freeze(network, -1)
    assert not any(p.requires_grad for p in network.hf.base_model.parameters())
