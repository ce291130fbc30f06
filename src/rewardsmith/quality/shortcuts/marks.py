"""Marks that give labels away: what stands in one response of a pair and nearly always, or never, in the preferred one.

The features of `features` are few and named beforehand. A mark is found: any word or sign that occurs, and some traits of a
response beside its prompt, are counted where they stand on one side only. A rare mark governs no figure, and is learned all
the same.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

from rewardsmith.evaluate.statistics import wilson
from rewardsmith.quality.cross_row.overlap import prompt_text
from rewardsmith.quality.shortcuts.features import MARKDOWN, PIECE
from rewardsmith.quality.shortcuts.sample import decided_comparisons
from rewardsmith.quality.text.languages import language_of
from rewardsmith.records import Record

READ = 2_000
"""Records that are read at most: a mark in one pair of fifty then stands in forty."""

FEWEST = 25
"""Prompts with a mark on one side under which nothing is said of it."""

NEARLY_ALWAYS = 0.85
"""Share of these prompts that the mark's side wins, or loses, with the whole 95 % interval: people agree on 80 % at most."""

FALSE_ALARM = 0.01
"""Probability that data without any mark gets one, over all that is counted together (Bonferroni)."""

SAME_PLACES, COMMON = 0.8, 0.9
"""Share of common prompts from which two marks are parts of one; and of texts that hold the whole of a phrase."""

LONGEST_PHRASE = 80
NAMED = 5
REPEATED_PROMPT = 20
"""Characters from which a prompt that stands in its response is no chance."""

ODD_BLANK = re.compile("[\t\r\u00a0\u00ad\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]")
ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\n|&(?:amp|lt|gt|quot|nbsp|#\d{2,5});")
END_MARK = re.compile(r"[\W_]\s*$")

Trait = Callable[[str, str], bool]
"""(prompt, response) → whether the response has it."""


def other_language(prompt: str, response: str) -> bool:
    """The response is in another language than its prompt."""
    asked, answered = language_of(prompt), language_of(response)
    return "other" not in (asked, answered) and asked != answered


def is_json(response: str) -> bool:
    """Whether a response is an object or a list of JSON."""
    if response.strip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(response)
    except ValueError:
        return False
    return True


TRAITS: dict[str, Trait] = {
    "other_language": other_language,
    "holds_prompt": lambda prompt, response: len(prompt) >= REPEATED_PROMPT and prompt in response,
    "outer_blank": lambda prompt, response: response != response.strip(),
    "odd_blank": lambda prompt, response: bool(ODD_BLANK.search(response)),
    "line_break": lambda prompt, response: "\n" in response.strip(),
    "open_end": lambda prompt, response: not END_MARK.search(response),
    "escape": lambda prompt, response: bool(ESCAPE.search(response)),
    "markdown": lambda prompt, response: bool(MARKDOWN.search(response)),
    "json": lambda prompt, response: is_json(response),
}
"""Name → trait: what is seen of a response, and of the response beside its prompt, without any single word."""


@dataclass(frozen=True, slots=True)
class LabelMark:
    """A phrase (`kind` is "text") or a trait, on one side of the comparisons of `prompts` prompts, and the share `won`."""

    kind: str
    name: str
    prompts: int
    won: float

    @property
    def wins(self) -> bool:
        """Whether the side with the mark is the preferred one."""
        return self.won > 0.5


@dataclass(frozen=True)
class Marks:
    """The marks that were found, those on the most prompts first, of the decided comparisons of `prompts` prompts.

    `decided` is the share of these prompts on which one of the marks stands on one side.
    """

    prompts: int
    decided: float
    found: tuple[LabelMark, ...]

    def to_json(self) -> dict[str, Any]:
        """The object `marks` of measurements.json."""
        return {
            "prompts": self.prompts,
            "decided": self.decided,
            "found": [asdict(mark) for mark in self.found[:NAMED]],
        }


@dataclass(frozen=True, slots=True)
class OneSided:
    """One decided comparison: its prompt, numbered, and what stands in one of its responses alone, preferred and other."""

    prompt: int
    preferred: frozenset[tuple[str, str]]
    other: frozenset[tuple[str, str]]


def marks_of(records: Sequence[Record]) -> Marks:
    """The marks of at most READ of the records, at even distances.

    Counted is, for everything that stands in one response of a comparison alone, the share of its prompts on which the
    response with it is preferred (a prompt with several comparisons counts once, with its mean). Found is what has Wilson's
    interval of that share beyond NEARLY_ALWAYS, and beyond one half at the level of FALSE_ALARM over all that has FEWEST
    prompts.
    """
    read = spread(records)
    numbers: dict[str, int] = {}
    shares = shares_of([sides for record in read for sides in sides_of(record, numbers)])
    able = {mark: of for mark, of in shares.items() if len(of) >= FEWEST}
    z = NormalDist().inv_cdf(1 - FALSE_ALARM / (2 * max(1, len(able))))
    found = {mark: of for mark, of in able.items() if nearly_always(of, z)}
    told = joined(found, read)
    touched = set[int]().union(*found.values())
    return Marks(len(numbers), len(touched) / max(1, len(numbers)), told)


def spread(records: Sequence[Record]) -> Sequence[Record]:
    """At most READ of the records, at even distances."""
    return records[:: max(1, -(-len(records) // READ))]


def sides_of(record: Record, numbers: dict[str, int]) -> Iterator[OneSided]:
    """The decided comparisons of a record; `numbers` numbers the prompts."""
    decided = [comparison for _, comparison in decided_comparisons(record)]
    if not decided:
        return
    prompt = prompt_text(record)
    held = [held_by(prompt, response.text) for response in record.responses]
    number = numbers.setdefault(record.prompt_id, len(numbers))
    for comparison in decided:
        i, j = held[comparison.i], held[comparison.j]
        yield OneSided(number, i - j, j - i)


def held_by(prompt: str, response: str) -> frozenset[tuple[str, str]]:
    """The words, signs and traits of a response."""
    traits = [("trait", name) for name, has in TRAITS.items() if has(prompt, response)]
    return frozenset([*(("text", piece) for piece in PIECE.findall(response)), *traits])


def trait_shares(records: Sequence[Record]) -> dict[str, float]:
    """For each of TRAITS the share of the responses with it, of at most READ records at even distances."""
    read = spread(records)
    sides = [(prompt_text(record), one.text) for record in read for one in record.responses]
    return {name: sum(has(*side) for side in sides) / max(1, len(sides)) for name, has in TRAITS.items()}


def shares_of(rows: Sequence[OneSided]) -> dict[tuple[str, str], dict[int, float]]:
    """For each mark, by prompt, the share of the comparisons with it on one side that this side wins."""
    counts: dict[tuple[str, str], dict[int, list[int]]] = defaultdict(dict)
    for row in rows:
        for won, side in ((1, row.preferred), (0, row.other)):
            for mark in side:
                tally = counts[mark].setdefault(row.prompt, [0, 0])
                tally[0] += won
                tally[1] += 1
    return {mark: {prompt: won / n for prompt, (won, n) in of.items()} for mark, of in counts.items()}


def nearly_always(of: Mapping[int, float], z: float) -> bool:
    """Whether the side with a mark wins, or loses, on nearly all of these prompts, and by no chance at the level of `z`."""
    share = sum(of.values()) / len(of)
    inside = wilson(share, len(of))
    # Wilson's interval at another level is that of n / (z / z95)^2 trials.
    strict = wilson(share, len(of) / (z / Z95) ** 2)
    wins = inside.low > NEARLY_ALWAYS and strict.low > 0.5
    return wins or (inside.high < 1 - NEARLY_ALWAYS and strict.high < 0.5)


Z95 = NormalDist().inv_cdf(0.975)


def joined(found: Mapping[tuple[str, str], Mapping[int, float]], read: Sequence[Record]) -> tuple[LabelMark, ...]:
    """The marks, those on the most prompts first; of several on the same prompts one, as the phrase around it."""
    kept: list[tuple[set[int], LabelMark]] = []
    for (kind, name), of in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        places = set(of)
        if any(len(places & known) >= SAME_PLACES * len(places) and of_side(mark, of) for known, mark in kept):
            continue
        whole = phrase_of(name, read) if kind == "text" else name
        kept.append((places, LabelMark(kind, whole, len(of), sum(of.values()) / len(of))))
    return tuple(mark for _, mark in kept)


def of_side(mark: LabelMark, of: Mapping[int, float]) -> bool:
    """Whether shares are on the side of a mark that is known."""
    return mark.wins == (sum(of.values()) > len(of) / 2)


def phrase_of(piece: str, read: Sequence[Record]) -> str:
    """The longest text around a piece that COMMON of the responses with it hold, grown sign by sign in the first."""
    texts = [response.text for record in read for response in record.responses if piece in response.text]
    if not texts:
        return piece
    first, start = texts[0], texts[0].index(piece)
    low, high = start, start + len(piece)
    grown = longer_by_one(first, low, high, texts)
    while grown is not None and high - low < LONGEST_PHRASE:
        low, high = grown
        grown = longer_by_one(first, low, high, texts)
    return first[low:high]


def longer_by_one(first: str, low: int, high: int, texts: Sequence[str]) -> tuple[int, int] | None:
    """The ends of a phrase in `first` that is longer by a sign before or behind it, and that COMMON of the texts hold."""
    ends = [(low - 1, high)] * (low > 0) + [(low, high + 1)] * (high < len(first))
    return next((end for end in ends if share_with(first[end[0] : end[1]], texts) >= COMMON), None)


def share_with(phrase: str, texts: Sequence[str]) -> float:
    """The share of texts that hold a phrase."""
    return sum(phrase in text for text in texts) / len(texts)
