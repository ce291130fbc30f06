"""What was generated, in numbers."""

from dataclasses import dataclass, field
from typing import Any

from rewardsmith.generate.candidates import LENGTH, Candidate, Failed, SampleOutcome
from rewardsmith.generate.remote.endpoint import MILLION

NAMED = 3
"""Rows named in the text."""


@dataclass
class Counts:
    """Counted while candidates come.

    `truncated` ended at the limit of tokens; `unanswered` did not get beyond their reasoning; `failed` could not be had.
    `not_counted` are candidates whose tokens an API did not tell. `kept` were there from an earlier run, whose tokens do not
    count.
    """

    responses: int = 0
    truncated: int = 0
    unanswered: int = 0
    with_reasoning: int = 0
    failed: int = 0
    kept: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    not_counted: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, outcome: SampleOutcome, place: str, sample: int, *, kept: bool) -> None:
        """Count one sample."""
        if isinstance(outcome, Failed):
            self.failed += 1
            self.problems.append(f"{place}, sample {sample}: {outcome.reason}")
            return
        self.kept += kept
        self.responses += bool(outcome.text.strip())
        self.unanswered += not outcome.text.strip()
        self.truncated += outcome.finish == LENGTH
        self.with_reasoning += outcome.reasoning is not None
        if not kept:
            self._add_tokens(outcome)

    def _add_tokens(self, outcome: Candidate) -> None:
        self.tokens += outcome.tokens or 0
        self.prompt_tokens += outcome.prompt_tokens or 0
        self.not_counted += outcome.tokens is None


@dataclass(frozen=True)
class Result:
    """What was generated: `rows` prompts of which each got `n` samples, `refused` rows that are no prompt.

    `tokens` counts those generated in this run, `prompt_tokens` those read, once per request; `cost` is in the unit of the
    prices, None without them. `problems` names every row that was refused or is
    incomplete; where samples failed, the command ends with `exit_code` 1.
    """

    rows: int
    refused: int
    n: int
    counts: Counts
    seconds: float
    retried: int
    cost: float | None
    output: str
    cache: str | None

    @property
    def exit_code(self) -> int:
        """1 where a sample is missing."""
        return int(bool(self.counts.failed))

    def to_json(self) -> dict[str, Any]:
        """The fields by name, the counts beside them."""
        own = {name: value for name, value in self.__dict__.items() if name != "counts"}
        return {**own, **self.counts.__dict__, "tokens_per_second": self.tokens_per_second}

    @property
    def tokens_per_second(self) -> float | None:
        """Generated tokens by wall-clock time; None where nothing was generated."""
        return self.counts.tokens / self.seconds if self.counts.tokens and self.seconds > 0 else None

    def to_text(self) -> str:
        """How many responses, and all that is not as it should be."""
        counts = self.counts
        lines = [f"generated {counts.responses} responses to {self.rows} prompts → {self.output}"]
        lines += filter(None, (self._speed(), self._cost()))
        lines += [sentence for number, sentence in remarks(counts, self.retried, self.refused) if number]
        lines += counts.problems[:NAMED]
        if len(counts.problems) > NAMED:
            lines.append(f"and {len(counts.problems) - NAMED} more; every such row has `refused` or fields.failed")
        return "\n".join(lines)

    def _speed(self) -> str:
        if self.tokens_per_second is None:
            return ""
        return f"{self.counts.tokens} tokens generated, {self.tokens_per_second:.1f} per second"

    def _cost(self) -> str:
        if self.cost is None:
            return ""
        counts = self.counts
        return f"cost {self.cost:.4f}, for {counts.prompt_tokens} prompt tokens and {counts.tokens} generated ones"


def remarks(counts: Counts, retried: int, refused: int) -> list[tuple[int, str]]:
    """What may have to be known of a run, each with how often it occurred."""
    return [
        (counts.kept, f"{counts.kept} samples were already generated, by an earlier run or for an earlier row"),
        (counts.truncated, f"{counts.truncated} samples ended at --max-tokens (finish_reasons: length)"),
        (
            counts.unanswered,
            f"{counts.unanswered} samples contain no response, only reasoning or nothing; they are in fields.unanswered",
        ),
        (
            counts.not_counted,
            f"the API did not report the tokens of {counts.not_counted} samples; they are missing in the sums",
        ),
        (retried, f"{retried} requests were sent again"),
        (
            counts.failed,
            f"{counts.failed} samples failed; run the same command with --overwrite to ask for these again",
        ),
        (refused, f"{refused} rows contain no usable prompt and have `refused` instead of responses"),
    ]


def cost_of(counts: Counts, price_in: float | None, price_out: float | None) -> float | None:
    """What the tokens of a run cost, at prices per million; None without any price."""
    if price_in is None and price_out is None:
        return None
    return (counts.prompt_tokens * (price_in or 0.0) + counts.tokens * (price_out or 0.0)) / MILLION
