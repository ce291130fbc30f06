"""Whether the files of a folder tell of one and the same run: settings, curve, summary, figures and rows side by side."""

from collections.abc import Iterator, Mapping
from typing import Any

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.model import differs, pattern_of
from rewardsmith.diagnose.compared import Compared
from rewardsmith.diagnose.facts import CurvePoint, Facts
from rewardsmith.diagnose.finding import Finding, Said, percent
from rewardsmith.diagnose.measured import Rescored

SAME = 1e-6
"""Relative difference of two numbers that are one number, written twice."""

ACCURACY = 0.002
"""Points between the accuracy of the evaluation and that of its rows, for fp32 in which rewards are stored and rounded."""

CLIPPED = 0.2
"""Share of rewards at the lowest or highest value from which they were cut off there."""

BOTH = ("lr", "epochs", "batch", "seed", "weight_decay", "warmup", "dropout", "clip", "max_steps", "model")
"""Settings that config.yaml, as it was given, and settings.json, as the run used them, both hold."""


def disagreements(facts: Facts, settings: Mapping[str, Any], evaluation: Mapping[str, Any]) -> tuple[Said, ...]:
    """Each place where two files of a folder contradict each other; `settings` and `evaluation` are those files."""
    found = [*settings_changed(facts.settings, settings)]
    found += two_logs(facts.clashing_steps)
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


def two_logs(clashes: int) -> Iterator[Said]:
    """Steps that were logged twice at different learning rates: the log of another run stands in the same file."""
    if clashes:
        yield Said(
            f"metrics.jsonl contains {clashes:,} steps twice, at different learning rates: the logs of two runs are in it",
            f"metrics.jsonl 中有 {clashes:,} 步以不同的学习率记录了两次：其中混有两次训练的日志",
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


def not_reproduced(facts: Facts) -> Finding | None:
    """The model, which is that of its run, does not give the rewards of the evaluation that is judged."""
    found, own = facts.measured.reproduced, facts.measured.rescored
    if found is None or not differs(found) or pattern_of(found) == "rounded" or (own is not None and differs(own)):
        return None  # a model that changed since its run is a finding of its own
    correlation = "?" if found.correlation is None else f"{found.correlation:.3f}"
    before, now = ("?" if value is None else percent(value) for value in (found.accuracy_before, found.accuracy_now))
    return Finding(
        "rewards_not_reproduced",
        "critical",
        Said("the model does not give the rewards of this evaluation", "模型给不出该评估中的奖励"),
        Said(
            f"{found.n} evaluated responses scored again: correlation with the rewards of the evaluation {correlation}, "
            f"largest difference {found.largest:.3g} (their standard deviation is {found.spread:.3g}), accuracy {before} "
            f"there and {now} now; {percent(found.at_ends)} of the rewards there are their lowest or highest value.",
            f"重新评分 {found.n} 条被评估的回复：与评估中奖励的相关系数 {correlation}，最大差异 {found.largest:.3g}"
            f"（其标准差为 {found.spread:.3g}），准确率当时 {before}，现在 {now}；其中 {percent(found.at_ends)} "
            "的奖励处于最低或最高值。",
        ),
        cause_of(found),
        Said(
            "Evaluate the model again, and use those figures instead.",
            "重新评估该模型，并改用新的数值。",
        ),
        {"correlation": found.correlation, "largest": found.largest, "at_ends": found.at_ends, "n": found.n},
        command=commands.evaluate(facts),
    )


def cause_of(found: Rescored) -> Said:
    """Why an evaluation holds other rewards than its model gives."""
    if found.at_ends >= CLIPPED:
        return Said(
            "The rewards were clipped or saturated before they were compared, as for a trainer, so that many became equal.",
            "奖励在比较之前被裁剪或饱和（如提供给训练器时），因此许多奖励变得相等。",
        )
    return Said(
        "They were computed otherwise than the model is read here: with dropout on, in a low precision, under another "
        "template, or by other weights than those that lie there now.",
        "这些奖励的计算方式与此处读取模型的方式不同：启用了 dropout、精度过低、使用了其他模板，或权重不是现在这些。",
    )
