"""What a short text does not pay for: masks and copies of a tree that is none, and switching every module over and back."""

import numpy as np
import pytest
import torch

from builders import tiny
from rewardsmith.model.forward.attention import tree
from rewardsmith.model.forward.attention.layout import Layout, Segment
from rewardsmith.records import Message


def talk(prompt, response):
    return [Message("user", prompt), Message("assistant", response)]


@pytest.fixture
def model():
    return tiny(head_scale=20.0)


@pytest.fixture
def calls(monkeypatch):
    """(queries, keys, whether there is a mask, whether the kernel makes a causal one) of each call of torch's kernel."""
    found, kernel = [], torch.nn.functional.scaled_dot_product_attention

    def noted(query, key, value, **options):
        found.append((query.shape[2], key.shape[2], options["attn_mask"] is not None, options["is_causal"]))
        return kernel(query, key, value, **options)

    monkeypatch.setattr(tree.F, "scaled_dot_product_attention", noted)
    return found


def test_texts_that_share_nothing_are_plain_causal_attention(model, calls):
    lone, other = talk("Hi", "Hello"), talk("What is it?", "A pear.")
    sizes = [len(model.encoder.ids(tuple(one))) for one in (lone, other)]
    first = float(model.score([lone])[0])
    assert calls == [(sizes[0], sizes[0], False, True)] * 2  # the layers
    calls.clear()
    both = model.score([lone, other])
    assert sorted(calls) == sorted([(size, size, False, True) for size in sizes] * 2)
    np.testing.assert_allclose(both[0], first, rtol=1e-6, atol=1e-5)


def test_branches_of_a_tree_keep_their_mask(model, calls):
    model.rank("Hi", ["Hello", "Good day"])
    assert sum(masked for _, _, masked, _ in calls) == 2 * 2  # branches, layers
    assert sum(causal for *_, causal in calls) == 2  # the prefix


def test_one_text_alone_is_known_from_its_layout():
    assert Layout((Segment(0, (5,)),)).lone
    assert not Layout((Segment(0, (5,)), Segment(0, (1,)))).lone
    assert not Layout((Segment(3, (5,)),)).lone


def test_a_network_that_scores_is_not_switched_and_one_that_learns_is(model, monkeypatch):
    switched, train = [], torch.nn.Module.train
    monkeypatch.setattr(
        torch.nn.Module, "train", lambda module, mode=True: switched.append(mode) or train(module, mode)
    )
    model.network.eval()
    switched.clear()
    text = [talk("Hi", "Hello")]
    expected = model.score(text)
    assert not switched
    model.network.hf.model.norm.dropout = torch.nn.Dropout(0.9)
    model.network.hf.model.norm.register_forward_hook(lambda module, given, rows: module.dropout(rows))
    model.network.train()
    np.testing.assert_allclose(model.score(text), expected)
    assert model.network.training
