"""What was found about shortcuts, in plain words; the catalogue has the Chinese."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rewardsmith.quality.shortcuts.constant_answers import ConstantAnswer
from rewardsmith.quality.shortcuts.features import MORE_OF
from rewardsmith.quality.shortcuts.result import Shortcut

LENGTHS = ("words", "characters", "tokens")
"""Features that say nearly the same; on a terminal the strongest one speaks for all."""

FEWEST = 8
"""Prompts under which nothing is said: a standard error from fewer is a guess."""

GIVEN_AWAY = 0.97
"""People agree with each other on 65-80 % of preferences: features that predict nearly all labels are how they were made."""

MOST_NAMED = 5
"""Single features that a terminal names at most."""


def shortcut_lines(section: Mapping[str, Any]) -> Iterator[str]:
    """The section of quality.json for a terminal: a line on how much was measured, and one per finding.

    How many features predict the label is not said of so few prompts that none could be found to.
    """
    found = section["findings"]
    features = [one for one in found if one["id"] in MORE_OF]
    others = [one for one in found if one["id"] not in MORE_OF]
    yield from measured_line(section, len(features))
    named = with_one_length(features)
    yield from (f"  {one['sentence']}" for one in named[:MOST_NAMED])
    if len(named) > MOST_NAMED:
        yield f"  weaker shortcuts: {len(named) - MOST_NAMED}; see quality.html"
    yield from (f"  {one['sentence']}" for one in others)


def measured_line(section: Mapping[str, Any], predicting: int) -> Iterator[str]:
    """On how much the features were measured, and how many of them predict the label."""
    if section["n"] and section["prompts"] >= FEWEST:
        yield (
            f"shortcuts: {predicting} of {len(section['features'])} simple features predict the label, measured on "
            f"{section['n']:,} of {section['of']:,} comparisons of {section['prompts']:,} prompts"
        )
    elif section["findings"] and not section["n"]:
        yield "shortcuts: not measured, because there are no labelled comparisons"


def with_one_length(features: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The findings, strongest first, where only the strongest of LENGTHS stays."""
    strongest = next((one for one in features if one["id"] in LENGTHS), None)
    return [one for one in features if one["id"] not in LENGTHS or one is strongest]


def shortcut_found(shortcut: Shortcut) -> str:
    """A feature that predicts the label."""
    share, low, high = percentages(shortcut)
    more = MORE_OF[shortcut.name]
    if shortcut.accuracy > 0.5:
        return (
            f"the response with {more} is preferred in {share} % of comparisons [{low}, {high}]; a model can learn "
            "this instead of quality"
        )
    return (
        f"the response with {more} is preferred in only {share} % of comparisons [{low}, {high}]; a model can learn to "
        "avoid this instead of quality"
    )


def joint_found(shortcut: Shortcut) -> str:
    """What all features together predict: what a model has to beat, as far as it can."""
    share, low, high = percentages(shortcut)
    if shortcut.accuracy >= GIVEN_AWAY:
        return (
            f"all simple features together predict {share} % of labels on unseen prompts [{low}, {high}]; the labels "
            "can be predicted from them, so an accuracy on this data does not show that a model learned more"
        )
    return (
        f"all simple features together predict {share} % of labels on unseen prompts [{low}, {high}]; a reward model "
        "must exceed this accuracy"
    )


def constant_found(answer: ConstantAnswer) -> str:
    """A text that wins or loses whatever was asked, or stands under so many prompts that it answers none."""
    if answer.wins:
        return (
            f"the same response is preferred for {answer.won} of {answer.prompts} different prompts (for example "
            f"{answer.place}); remove it, otherwise a model learns to reward this text"
        )
    if answer.lost > answer.won:
        return (
            f"the same response is rejected for {answer.lost} of {answer.prompts} different prompts (for example "
            f"{answer.place}); a model can learn to penalise this text instead of quality"
        )
    return (
        f"the same response appears for {answer.prompts} of {answer.of} different prompts (for example "
        f"{answer.place}); it may be generic text, or written to win for any prompt"
    )


def percentages(shortcut: Shortcut) -> tuple[str, str, str]:
    """The accuracy and the ends of its interval."""
    interval = shortcut.accuracy_ci
    return f"{100 * shortcut.accuracy:.1f}", f"{100 * interval.low:.1f}", f"{100 * interval.high:.1f}"
