"""What annotators said about K responses (scores, ranks, votes, a chosen one) → comparisons.

Where a source's statements disagree, `chosen` decides the direction; votes and ratings stay in the record, so that the
check "label_conflict" can point at the disagreement.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from rewardsmith.data.formats.native import index
from rewardsmith.data.input.fields import Columns, as_list, mapping, numbers
from rewardsmith.data.input.rows import RowError
from rewardsmith.records import Comparison

VERDICTS: dict[Any, int | None] = {"1": 0, "2": 1, 1: 0, 2: 1, "A": 0, "B": 1, "tie": None}


def by_value(values: Sequence[float | None], *, attribute: str = "overall", margins: bool = True) -> list[Comparison]:
    """Every pair of responses that both have a value, the higher one preferred, equal ones a tie.

    The margin is the difference of the values, in their own unit, unless `margins` is off (ranks have no unit).
    """
    found = []
    for a, b in combinations(range(len(values)), 2):
        first, second = values[a], values[b]
        if first is None or second is None:
            continue
        i, j = (a, b) if first >= second else (b, a)
        lead = abs(first - second)
        preference = 1.0 if lead else 0.5
        margin = lead if margins and lead else None
        found.append(Comparison(i, j, preference, margin=margin, attribute=attribute))
    return found


def with_chosen(found: Sequence[Comparison], best: int, count: int) -> list[Comparison]:
    """The comparisons, but `best` beats each of the `count` responses, whatever its value says."""
    kept = {(c.i, c.j): c for c in found}
    decided = []
    for other in range(count):
        if other == best:
            continue
        agreeing = kept.pop((best, other), None)
        kept.pop((other, best), None)
        margin = agreeing.margin if agreeing else None
        decided.append(Comparison(best, other, margin=margin))
    return decided + list(kept.values())


def by_votes(row: Columns, best: int | None) -> Comparison:
    """The comparison of two responses from the votes {"a1", "a2", "equal"}; an undecided judge counts half for each.

    With a chosen response the direction is its; where at most half of the judges agree with it, their share says
    nothing about its strength and the preference is 1, as for any label without votes.
    """
    first, second, equal = votes_of(row)
    total = first + second + equal
    if total == 0 and best is None:
        raise RowError("no_judgement", "all votes are zero and no response is chosen; expected at least one vote")
    share = (first + equal / 2) / total if total else 0.5
    i = best if best is not None else int(share < 0.5)
    share = share if i == 0 else 1 - share
    preference = 1.0 if best is not None and share <= 0.5 else share
    return Comparison(i, 1 - i, preference, votes=(first, second, equal) if i == 0 else (second, first, equal))


def votes_of(row: Columns) -> tuple[int, ...]:
    """The votes for the first response, for the second, and for neither."""
    votes = mapping(row["votes"], "votes")
    unknown = set(votes) - {"a1", "a2", "equal"}
    if unknown:
        raise RowError("unknown_votes", f"votes has {sorted(unknown)[0]!r}; expected only a1, a2 and equal")
    return tuple(index(votes.get(name) or 0, f"votes.{name}") for name in ("a1", "a2", "equal"))


def from_shares(decided: Comparison, votes: tuple[int, int, int]) -> Comparison:
    """A decided comparison of responses 0 and 1 with what each judge said: votes for 0, for 1, undecided.

    As with `chosen`, the decision stands; the judges' share is its strength where more than half agree with it.
    """
    first, second, undecided = votes
    if decided.i == 1:
        first, second = second, first
    total = first + second + undecided
    share = (first + undecided / 2) / total if total else 0.0
    preference = decided.preference if decided.is_tie or share <= 0.5 else share
    return replace(decided, preference=preference, votes=(first, second, undecided))


def by_pairs(value: Any, count: int) -> list[Comparison]:
    """Comparisons from a list of [better, worse] indices."""
    found = []
    for at, entry in enumerate(as_list(value, "pairs")):
        places = [index(place, f"pairs[{at}]") for place in as_list(entry, f"pairs[{at}]")]
        if len(places) != 2 or max(places) >= count or places[0] == places[1]:
            raise RowError("wrong_ranking", f"pairs[{at}] is {str(entry)[:40]}; expected two of 0 to {count - 1}")
        found.append(Comparison(places[0], places[1]))
    return found


def rank_values(row: Columns, count: int) -> list[float | None] | None:
    """Values, higher is better, from `ranks` (1 = best, per response) or `ranking` (indices from 0, best first)."""
    if row.get("ranks") is not None:
        return [None if rank is None else -rank for rank in numbers(row["ranks"], "ranks", length=count)]
    if row.get("ranking") is None:
        return None
    order = as_list(row["ranking"], "ranking")
    if any(type(at) is not int for at in order) or sorted(order) != list(range(count)):
        raise RowError(
            "wrong_ranking",
            f"ranking is {str(order)[:60]}; expected the indices 0 to {count - 1}, best first; name the column "
            "'ranks' if it contains one rank per response",
        )
    return [-float(order.index(at)) for at in range(count)]


def ratings(row: Columns, count: int) -> dict[str, tuple[float | None, ...]]:
    """Ratings by attribute: `scores` (or a list `ratings`) is "overall"; an object `ratings` has one list each."""
    found: dict[str, tuple[float | None, ...]] = {}
    given = row.get("ratings")
    if isinstance(given, dict):
        found = {name: numbers(values, f"ratings.{name}", length=count) for name, values in given.items()}
    elif given is not None:
        found = {"overall": numbers(given, "ratings", length=count)}
    if row.get("scores") is not None:
        found["overall"] = numbers(row["scores"], "scores", length=count)
    return found


def chosen_index(row: Columns, answers: Sequence[Any]) -> int | None:
    """Which of `answers` the columns `chosen` and `rejected` name; None where neither says anything."""
    places = {name: place(row[name], answers, name) for name in ("chosen", "rejected") if row.get(name) is not None}
    if not places:
        return None
    chosen = places.get("chosen")
    if chosen is None:
        raise RowError("missing_field", "got rejected without chosen; expected both or neither")
    if places.get("rejected") == chosen:
        raise RowError(
            "identical_responses",
            ("chosen and rejected are the same text; expected two different responses; drop the row"),
        )
    return chosen


def place(answer: Any, answers: Sequence[Any], name: str) -> int:
    """The index of `answer` among `answers`."""
    if answer not in answers:
        raise RowError(
            "chosen_not_listed", f"{name} does not match any response; expected the exact text of one of them"
        )
    return answers.index(answer)


def compare(row: Columns, answers: Sequence[Any]) -> Iterator[Comparison]:
    """All comparisons that a row's statements about its `answers` amount to."""
    count = len(answers)
    best = chosen_index(row, answers)
    if row.get("votes") is not None:
        if count != 2:
            raise RowError("wrong_length", f"votes need two responses; got {count}")
        yield by_votes(row, best)
        return
    if row.get("pairs") is not None:
        yield from by_pairs(row["pairs"], count)
    found = ratings(row, count)
    ranks = rank_values(row, count)
    values = ranks if ranks is not None else found.pop("overall", None)
    overall = [] if values is None else by_value(values, margins=ranks is None)
    yield from overall if best is None else with_chosen(overall, best, count)
    for attribute, each in found.items():
        if attribute != "overall":
            yield from by_value(each, attribute=attribute)


def verdict(row: Columns) -> Comparison:
    """The comparison of two responses, shown in the order of the row, from a judge's `verdict`."""
    said = row.get("verdict")
    if isinstance(said, bool) or not isinstance(said, (str, int)) or said not in VERDICTS:
        raise RowError("no_judgement", f"the verdict is {str(said)[:40]!r}; expected 1, 2, A, B or tie; drop the row")
    winner = VERDICTS[said]
    if winner is None:
        return Comparison(0, 1, 0.5, shown_first=0)
    return Comparison(winner, 1 - winner, shown_first=0)
