"""What was asked and what could not be read, over the records of a run."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rewardsmith.generate.remote.endpoint import MILLION
from rewardsmith.judge.margins import consistent
from rewardsmith.judge.verdicts import RecordVerdict
from rewardsmith.language import say

MEANINGS = {
    "unparsable": "no verdict in the form that was asked for",
    "out_of_range": "a number outside the scale",
    "several": "several different verdicts",
    "other_scale": "a number on another scale",
    "malformed": "something other than a plain number",
    "incomplete": "a ranking that does not name each response once",
    "empty": "no text, or reasoning alone",
    "truncated": "truncated at max_tokens before the verdict",
    "failed": "the model or the API did not respond",
    "ambiguous_label": "labels that the API does not distinguish",
    "little_mass": "label probabilities below least_mass",
}
"""Problems with answers, in words."""


@dataclass
class JudgeCounts:
    """Counted while questions are answered.

    `answers` counts generated texts, or questions where label probabilities are read; `readable` of them gave a verdict,
    `problems` tells by name why others did not, and `forms` which verdicts stood in full_width characters or as a chinese
    numeral. `pairs` were judged in every order of showing, `agreeing` of them alike; `first` of `decided` verdicts prefer
    what is shown first. `mass` sums what the labels have of the probability. `kept` answers were there from earlier and cost
    nothing; `not_counted` are those whose tokens an API did not tell.
    """

    records: int = 0
    questions: int = 0
    answers: int = 0
    readable: int = 0
    kept: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    not_counted: int = 0
    pairs: int = 0
    agreeing: int = 0
    first: int = 0
    decided: int = 0
    mass: float = 0.0
    retried: int = 0
    seconds: float = 0.0
    problems: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)

    def used(self, tokens: int | None, prompt_tokens: int | None, *, kept: bool) -> None:
        """Count what an answer took."""
        self.kept += kept
        if not kept:
            self.tokens += tokens or 0
            self.prompt_tokens += prompt_tokens or 0
            self.not_counted += tokens is None

    def problem(self, name: str, reason: str = "") -> None:
        """Count an answer that could not be read; of each problem the first reason is kept."""
        self.problems[name] += 1
        if reason:
            self.reasons.setdefault(name, reason)

    def judged(self, verdict: RecordVerdict) -> None:
        """Count a record."""
        self.records += 1
        self.pairs += len(verdict.orders)
        self.agreeing += sum(consistent(values) for values in verdict.orders.values())
        self.first += verdict.first
        self.decided += verdict.decided

    @property
    def parsable(self) -> float | None:
        """The share of answers with a verdict."""
        return self.readable / self.answers if self.answers else None

    @property
    def order_consistency(self) -> float | None:
        """The share of pairs on which all orders of showing agree."""
        return self.agreeing / self.pairs if self.pairs else None

    @property
    def first_preferred(self) -> float | None:
        """The share of decided verdicts for what is shown first; ½ without a preference for a place."""
        return self.first / self.decided if self.decided else None

    def cost(self, price_in: float | None, price_out: float | None) -> float | None:
        """What new answers cost, at prices per million tokens; None without any price."""
        if price_in is None and price_out is None:
            return None
        return (self.prompt_tokens * (price_in or 0.0) + self.tokens * (price_out or 0.0)) / MILLION

    def to_json(self) -> dict[str, Any]:
        """All counts, and the shares that they come to."""
        shares = {
            "parsable": self.parsable,
            "order_consistency": self.order_consistency,
            "first_preferred": self.first_preferred,
            "mean_mass": self.mass / self.answers if self.mass and self.answers else None,
        }
        own = {
            name: value for name, value in vars(self).items() if name not in ("mass", "problems", "forms", "reasons")
        }
        return {
            **own,
            **shares,
            "problems": dict(self.problems),
            "forms": dict(self.forms),
            "reasons": dict(self.reasons),
        }

    def lines(self, *, orders: bool = True) -> Iterator[str]:
        """The same in sentences, with or without that about orders of showing."""
        if self.parsable is not None:
            yield f"{self.readable} of {self.answers} judgements could be read ({self.parsable:.1%})"
        yield from self._problems()
        if self.mass and self.answers:
            yield f"probability of the labels together: {self.mass / self.answers:.3f} on average"
        if orders and self.order_consistency is not None:
            yield f"all orders of showing agree on {self.agreeing} of {self.pairs} pairs ({self.order_consistency:.1%})"
            yield from self.place_lines()
        yield from self._asked()

    def place_lines(self) -> Iterator[str]:
        """How often what is shown first is preferred; nothing where no verdict was decided, as of ties alone."""
        if self.first_preferred is not None:
            yield f"the response shown first is preferred in {self.first_preferred:.1%} of {self.decided} decided verdicts"

    def _problems(self) -> Iterator[str]:
        for name, count in self.problems.most_common():
            yield f"    {name}: {count} ({say(MEANINGS[name])})"
            if name in self.reasons:
                yield f"    {say(self.reasons[name])}"
        if self.forms:
            wide, chinese = self.forms["full_width"], self.forms["chinese"]
            yield f"verdicts in full-width characters: {wide}; in Chinese numerals: {chinese}"

    def _asked(self) -> Iterator[str]:
        if self.kept:
            yield f"{self.kept} judgements were known from an earlier run"
        if self.retried:
            yield f"{self.retried} requests were sent again"
        if self.not_counted:
            yield f"the API did not report the tokens of {self.not_counted} judgements; they are missing in the sums"
