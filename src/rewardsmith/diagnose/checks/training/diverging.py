"""Whether the loss left all bounds, and ended the run."""

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.rewards import slower
from rewardsmith.diagnose.checks.signals import LAST, finite_losses, stopped_by_divergence
from rewardsmith.diagnose.checks.training.fitted_head import fitted_or
from rewardsmith.diagnose.facts import CHANCE_LOSS, Facts
from rewardsmith.diagnose.finding import Finding, Said

FIRST_STEP = 5 * CHANCE_LOSS
"""A loss before anything was learned that only a head with far too large rewards can have: a new one has ln 2."""


def diverged(facts: Facts) -> Finding | None:
    """The run was ended by its own loss. A head whose first rewards are far too large is told from steps that are."""
    if not stopped_by_divergence(facts):
        return None
    losses = finite_losses(facts.curve)
    first, last = losses[0], sum(losses[-LAST:]) / LAST
    by_head = first > FIRST_STEP
    action, command = gentler(facts, by_head=by_head)
    return Finding(
        "reward_scale" if by_head else "unstable",
        "critical",
        Said(
            "the rewards are far too large: training started from a head of the wrong scale",
            "奖励的尺度过大：训练从尺度不当的奖励头开始",
        )
        if by_head
        else Said("the loss diverged and ended the run", "损失发散并使训练终止"),
        Said(
            f"The loss was {first:.3g} at the first step, {min(losses):.3g} at its lowest and {last:.3g} over the last "
            f"{LAST} of {facts.curve[-1].step} steps (equal rewards give {CHANCE_LOSS:.3f}).",
            f"第一步损失为 {first:.3g}，最低 {min(losses):.3g}，{facts.curve[-1].step} 步中最后 {LAST} 步平均 {last:.3g}"
            f"（奖励全部相等时为 {CHANCE_LOSS:.3f}）。",
        ),
        Said(
            "Margins of that size before the first update come from the head that the run started with. Resumed, the run "
            "ends the same way.",
            "第一次更新之前就出现这样大的奖励差，来自训练开始时的奖励头。继续训练会以同样的方式终止。",
        )
        if by_head
        else Said(
            "The learning rate is too high, or the warmup too short: each step makes the wrong margins larger. Resumed, the "
            "run ends the same way.",
            "学习率过高或预热太短：每一步都使错误的奖励差更大。继续训练会以同样的方式终止。",
        ),
        action,
        {"first": first, "lowest": min(losses), "last": last, "steps": facts.curve[-1].step},
        command=command,
    )


def gentler(facts: Facts, *, by_head: bool) -> tuple[Said, str]:
    """How to start again, and its command."""
    slowly = Said("Train again with a lower learning rate and a warmup.", "用更低的学习率和预热重新训练。")
    flags = (*slower(facts), "--warmup", "0.1")
    if not by_head:
        return slowly, commands.train(facts, *flags)
    fitted = Said("Train again from a newly fitted head.", "从重新拟合的奖励头开始训练。")
    return fitted_or(facts, fitted, slowly, *flags)
