"""The lines of an evaluation in a terminal."""

import numpy as np
import pytest

from rewardsmith.evaluate.calibration import fit_temperature
from rewardsmith.report.figures import calibrated, precision


def summary(margin, preference):
    """The figures that the line needs."""
    temperature = fit_temperature(margin, preference)
    return {"ece": 0.2, "ece_calibrated": 0.1, "temperature": temperature, "margin_std": float(margin.std())}


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_a_temperature_is_named_only_where_one_fits(scale):
    margin = np.random.default_rng(0).normal(size=4000) * scale
    useful = (np.random.default_rng(1).random(4000) < 1 / (1 + np.exp(-margin / scale))).astype(float)
    assert "after temperature scaling (T = " in calibrated(summary(margin, useful))
    against = (margin < 0).astype(float)  # margins that point the wrong way
    assert "no temperature fits" in calibrated(summary(margin, against))


def test_a_wide_interval_says_how_many_prompts_a_narrower_one_takes():
    wide = {"accuracy_ci": [0.6, 0.7], "clusters": 100, "prompts_needed": {"0.01": 2500, "0.03": 278}}
    assert precision(wide) == [("half of its interval", "±0.050", "±0.01 takes 2500 prompts; ±0.03 takes 278 prompts")]
    assert precision({**wide, "clusters": 3000}) == []
    assert precision({"accuracy_ci": [None, None], "prompts_needed": {"0.01": None}}) == []
