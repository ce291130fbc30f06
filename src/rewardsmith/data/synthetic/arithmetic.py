"""Built-in solutions by steps: chains of sums, in half of which one step is planted wrong.

A problem gives a start and some numbers to add or subtract; each step does one of them and names the result. In an
erroneous solution one step, at a place drawn evenly, gives a wrong result, and all later steps go on from it without a
mistake of their own. Steps before it are correct, it is wrong, and those behind it build on a wrong result, so they are
labelled wrong too, as Math-Shepherd's are, where no completion reaches the right answer any more.
"""

import hashlib
import random
from collections.abc import Iterator

from rewardsmith.data.formats.steps import by_steps
from rewardsmith.data.synthetic.texts import SUMS
from rewardsmith.records import Message, Record

SOURCE = "synthetic-steps"
MAX_PROBLEMS = 50_000
FEWEST, MOST = 2, 4


def arithmetic(problems: int, *, seed: int = 0) -> Iterator[Record]:
    """Problems with a solution each, half in English and half in Chinese; row r depends on (seed, r) only."""
    for line in range(problems):
        rng = random.Random(hashlib.sha256(f"{seed}:steps:{line}".encode()).digest())
        yield solution(rng, ("en", "zh")[line % 2]).at(SOURCE, line + 1)


def solution(rng: random.Random, language: str) -> Record:
    """One problem and its solution, with an error in half of the cases."""
    asked, move, joint, step = SUMS[language]
    start = rng.randrange(10, 60)
    moves = [(rng.choice("+-"), rng.randrange(1, 10)) for _ in range(rng.randint(FEWEST, MOST))]
    wrong = rng.randrange(len(moves)) if rng.random() < 0.5 else None
    value, steps = start, []
    for at, (sign, number) in enumerate(moves):
        after = value + number * (1 if sign == "+" else -1) + (rng.choice((-2, -1, 1, 2)) if at == wrong else 0)
        steps.append(step.format(before=value, sign=sign, number=number, after=after))
        value = after
    spoken = joint.join(move.format(sign=sign, number=number) for sign, number in moves)
    labels = [float(wrong is None or at < wrong) for at in range(len(moves))]
    return by_steps((Message("user", asked.format(start=start, moves=spoken)),), steps, labels)
