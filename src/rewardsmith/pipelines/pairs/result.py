"""What pairs came out of the candidates, and what of them was passed over."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

UNUSED = {
    "unreadable": "{0} rows could not be read",
    "no_rewards": "{0} rows have no rewards",
    "too_few": "{0} prompts have fewer than two different responses with a reward",
    "ties": "{0} comparisons are ties",
    "small_margin": "{0} comparisons have a lead within --margin",
    "better_not_allowed": "{0} comparisons are excluded because the better response may not be chosen",
    "lengths": "{0} comparisons exceed --length-ratio",
    "none_satisfies": "{0} prompts have no response that satisfies every --require",
    "none_choosable": "{0} prompts have only truncated responses to choose from",
    "over_limit": "{0} pairs exceed --per-prompt",
    "unscored": "{0} responses have no reward",
    "repeated": "{0} responses repeat another one of their prompt",
    "violating": "{0} responses that violate a --require were dropped",
    "truncated": "{0} truncated responses were dropped",
}
"""Why something did not become a pair, and how that is said."""


@dataclass
class PairCounts:
    """Counted while pairs are chosen; `leads` and `characters` (chosen minus rejected) are sums over pairs."""

    rows: int = 0
    prompts: int = 0
    pairs: int = 0
    leads: float = 0.0
    with_lead: int = 0
    characters: float = 0.0
    longer: float = 0.0
    unused: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, lead: float, chosen: float, rejected: float) -> None:
        """Count one pair, with the lengths of its responses in characters."""
        self.pairs += 1
        if lead == lead:  # NaN where a violation alone decided
            self.leads += lead
            self.with_lead += 1
        self.characters += chosen - rejected
        self.longer += 1.0 if chosen > rejected else 0.5 if chosen == rejected else 0.0

    def passed_over(self) -> list[str]:
        """A sentence for every reason why something did not become a pair."""
        return [text.format(self.unused[name]) for name, text in UNUSED.items() if self.unused[name]]

    def to_json(self) -> dict[str, Any]:
        """Counts and means."""
        return {
            "rows": self.rows,
            "prompts": self.prompts,
            "pairs": self.pairs,
            "mean_margin": self.leads / self.with_lead if self.with_lead else None,
            "mean_extra_characters": self.characters / self.pairs if self.pairs else None,
            "chosen_longer": self.longer / self.pairs if self.pairs else None,
            "unused": {name: self.unused[name] for name in UNUSED if self.unused[name]},
            "problems": self.problems,
        }


@dataclass(frozen=True)
class Result:
    """What was chosen: `counts` beside the place of the output, and what the source of rewards said (`sentences`)."""

    counts: PairCounts
    output: str
    sentences: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """`rows, prompts` (with a pair), `pairs, mean_margin, chosen_longer, unused, output`, …"""
        return {**self.counts.to_json(), "output": self.output}

    def to_text(self) -> str:
        """How many pairs, their margin and lengths, and all that was left out."""
        found = self.counts.to_json()
        lines = [f"{found['pairs']} pairs of {found['prompts']} prompts ({found['rows']} rows) → {self.output}"]
        if found["mean_margin"] is not None:
            lines.append(f"mean lead of the chosen response {found['mean_margin']:.3f} in reward")
        if found["pairs"]:
            lines.append(
                f"the chosen response is the longer one in {found['chosen_longer']:.1%} of the pairs, by "
                f"{found['mean_extra_characters']:+.1f} characters on average"
            )
        return "\n".join([*lines, *self.counts.passed_over(), *self.sentences, *self.counts.problems])
