"""Built-in solutions by steps: chains of sums, in half of which one step is planted wrong.

A problem gives a start and some numbers to add or subtract; each step does one of them and names the result. All results
are single digits, so that the smallest model can learn which are right; what it takes to add larger numbers is not what the
data are for. In an erroneous solution one step, at a place drawn evenly, names another digit, and the later steps go on from
it without a mistake of their own. Steps before it are correct, it is wrong, and those behind it have no label, as in
ProcessBench.
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
LARGEST = 9
"""Results lie from 0 to this one."""
NUMBERS = (-2, -1, 1, 2)
"""What a step may add."""


def arithmetic(problems: int, *, seed: int = 0) -> Iterator[Record]:
    """Problems with a solution each, half in English and half in Chinese; row r depends on (seed, r) only."""
    for line in range(problems):
        rng = random.Random(hashlib.sha256(f"{seed}:steps:{line}".encode()).digest())
        yield solution(rng, ("en", "zh")[line % 2]).at(SOURCE, line + 1)


def drawn_step(rng: random.Random, value: int, *, wrong: bool) -> tuple[int, int]:
    """What a step adds to `value`, and the result that it names."""
    added = rng.choice([number for number in NUMBERS if 0 <= value + number <= LARGEST])
    if not wrong:
        return added, value + added
    return added, rng.choice([digit for digit in range(LARGEST + 1) if digit != value + added])


def solution(rng: random.Random, language: str) -> Record:
    """One problem and its solution, with an error in half of the cases."""
    asked, move, joint, step = SUMS[language]
    start = value = rng.randrange(1, LARGEST)
    count = rng.randint(FEWEST, MOST)
    wrong = rng.randrange(count) if rng.random() < 0.5 else count
    moves, steps = [], []
    for at in range(count):
        added, after = drawn_step(rng, value, wrong=at == wrong)
        said = {"sign": "+" if added > 0 else "-", "number": abs(added)}
        moves.append(move.format(**said))
        steps.append(step.format(before=value, after=after, **said))
        value = after
    labels = [1.0 if at < wrong else 0.0 if at == wrong else None for at in range(count)]
    return by_steps((Message("user", asked.format(start=start, moves=joint.join(moves))),), steps, labels)
