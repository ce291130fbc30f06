"""The answers that a pointwise judge may give: whole numbers from low to high, or labels with values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewardsmith.errors import UsageError
from rewardsmith.judge.wording.prompts import LANGUAGES, JudgePrompt

WIDEST = 101
"""Answers of a scale of numbers."""


@dataclass(frozen=True)
class AnswerScale:
    """The possible answers by language, each with its value; `numbers` are low and high where the answers are numbers."""

    labels: Mapping[str, Mapping[str, float]]
    numbers: tuple[int, int] | None = None

    @property
    def lowest(self) -> float:
        """The least value."""
        return min(value for labels in self.labels.values() for value in labels.values())


def scale_of(value: Mapping[str, Any], prompt: JudgePrompt, place: str) -> AnswerScale:
    """The scale of a judge file, by default that of its prompt; UsageError where none is told, or it is no scale."""
    given = [name for name in ("scale", "labels") if name in value]
    if len(given) == 2:
        raise UsageError(f"{place}: expected either scale: or labels:, one of them")
    if prompt.name and given and not (given == ["scale"] and prompt.any_scale):
        raise UsageError(f"{place}: the prompt {prompt.name} has its own scale; remove scale: or labels:")
    if given == ["labels"]:
        return AnswerScale(dict.fromkeys(LANGUAGES, labels_of(value["labels"], place)))
    if prompt.labels is not None:
        return AnswerScale(prompt.labels)
    return numbered(value.get("scale", prompt.scale), place)


def labels_of(value: Mapping[Any, Any], place: str) -> dict[str, float]:
    """Labels with their values; UsageError for fewer than two, or one that is no text with a number."""
    numbers = all(type(each) in (int, float) for each in value.values())
    names = [str(name) for name in value]
    if len(names) < 2 or not numbers or not all(name.strip() == name != "" for name in names):
        raise UsageError(
            f"{place}: labels is {str(dict(value))[:60]!r}; expected at least two texts with a number each"
        )
    if len({name.casefold() for name in names}) < len(names):
        raise UsageError(f"{place}: two labels differ in upper and lower case only; give them different names")
    return dict(zip(names, map(float, value.values()), strict=True))


def numbered(ends: Any, place: str) -> AnswerScale:
    """Whole numbers from low to high."""
    if ends is None:
        raise UsageError(
            f"{place}: expected scale: [low, high] or labels: {{text: value}}, the possible verdicts of your own prompt"
        )
    if len(ends) != 2 or any(type(end) is not int for end in ends) or not 0 <= ends[0] < ends[1] < ends[0] + WIDEST:
        raise UsageError(
            f"{place}: scale is {list(ends)}; expected [low, high], two integers of at least 0, at most {WIDEST - 1} "
            "apart"
        )
    labels = {str(number): float(number) for number in range(ends[0], ends[1] + 1)}
    return AnswerScale(dict.fromkeys(LANGUAGES, labels), (ends[0], ends[1]))
