"""Answers that stand under many prompts: a text made to win whatever was asked is an attack on the judge.

A "null model" that always gives the same text was preferred to GPT-4's own answers in 77 % of AlpacaEval (Zheng et al.
2024, "Cheating Automatic LLM Benchmarks"). A reward model that learns from such rows learns the text.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

FEWEST_PROMPTS = 5
"""Different prompts under which a text has to stand before it is looked at."""

COMMON = 0.1
"""The share of prompts from which one text is reported, whether it wins, loses, or was never judged."""

SHOWN = 10


@dataclass(frozen=True, slots=True)
class ConstantAnswer:
    """A text that stands under `prompts` of `of` prompts, and under how many of them it wins more than it loses.

    `p_value` is that of a fair coin to win as often or more; `wins` says that is too small for chance. `place` is one of
    the rows.
    """

    text_id: str
    prompts: int
    of: int
    won: int
    lost: int
    p_value: float
    wins: bool
    place: str

    @property
    def share(self) -> float:
        """The share of prompts under which it stands."""
        return self.prompts / self.of

    @property
    def found(self) -> bool:
        """Whether it is reported: it wins too often for chance, or is too common for an answer."""
        return self.wins or self.share >= COMMON

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "sha256": self.text_id,
            "prompts": self.prompts,
            "of": self.of,
            "won": self.won,
            "lost": self.lost,
            "p_value": self.p_value,
            "found": self.found,
            "place": self.place,
        }


def constant_answers(
    outcomes: Sequence[tuple[tuple[int, int], int]], answers: Sequence[Mapping[int, str]], false_alarm: float
) -> tuple[ConstantAnswer, ...]:
    """The texts that stand under FEWEST_PROMPTS prompts or more, those found and most frequent winners first, SHOWN at most.

    `outcomes` hold (hash of the preferred text, hash of the other) and the number of the prompt; `answers` per prompt the
    hash of each response and its place. A text counts once per prompt. It `wins` where P(a fair coin wins so often) <=
    `false_alarm` / number of such texts.
    """
    stands = Counter(text for prompt in answers for text in prompt)
    repeated = {text for text, prompts in stands.items() if prompts >= FEWEST_PROMPTS}
    places = first_places(answers, repeated)
    found = []
    for text, lead in leads(outcomes, repeated).items():
        won, lost = (sum(sign * value > 0 for value in lead.values()) for sign in (1, -1))
        p = coin_tail(won, won + lost)
        wins = p <= false_alarm / len(repeated)
        found.append(ConstantAnswer(f"{text:016x}", stands[text], len(answers), won, lost, p, wins, places[text]))
    return tuple(sorted(found, key=lambda one: (not one.found, -one.won, -one.prompts, one.text_id))[:SHOWN])


def leads(outcomes: Sequence[tuple[tuple[int, int], int]], texts: Set[int]) -> dict[int, Counter[int]]:
    """For each of `texts`: wins less losses under each prompt. A text that is compared with itself does neither."""
    found: dict[int, Counter[int]] = {text: Counter() for text in texts}
    for (preferred, other), prompt in outcomes:
        if preferred == other:
            continue
        if preferred in texts:
            found[preferred][prompt] += 1
        if other in texts:
            found[other][prompt] -= 1
    return found


def first_places(answers: Sequence[Mapping[int, str]], texts: Set[int]) -> dict[int, str]:
    """Where each of `texts` stands first, in the order of files and lines."""
    found: dict[int, str] = {}
    for of_prompt in answers:
        for text in texts & of_prompt.keys():
            found[text] = min(found.get(text, of_prompt[text]), of_prompt[text], key=in_order)
    return found


def in_order(place: str) -> tuple[str, int]:
    """Sorts places (`file:line`) as they stand in the files."""
    file, _, line = place.rpartition(":")
    return file, int(line) if line.isdecimal() else 0


def coin_tail(heads: int, throws: int) -> float:
    """P(a fair coin shows at least so many heads), exact."""
    if throws == 0:
        return 1.0
    return float(sum(math.comb(throws, k) for k in range(heads, throws + 1)) / 2**throws)
