"""Which candidates of a prompt become preference pairs: rewards, lengths and constraints in, index pairs out.

Best against worst is the choice of Self-Rewarding (Yuan et al. 2024, arXiv 2401.10020). Length control is after
Meta-Rewarding (Wu et al. 2024, arXiv 2407.19594): of the candidates whose reward is within a share of the range below the
best, the shortest is chosen, and of those as near to the worst, the longest is rejected. A constraint keeps a
response that violates it from being chosen; SafeDPO's order (Kim et al. 2025, arXiv 2505.20065), in which it loses against
every response that does not, is `violations="lose"`.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from rewardsmith.errors import UsageError

PairSelection = Literal["best-worst", "all"]
Violations = Literal["keep", "lose", "drop"]
REQUIREMENT = re.compile(r"\s*([A-Za-z_][\w.\-]*)\s*(<=|>=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")
HOLDS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


@dataclass(frozen=True)
class Requirement:
    """A bound on a value of every chosen response: `cost < 0`."""

    name: str
    sign: str
    bound: float

    def holds(self, values: Float[np.ndarray, " K"]) -> Bool[np.ndarray, " K"]:
        """Which responses satisfy it; one whose value is not known does not."""
        found: Bool[np.ndarray, " K"] = HOLDS[self.sign](values, self.bound) & ~np.isnan(values)
        return found


def parse_requirement(text: str) -> Requirement:
    """`cost<0`, `helpful >= 3.5`; UsageError for anything else."""
    found = REQUIREMENT.fullmatch(text)
    if found is None:
        raise UsageError(f"--require {text}: expected NAME<NUMBER, NAME<=NUMBER, NAME>NUMBER or NAME>=NUMBER")
    return Requirement(found[1], found[2], float(found[3]))


@dataclass(frozen=True, kw_only=True)
class PairRule:
    """How pairs are chosen. A pair needs a lead of more than `margin`; `length_control` in [0, 1) is the share of the range
    of rewards within which the length decides; the longer text of a pair has at most `length_ratio` times the characters of
    the shorter one (None: any). Of several pairs the `per_prompt` with the largest leads are kept.
    """

    select: PairSelection = "best-worst"
    margin: float = 0.0
    per_prompt: int | None = None
    length_control: float = 0.0
    length_ratio: float | None = None
    violations: Violations = "keep"


class ChosenPair(NamedTuple):
    """Two responses of a prompt by their index, and the lead of the chosen one (NaN where a violation alone decided)."""

    chosen: int
    rejected: int
    lead: float


@dataclass(frozen=True)
class CandidateSet:
    """The candidates of one prompt: rewards (NaN: none), lengths in characters, texts to tell equal ones apart, which of
    them satisfy all requirements, which may be chosen (a truncated one may not), which rejected, and which play no part.
    """

    rewards: Float[np.ndarray, " K"]
    lengths: Float[np.ndarray, " K"]
    texts: Sequence[str]
    satisfies: Bool[np.ndarray, " K"]
    choosable: Bool[np.ndarray, " K"]
    rejectable: Bool[np.ndarray, " K"]
    dropped: Bool[np.ndarray, " K"]


def choose_pairs(found: CandidateSet, rule: PairRule, counts: Counter[str]) -> list[ChosenPair]:
    """The pairs of a prompt; in `counts` goes why one has none, and what was passed over."""
    usable = usable_indices(found, rule, counts)
    if len(usable) < 2:
        counts["too_few"] += 1
        return []
    choose = all_pairs if rule.select == "all" else best_and_worst
    pairs = choose(found, rule, usable, counts)
    pairs.sort(key=lambda pair: (np.isnan(pair.lead), -pair.lead if not np.isnan(pair.lead) else 0.0, pair[:2]))
    if rule.per_prompt is not None:
        counts["over_limit"] += max(0, len(pairs) - rule.per_prompt)
        pairs = pairs[: rule.per_prompt]
    return pairs


def usable_indices(found: CandidateSet, rule: PairRule, counts: Counter[str]) -> list[int]:
    """The candidates with a reward, each text once; without those that violate a requirement where these are dropped."""
    usable: list[int] = []
    seen: set[str] = set()
    for index, text in enumerate(found.texts):
        if found.dropped[index]:
            counts["truncated"] += 1
        elif np.isnan(found.rewards[index]):
            counts["unscored"] += 1
        elif text in seen:
            counts["repeated"] += 1
        elif rule.violations == "drop" and not found.satisfies[index]:
            counts["violating"] += 1
        else:
            seen.add(text)
            usable.append(index)
    return usable


def lead_of(found: CandidateSet, rule: PairRule, chosen: int, rejected: int) -> float | None:
    """By how much one candidate may be preferred to another; None where it may not be.

    NaN where the other violates a requirement, violations lose, and the rewards say otherwise.
    """
    if not (found.choosable[chosen] and found.satisfies[chosen] and found.rejectable[rejected]):
        return None
    lead = float(found.rewards[chosen] - found.rewards[rejected])
    if lead > rule.margin:
        return lead
    return float("nan") if rule.violations == "lose" and not found.satisfies[rejected] else None


def fits(found: CandidateSet, rule: PairRule, one: int, other: int) -> bool:
    """Whether two lengths are near enough."""
    if rule.length_ratio is None:
        return True
    shorter, longer = sorted((max(found.lengths[one], 1.0), max(found.lengths[other], 1.0)))
    return bool(longer <= rule.length_ratio * shorter)


def all_pairs(found: CandidateSet, rule: PairRule, usable: Sequence[int], counts: Counter[str]) -> list[ChosenPair]:
    """Every two candidates of which one may be preferred."""
    pairs = []
    for place, one in enumerate(usable):
        for other in usable[place + 1 :]:
            leads = [(a, b, lead_of(found, rule, a, b)) for a, b in ((one, other), (other, one))]
            allowed = next(((a, b, lead) for a, b, lead in leads if lead is not None), None)
            if allowed is None:
                counts[why_not(found, rule, one, other)] += 1
            elif not fits(found, rule, one, other):
                counts["lengths"] += 1
            else:
                pairs.append(ChosenPair(*allowed))
    return pairs


def best_and_worst(
    found: CandidateSet, rule: PairRule, usable: Sequence[int], counts: Counter[str]
) -> list[ChosenPair]:
    """One pair: the best candidate that may be chosen, against the worst; under length control a shorter, a longer one."""
    able = [index for index in usable if found.choosable[index] and found.satisfies[index]]
    if not able:
        counts["none_choosable" if found.satisfies[list(usable)].any() else "none_satisfies"] += 1
        return []
    slack = rule.length_control * float(np.ptp(found.rewards[list(usable)]))
    chosen = extreme(found, able, slack, sign=1.0)
    return rejected_for(found, rule, chosen, [index for index in usable if index != chosen], slack, counts)


def rejected_for(
    found: CandidateSet,
    rule: PairRule,
    chosen: int,
    others: Sequence[int],
    slack: float,
    counts: Counter[str],
) -> list[ChosenPair]:
    """The pair of a chosen response with the worst of the others that it may be preferred to."""
    losing = {index: lead for index in others if (lead := lead_of(found, rule, chosen, index)) is not None}
    if not losing:
        counts[why_not(found, rule, chosen, extreme(found, others, 0.0, sign=-1.0))] += 1
        return []
    near = [index for index in losing if fits(found, rule, chosen, index)]
    if not near:
        counts["lengths"] += 1
        return []
    rejected = extreme(found, first_to_lose(found, rule, near), slack, sign=-1.0)
    return [ChosenPair(chosen, rejected, losing[rejected])]


def first_to_lose(found: CandidateSet, rule: PairRule, indices: Sequence[int]) -> Sequence[int]:
    """Where violations lose, those that violate a requirement, which are worse than any that does not; else all."""
    violating = [index for index in indices if not found.satisfies[index]] if rule.violations == "lose" else []
    return violating or indices


def extreme(found: CandidateSet, indices: Sequence[int], slack: float, *, sign: float) -> int:
    """The candidate with the highest reward (`sign` 1) or the lowest (-1); of those within `slack` of it, the shortest or
    the longest. Of equal ones the first.
    """
    best = max(sign * found.rewards[index] for index in indices)
    within = [index for index in indices if sign * found.rewards[index] >= best - slack]
    weight = sign if slack else 0.0
    return min(within, key=lambda index: (weight * found.lengths[index], -sign * found.rewards[index], index))


def why_not(found: CandidateSet, rule: PairRule, one: int, other: int) -> str:
    """Why two candidates are no pair: equal rewards, too small a lead, or that the better one may not be chosen."""
    lead = abs(float(found.rewards[one] - found.rewards[other]))
    if lead == 0.0:
        return "ties"
    return "small_margin" if lead <= rule.margin else "better_not_allowed"


def values_named(name: str, sources: Sequence[Mapping[str, object]], count: int) -> Float[np.ndarray, " K"] | None:
    """The values of the responses under a name, or `reward_NAME`, in the first source that has them; None without."""
    for source in sources:
        for key in (name, f"reward_{name}"):
            found = source.get(key)
            if isinstance(found, list | tuple) and len(found) == count and all(map(is_number, found)):
                return np.array([np.nan if each is None else float(each) for each in found], dtype=np.float64)
    return None


def is_number(value: object) -> bool:
    """Whether it can be the value of a response: a number, a truth value, or nothing."""
    return value is None or isinstance(value, bool | int | float)
