import math

import numpy as np
import pytest

from rewardsmith.errors import DataError
from rewardsmith.evaluate.statistics import (
    ceiling_ends,
    clustered_mean,
    noise_ceiling,
    paired_difference,
    prompts_needed,
    prompts_to_detect,
)


def test_as_many_prompts_as_needed_give_the_wished_width():
    rng = np.random.default_rng(0)

    def measured(prompts):
        cluster = np.repeat(np.arange(prompts), 5)
        copies = rng.random(cluster.size) < math.sqrt(0.4)
        draw = np.where(copies, rng.random(prompts)[cluster], rng.random(cluster.size))
        return clustered_mean((draw < 0.7).astype(float), np.ones(cluster.size), cluster=cluster)

    needed = prompts_needed(measured(300), 0.02)
    assert measured(needed).interval().half_width == pytest.approx(0.02, rel=0.1)


def test_on_as_many_prompts_as_said_four_of_five_repetitions_find_the_difference():
    # One model alone is right on 8 %, the other alone on 4 %: a difference of 4 points.
    rng = np.random.default_rng(0)

    def measured(prompts):
        number = rng.random(prompts)
        one, two = (number < 0.08).astype(float), ((number >= 0.08) & (number < 0.12)).astype(float)
        return paired_difference(one, two, np.ones(prompts), cluster=np.arange(prompts))

    needed = prompts_to_detect(measured(20_000), 0.04)
    found = np.mean([measured(needed).interval().low > 0 for _ in range(400)])
    assert found == pytest.approx(0.8, abs=0.06)


def test_a_half_width_has_to_be_above_zero_and_nothing_measured_plans_nothing():
    nothing = clustered_mean(np.zeros(0), np.zeros(0), cluster=np.zeros(0, dtype=int))
    assert prompts_needed(nothing, 0.03) is None
    with pytest.raises(DataError, match="above 0"):
        prompts_needed(nothing, 0.0)
    assert prompts_to_detect(nothing, 0.03) is None
    with pytest.raises(DataError, match="above 0"):
        prompts_to_detect(nothing, 0.0)


def test_the_ceiling_of_an_agreement():
    # Annotators of HH agree in about 63 %: (1 + sqrt(0.26)) / 2 = 0.755.
    assert ceiling_ends(0.63) == pytest.approx((0.63, 0.755), abs=1e-4)
    assert ceiling_ends(1.0) == (1.0, 1.0)
    assert ceiling_ends(0.4) == (0.5, 0.5)


def test_the_agreement_of_votes():
    # 3 of 3 agree always; 2 of 3 in one of three pairs; 1 of 1 tells nothing.
    found = noise_ceiling(np.array([3.0, 2.0, 1.0]), np.array([3.0, 3.0, 1.0]), np.ones(3), cluster=np.arange(3))
    assert found is not None
    assert (found.agreement.value, found.n) == (pytest.approx(2 / 3), 2)
    assert noise_ceiling(np.ones(2), np.ones(2), np.ones(2), cluster=np.arange(2)) is None


def test_annotators_who_are_right_alike_often_have_the_upper_end_as_their_ceiling():
    rng = np.random.default_rng(3)
    votes = np.full(20_000, 5.0)
    preferring = rng.binomial(5, 0.8, 20_000).astype(float)
    found = noise_ceiling(preferring, votes, np.ones(20_000), cluster=np.arange(20_000))
    assert found is not None
    assert found.high == pytest.approx(0.8, abs=0.01)
