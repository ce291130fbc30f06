"""What was measured beside the figures of a run, to tell causes apart: objects of evaluation.json and measurements.json.

Everything is optional, as in `facts`; what was not measured is named with the reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.labels.told import LabelFacts, labels_from
from rewardsmith.diagnose.values import count, interval, mapping, number, share, words

ONLY_SHOWN = ("error_tokens",)
"""Measurements for the report, on which no finding depends."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Accuracy in [0, 1] and loss in nats on `n` decided comparisons of `clusters` prompts."""

    n: int
    clusters: int
    accuracy: float
    accuracy_interval: Interval95 | None
    loss: float | None
    loss_interval: Interval95 | None


@dataclass(frozen=True, slots=True)
class DataSide:
    """One of two kinds of data: shares of languages, the 10 %, 50 % and 90 % quantiles of words, counts, and the share of
    running words that half of the training data does not know.

    `prompt_words` are such quantiles of prompts, `same_prompt` the share of records with the most frequent prompt, and
    `shapes` shares of the roles of their turns.
    """

    languages: Mapping[str, float]
    words: tuple[float, ...]
    prompts: int
    comparisons: int
    ties: int
    unknown_words: float | None
    prompt_words: tuple[float, ...] = ()
    same_prompt: float = 0.0
    shapes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BesideTraining:
    """The judged data beside the training data.

    `overlap` counts judged comparisons by kind (same_pair, near_pair, same_prompt, near_prompt, new; an older evaluation
    has no near_pair, and its near_prompt may be one), `new` are the figures on the new ones where others are there,
    `sample` those on training comparisons; `repeats` counts decided training comparisons, those that repeat an earlier one,
    and those that contradict one, and `judged_repeats` the same of the judged data.
    `more_unknown` is the interval, over prompts, by how much more of the judged words are unknown.
    """

    overlap: Mapping[str, int]
    new: Figures | None
    examples: tuple[str, ...]
    sample: Figures | None
    repeats: Mapping[str, int]
    training: DataSide
    judged: DataSide
    judged_repeats: Mapping[str, int] = field(default_factory=dict)
    more_unknown: Interval95 | None = None


@dataclass(frozen=True, slots=True)
class Rescored:
    """Held-out responses scored again by the saved model, beside the rewards that the evaluation holds.

    `correlation`, `slope` and `offset` of the new rewards over the old ones, `largest` the largest difference, `spread` the
    standard deviation of the old ones; accuracies on the same comparisons. `by` says how the run of the old ones is known
    (see pipelines/diagnose/origins): where it is "alike", the old ones may be those of another model. `at_ends` is the share
    of old ones that are their minimum or maximum.
    """

    n: int
    correlation: float | None
    slope: float | None
    offset: float | None
    largest: float
    spread: float
    accuracy_before: float | None
    accuracy_now: float | None
    by: str = "inside"
    at_ends: float = 0.0


@dataclass(frozen=True, slots=True)
class FittedHead:
    """A linear head fitted on the model's own features of training comparisons, and the model's own head, on the same
    held-out comparisons; `difference` is fitted minus own accuracy.
    """

    pairs: int
    fitted: Figures
    own: Figures
    difference: float
    difference_interval: Interval95 | None


@dataclass(frozen=True, slots=True)
class HundredPairs:
    """Training a fresh model on few pairs: what it reaches on those pairs themselves.

    `exact`: a head alone, fitted without steps. That it ranks them right says nothing about their labels, since a linear
    head of as many features ranks them in any order.
    """

    pairs: int
    steps: int
    lr: float
    accuracy: float
    loss: float
    exact: bool = False


@dataclass(frozen=True, slots=True)
class ShareOfWrong:
    """The share of wrong labels among `n`, with its interval; `shown` where wrong labels are shown to be there."""

    n: int
    rate: float
    interval: Interval95
    shown: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """How well a simple rule predicts training labels: accuracy with interval on `n` comparisons; `features` lead it."""

    n: int
    accuracy: float
    interval: Interval95 | None
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Something that could not be measured, why, and what would be needed (a command or data).

    `name` is that of the measurement; `failed` says that something was refused or broke while it was measured, where
    else only something that it needs is not there.
    """

    what: str
    why: str
    bring: str = ""
    name: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class FieldGroups:
    """Figures on comparisons by the value of one field of their records; `trained` says that these were trained on."""

    field: str
    trained: bool
    values: Mapping[str, Figures]


@dataclass(frozen=True, slots=True)
class OtherTemplate:
    """Held-out comparisons under another chat template: `moved` is the mean change of a margin over the standard deviation
    of margins, `difference` the accuracy under it minus that under the model's own, with its interval, on `n` comparisons.
    """

    name: str
    n: int
    moved: float
    difference: float
    interval: Interval95 | None


@dataclass(frozen=True)
class MeasuredFacts:
    """All of it.

    `origin` says by what the run of the model is known, `run` where it is, if elsewhere than the folder. `refused` is the
    share of its held-out texts which the saved model refuses beyond those that the evaluation could not score, `refusal` the
    first reason.
    """

    beside: BesideTraining | None = None
    rescored: Rescored | None = None
    reproduced: Rescored | None = None
    model_error: str | None = None
    contract_changed: tuple[str, ...] = ()
    data_changed: tuple[str, ...] = ()
    splits_changed: tuple[str, ...] = ()
    validation_in_test: float = 0.0
    groups: tuple[FieldGroups, ...] = ()
    templates: tuple[OtherTemplate, ...] = ()
    pad_in_text: float | None = None
    origin: str = ""
    run: str = ""
    refused: float = 0.0
    refusal: str = ""
    head: FittedHead | None = None
    hundred: HundredPairs | None = None
    wrong: ShareOfWrong | None = None
    rule: Rule | None = None
    labels: LabelFacts = field(default_factory=LabelFacts)
    done: tuple[str, ...] = ()
    not_checked: tuple[NotMeasured, ...] = field(default=())


def figures_from(row: Mapping[str, Any] | None) -> Figures | None:
    """Figures of an object with n, clusters, accuracy, accuracy_ci, nll, nll_ci; None where n is 0."""
    if not row or not count(row, "n"):
        return None
    accuracy = share(row, "accuracy")
    if accuracy is None:
        return None
    spread = interval(row, "accuracy_ci"), interval(row, "nll_ci")
    size = count(row, "n") or 0
    return Figures(size, count(row, "clusters") or size, accuracy, spread[0], number(row, "nll"), spread[1])


def beside_from(row: Mapping[str, Any] | None) -> BesideTraining | None:
    """The object `training` of evaluation.json."""
    if not row:
        return None
    overlap, profile = mapping(row, "overlap"), mapping(row, "profile")
    unknown = mapping(row, "new_words")
    # The last name alone: the sentence stands in the model card, which tells nothing of the machine's folders.
    twins = [(Path(str(judged)).name, Path(str(trained)).name) for judged, trained, *_ in overlap.get("examples") or ()]
    examples = tuple(f"{judged} = {trained}" for judged, trained in twins)
    return BesideTraining(
        overlap=counts_of(overlap, "comparisons"),
        new=figures_from(mapping(overlap, "new")),
        examples=examples,
        sample=figures_from(mapping(row, "sample")),
        repeats=counts_of(row, "repeats"),
        training=side_from(mapping(profile, "training"), number(unknown, "training")),
        judged=side_from(mapping(profile, "judged"), number(unknown, "judged")),
        judged_repeats=counts_of(row, "judged_repeats"),
        more_unknown=interval(unknown, "difference_ci"),
    )


def counts_of(row: Mapping[str, Any], name: str) -> dict[str, int]:
    """An object of counts."""
    inner = mapping(row, name)
    return {key: count(inner, key) or 0 for key in inner}


def shares_of(row: Mapping[str, Any], name: str) -> dict[str, float]:
    """An object of counts, each as a share of all."""
    counts = counts_of(row, name)
    total = sum(counts.values()) or 1
    return {key: value / total for key, value in counts.items()}


def quantiles_of(row: Mapping[str, Any], name: str) -> tuple[float, ...]:
    """A list of numbers; empty where it is absent."""
    values = row.get(name)
    return tuple(float(value) for value in values) if isinstance(values, Sequence) else ()


def names_of(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of words; empty where it is absent."""
    return tuple(map(str, row.get(name) or ()))


def side_from(row: Mapping[str, Any], unknown: float | None) -> DataSide:
    """One side of the profile."""
    prompts, comparisons, ties = (count(row, name) or 0 for name in ("prompts", "comparisons", "ties"))
    return DataSide(
        shares_of(row, "languages"),
        quantiles_of(row, "words"),
        prompts,
        comparisons,
        ties,
        unknown,
        quantiles_of(row, "prompt_words"),
        share(row, "same_prompt") or 0.0,
        shares_of(row, "shapes"),
    )


def measured_from(row: Mapping[str, Any], beside: Mapping[str, Any] | None) -> MeasuredFacts:
    """What measurements.json holds, with the object `training` of the evaluation, which goes first."""
    return MeasuredFacts(
        beside=beside_from(beside) or beside_from(mapping(row, "training")),
        rescored=rescored_from(mapping(row, "rescored")),
        reproduced=rescored_from(mapping(row, "reproduced")),
        model_error=words(row, "model_error") or None,
        contract_changed=names_of(row, "contract_changed"),
        data_changed=names_of(row, "data_changed"),
        splits_changed=names_of(row, "splits_changed"),
        validation_in_test=share(row, "validation_in_test") or 0.0,
        groups=tuple(groups_from(row.get("groups") or ())),
        templates=tuple(templates_from(row.get("templates") or ())),
        pad_in_text=share(row, "pad_in_text"),
        origin=words(row, "origin"),
        run=words(row, "run"),
        refused=refused_since(row),
        refusal=words(row, "refusal"),
        head=head_from(mapping(row, "head")),
        hundred=hundred_from(mapping(row, "hundred")),
        wrong=wrong_from(mapping(row, "wrong_labels")),
        rule=rule_from(mapping(row, "rule")),
        labels=labels_from(row),
        done=names_of(row, "done"),
        not_checked=tuple(map(not_measured_from, unmeasured(row))),
    )


def refused_since(row: Mapping[str, Any]) -> float:
    """The share of held-out texts that the model refuses, beyond that which the evaluation could not score."""
    return max(0.0, (share(row, "refused") or 0.0) - (share(row, "refused_before") or 0.0))


def unmeasured(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries of `not_checked` on which a finding may depend."""
    return [entry for entry in row.get("not_checked") or () if words(entry, "name") not in ONLY_SHOWN]


def not_measured_from(row: Mapping[str, Any]) -> NotMeasured:
    """An entry of `not_checked`."""
    what, why, bring, name = (words(row, key) for key in ("what", "why", "bring", "name"))
    return NotMeasured(what, why, bring, name, bool(row.get("failed")))


def rescored_from(row: Mapping[str, Any]) -> Rescored | None:
    """The object `rescored`."""
    if not row:
        return None
    correlation, slope, offset = (number(row, name) for name in ("correlation", "slope", "offset"))
    largest, spread = (number(row, name) or 0.0 for name in ("largest", "spread"))
    before, now = (share(row, name) for name in ("accuracy_before", "accuracy_now"))
    by, at_ends = str(row.get("by") or "inside"), share(row, "at_ends") or 0.0
    return Rescored(count(row, "n") or 0, correlation, slope, offset, largest, spread, before, now, by, at_ends)


def head_from(row: Mapping[str, Any]) -> FittedHead | None:
    """The object `head`."""
    fitted, own = figures_from(mapping(row, "fitted")), figures_from(mapping(row, "own"))
    if fitted is None or own is None:
        return None
    difference = fitted.accuracy - own.accuracy
    return FittedHead(count(row, "pairs") or 0, fitted, own, difference, interval(row, "difference_ci"))


def groups_from(rows: Sequence[Mapping[str, Any]]) -> Iterator[FieldGroups]:
    """The list `groups`."""
    for row in rows:
        told = {name: figures_from(mapping(mapping(row, "values"), name)) for name in mapping(row, "values")}
        yield FieldGroups(
            str(row.get("field")),
            bool(row.get("trained")),
            {name: figures for name, figures in told.items() if figures is not None},
        )


def templates_from(rows: Sequence[Mapping[str, Any]]) -> Iterator[OtherTemplate]:
    """The list `templates`."""
    for row in rows:
        moved, difference = number(row, "moved"), number(row, "difference")
        if moved is not None and difference is not None:
            spread = interval(row, "difference_ci")
            yield OtherTemplate(str(row.get("template")), count(row, "n") or 0, moved, difference, spread)


def hundred_from(row: Mapping[str, Any]) -> HundredPairs | None:
    """The object `hundred`."""
    accuracy, loss = share(row, "accuracy"), number(row, "loss")
    if accuracy is None or loss is None:
        return None
    pairs, steps, rate = count(row, "pairs") or 0, count(row, "steps") or 0, number(row, "lr") or 0.0
    return HundredPairs(pairs, steps, rate, accuracy, loss, row.get("exact") is True)


def wrong_from(row: Mapping[str, Any]) -> ShareOfWrong | None:
    """The object `wrong_labels`."""
    rate, spread = share(row, "rate"), interval(row, "rate_ci")
    if rate is None or spread is None:
        return None
    return ShareOfWrong(count(row, "n") or 0, rate, spread, bool(row.get("shown")))


def rule_from(row: Mapping[str, Any]) -> Rule | None:
    """The object `rule`: the joint model of simple features on the training labels."""
    accuracy = share(row, "accuracy")
    if accuracy is None:
        return None
    names = tuple(map(str, row.get("features") or ()))
    return Rule(count(row, "n") or 0, accuracy, interval(row, "accuracy_ci"), names)
