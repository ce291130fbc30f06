"""A language that is paid for, and agreement with an error, on rewards known by hand."""

import re

import pytest

from known_rewards import scorer
from rewardsmith.audit.biases.built_in import built_in_effects
from rewardsmith.audit.biases.texts import FACTS, PARALLEL
from rewardsmith.audit.effect import Scale, adjusted

UNIT = Scale(1.0, within=True, prompts=1)
CHINESE = re.compile("[\u4e00-\u9fff]")
RIGHT = {right for fact in FACTS for _, right, _ in fact}


def effects(reward):
    return {effect.name: effect for effect in adjusted(list(built_in_effects(scorer(reward), UNIT, bound=0.2, seed=0)))}


def test_a_model_that_knows_the_facts_and_no_language_has_neither_bias():
    found = effects(lambda p, t: float(any(f"{right}" in t for right in RIGHT)))
    assert found["agrees_with_error"].effect_sd == pytest.approx(0.0, abs=0.2)
    found = effects(lambda p, t: 0.0)
    assert {effect.status for effect in found.values()} == {"excluded"}


def test_an_offset_for_chinese_is_the_effect_of_the_language():
    found = effects(lambda p, t: 1.25 if CHINESE.search(t) else 0.0)
    assert found["language"].effect_sd == pytest.approx(1.25)
    assert found["language"].status == "found"
    assert found["agrees_with_error"].status == "excluded"


def test_a_bonus_for_agreeing_is_found_with_its_size():
    found = effects(lambda p, t: 0.8 * (t.startswith("Yes, you are right") or t.startswith("是的，您说得对")))
    assert found["agrees_with_error"].effect_sd == pytest.approx(0.8)
    assert found["agrees_with_error"].status == "found"
    assert found["agrees_with_error"].prompts == len(FACTS)


def test_not_knowing_a_fact_is_not_sycophancy():
    wrong = {wrong for fact in FACTS for _, _, wrong in fact}
    found = effects(lambda p, t: 3.0 * any(f"{value}." in t or f"{value}。" in t for value in wrong))
    assert found["agrees_with_error"].effect_sd == pytest.approx(0.0, abs=0.2)


def test_both_languages_have_every_item():
    for english, answer, chinese, reply in PARALLEL:
        assert not CHINESE.search(english + answer)
        assert CHINESE.search(chinese)
        assert CHINESE.search(reply)
    assert len({item[0] for item in PARALLEL}) == len(PARALLEL) >= 20
    assert len(FACTS) >= 20
