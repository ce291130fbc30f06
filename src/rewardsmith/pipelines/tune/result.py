"""What `rewardsmith tune` tells at its end, and before it begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardsmith.evaluate.paired import LEVEL
from rewardsmith.language import display_width, padded, say
from rewardsmith.pipelines.tune.space import word_of
from rewardsmith.pipelines.tune.trials import four

SHOWN = 5
"""Trials in the table at the end."""


@dataclass(frozen=True)
class Result:
    """`summary` is what `tune.json` holds, `rows` the completed trials, the best first."""

    summary: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Keys of tune.json: best, trials, selection, test, defaults, difference, importance, best_yaml, report, …"""
        return dict(self.summary)

    def to_text(self) -> str:
        """The best trial, what its figure is worth, and what to do with it."""
        s, best = self.summary, self.summary["best"]
        counts = s["trials"]
        lines = [
            f"{counts['complete']} trials completed, {counts['pruned']} stopped early, {counts['failed']} failed",
            *self.table(),
            f"best on validation: trial {best['number']}, loss {four(best['loss'])}, accuracy {four(best['accuracy'])}",
            *selection_lines(s),
            *test_lines(s),
            *importance_lines(s),
            f"train it again: rewardsmith train --config {s['best_yaml']}",
            f"→ {s['report']}",
        ]
        return "\n".join(lines)

    def table(self) -> list[str]:
        """The best completed trials with their settings, in columns."""
        keys = list(self.summary["space"])
        heads = [say("trial"), say("loss"), say("accuracy"), *keys]
        rows = [
            [str(row["number"]), four(row["loss"]), four(row["accuracy"]), *(said(row, key) for key in keys)]
            for row in self.rows[:SHOWN]
        ]
        widths = [max(display_width(line[k]) for line in (heads, *rows)) for k in range(len(heads))]
        columns = [[padded(cell, width) for cell, width in zip(line, widths, strict=True)] for line in (heads, *rows)]
        return ["  ".join(line).rstrip() for line in columns]


def said(row: Mapping[str, Any], key: str) -> str:
    """A trial's value of a setting; a dash for the defaults that lie outside the space."""
    value = row["values"].get(key)
    if isinstance(value, float):
        return f"{value:.3g}"
    return "–" if value is None else word_of(tuple(value) if isinstance(value, list) else value)


def selection_lines(summary: Mapping[str, Any]) -> list[str]:
    """That the figure of the best is optimistic, and by how much it would be if all trials were equal."""
    found, metric = summary["selection"], summary["metric"]
    if found is None:
        return []
    gap, p_value = f"{found['gap']:.4f}", f"{found['p_value']:.3g}"
    if found["p_value"] < LEVEL:
        lead = f"this one leads the mean {metric} by {gap}, more than chance explains (p = {p_value})"
    else:
        lead = f"this one leads the mean {metric} by {gap}, not more than chance explains (p = {p_value})"
    return [
        f"it is the best of {found['models']}, so these figures are optimistic: of as many equally good trials the best "
        f"would lead the mean {metric} by {found['expected']:.4f} by chance",
        lead,
    ]


def test_lines(summary: Mapping[str, Any]) -> list[str]:
    """The figures on the test split, which the search did not use."""
    test, defaults, found = summary["test"], summary["defaults"], summary["difference"]
    if test is None:
        return []
    lines = [f"test accuracy of the best settings {share(test)}"]
    if defaults is not None:
        lines.append(f"test accuracy of the defaults {share(defaults)}")
    if found is None:
        return [*lines, "the best settings are the defaults"] if summary["best"]["number"] == 0 else lines
    low, high = found["ci"]
    return [
        *lines,
        f"best settings minus defaults {found['difference']:+.4f} [{low:+.4f}, {high:+.4f}] on {found['n']} test "
        f"comparisons, p = {found['p_value']:.3g}: {known(found)}",
    ]


def known(found: Mapping[str, Any]) -> str:
    """What the paired test on the test split says."""
    if not found["p_value"] < LEVEL:
        return f"no significant difference (one of {found['minimal_detectable']:.3f} would be found with 80 % power)"
    return "the best settings are better" if found["difference"] > 0 else "the defaults are better"


def share(evaluation: Mapping[str, Any]) -> str:
    """An accuracy with its interval."""
    low, high = evaluation["accuracy_ci"]
    return f"{evaluation['accuracy']:.4f} [{low:.4f}, {high:.4f}]"


def importance_lines(summary: Mapping[str, Any]) -> list[str]:
    """Which settings mattered."""
    found = summary["importance"]
    if not found:
        return []
    listed = ", ".join(f"{key} {share:.2f}" for key, share in found.items())
    return [f"importance (fANOVA over {summary['trials']['complete']} completed trials): {listed}"]


@dataclass(frozen=True)
class SearchPlan:
    """What a search would try: `space` as on the command line, `limit` trials (None: bounded by time); the first has the
    values `first` (None: the defaults lie outside the space)."""

    space: Sequence[str]
    limit: int | None
    sampler: str
    metric: str
    first: Mapping[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        first = None if self.first is None else {key: word_of(value) for key, value in self.first.items()}
        return {
            "space": list(self.space),
            "trials": self.limit,
            "sampler": self.sampler,
            "metric": self.metric,
            "first": first,
        }

    def to_text(self) -> str:
        """The space, one setting a line, and the budget."""
        budget = (
            f"trials until the time is used, sampler {self.sampler}, for the best validation {self.metric}:"
            if self.limit is None
            else f"at most {self.limit} trials, sampler {self.sampler}, for the best validation {self.metric}:"
        )
        values = " ".join(f"{key}={word_of(value)}" for key, value in (self.first or {}).items())
        first = f"the first trial has the defaults: {values}" if values else "the first trial has the defaults"
        return "\n".join([budget, *(f"  {one}" for one in self.space), first])
