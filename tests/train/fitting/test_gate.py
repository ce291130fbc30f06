"""The gate's fit: it finds which attribute a prompt asks for, twice the same, and penalties are those of scipy's ranks."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from rewardsmith.model.heads import describe_head, new_head
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.train.fitting.gate import CORRELATION, GateData, fit_gate, penalties

PLAN = AttributePlan(("fit", "words"))
WIDTH = 4


def head():
    return new_head(describe_head("gated", {"hidden": 64}, PLAN), 2 * WIDTH, seed=0)


def data(count, *, seed):
    """Prompts of two kinds, each of which decides by another attribute."""
    draw = np.random.default_rng(seed)
    kind = draw.integers(0, 2, count)
    prompts = draw.normal(size=(count, WIDTH)).astype(np.float32)
    prompts[:, 0] = np.where(kind, 3.0, -3.0)
    outputs = draw.normal(size=(2 * count, 2)).astype(np.float32)
    of = np.arange(count)
    first = outputs[2 * of, kind] > outputs[2 * of + 1, kind]
    return GateData(
        outputs=outputs,
        prompts=prompts,
        prompt=np.repeat(of, 2),
        preferred=np.where(first, 2 * of, 2 * of + 1),
        other=np.where(first, 2 * of + 1, 2 * of),
        preference=np.ones(count),
        weight=np.ones(count),
    )


def test_the_gate_follows_the_prompt_and_the_best_step_is_kept():
    train, held = data(400, seed=0), data(200, seed=1)
    made = head()
    found = fit_gate(made, train, held, steps=500, seed=0)
    assert found.first[1] < 0.85  # equal weights
    assert found.kept[1] > 0.95
    assert found.kept[0] < found.first[0]
    again = head()
    assert fit_gate(again, train, held, steps=500, seed=0) == found
    for name, value in made.tensors().items():
        assert np.array_equal(value, again.tensors()[name])
    assert not any(parameter.requires_grad for parameter in made.parameters())


def test_a_gate_that_learns_noise_is_not_kept():
    train, held = data(40, seed=0), data(200, seed=1)
    shuffled = GateData(**{**vars(train), "prompts": train.prompts[::-1].copy()})
    opposite = GateData(**{**vars(held), "preferred": held.other, "other": held.preferred})
    found = fit_gate(head(), shuffled, opposite, steps=100, seed=0)
    assert found.kept[0] <= found.first[0]
    few = fit_gate(head(), train, data(5, seed=2), steps=20, seed=0)
    assert (few.held, few.step) == (0, 20)
    assert "no held-out comparisons" in few.told()


def test_the_penalty_is_the_least_that_takes_the_correlation_away():
    draw = np.random.default_rng(0)
    words = draw.normal(size=500)
    outputs = np.stack([0.4 * words + draw.normal(size=500), draw.normal(size=500) - words, 3 * words, words], axis=1)
    found = penalties(outputs, 3)
    assert found[1] == 0  # follows it negatively
    assert found[2] == 1  # nothing on the list is enough
    assert found[3] == 1
    assert 0.2 < found[0] < 0.6
    assert spearmanr(outputs[:, 0] - found[0] * words, words).statistic <= CORRELATION
    assert spearmanr(outputs[:, 0] - (found[0] - 0.1) * words, words).statistic > CORRELATION
    assert penalties(outputs * np.array([1, 1, 1, 1]), 3) == pytest.approx(found)
