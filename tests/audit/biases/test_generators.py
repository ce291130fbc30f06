"""A favourite generator is found, and one that is only better is not."""

import numpy as np
import pytest

from rewardsmith.audit.biases.generators import generator_effects, label_quality
from rewardsmith.audit.effect import Scale, adjusted
from rewardsmith.records import Comparison, Message, Record, Response

UNIT = Scale(1.0, within=True, prompts=1)


def by_models(count, *, favourite, better, seed=0):
    """Pairs of A and B; A wins with probability `better`, and gets `favourite` on top of what the label is paid."""
    rng = np.random.default_rng(seed)
    made, rewards = [], []
    for k in range(count):
        answers = tuple(Response((Message("assistant", f"{name} {k}"),), name) for name in "AB")
        wins = rng.random() < better
        made.append(Record((Message("user", str(k)),), answers, (Comparison(0, 1) if wins else Comparison(1, 0),)))
        value = np.array([1.0, 0.0]) if wins else np.array([0.0, 1.0])
        rewards.append(value + np.array([favourite, 0.0]) + rng.normal(0, 0.3, 2))
    return made, rewards


def test_a_generator_that_is_paid_for_its_name_is_found_with_its_size():
    found, more = generator_effects(*by_models(200, favourite=0.8, better=0.5), UNIT, bound=0.2, seed=0)
    sizes = {effect.name: effect.effect_sd for effect in adjusted(found)}
    assert sizes["generator_A"] == pytest.approx(0.8, abs=0.1)
    assert sizes["generator_B"] == pytest.approx(-0.8, abs=0.1)
    assert more == 0
    assert {effect.status for effect in adjusted(found)} == {"found"}


def test_a_generator_that_wins_more_often_is_not_a_bias():
    found, _ = generator_effects(*by_models(400, favourite=0.0, better=0.8), UNIT, bound=0.2, seed=0)
    assert {effect.status for effect in adjusted(found)} == {"excluded"}


def test_one_generator_or_few_prompts_say_nothing():
    made, rewards = by_models(5, favourite=1.0, better=0.5)
    assert generator_effects(made, rewards, UNIT, bound=0.2, seed=0) == ([], 2)
    same = [Record(r.prompt, tuple(Response(a.messages, "A") for a in r.responses), r.comparisons) for r in made]
    assert generator_effects(same, rewards, UNIT, bound=0.2, seed=0) == ([], 0)


def test_quality_is_wins_less_losses():
    answers = tuple(Response((Message("assistant", str(k)),)) for k in range(3))
    record = Record((), answers, (Comparison(0, 1), Comparison(0, 2), Comparison(1, 2, preference=0.5)))
    assert list(label_quality(record)) == [1.0, -0.5, -0.5]
