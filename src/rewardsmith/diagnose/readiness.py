"""Whether best-of-N, DPO pairs or RL may use the model, each with its own conditions; and what could not be established.

The conditions are strict: what is not measured is unknown, never yes. docs/diagnosis.md has them as a table.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.performance import attained, ceiling_of
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Finding, Open, Readiness, Said, percent
from rewardsmith.diagnose.measured import NotMeasured
from rewardsmith.language import say


@dataclass(frozen=True, slots=True)
class Demand:
    """What one use asks: at least so many judged prompts, and the lower end of the accuracy's interval at least so far of
    the way from a coin to the ceiling (1 - the share of wrong labels, else 80 %, the upper end of human agreement).
    """

    prompts: int
    attained: float


DEMANDS: dict[str, Demand] = {
    "best_of_n": Demand(prompts=100, attained=0.20),
    "dpo": Demand(prompts=200, attained=0.33),
    "rl": Demand(prompts=300, attained=0.50),
}
"""Best-of-N picks among a few candidates of one model; DPO trains on every pair once; RL searches for what scores high, so
that every error which can be reached is found."""

FORBIDS: dict[str, tuple[str, ...]] = {
    "worse_than_constant": ("best_of_n", "dpo", "rl"),
    "length_bias": ("dpo", "rl"),
    "shortcut_in_data": ("best_of_n", "dpo", "rl"),
    "test_in_training": ("best_of_n", "dpo", "rl"),
    "near_test_in_training": ("dpo", "rl"),
    "memorised": ("dpo", "rl"),
    "left_out": ("dpo", "rl"),
    "rows_quarantined": ("dpo", "rl"),
    "label_noise": ("rl",),
    "contradictions": ("rl",),
    "reward_scale": ("dpo", "rl"),
    "coarse_rewards": ("dpo", "rl"),
    "learning_rate_high": ("best_of_n", "dpo", "rl"),
    "learning_rate_low": ("best_of_n", "dpo", "rl"),
    "too_few_steps": ("best_of_n", "dpo", "rl"),
    "head_not_trained": ("best_of_n", "dpo", "rl"),
    "weight_decay": ("best_of_n", "dpo", "rl"),
    "dropout": ("best_of_n", "dpo", "rl"),
    "warmup": ("best_of_n", "dpo", "rl"),
    "clip": ("best_of_n", "dpo", "rl"),
    "smoothing": ("rl",),
    "narrow_data": ("best_of_n", "dpo", "rl"),
    "unstable": ("best_of_n", "dpo", "rl"),
    "data_findings": ("dpo", "rl"),
    "weak_categories": ("rl",),
    "audit_bias": ("dpo", "rl"),
    "test_differs": ("best_of_n", "dpo", "rl"),
    "data_changed": ("best_of_n", "dpo", "rl"),
    "test_is_validation": ("best_of_n", "dpo", "rl"),
    "failing_group": ("best_of_n", "dpo", "rl"),
    "label_mark": ("best_of_n", "dpo", "rl"),
    "position_bias": ("rl",),
    "soft_labels": ("rl",),
    "margins_large": ("rl",),
    "validation_in_training": ("best_of_n", "dpo", "rl"),
    "few_rows_weigh": ("best_of_n", "dpo", "rl"),
    "other_template": ("best_of_n", "dpo", "rl"),
    "test_repeats": ("rl",),
    "underfit": ("rl",),
}
"""Warnings that exclude a use; every critical finding excludes all."""

LEAVES_OPEN: dict[str, tuple[str, ...]] = {
    "no_accuracy": ("best_of_n", "dpo", "rl"),
    "no_sample_size": ("best_of_n", "dpo", "rl"),
    "no_baselines": ("best_of_n", "dpo", "rl"),
    "learning_unclear": ("best_of_n", "dpo", "rl"),
    "baselines_open": ("best_of_n", "dpo", "rl"),
    "test_easier": ("best_of_n", "dpo", "rl"),
    "few_prompts": ("best_of_n", "dpo", "rl"),
    "related_test": ("best_of_n", "dpo", "rl"),
    "narrow_data": ("best_of_n", "dpo", "rl"),
    "shortcut_in_data": ("best_of_n", "dpo", "rl"),
    "validation_only": ("dpo", "rl"),
    "length_bias_unknown": ("rl",),
    "audit_open": ("rl",),
}
"""Findings under which a use stays unknown."""


ESSENTIAL = ("data", "model", "rescored", "training")
"""Measurements without which it is not known that the figures are about this model and about data it has not seen. Any other
leaves a use open only where something was refused or broke while it was made."""


def readiness(facts: Facts, findings: Sequence[Finding]) -> dict[str, Readiness]:
    """For each use: no with every reason against it, else unknown with what is open, else yes."""
    return {use: ready_for(use, facts, findings) for use in DEMANDS}


def ready_for(use: str, facts: Facts, findings: Sequence[Finding]) -> Readiness:
    """One use."""
    against = [f.title for f in findings if forbids(f, use)]
    unknown = [f.title for f in findings if use in LEAVES_OPEN.get(f.id, ())]
    enough = reaches(use, facts)
    (against if enough[0] == "no" else unknown).extend(enough[1])
    unknown += missing(use, facts)
    if against:
        return Readiness("no", tuple(against))
    return Readiness("unknown", tuple(unknown)) if unknown else Readiness("yes", ())


def forbids(finding: Finding, use: str) -> bool:
    """Whether a finding excludes the use."""
    return finding.severity == "critical" or (finding.severity == "warning" and use in FORBIDS.get(finding.id, ()))


def reaches(use: str, facts: Facts) -> tuple[str, list[Said]]:
    """Whether the accuracy's interval lies above (yes), below (no) or across (unknown) what the use asks."""
    demand, interval = DEMANDS[use], facts.interval
    if facts.accuracy is None or interval is None:
        return "unknown", []
    ceiling = ceiling_of(facts)[0]
    wanted = 0.5 + demand.attained * (ceiling - 0.5)
    if attained(facts, interval.low) >= demand.attained:
        return "yes", []
    low, high = percent(interval.low), percent(interval.high)
    if attained(facts, interval.high) < demand.attained:
        told = Said(
            f"the accuracy is under {percent(wanted)} with its whole interval ({low} to {high})",
            f"准确率的整个区间（{low} 至 {high}）低于 {percent(wanted)}",
        )
        return "no", [told]
    told = Said(
        f"the accuracy may be under {percent(wanted)} (interval {low} to {high})",
        f"准确率可能低于 {percent(wanted)}（区间 {low} 至 {high}）",
    )
    return "unknown", [told]


def missing(use: str, facts: Facts) -> list[Said]:
    """What was not measured and has to be."""
    found: list[Said] = []
    prompts = facts.clusters if facts.clusters is not None else facts.n
    if prompts is not None and prompts < DEMANDS[use].prompts:
        wanted = DEMANDS[use].prompts
        found.append(
            Said(
                f"judged on {prompts:,} prompts, fewer than {wanted:,}",
                f"仅在 {prompts:,} 个提示词上评估，少于 {wanted:,} 个",
            )
        )
    if facts.measured.beside is None:
        found.append(
            Said("overlap with the training data was not checked", "没有检查与训练数据的重叠"),
        )
    found += [unmeasured(one) for one in facts.measured.not_checked if one.failed or one.name in ESSENTIAL]
    if use == "rl" and facts.audit is None:
        found.append(Said("no bias audit was made", "没有进行偏差审计"))
    return found


def unmeasured(one: NotMeasured) -> Said:
    """A measurement that was not made, as a reason."""
    return Said(f"not established: {one.what} ({one.why})", f"未能确定：{say(one.what, 'zh')}（{say(one.why, 'zh')}）")


def usable(ready: Mapping[str, Readiness]) -> bool | None:
    """Whether the least demanding use, best-of-N, is allowed; None where that is not known."""
    return {"yes": True, "no": False, "unknown": None}[ready["best_of_n"].ready]


def established(findings: Sequence[Finding]) -> tuple[Said, ...]:
    """What was found or excluded."""
    return tuple(finding.title for finding in findings if finding.status != "cannot_tell")


def open_questions(facts: Facts, findings: Sequence[Finding]) -> tuple[Open, ...]:
    """What could not be told, and what would tell it."""
    # What is urgent stands among the findings already.
    found = [Open(f.title, f.cause, f.command) for f in findings if f.status == "cannot_tell" and not f.urgent]
    measured = facts.measured
    for one in measured.not_checked:
        why = Said(one.why, say(one.why, "zh"))
        found.append(Open(Said(one.what, say(one.what, "zh")), why, commands.diagnose(facts) if one.bring else ""))
    return (*found, *never_asked(facts))


def never_asked(facts: Facts) -> Iterator[Open]:
    """What nothing was measured or made for."""
    measured = facts.measured
    if not measured.done and facts.place:
        yield (
            Open(
                Said(
                    "whether the saved model gives these rewards, and what the causes are",
                    "保存的模型是否给出这些奖励，以及原因",
                ),
                Said("nothing was measured beside the run's own figures", "除训练自身的数值外没有进行测量"),
                commands.diagnose(facts),
            )
        )
    if facts.audit is None and facts.place:
        yield (
            Open(
                Said("biases of the reward", "奖励的偏差"),
                Said("there is no audit.json", "没有 audit.json"),
                commands.audit(facts),
            )
        )
    if measured.beside is None:
        yield (
            Open(
                Said("overlap of test and training data", "测试数据与训练数据的重叠"),
                Said("the training data is not known or cannot be read", "训练数据未知或无法读取"),
            )
        )
