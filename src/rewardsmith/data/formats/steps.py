"""Solutions cut at their steps, with a label for each: TRL's stepwise rows, Math-Shepherd, PRM800K, ProcessBench.

A step is written behind the one before with SEPARATOR between them, whatever the source, so that a model sees the same text
from all. A label is 1 where the step is correct and 0 where it is wrong; None where the source does not say.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from rewardsmith.data.formats.building import NONE, first_of, marks_of
from rewardsmith.data.formats.dialogues import conversation, with_system
from rewardsmith.data.input.fields import Columns, as_list, as_text, items, mapping, required, text
from rewardsmith.data.input.rows import RowError, kind
from rewardsmith.records import Conversation, Message, Record, Response

SEPARATOR = "\n\n"
LISTS = ("completions", "steps")
MARK = "ки"
"""The token behind each step of Math-Shepherd's `input`; its `label` has + or - in the same place."""
FIRST_STEP = "Step 1:"
SIGNS = {"+": 1.0, "-": 0.0}
RATINGS: dict[Any, float | None] = {-1: 0.0, 0: 1.0, 1: 1.0, None: None}
"""PRM800K's ratings; a neutral step counts as correct (Lightman et al. 2023, arXiv 2305.20050, appendix F)."""


def by_steps(prompt: Conversation, steps: Sequence[str], labels: Sequence[float | None]) -> Record:
    """A record of the solution up to each of its steps; without any label it awaits scoring."""
    if not steps:
        raise RowError("no_steps", "the list of steps is empty; expected at least one step; drop the row")
    empty = next((number for number, step in enumerate(steps, start=1) if not step.strip()), None)
    if empty is not None:
        raise RowError("empty_step", f"step {empty} is empty; expected text; drop the step and its label")
    texts = accumulate(steps, lambda before, step: before + SEPARATOR + step)
    responses = tuple(Response((Message("assistant", each),)) for each in texts)
    rated = {} if all(label is None for label in labels) else {"overall": tuple(labels)}
    return Record(prompt, responses, ratings=rated, by_steps=True)


def stepwise(row: Columns) -> Record:
    """TRL's stepwise supervision: `prompt`, `completions` (or `steps`) and, to learn from, one label each in `labels`."""
    name = first_of(row, LISTS) or LISTS[0]
    steps = [as_text(each, f"{name}[{at}]") for at, each in enumerate(items(row, name))]
    prompt = with_system(conversation(required(row, "prompt"), "prompt", role="user"), row.get("system"))
    if row.get("labels") is None:
        return by_steps(prompt, steps, [None] * len(steps))
    given = as_list(row["labels"], "labels")
    if len(given) != len(steps):
        raise RowError("wrong_length", f"labels has {len(given)} entries for {len(steps)} steps; expected one per step")
    return by_steps(prompt, steps, [label_of(each, f"labels[{at}]") for at, each in enumerate(given)])


def label_of(value: Any, name: str) -> float | None:
    """true or 1, false or 0, a share of both, or null for a step that nobody judged."""
    if value is None or isinstance(value, bool):
        return None if value is None else float(value)
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        shown = value if isinstance(value, int | float) else kind(value)
        raise RowError("wrong_label", f"{name} is {shown}; expected true, false, a number from 0 to 1, or null")
    return float(value)


def is_stepwise(row: Columns) -> frozenset[str]:
    """The columns of a prompt with its steps."""
    labelled = marks_of(*(name for name in ("labels",) if isinstance(row.get(name), list)))
    name = first_of(row, LISTS if labelled else ("steps",))
    found = name is not None and isinstance(row[name], list) and row.get("prompt") is not None
    return frozenset({"prompt", str(name)}) | labelled if found else NONE


def list_column(row: Columns) -> frozenset[str]:
    """The column that the steps are read from."""
    return frozenset(filter(None, [first_of(row, LISTS)]))


def math_shepherd(row: Columns) -> Record:
    """Math-Shepherd: the question and its steps in `input`, MARK behind each, and the same in `label` with + or - there."""
    *parts, rest = text(row, "input").split(MARK)
    said, at, labels = text(row, "label"), 0, []
    for number, part in enumerate(parts, start=1):
        at += len(part) + 1
        sign = said[at - 1 : at]
        if said[at - len(part) - 1 : at - 1] != part or sign not in SIGNS:
            raise RowError(
                "wrong_label", f"label differs from input at step {number}; expected + or - in place of {MARK}"
            )
        labels.append(SIGNS[sign])
    if said[at:] != rest:
        raise RowError("wrong_label", f"label differs from input behind the last {MARK}; expected the same text there")
    question, found, first = parts[0].partition(FIRST_STEP)
    if rest.strip() or not found:
        what = f"ends with words behind the last {MARK}" if rest.strip() else f"does not contain {FIRST_STEP!r}"
        raise RowError("no_steps", f"input {what}; expected a question and steps, each ended by {MARK}")
    steps = [(FIRST_STEP + first).strip(), *(part.strip() for part in parts[1:])]
    return by_steps((Message("user", question.strip()),), steps, labels)


def is_math_shepherd(row: Columns) -> frozenset[str]:
    """The columns of a row of Math-Shepherd."""
    given, said = row.get("input"), row.get("label")
    return frozenset({"input", "label"}) if isinstance(given, str) and isinstance(said, str) and MARK in given else NONE


def prm800k(row: Columns) -> Record:
    """PRM800K: `question.problem` and `label.steps`; of each step the completion that the solution went on with.

    Where none was chosen the labeller's own is taken, else the first that was rated, and the solution ends there.
    """
    problem = text(mapping(required(row, "question"), "question"), "problem")
    steps: list[str] = []
    labels: list[float | None] = []
    for at, entry in enumerate(items(mapping(required(row, "label"), "label"), "steps")):
        name = f"label.steps[{at}]"
        taken, ends = chosen_completion(mapping(entry, name), name)
        if taken is None:
            break
        rating = taken.get("rating")
        if not isinstance(rating, int | float | None) or isinstance(rating, bool) or rating not in RATINGS:
            raise RowError("wrong_label", f"{name}: the rating is {rating!r}; expected -1, 0, 1 or null")
        steps.append(text(taken, "text"))
        labels.append(RATINGS[rating])
        if ends:
            break
    return by_steps((Message("user", problem),), steps, labels)


def chosen_completion(step: Columns, name: str) -> tuple[Columns | None, bool]:
    """The completion that a step is read as, None where it has none, and whether the solution ends with it."""
    written = [mapping(each, f"{name}.completions") for each in as_list(step.get("completions") or [], name)]
    chosen, own = step.get("chosen_completion"), step.get("human_completion")
    if chosen is not None:
        if type(chosen) is not int or not 0 <= chosen < len(written):
            raise RowError("wrong_type", f"{name}.chosen_completion is {chosen!r}; expected 0 to {len(written) - 1}")
        return written[chosen], False
    if own is not None:
        return mapping(own, f"{name}.human_completion"), False
    return next((each for each in written if each.get("rating") is not None), None), True


def is_prm800k(row: Columns) -> frozenset[str]:
    """The columns of a row of PRM800K."""
    question, said = row.get("question"), row.get("label")
    fits = isinstance(question, dict) and "problem" in question and isinstance(said, dict) and "steps" in said
    return frozenset({"question", "label"}) if fits else NONE


def processbench(row: Columns) -> Record:
    """ProcessBench: `problem`, `steps`, and in `label` the first wrong step counted from 0, -1 where all are correct.

    Steps behind the first wrong one have no label.
    """
    steps = [as_text(each, f"steps[{at}]") for at, each in enumerate(items(row, "steps"))]
    first = row.get("label")
    if type(first) is not int or not -1 <= first < len(steps):
        raise RowError("wrong_label", f"label is {first!r}; expected -1 to {len(steps) - 1}, the first wrong step")
    labels = [1.0] * len(steps) if first < 0 else [1.0] * first + [0.0] + [None] * (len(steps) - first - 1)
    return by_steps((Message("user", text(row, "problem")),), steps, labels)
