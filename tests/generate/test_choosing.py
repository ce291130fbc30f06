"""The distribution that is drawn from, by hand, against transformers' own, and by counting."""

import numpy as np
import torch
from scipy import stats
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from rewardsmith.generate.candidates import Sampling
from rewardsmith.generate.local.choosing import Draws, choose, kept_probabilities


def test_the_nucleus_by_hand():
    logits = torch.tensor([[0.5, 0.25, 0.15, 0.1]]).log()
    kept = kept_probabilities(logits, Sampling(top_p=0.7))
    np.testing.assert_allclose(kept, [[0.5, 0.25, 0.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(kept_probabilities(logits, Sampling(top_p=0.01)), [[0.5, 0, 0, 0]], atol=1e-6)
    hot = kept_probabilities(logits, Sampling(temperature=0.5))
    np.testing.assert_allclose(hot, np.square([[0.5, 0.25, 0.15, 0.1]]) / 0.345, rtol=1e-5)


def test_the_kept_tokens_are_those_of_transformers():
    torch.manual_seed(0)
    logits = 3 * torch.randn(40, 700)
    for temperature, top_k, top_p in ((1.0, 0, 0.9), (0.7, 50, 1.0), (1.3, 30, 0.8), (8.0, 0, 0.95)):
        theirs = TemperatureLogitsWarper(temperature)(None, logits)
        theirs = TopKLogitsWarper(top_k)(None, theirs) if top_k else theirs
        theirs = TopPLogitsWarper(top_p)(None, theirs) if top_p < 1 else theirs
        ours = kept_probabilities(logits, Sampling(temperature=temperature, top_k=top_k, top_p=top_p))
        assert torch.equal(ours > 0, theirs.softmax(-1) > 0)
        np.testing.assert_allclose(ours / ours.sum(-1, keepdim=True), theirs.softmax(-1), rtol=1e-4, atol=1e-7)


def test_tokens_come_as_often_as_their_probability():
    probabilities = np.array([0.4, 0.3, 0.2, 0.1])
    draws = Draws(7)
    uniforms = torch.tensor([draws.next() for _ in range(4000)])
    logits = torch.from_numpy(np.log(probabilities)).expand(4000, 4)
    tokens, logprobs = choose(logits, Sampling(), uniforms)
    assert stats.chisquare(np.bincount(tokens, minlength=4), 4000 * probabilities).pvalue > 0.001
    np.testing.assert_allclose(logprobs, np.log(probabilities)[tokens], rtol=1e-5)


def test_the_ends_of_the_unit_interval_give_possible_tokens():
    logits = torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf]]).expand(2, 4)
    tokens, _ = choose(logits, Sampling(), torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert tokens.tolist() == [1, 2]


def test_greedy_takes_the_likeliest():
    tokens, logprobs = choose(torch.tensor([[0.0, 2.0, 1.0]]), Sampling(temperature=0), None)
    assert tokens.tolist() == [1]
    np.testing.assert_allclose(logprobs, 2 - np.log(1 + np.exp(2) + np.exp(1)), rtol=1e-6)
