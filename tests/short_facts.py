"""Facts in short: a curve of losses, compared rows, and figures with the interval of their n."""

import numpy as np

from rewardsmith.diagnose.compared import Compared
from rewardsmith.diagnose.facts import CurvePoint
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import Figures


def curve(losses, **more):
    return tuple(CurvePoint(step, loss=loss, **more) for step, loss in enumerate(losses, start=1))


def rows(margins, weight=None):
    margins = np.asarray(margins, dtype=float)
    return Compared(
        margins, np.ones(margins.size), margins, np.zeros(margins.size), np.zeros(margins.size), weight=weight
    )


def figures(accuracy, n=400):
    half = 1.96 * (accuracy * (1 - accuracy) / n) ** 0.5
    return Figures(n, n, accuracy, Interval95(accuracy - half, accuracy + half), None, None)
