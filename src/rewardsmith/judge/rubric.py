"""Criteria of a judge: each is asked about by itself, and their answers are joined by weights and gates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewardsmith.errors import UsageError
from rewardsmith.judge.wording.prompts import LANGUAGES, JudgeKind, JudgePrompt
from rewardsmith.verifiable.definition import refuse_keys

OF_A_CRITERION: Mapping[str, tuple[type, ...]] = {
    "name": (str,), "text": (str, dict), "weight": (int, float), "gate": (int, float),
}  # fmt: skip


@dataclass(frozen=True)
class Criterion:
    """What is asked about, in each language, and what its answer counts: `weight`, or a `gate` that it has to reach.

    The one criterion of a judge without a rubric has the name "".
    """

    name: str
    text: Mapping[str, str]
    weight: float = 1.0
    gate: float | None = None

    @property
    def counts(self) -> float:
        """The weight in the reward: of a gate 0."""
        return self.weight if self.gate is None else 0.0


def criteria_of(value: Any, kind: JudgeKind, prompt: JudgePrompt, place: str) -> tuple[Criterion, ...]:
    """The criteria of a judge file; without a rubric one, in the words of the prompt."""
    if value is None:
        refuse_unfilled(prompt, place)
        return (Criterion("", prompt.criterion or dict.fromkeys(LANGUAGES, "")),)
    if not prompt.takes_criterion:
        raise UsageError(f"{place}: rubric needs a prompt with {{criterion}}, and this prompt has none")
    if not value:
        raise UsageError(f"{place}: rubric is {value!r}; expected a list of criteria, each with name and text")
    found = tuple(criterion_of(each, kind, f"{place}: rubric[{at}]") for at, each in enumerate(value))
    if len({each.name for each in found}) < len(found):
        raise UsageError(f"{place}: two criteria of the rubric have the same name; give each its own")
    if all(each.counts == 0 for each in found):
        raise UsageError(
            f"{place}: all criteria of the rubric are gates or have the weight 0; expected one with a weight"
        )
    return found


def refuse_unfilled(prompt: JudgePrompt, place: str) -> None:
    """UsageError for a user's prompt with a place for a criterion that nothing fills."""
    if prompt.takes_criterion and not prompt.criterion:
        raise UsageError(f"{place}: the prompt has {{criterion}}, and there is no rubric; add rubric:, or remove it")


def criterion_of(value: Any, kind: JudgeKind, place: str) -> Criterion:
    """One criterion."""
    if not isinstance(value, Mapping):
        raise UsageError(f"{place} is {str(value)[:40]!r}; expected name: and text:")
    refuse_keys(value, OF_A_CRITERION, place)
    name, text = value.get("name"), value.get("text")
    if not name or not text:
        raise UsageError(f"{place}: expected both name: and text:, what the criterion is about")
    gate, weight = value.get("gate"), float(value.get("weight", 1.0))
    if gate is not None and (kind != "pointwise" or "weight" in value):
        raise UsageError(f"{place}: a gate has no weight, and needs kind: pointwise, whose verdicts are scores")
    if weight < 0:
        raise UsageError(f"{place}: weight is {weight:g}; expected at least 0")
    return Criterion(str(name), words_of(text, place), weight, None if gate is None else float(gate))


def words_of(text: Any, place: str) -> Mapping[str, str]:
    """What a criterion is about, in each language."""
    if not isinstance(text, Mapping):
        return dict.fromkeys(LANGUAGES, str(text))
    if any(lang not in LANGUAGES or not isinstance(each, str) for lang, each in text.items()):
        raise UsageError(f"{place}: text is {str(dict(text))[:40]!r}; expected a text, or a text by language (en, zh)")
    return text
