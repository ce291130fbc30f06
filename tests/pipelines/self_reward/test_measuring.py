"""The means of a loop's measurements and their intervals."""

import numpy as np
import pytest

from rewardsmith.evaluate.inference.clustered import DIFFERENCE, SHARE
from rewardsmith.pipelines.self_reward.measuring import within


@pytest.mark.parametrize(("bounds", "values"), [(SHARE, [1, 0, 0, 0, 0, 0]), (DIFFERENCE, [-1, -1, -1, -1, 0, -1])])
def test_the_interval_of_rewards_from_a_check_stays_where_they_can_lie(bounds, values):
    rewards, ones, prompts = np.array(values, float), np.ones(6), np.arange(6)
    found = within(bounds, rewards, ones, prompts).interval()
    assert bounds[0] <= found.low < rewards.mean() < found.high <= bounds[1]
    # Rewards of a model have no bounds: the same values ten times as large, with an interval as of a mean.
    found = within(bounds, 10 * rewards, ones, prompts).interval()
    assert found.low < bounds[0] * 10 or found.high > bounds[1] * 10
