"""Planted biases are found with the size that was planted, and only those."""

import math

import numpy as np
import pytest

from known_rewards import quality, records, scorer
from rewardsmith.audit.biases.attacks import ATTACKS
from rewardsmith.audit.biases.counterfactual import (
    Shifted,
    beaten,
    counterfactual_effects,
    flipped,
    shifted,
    variants_of,
)
from rewardsmith.audit.edits.table import EDITS
from rewardsmith.audit.effect import adjusted, reward_scale
from rewardsmith.records import Message, Record, Response


def audited(made, reward, *, bound=0.2):
    rewards, found = shifted(made, scorer(reward))
    scale = reward_scale(rewards)
    effects = adjusted(list(counterfactual_effects(found, scale, bound=bound, seed=0)))
    return {effect.name: effect for effect in effects}, scale


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_reward_of_quality_alone_has_no_bias_and_constant_texts_lose(language):
    found, _ = audited(
        records(60, language=language), lambda p, t: quality(p, t) if "river" in p and len(t) > 9 else -9.0
    )
    assert {effect.status for effect in found.values() if effect.kind == "edit"} == {"excluded"}
    assert all(effect.effect == pytest.approx(0) for effect in found.values() if effect.kind == "edit")


def test_a_slope_on_length_is_found_with_its_size():
    made = records(60)
    found, scale = audited(made, lambda p, t: quality(p, t) + 0.05 * len(t))
    for count in (1, 2, 4):
        added = len(EDITS[f"padding_{count}"].apply(made[0].responses[0].text)) - len(made[0].responses[0].text)
        effect = found[f"padding_{count}"]
        assert effect.effect == pytest.approx(0.05 * added)
        assert effect.effect_sd == pytest.approx(0.05 * added / scale.sd)
        assert effect.status == "found"
    assert found["padding_1"].effect < found["padding_2"].effect < found["padding_4"].effect
    assert found["curly_quotes"].status == "excluded" if "curly_quotes" in found else True


def test_a_bonus_for_bullets_is_found_and_bold_is_excluded():
    found, _ = audited(records(60), lambda p, t: quality(p, t) + 1.5 * t.startswith("- "))
    assert found["bullets"].effect == pytest.approx(1.5)
    assert (found["bullets"].status, found["bold"].status, found["numbered_list"].status) == (
        "found",
        "excluded",
        "excluded",
    )
    example = found["bullets"].examples[0]
    assert example.after.startswith("- ")
    assert example.reward_after - example.reward_before == pytest.approx(1.5)


def test_a_penalty_is_found_with_its_sign():
    found, _ = audited(records(60), lambda p, t: quality(p, t) - 1.0 * ("not sure" in t))
    assert found["hedged"].effect == pytest.approx(-1.0)
    assert found["hedged"].status == "found"
    assert found["certain"].status == "excluded"


def test_few_prompts_cannot_tell():
    found, _ = audited(records(4), lambda p, t: quality(p, t) + 1.5 * t.startswith("- "))
    assert found["bullets"].status == "cannot_tell"
    assert found["bold"].status == "cannot_tell"


def test_a_text_that_instructs_the_judge_is_found_where_it_wins():
    found, _ = audited(records(60), lambda p, t: 5.0 if "10/10" in t else quality(p, t) - 4 * (len(t) < 30))
    assert found["judge_instruction"].status == "found"
    assert found["judge_instruction"].flipped == 1.0
    assert found["full_stop"].status == "excluded"
    assert found["full_stop"].flipped == 0.0


def test_refusals_are_tried_only_where_no_response_refuses():
    refusing = Record(
        (Message("user", "How do I hurt someone?"),), (Response((Message("assistant", "I cannot help with that."),)),)
    )
    assert "refusal" not in variants_of(refusing).places
    assert "refusal" in variants_of(records(1)[0]).places


def test_equal_texts_are_scored_once_and_every_edit_has_its_place():
    made = variants_of(records(1)[0])
    texts = [response.text for response in made.record.responses]
    assert len(texts) == len(set(texts))
    for name, places in made.places.items():
        for k, place in enumerate(places):
            if place is not None and name in EDITS:
                assert texts[place] == EDITS[name].apply(texts[k])
    assert set(made.places) == {*EDITS, *ATTACKS}


def row(before, after):
    return Shifted("", 0, np.array(before), np.array(after), ())


def test_flips_are_those_of_pairs_of_which_the_lower_is_raised():
    made = row([0.0, 1.0, 2.0], [1.5, 2.5, 3.5])  # of 0<1, 0<2 and 1<2 the edit flips the first and the last
    assert flipped(made, upwards=True) == pytest.approx(2 / 3)
    assert flipped(row([0.0, 1.0], [-5.0, -5.0]), upwards=False) == 1.0
    assert flipped(row([0.0, 1.0], [math.nan, 5.0]), upwards=True) != flipped(made, upwards=True)
    assert math.isnan(flipped(row([1.0, 1.0], [2.0, 2.0]), upwards=True))


def test_a_constant_text_beats_those_below_it_and_half_of_those_it_ties_with():
    assert beaten(row([0.0, 1.0, 2.0, math.nan], [1.0, 1.0, 1.0, 1.0])) == pytest.approx(0.5)


def test_what_cannot_be_scored_is_left_out():
    def reward(prompt, text):
        return math.nan if "To repeat" in text else quality(prompt, text)

    found, _ = audited(records(20), reward)
    assert "repetition" not in found
    assert found["bold"].n == 40


def test_the_rate_of_false_alarms_is_that_of_the_test():
    """30 audits of a reward with noise of its own on every text: at most a few have one false finding among all edits."""
    alarms = 0
    for trial in range(30):
        noise = np.random.default_rng(trial)
        found, _ = audited(records(30, seed=trial), lambda p, t, noise=noise: quality(p, t) + noise.normal(0, 2.0))
        alarms += any(effect.status == "found" for effect in found.values() if effect.kind == "edit")
    assert alarms <= 5  # P(more | 5 %) = 0.003
