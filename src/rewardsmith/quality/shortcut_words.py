"""What was found about shortcuts, in plain words; the catalogue has the Chinese."""

from typing import TYPE_CHECKING

from rewardsmith.quality.features import MORE_OF

if TYPE_CHECKING:
    from rewardsmith.quality.constant_answers import ConstantAnswer
    from rewardsmith.quality.shortcuts import Shortcut


def shortcut_found(shortcut: "Shortcut") -> str:
    """A feature that predicts the label."""
    share, low, high = percentages(shortcut)
    more = MORE_OF[shortcut.name]
    if shortcut.accuracy > 0.5:
        return (
            f"the response with {more} is preferred in {share} % of comparisons [{low}, {high}]; "
            "a model can learn that instead of quality"
        )
    return (
        f"the response with {more} is preferred in only {share} % of comparisons [{low}, {high}]; "
        "a model can learn to avoid that instead of quality"
    )


def joint_found(shortcut: "Shortcut") -> str:
    """What all features together predict."""
    share, low, high = percentages(shortcut)
    return (
        f"all simple features together predict {share} % of labels on unseen prompts [{low}, {high}]; "
        "a reward model has to beat that"
    )


def constant_found(answer: "ConstantAnswer") -> str:
    """A text that wins whatever was asked."""
    return (
        f"one and the same answer wins under {answer.won} of {answer.prompts} different prompts (as at {answer.place}); "
        "remove it, or a model learns to reward this text"
    )


def percentages(shortcut: "Shortcut") -> tuple[str, str, str]:
    """The accuracy and the ends of its interval."""
    interval = shortcut.accuracy_ci
    return f"{100 * shortcut.accuracy:.1f}", f"{100 * interval.low:.1f}", f"{100 * interval.high:.1f}"
