"""What annotators said about K responses (scores, ranks, votes, a chosen one) → comparisons.

Where a source's statements disagree, `chosen` decides the direction; votes and ratings stay in the record, so that the
check "label_conflict" can point at the disagreement.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any

from rewardsmith.data.formats.native import index
from rewardsmith.data.input.fields import Columns, as_list, mapping, numbers
from rewardsmith.data.input.rows import RowError
from rewardsmith.records import CHOSEN_IN_A_TIE, Comparison

STATEMENTS = ("scores", "ratings", "ranks", "ranking", "pairs", "chosen")
"""Columns that say which of several responses is better, beside votes and verdicts."""
VOTES = frozenset({"a1", "a2", "equal"})
TIES = frozenset({"tie", "tied", "draw", "equal", "same", "a=b", "b=a", "1=2", "[[c]]", "both_bad", "tie(bothbad)"})
NUMBERS: dict[Any, int] = {1: 0, 2: 1, "1": 0, "2": 1}
SIDE = re.compile(
    r"\W*(?:the\s+)?(?:(answer|response|assistant|model|option|output|completion|candidate|conversation|system)[\s_-]*)?"
    r"([ab12])\W*(?:is\s+(?:much\s+|slightly\s+)?better|wins?)?\W*",
    re.IGNORECASE,
)
"""A or B, 1 or 2, with or without a word for what is judged."""
BETTER = re.compile(r"\W*([ab12])\s*(>{1,3}|<{1,3})\s*([ab12])\W*", re.IGNORECASE)
FIRST = frozenset("a1")


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


def with_chosen(found: Sequence[Comparison], best: Sequence[int], count: int) -> list[Comparison]:
    """The comparisons, but each of `best` beats all other of the `count` responses, whatever their values say.

    Where the values are equal, the two stay a tie: which of them was chosen is then chance.
    """
    kept = {frozenset((c.i, c.j)): c for c in found}
    decided = []
    for one, other in product(best, range(count)):
        if other in best:
            continue
        stated = kept.pop(frozenset((one, other)), None)
        agrees = stated is not None and (stated.i == one or stated.is_tie)
        decided.append(stated if stated is not None and agrees else Comparison(one, other))
    return decided + list(kept.values())


def by_votes(votes: tuple[int, int, int], best: int | None) -> Comparison:
    """The comparison of two responses from votes (for the first, the second, neither); the undecided count half for each.

    With a chosen response the direction is its; where at most half of the judges agree with it, their share says
    nothing about its strength and the preference is 1, as for any label without votes.
    """
    first, second, equal = votes
    total = first + second + equal
    if total == 0 and best is None:
        raise RowError("no_judgement", "all votes are zero and no response is chosen; expected at least one vote")
    share = (first + equal / 2) / total if total else 0.5
    i = best if best is not None else int(share < 0.5)
    share = share if i == 0 else 1 - share
    preference = 1.0 if best is not None and share <= 0.5 else share
    return Comparison(i, 1 - i, preference, votes=(first, second, equal) if i == 0 else (second, first, equal))


def has_votes(row: Columns) -> bool:
    """Whether a row's votes are to be read: in another form than {"a1", "a2", "equal"} they are left where something else
    says which response is better.
    """
    votes = row.get("votes")
    readable = isinstance(votes, Mapping) and not set(votes) - VOTES and len(answers_of(row)) == 2
    return votes is not None and (readable or not is_stated(row))


def answers_of(row: Columns) -> list[Any]:
    """The responses of a row, none where they are no list."""
    return row["responses"] if isinstance(row.get("responses"), list) else []


def is_stated(row: Columns) -> bool:
    """Whether a row says which response is better other than by votes or a verdict."""
    return any(row.get(name) is not None for name in STATEMENTS)


def votes_of(row: Columns) -> tuple[int, int, int]:
    """The votes for the first response, for the second, and for neither."""
    votes = mapping(row["votes"], "votes")
    unknown = set(votes) - VOTES
    if unknown:
        raise RowError("unknown_votes", f"votes has {sorted(unknown)[0]!r}; expected only a1, a2 and equal")
    first, second, equal = (index(votes.get(name) or 0, f"votes.{name}") for name in ("a1", "a2", "equal"))
    return first, second, equal


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
    """Comparisons from a list of [better, worse] indices; one that is stated twice counts once."""
    found: dict[tuple[int, int], Comparison] = {}
    for at, entry in enumerate(as_list(value, "pairs")):
        places = [index(place, f"pairs[{at}]") for place in as_list(entry, f"pairs[{at}]")]
        if len(places) != 2 or max(places) >= count or places[0] == places[1]:
            raise RowError("wrong_ranking", f"pairs[{at}] is {str(entry)[:40]}; expected two of 0 to {count - 1}")
        better, worse = places
        if (worse, better) in found:
            raise RowError(
                "wrong_ranking",
                (f"pairs[{at}] is {str(entry)[:40]}, which contradicts an earlier pair; drop one of them"),
            )
        found[better, worse] = Comparison(better, worse)
    return list(found.values())


def with_pairs(pairs: Sequence[Comparison], found: Sequence[Comparison]) -> list[Comparison]:
    """Pairs that were named, with the margin of the values where these agree, and what the values say of all other pairs."""
    kept = {frozenset((c.i, c.j)): c for c in found}
    stated = {frozenset((c.i, c.j)): c for c in pairs}
    named = [
        kept[key] if key in kept and kept[key].i == c.i and not kept[key].is_tie else c for key, c in stated.items()
    ]
    return named + [c for key, c in kept.items() if key not in stated]


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


def chosen_places(row: Columns, answers: Sequence[Any]) -> tuple[int, ...]:
    """Which of `answers` are those that the column `chosen` names, all of them where it stands there several times.

    `rejected` has to name others; both may be lists of answers. Empty where neither says anything.
    """
    places = {name: places_of(row[name], answers, name) for name in ("chosen", "rejected") if row.get(name) is not None}
    if not places:
        return ()
    chosen = places.get("chosen")
    if chosen is None:
        raise RowError("missing_field", "got rejected without chosen; expected both or neither")
    if set(chosen) & set(places.get("rejected", ())):
        raise RowError(
            "identical_responses",
            ("chosen and rejected are the same text; expected two different responses; drop the row"),
        )
    return chosen


def places_of(answer: Any, answers: Sequence[Any], name: str) -> tuple[int, ...]:
    """The indices of an answer, or of each in a list of them, among `answers`."""
    several = isinstance(answer, list) and answer not in answers and all(isinstance(each, str) for each in answer)
    wanted = answer if several and answer else [answer]
    for each in wanted:
        if each not in answers:
            raise RowError(
                "chosen_not_listed", f"{name} does not match any response; expected the exact text of one of them"
            )
    return tuple(at for at, one in enumerate(answers) if one in wanted)


def compare(row: Columns, answers: Sequence[Any]) -> list[Comparison]:
    """All comparisons that a row's statements about its `answers` amount to, one for each two of them and attribute."""
    count = len(answers)
    best = chosen_places(row, answers)
    if has_votes(row):
        return [voted(row, count, best)]
    found = ratings(row, count)
    ranks = rank_values(row, count)
    values = ranks if ranks is not None else found.get("overall")
    overall = [] if values is None else by_value(values, margins=ranks is None)
    if row.get("pairs") is not None:
        overall = with_pairs(by_pairs(row["pairs"], count), overall)
    if best:
        overall = with_chosen(overall, best, count)
    others = [c for name, each in found.items() if name != "overall" for c in by_value(each, attribute=name)]
    return overall + others


def voted(row: Columns, count: int, best: Sequence[int]) -> Comparison:
    """The comparison of two responses by votes, beside the one that was chosen."""
    if count != 2:
        raise RowError("wrong_length", f"votes need two responses; got {count}")
    return by_votes(votes_of(row), best[0] if best else None)


def tied_choice(row: Columns, answers: Sequence[Any], found: Sequence[Comparison]) -> dict[str, int]:
    """The field that tells of a chosen response whose scores are those of another, so that the two are a tie."""
    best = chosen_places(row, answers)
    tied = [
        c for c in found if c.is_tie and c.votes is None and c.attribute == "overall" and (c.i in best) != (c.j in best)
    ]
    return {CHOSEN_IN_A_TIE: best[0]} if tied else {}


def side_of(value: Any) -> int | None:
    """Which of two responses a judge's words prefer: 0 for A, 1 for B, None for a tie. RowError for other words.

    A bare number is refused: whether 1 is the first or the second, only the source knows.
    """
    bare = isinstance(value, str) and value.strip(" .[]()") in NUMBERS
    side = None if bare else spoken_side(value)
    if side is None:
        shown = f"{str(value)[:40]!r}"
        raise RowError(
            "no_judgement",
            f"the label is {shown}; expected A, B, A>B, B>A or tie; say what it means with --map preferred=LABEL:1=a,2=b",
        )
    return side[0]


def spoken_side(value: Any) -> tuple[int | None] | None:
    """The side that a text names, None in it for a tie; None alone where it names none."""
    if not isinstance(value, str):
        return None
    said = value.strip()
    if "".join(said.casefold().split()) in TIES:
        return (None,)
    if (sides := BETTER.fullmatch(said)) is not None and sides[1].lower() != sides[3].lower():
        first = (sides[1].lower() in FIRST) == sides[2].startswith(">")
        return (0 if first else 1,)
    if (side := SIDE.fullmatch(said)) is not None:
        return (0 if side[2].lower() in FIRST else 1,)
    return None


def verdict(row: Columns) -> Comparison | None:
    """The comparison of two responses, shown in the order of the row, from a judge's `verdict`; None for other words."""
    said = row.get("verdict")
    if isinstance(said, bool) or not isinstance(said, (str, int)):
        return None
    side = (NUMBERS[said],) if said in NUMBERS else spoken_side(said)
    if side is None:
        return None
    (winner,) = side
    if winner is None:
        return Comparison(0, 1, 0.5, shown_first=0)
    return Comparison(winner, 1 - winner, shown_first=0)
