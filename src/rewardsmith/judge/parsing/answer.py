"""A generated answer → its verdict, or the problem with it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rewardsmith.generate.candidates import LENGTH, Candidate
from rewardsmith.judge.parsing.choices import stated_choice, stated_ranking, stated_tie
from rewardsmith.judge.parsing.scores import SEVERAL, NumberStated, differ, stated_number
from rewardsmith.judge.parsing.statements import Statement, plain, statements

UNPARSABLE, EMPTY, TRUNCATED, INCOMPLETE = "unparsable", "empty", "truncated", "incomplete"
WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ]")
StatedVerdict = float | str | tuple[int, ...]
TIE = "tie"


@dataclass(frozen=True)
class ParsedAnswer:
    """What an answer says: a score, a label (or TIE), or the rank of each response shown, 0 the best; or a `problem`.

    `form` tells a verdict in full_width characters or as a chinese numeral.
    """

    verdict: StatedVerdict | None
    problem: str = ""
    form: str = ""


FoundVerdict = tuple[StatedVerdict | None, str, bool]
"""A verdict or the problem with it, and whether it is a Chinese numeral."""
VerdictReader = Callable[[Statement], FoundVerdict | None]


def score_in(answer: Candidate, ends: tuple[int, int]) -> ParsedAnswer:
    """A number on the scale."""
    return parsed(answer, partial(number_of, ends=ends))


def choice_in(answer: Candidate, labels: Sequence[str], *, ties: bool) -> ParsedAnswer:
    """One of the labels, or TIE where there may be one."""
    return parsed(answer, partial(label_of, labels=labels, ties=ties))


def ranking_in(answer: Candidate, letters: Sequence[str]) -> ParsedAnswer:
    """A ranking of all letters."""
    return parsed(answer, partial(ranks_of, letters=letters))


def parsed(answer: Candidate, read: VerdictReader) -> ParsedAnswer:
    """What all statements of an answer agree on.

    Those without a verdict are passed over. A problem with one of them is that of the answer, as is a contradiction. Where
    an answer ended at the limit of tokens, a verdict at its very end may not be whole, and does not count.
    """
    if not answer.text.strip():
        return ParsedAnswer(None, EMPTY)
    text = plain(answer.text)
    found = [(each, own) for each in statements(text) if (own := read(each)) is not None]
    truncated = answer.finish == LENGTH
    problem = problem_of([own for _, own in found], truncated=truncated)
    if problem:
        return ParsedAnswer(None, problem)
    last, (verdict, _, chinese) = found[-1]
    if truncated and maybe_cut(text, last):
        return ParsedAnswer(None, TRUNCATED)
    return ParsedAnswer(verdict, form=form_of(answer.text, chinese=chinese))


def maybe_cut(text: str, last: Statement) -> bool:
    """Whether the last statement of a truncated answer may be the beginning of another one."""
    return text.rstrip().endswith(last.text) and len(last.text) < MOST_CUT


def form_of(text: str, *, chinese: bool) -> str:
    """How a verdict is written where that is not the usual way."""
    return "chinese" if chinese else "full_width" if WIDE.search(text) else ""


def problem_of(found: Sequence[FoundVerdict], *, truncated: bool) -> str:
    """What is wrong with the statements of an answer, "" where they agree on one verdict."""
    if not found:
        return TRUNCATED if truncated else UNPARSABLE
    problem = next((problem for _, problem, _ in found if problem), "")
    return problem or (SEVERAL if differ([verdict for verdict, _, _ in found]) else "")


MOST_CUT = 12
"""Characters of a statement at the end of a truncated answer that may be the beginning of another one."""


def number_of(statement: Statement, *, ends: tuple[int, int]) -> FoundVerdict | None:
    """A score."""
    found: NumberStated | None = stated_number(statement.text, ends, whole=not statement.marked)
    return None if found is None else (found.value, found.problem, found.chinese)


def label_of(statement: Statement, *, labels: Sequence[str], ties: bool) -> FoundVerdict | None:
    """A label."""
    whole = not statement.marked
    label = stated_choice(statement.text, labels, whole=whole)
    if label is None and ties and stated_tie(statement.text, whole=whole):
        label = TIE
    return None if label is None else (label, "", False)


def ranks_of(statement: Statement, *, letters: Sequence[str]) -> FoundVerdict | None:
    """The ranks."""
    groups = stated_ranking(statement.text)
    if groups is None:
        return None
    named = [letter for group in groups for letter in group]
    if sorted(named) != sorted(letters):
        return (None, INCOMPLETE, False)
    rank = {letter: place for place, group in enumerate(groups) for letter in group}
    return (tuple(rank[letter] for letter in letters), "", False)
