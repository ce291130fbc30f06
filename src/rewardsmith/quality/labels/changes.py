"""What becomes of a label that is probably wrong: dropped, turned round, or softened, as weights and preferences."""

from dataclasses import replace
from typing import Literal

from rewardsmith.records import Comparison

Mode = Literal["report", "soften", "drop", "flip"]


def changed(comparison: Comparison, mode: Mode, *, wrong: float, suspect: bool) -> Comparison:
    """The comparison after a decision, given P(its label is wrong); itself where nothing changes.

    - drop: a suspect label gets the weight 0, so that the row stays countable and nothing learns from it;
    - flip: a suspect label is turned round;
    - soften: the preference t becomes its expectation (1 - wrong) t + wrong (1 - t), suspect or not (the E-step of the
      model in `label_noise`); one that falls under one half prefers the other response.
    """
    if mode == "drop" and suspect:
        return replace(comparison, weight=0.0)
    if mode == "flip" and suspect:
        return turned(comparison)
    if mode == "soften" and wrong > 0:
        expected = (1 - wrong) * comparison.preference + wrong * (1 - comparison.preference)
        side = comparison if expected >= 0.5 else turned(comparison)
        return replace(side, preference=min(1.0, max(expected, 1 - expected)))
    return comparison


def turned(comparison: Comparison) -> Comparison:
    """The other response preferred; the votes stay with their responses, a margin in the source's unit is lost."""
    votes = comparison.votes
    swapped = None if votes is None else (votes[1], votes[0], votes[2])
    return replace(comparison, i=comparison.j, j=comparison.i, votes=swapped, margin=None)
