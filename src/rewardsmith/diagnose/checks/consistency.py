"""Whether the files of a folder tell of one and the same run: settings, curve, summary, figures and rows side by side."""

from collections.abc import Iterator, Mapping
from typing import Any

from rewardsmith.diagnose.compared import Compared
from rewardsmith.diagnose.facts import CurvePoint, Facts
from rewardsmith.diagnose.finding import Said

SAME = 1e-6
"""Relative difference of two numbers that are one number, written twice."""

ACCURACY = 0.002
"""Points between the accuracy of the evaluation and that of its rows, for fp32 in which rewards are stored and rounded."""

BOTH = ("lr", "epochs", "batch", "seed", "weight_decay", "warmup", "dropout", "clip", "max_steps", "model")
"""Settings that config.yaml, as it was given, and settings.json, as the run used them, both hold."""


def disagreements(facts: Facts, settings: Mapping[str, Any], evaluation: Mapping[str, Any]) -> tuple[Said, ...]:
    """Each place where two files of a folder contradict each other; `settings` and `evaluation` are those files."""
    found = [*settings_changed(facts.settings, settings)]
    if settings and facts.training.get("finished"):
        found += curve_gaps(facts.curve, facts.steps)
    if facts.compared is not None and not evaluation.get("benchmark"):
        found += rows_differ(facts.compared, evaluation)
    return tuple(found)


def differ(one: Any, other: Any) -> bool:
    """Whether two stored values are not the same; numbers up to rounding."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) > SAME * max(abs(one), abs(other))
    return str(one) != str(other)


def settings_changed(given: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[Said]:
    """Settings that were given otherwise than the run used them: config.yaml was edited, or is another run's."""
    for name in BOTH:
        if name == "max_steps" and given.get("head_start") == "probe":
            continue  # a head that is fitted directly takes no steps, whatever limit was given
        if given.get(name) is None or used.get(name) is None or not differ(given[name], used[name]):
            continue
        yield Said(
            f"{name} is {given[name]} in config.yaml and {used[name]} in settings.json",
            f"{name} 在 config.yaml 中为 {given[name]}，在 settings.json 中为 {used[name]}",
        )


def curve_gaps(curve: tuple[CurvePoint, ...], steps: int | None) -> Iterator[Said]:
    """Steps of a finished run that its curve does not have, or has too many of."""
    if not curve or not steps:
        return
    last, rows = curve[-1].step, len(curve)
    if last != steps:
        yield Said(
            f"metrics.jsonl ends at step {last}, train.json at step {steps}",
            f"metrics.jsonl 止于第 {last} 步，train.json 止于第 {steps} 步",
        )
    elif rows < steps - curve[0].step + 1:
        missing = steps - curve[0].step + 1 - rows
        yield Said(
            f"{missing} of {steps} steps are missing in metrics.jsonl",
            f"metrics.jsonl 中缺少 {steps} 步中的 {missing} 步",
        )


def rows_differ(compared: Compared, evaluation: Mapping[str, Any]) -> Iterator[Said]:
    """Figures of evaluation.json that are not those of the rows in comparisons.jsonl."""
    n, accuracy = evaluation.get("n"), evaluation.get("accuracy")
    decided = int(compared.decided.sum())
    if isinstance(n, int) and n != decided + compared.unscored and n != decided:
        yield Said(
            f"evaluation.json counts {n:,} comparisons, comparisons.jsonl has {decided:,}",
            f"evaluation.json 有 {n:,} 个比较，comparisons.jsonl 有 {decided:,} 个",
        )
    if isinstance(accuracy, float) and decided and abs(compared.accuracy(compared.decided) - accuracy) > ACCURACY:
        own = compared.accuracy(compared.decided)
        yield Said(
            f"evaluation.json gives the accuracy {accuracy:.4f}, the rows of comparisons.jsonl {own:.4f}",
            f"evaluation.json 的准确率为 {accuracy:.4f}，comparisons.jsonl 各行为 {own:.4f}",
        )
