"""Answers that win whatever was asked: one text preferred under many different prompts is an attack on the judge.

A "null model" that always gives the same text was preferred to GPT-4's own answers in 77 % of AlpacaEval (Zheng et al.
2024, "Cheating Automatic LLM Benchmarks"). A reward model that learns from such rows learns the text.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FEWEST_PROMPTS = 5
"""Different prompts under which a text has to be compared before it is looked at."""

SHOWN = 10


@dataclass(frozen=True, slots=True)
class ConstantAnswer:
    """A text that stands under several prompts: under how many of them it wins more than it loses, and the reverse.

    `p_value` is that of a fair coin to win as often or more; `found` says it is too small for chance.
    """

    text_id: str
    prompts: int
    won: int
    lost: int
    p_value: float
    found: bool
    place: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; the place is one where the text wins, or else loses."""
        return {
            "sha256": self.text_id,
            "prompts": self.prompts,
            "won": self.won,
            "lost": self.lost,
            "p_value": self.p_value,
            "found": self.found,
            "place": self.place,
        }


def constant_answers(
    rows: Sequence[tuple[tuple[int, int], int, str]], false_alarm: float
) -> tuple[ConstantAnswer, ...]:
    """The texts that are compared under FEWEST_PROMPTS prompts or more, the most frequent winners first, SHOWN at most.

    `rows` hold (hash of the preferred text, hash of the other), the number of the prompt, and a place. A text counts once
    per prompt. A text is found where P(a fair coin wins so often) <= `false_alarm` / number of such texts.
    """
    balance: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    places: dict[int, tuple[int, str]] = {}
    for (preferred, other), prompt, place in rows:
        if preferred == other:
            continue
        for text, outcome in ((preferred, 1), (other, -1)):
            balance[text][prompt] += outcome
            places[text] = min(places.get(text, (2, "")), (0 if outcome > 0 else 1, place))
    repeated = {text: prompts for text, prompts in balance.items() if len(prompts) >= FEWEST_PROMPTS}
    answers = []
    for text, prompts in repeated.items():
        won = sum(value > 0 for value in prompts.values())
        lost = sum(value < 0 for value in prompts.values())
        p = coin_tail(won, won + lost)
        found = p <= false_alarm / len(repeated)
        answers.append(ConstantAnswer(f"{text:016x}", len(prompts), won, lost, p, found, places[text][1]))
    return tuple(sorted(answers, key=lambda one: (not one.found, -one.won, one.text_id))[:SHOWN])


def coin_tail(heads: int, throws: int) -> float:
    """P(a fair coin shows at least so many heads), exact."""
    if throws == 0:
        return 1.0
    return float(sum(math.comb(throws, k) for k in range(heads, throws + 1)) / 2**throws)
