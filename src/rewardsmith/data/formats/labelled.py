"""Two responses in columns of their own and a label that says which is better: benchmarks of reward models and judges."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from rewardsmith.data.formats.building import (
    NONE,
    PROMPT_NAMES,
    candidates,
    first_of,
    marks_of,
    named_prompt,
    prompt_columns,
)
from rewardsmith.data.formats.dialogues import conversation
from rewardsmith.data.formats.judgements import by_votes, side_of
from rewardsmith.data.input.fields import Columns, required
from rewardsmith.data.input.rows import RowError
from rewardsmith.records import Comparison, Conversation, Record

PREFERRED = "preferred"
"""The column that names the better one, `a`, `b` or `tie`, whatever the two are called; `--map` makes it of any label."""
STEMS = ("response", "answer", "output", "completion", "generation", "reply", "model_output")
LETTERS = ((" A", " B"), ("_A", "_B"), ("_a", "_b"), ("A", "B"))
DIGITS = ((" 1", " 2"), ("_1", "_2"), ("1", "2"), ("_0", "_1"), ("0", "1"))
LETTERED = tuple((stem + a, stem + b) for stem in STEMS for a, b in LETTERS)
ANSWERS = (*LETTERED, *((stem + a, stem + b) for stem in STEMS for a, b in DIGITS))
LABELS = ("label", "preference", "winner", "verdict", "better", "choice", "judgment", "judgement")
ANNOTATOR = re.compile(r"annotator_?\d+")
FIRST_OR_SECOND: Mapping[Any, int | None] = {1: 0, 2: 1, "1": 0, "2": 1}
FROM_ZERO_AND_TIE: Mapping[Any, int | None] = {0: 0, 1: 1, 2: None, "0": 0, "1": 1, "2": None}
FROM_ONE_AND_TIE: Mapping[Any, int | None] = {0: None, 1: 0, 2: 1, "0": None, "1": 0, "2": 1}


class LabelColumns(NamedTuple):
    """Where a data set has its two responses and the label, and which side the label means; `prompt` where the prompt stands
    under a name of its own.
    """

    answers: tuple[str, str]
    label: str
    side: Callable[[Any], int | None]
    prompt: str | None = None


def numbered(meaning: Mapping[Any, int | None], what: str) -> Callable[[Any], int | None]:
    """The side that a number stands for; RowError for another value."""

    def side(value: Any) -> int | None:
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(number, bool) or not isinstance(number, int | str) or number not in meaning:
            raise RowError("no_judgement", f"the label is {str(value)[:40]!r}; expected {what}; drop the row")
        return meaning[number]

    return side


LLMBAR = numbered(FIRST_OR_SECOND, "1 or 2")
AUTO_J = numbered(FROM_ZERO_AND_TIE, "0 (the first), 1 (the second) or 2 (a tie)")
PANDALM = numbered(FROM_ONE_AND_TIE, "1, 2, or 0 for a tie")
PROMETHEUS = ("orig_response_A", "orig_response_B")
LABEL_COLUMNS = (
    LabelColumns(PROMETHEUS, PREFERRED, side_of, "orig_instruction"),
    *(LabelColumns(answers, PREFERRED, side_of) for answers in ANSWERS),
    LabelColumns(PROMETHEUS, "orig_preference", side_of, "orig_instruction"),
    LabelColumns(("output_1", "output_2"), "label", LLMBAR),
    LabelColumns(("response 1", "response 2"), "label", AUTO_J),
    *(LabelColumns(answers, label, side_of) for answers in LETTERED for label in LABELS),
)
"""The first one whose columns a row has is meant."""


def label_columns_of(row: Columns) -> LabelColumns | None:
    """How a row says which of its two responses is better; None where it has no two responses and a label."""
    for found in LABEL_COLUMNS:
        # The prompt last: it has many names, and most rows lack the label already.
        if all(row.get(name) is not None for name in (found.label, *found.answers)) and first_of(
            row, [found.prompt] if found.prompt else PROMPT_NAMES
        ):
            return found
    return None


def labelled_pair(row: Columns) -> Record:
    """Two responses and the label that says which is better, or that neither is."""
    found = label_columns_of(row)
    if found is None:
        raise RowError(
            "missing_field", "two responses and the label of which is better are not all there; drop the row"
        )
    record = two_answers(row, found.answers, prompt_of(row, found.prompt))
    return replace(record, comparisons=(decided(found.side(row[found.label])),))


def is_labelled_pair(row: Columns) -> frozenset[str]:
    """The columns of a row with a prompt, two responses and a label."""
    found = label_columns_of(row)
    if found is None:
        return NONE
    return marks_of(found.prompt or first_of(row, PROMPT_NAMES), *found.answers, found.label)


def labelled_columns(row: Columns) -> frozenset[str]:
    """The columns that `labelled_pair` reads in this row."""
    found = label_columns_of(row)
    if found is None:
        return NONE
    return frozenset({*found.answers, found.label}) | ({found.prompt} if found.prompt else prompt_columns(row))


def panda_lm(row: Columns) -> Record:
    """PandaLM's test set: what each annotator said of two responses, 1, 2, or 0 for a tie."""
    said = [PANDALM(row[name]) for name in annotator_columns(row)]
    record = two_answers(row, ("response1", "response2"), named_prompt(row))
    return replace(record, comparisons=(by_votes((said.count(0), said.count(1), said.count(None)), None),))


def is_panda_lm(row: Columns) -> frozenset[str]:
    """The columns of a row with two responses and what annotators said of them."""
    return marks_of(
        first_of(row, PROMPT_NAMES), *map(only_there(row), ("response1", "response2")), first_annotator(row)
    )


def panda_lm_columns(row: Columns) -> frozenset[str]:
    """The columns that `panda_lm` reads in this row."""
    return prompt_columns(row) | frozenset(annotator_columns(row))


def annotator_columns(row: Columns) -> list[str]:
    """The columns of the annotators who said something."""
    return [name for name, value in row.items() if value is not None and ANNOTATOR.fullmatch(name)]


def first_annotator(row: Columns) -> str | None:
    """The first column of an annotator, None without."""
    return next(iter(annotator_columns(row)), None)


def only_there(row: Columns) -> Callable[[str], str | None]:
    """The name of a column where the row has it."""
    return lambda name: name if row.get(name) is not None else None


def prompt_of(row: Columns, name: str | None) -> Conversation:
    """The prompt under a name of its own, or under one of the known ones."""
    return named_prompt(row) if name is None else conversation(required(row, name), name, role="user")


def two_answers(row: Columns, names: Sequence[str], prompt: Conversation) -> Record:
    """A record of the responses in two columns, without a judgement, in the row's order."""
    beside = {"system": row.get("system"), "models": row.get("models")}
    return candidates(beside, [required(row, name) for name in names], prompt=prompt)


def decided(side: int | None) -> Comparison:
    """The comparison of responses 0 and 1 that a side, or None for a tie, amounts to."""
    return Comparison(0, 1, 0.5) if side is None else Comparison(side, 1 - side)
