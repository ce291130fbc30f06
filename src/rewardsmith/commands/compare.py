"""`rewardsmith compare`: is model A better than model B on the same comparisons, or can that not be told?"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rewardsmith.language import current
from rewardsmith.pipelines.compare import column, read_left_out, read_margins, refuse_relabelled
from rewardsmith.progress import SILENT, Progress

SURE = 0.05
"""A model is called better where the interval leaves 0 out and the test's p-value is below: few prompts never do both."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith compare`."""

    a: Path
    """Run folder, or the --output of evaluate."""
    b: Path
    """The other run or evaluation, on the same data."""
    seed: int = 0
    """Random seed of the bootstrap and the permutation test."""
    output: Path | None = None
    """Output folder for comparison.html, comparison.md and comparison.json; default: none are written."""
    overwrite: bool = False
    """Replace an existing comparison."""


@dataclass(frozen=True)
class Result:
    """A minus B on the `n` comparisons that both have, weighted as they are; without label ties and those of weight 0.

    `accuracy_difference` is `accuracy_a - accuracy_b`, `ci` its 95 % interval, `p_value` of the paired test that `test`
    names. On `flipped` comparisons one alone is right: `only_a` and `only_b` of them. `minimal_detectable` is the
    difference that would be found with 80 % power; `only_in_a` and `only_in_b` count what was left out, `left_out_a` and
    `left_out_b` repeat what each evaluation did not use as it was given.
    """

    accuracy_difference: float
    ci: tuple[float, float]
    p_value: float
    test: str
    flipped: int
    n: int
    accuracy_a: float
    accuracy_b: float
    only_a: int
    only_b: int
    minimal_detectable: float
    only_in_a: int
    only_in_b: int
    left_out_a: Mapping[str, Any] = field(default_factory=dict)
    left_out_b: Mapping[str, Any] = field(default_factory=dict)
    report: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields by name, `ci` as a list; `report` where one was written."""
        content = {**asdict(self), "ci": list(self.ci)}
        return {**content, "report": None if self.report is None else str(self.report)}

    def to_text(self) -> str:
        """The difference in words."""
        import math

        from rewardsmith.scoring.left_out import left_out_from

        low, high = self.ci
        lines = [
            f"A {self.accuracy_a:.4f}, B {self.accuracy_b:.4f} on {self.n} comparisons",
            f"A minus B {self.accuracy_difference:+.4f} [{low:+.4f}, {high:+.4f}], p = {self.p_value:.3g} "
            f"({self.test}): {self.known()}",
            f"{self.flipped} comparisons flipped: A alone right {self.only_a}, B alone right {self.only_b}",
        ]
        if self.minimal_detectable > 0 and math.isfinite(self.minimal_detectable):
            lines.append(f"with this data a difference of {self.minimal_detectable:.3f} would be found with 80 % power")
        if self.only_in_a or self.only_in_b:
            lines.append(f"excluded: {self.only_in_a} comparisons only in A, {self.only_in_b} only in B")
        for name, account in (("A", self.left_out_a), ("B", self.left_out_b)):
            lines += [f"{name}: {sentence}" for sentence in left_out_from(account).sentences()]
        if self.report is not None:
            lines.append(f"→ {self.report}")
        return "\n".join(lines)

    def known(self) -> str:
        """Which model is better, where both the interval and the test say so."""
        low, high = self.ci
        if self.p_value < SURE and (low > 0 or high < 0):
            return "A is better" if low > 0 else "B is better"
        return "no significant difference"


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Pair the two evaluations comparison by comparison, test the difference of their accuracies, and write the report.

    OutputError where a comparison is in `output` already and `overwrite` is not set.
    """
    from rewardsmith.report.comparison.writing import refuse_existing, write_comparison

    if config.output is not None:
        refuse_existing(config.output, overwrite=config.overwrite)
    result = tested(config)
    if config.output is None:
        return result
    content = {name: value for name, value in result.to_json().items() if name != "report"}
    page = write_comparison(content, (config.a, config.b), config.output, lang=current())
    return replace(result, report=page)


def tested(config: Config) -> Result:
    """Pair the two evaluations comparison by comparison and test the difference of their accuracies."""
    import numpy as np

    from rewardsmith.errors import DataError
    from rewardsmith.evaluate.metrics import accuracy
    from rewardsmith.evaluate.paired import compare_margins

    first, second = read_margins(config.a), read_margins(config.b)
    common = [key for key in first if key in second]
    if not common:
        raise DataError(
            f"{config.a} and {config.b} have no comparison in common; evaluate both models on the same data"
        )
    sides = [[side[key] for key in common] for side in (first, second)]
    refuse_relabelled(zip(*sides, strict=True))
    margins = [column(side, "margin") for side in sides]
    preference, weight = column(sides[0], "preference"), column(sides[0], "weight")
    _, cluster = np.unique([str(row["prompt_id"]) for row in sides[0]], return_inverse=True)
    found = compare_margins(
        *margins, preference=preference, weight=weight, cluster=cluster, rng=np.random.default_rng(config.seed)
    )
    if not found.n:
        raise DataError(
            f"none of the {len(common)} comparisons that {config.a} and {config.b} share has a preferred response and "
            "a weight above 0; expected at least one"
        )
    return Result(
        accuracy_difference=found.difference,
        ci=(found.interval.low, found.interval.high),
        p_value=found.p_value,
        test=found.test,
        flipped=found.flipped,
        n=found.n,
        accuracy_a=accuracy(margins[0], preference, weight=weight),
        accuracy_b=accuracy(margins[1], preference, weight=weight),
        only_a=found.only_first,
        only_b=found.only_second,
        minimal_detectable=found.minimal_detectable,
        only_in_a=len(first) - len(common),
        only_in_b=len(second) - len(common),
        left_out_a=read_left_out(config.a),
        left_out_b=read_left_out(config.b),
    )
