"""What `evaluate` gives: its figures as JSON, and those that a person asks for first as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """`summary` is what `evaluation.json` holds, by the names in docs/metrics.md; `quarantined` rows were not read.

    Those are n, accuracy, auc, nll, brier, ece, temperature, baselines and more; one that cannot be computed is None.
    `left_out` tells what of the data was not used whole, by reason.
    """

    summary: Mapping[str, Any]
    quarantined: int

    def to_json(self) -> dict[str, Any]:
        """All figures; see docs/metrics.md."""
        return {**self.summary, "quarantined": self.quarantined}

    def to_text(self) -> str:
        """The figures a person asks for first."""
        from rewardsmith.pipelines.benchmark.result import benchmark_lines
        from rewardsmith.pipelines.calibrate.words import judged_lines
        from rewardsmith.pipelines.evaluate.judged_columns import column_lines
        from rewardsmith.report.figures import overlap_line, table
        from rewardsmith.scoring.left_out import left_out_from

        summary = self.summary
        if "process" in summary:
            return "\n".join(step_text(summary))
        benchmark = summary.get("benchmark")
        own = benchmark_lines(benchmark) if benchmark else ()
        account, held = (left_out_from(summary.get(f"left_out{part}")) for part in ("", "_validation"))
        lines = [*own, *table(summary), *column_lines(summary), *judged_lines(summary), *overlap_line(summary)]
        lines += [*account.lines(), *held.lines("validation data")]
        return "\n".join(lines)


def step_text(summary: Mapping[str, Any]) -> list[str]:
    """The figures of a model that judges steps, by a benchmark's rule too where there is one."""
    from rewardsmith.pipelines.benchmark.result import benchmark_lines
    from rewardsmith.pipelines.evaluate.steps import step_lines
    from rewardsmith.scoring.left_out import left_out_from

    benchmark = summary.get("benchmark")
    own = benchmark_lines(benchmark) if benchmark else ()
    return [*own, *step_lines(summary), *left_out_from(summary.get("left_out")).lines()]
