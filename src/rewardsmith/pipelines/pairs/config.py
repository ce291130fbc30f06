"""The settings of `rewardsmith pairs`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.pairs.choosing import PairRule, PairSelection, Requirement, Violations, parse_requirement
from rewardsmith.settings.hardware import DtypeName, check_device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith pairs`."""

    source: str
    """Candidates: rows with several responses, from `generate` or `score`, or any data with rated responses."""
    output: Path
    """Output file in JSON Lines: each prompt with the responses of its pairs, as train, dpo and prepare read it."""
    model: str | None = None
    """What scores the candidates: a reward model, an ensemble, a rewards file, or a judge file (default: the rewards in
    --column)."""
    column: str = "rewards"
    """Column, field or rating with one reward per response, where no --model scores them."""
    select: PairSelection = "best-worst"
    """Which pairs: best-worst (one per prompt), or all that have a lead of more than --margin."""
    margin: float = 0.0
    """A pair needs a lead of more than this in reward; equal rewards never make a pair."""
    per_prompt: int | None = None
    """Most pairs per prompt, those with the largest leads first (default: no limit)."""
    length_control: float = 0.0
    """Best-worst: share of the range of rewards, below 1, within which the shortest response is chosen and the longest one
    rejected, against a bias to length."""
    length_ratio: float | None = None
    """Only pairs whose longer response has at most so many times the characters of the shorter one."""
    require: tuple[str, ...] = ()
    """Condition on every chosen response, for example cost<0 or safe>=0.5; repeat for several."""
    violations: Violations = "keep"
    """What becomes of responses that violate a --require: keep (they can only be rejected), lose (against every response
    that satisfies it, whatever the rewards), or drop."""
    truncated: Literal["reject", "keep", "drop"] = "reject"
    """Responses that ended at a limit of tokens: reject (they can only be rejected), keep (as others), or drop."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=task.text."""
    dtype: DtypeName = "fp32"
    """Precision of the backbone: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    strict: bool = False
    """Stop at the first invalid row."""
    overwrite: bool = False
    """Replace --output if it exists."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        self.requirements()
        if not 0 <= self.margin < float("inf"):
            raise UsageError(f"--margin {self.margin}: expected a number of at least 0")
        if self.per_prompt is not None and self.per_prompt < 1:
            raise UsageError(f"--per-prompt {self.per_prompt}: expected at least 1")
        if not 0 <= self.length_control < 1:
            raise UsageError(f"--length-control {self.length_control}: expected a share from 0 to below 1")
        if self.length_ratio is not None and not self.length_ratio >= 1:
            raise UsageError(f"--length-ratio {self.length_ratio}: expected at least 1")
        self._refuse_ignored()

    def _refuse_ignored(self) -> None:
        if self.select == "all" and self.length_control:
            raise UsageError("--length-control applies to --select best-worst; use --length-ratio with --select all")
        if self.violations != "keep" and not self.require:
            raise UsageError(f"--violations {self.violations} needs a condition; add --require, for example cost<0")
        if self.model is not None and self.column != "rewards":
            raise UsageError("--column names rewards that the rows have, and --model computes them; remove one of them")

    def requirements(self) -> list[Requirement]:
        """The conditions; UsageError for one that is none."""
        return [parse_requirement(text) for text in self.require]

    def rule(self) -> PairRule:
        """How pairs are chosen."""
        names = ("select", "margin", "per_prompt", "length_control", "length_ratio", "violations")
        return PairRule(**{name: getattr(self, name) for name in names})
