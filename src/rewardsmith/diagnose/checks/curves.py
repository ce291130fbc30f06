"""How the training went: numbers that are not finite, overfitting, underfitting, spikes."""

import math
from collections.abc import Iterable
from statistics import median

from rewardsmith.diagnose.checks.learning import tail_loss
from rewardsmith.diagnose.facts import CurvePoint, Facts
from rewardsmith.diagnose.finding import Finding, Said, joined

OVERFIT_RISE = 0.02
"""Nats by which held-out loss must rise after its minimum; smaller rises are within the noise of 1,000 pairs
(standard error of the mean loss about 0.5 / sqrt(1000) = 0.016)."""

STILL_FALLING = 0.01
"""Nats per validation pass: a smaller fall at the end would not pay for another epoch."""

SPIKE_SIGMAS = 10
"""Robust standard deviations above the running median. Batch losses have a heavy right tail: at 6 a healthy run with
batches of 8 had up to 8 false alarms in 5,000 steps, at 10 none from batches of 4 on (simulated, margin std 1 to 4)."""

SPIKE_RISE = 0.5
"""Nats a spike must rise at least, so that a very smooth curve does not turn ripples into spikes."""

SPIKE_WINDOW = 50
"""Steps behind the running median; with fewer the robust deviation is itself too uncertain."""

GRADIENT_JUMP = 20
"""A gradient norm this many times its median is an event of its own, not batch noise."""


def not_finite(facts: Facts) -> Finding | None:
    """A loss, gradient or reward that is not a number: nothing after it can be trusted."""
    steps = [row.step for row in facts.curve if bad(row.loss) or bad(row.grad_norm)]
    steps += [row.step for row in facts.passes if bad(row.loss)]
    unscored = facts.compared.unscored if facts.compared else 0
    places = []
    if steps:
        places.append(
            Said(
                f"{len(steps)} rows of the training curve, first at step {min(steps)}",
                f"训练训练训练训练曲线中有 {len(steps)} 行，最早在第 {min(steps)} 步",
            )
        )
    if unscored:
        places.append(Said(f"{unscored} comparisons without a reward", f"{unscored} 个比较没有奖励值"))
    if not places:
        return None
    where = joined(places)
    return Finding(
        "not_finite",
        "critical",
        Said("non-finite values (NaN or infinity)", "出现非有限值（NaN 或无穷）"),
        Said(f"{where.en}.", f"{where.zh}。"),
        Said(
            "An optimizer step was too large, or half precision overflowed.",
            ("优化器优化器优化器优化器步长过大，或半精度溢出。"),
        ),
        Said(
            "Train again with a lower learning rate, warmup and gradient clipping, and with bf16 or fp32 instead of "
            "fp16.",
            "用更低的学习率、预热和梯度裁剪重新训练，并用 bf16 或 fp32 代替 fp16。",
        ),
        {"steps": steps[:20], "unscored": unscored},
    )


def bad(value: float | None) -> bool:
    """Whether a value was written but is not a finite number."""
    return value is not None and not math.isfinite(value)


def finite_points(points: Iterable[tuple[int, float | None]]) -> list[tuple[int, float]]:
    """The (step, value) pairs whose value was written and is a finite number."""
    return [(step, value) for step, value in points if value is not None and math.isfinite(value)]


def overfit(facts: Facts) -> Finding | None:
    """Held-out loss has its minimum before the end and rises after it."""
    passes = finite_points((row.step, row.loss) for row in facts.passes)
    if len(passes) < 2:
        return None
    best_step, best_loss = min(passes, key=lambda point: point[1])
    last_step, last_loss = passes[-1]
    rise = last_loss - best_loss
    if rise < OVERFIT_RISE:
        return None
    kept = facts.best_step == best_step
    gap = tail_loss(facts.curve)
    gap_en = f"; training loss at the end {gap:.4f}" if gap is not None else ""
    gap_zh = f"；训练末尾的训练损失 {gap:.4f}" if gap is not None else ""
    return Finding(
        "overfit",
        "info" if kept else "warning",
        Said(
            f"overfitting after step {best_step}" + (", the best checkpoint was kept" if kept else ""),
            f"第 {best_step} 步之后过拟合" + ("，已保留最佳检查点" if kept else ""),
        ),
        Said(
            f"The held-out loss fell to {best_loss:.4f} at step {best_step} and rose by {rise:.4f} until step "
            f"{last_step}, over {len(passes)} validation passes{gap_en}.",
            f"留出集损失在第 {best_step} 步降到 {best_loss:.4f}，到第 {last_step} 步上升了 {rise:.4f}，"
            f"共 {len(passes)} 次验证{gap_zh}。",
        ),
        Said(
            "Further epochs on the same pairs memorise the training set.",
            "在相同的偏好对上继续训练，只会使模型记住训练集。",
        ),
        Said(
            "Use the checkpoint with the lowest held-out loss, and train for fewer epochs or on more prompts.",
            "使用留出集损失最低的检查点，减少训练轮数或增加提示词数量。",
        ),
        {"best_step": best_step, "best_loss": best_loss, "rise": rise, "passes": len(passes)},
    )


def underfit(facts: Facts) -> Finding | None:
    """Held-out loss is lowest at the last pass and still falls by more than STILL_FALLING from the pass before."""
    losses = [loss for _, loss in finite_points((row.step, row.loss) for row in facts.passes)]
    if len(losses) < 3:
        return None
    fall = losses[-2] - losses[-1]
    if min(losses) < losses[-1] or fall < STILL_FALLING:
        return None
    return Finding(
        "underfit",
        "warning",
        Said("the held-out loss was still falling at the end", "训练结束时留出集损失仍在下降"),
        Said(
            f"The last of {len(losses)} validation passes is the best: {losses[-1]:.4f}, which is {fall:.4f} below "
            "the previous one.",
            f"{len(losses)} 次验证中最后一次最好：{losses[-1]:.4f}，比前一次低 {fall:.4f}。",
        ),
        Said(
            "Training ended before the model stopped learning.",
            "模型仍在学习时训练就结束了。",
        ),
        Said(
            "Train longer (twice the epochs, with the learning rate decaying over the new length) or with a higher "
            "learning rate.",
            "延长训练（轮数加倍，并让学习率按新的长度衰减），或提高学习率。",
        ),
        {"last_loss": losses[-1], "fall": fall, "passes": len(losses)},
    )


def unstable(facts: Facts) -> Finding | None:
    """Spikes of the training loss or of the gradient norm."""
    spikes = loss_spikes(facts.curve)
    norms = finite_points((row.step, row.grad_norm) for row in facts.curve)
    usual = median([norm for _, norm in norms]) if norms else 0.0
    jumps = [step for step, norm in norms if len(norms) >= SPIKE_WINDOW and norm > GRADIENT_JUMP * usual > 0]
    if not spikes and not jumps:
        return None
    first = min(spikes + jumps)
    return Finding(
        "unstable",
        "warning",
        Said("the training was unstable", "训练不稳定"),
        Said(
            f"{len(spikes)} loss spikes and {len(jumps)} gradient jumps (over {GRADIENT_JUMP} times the median norm "
            f"{usual:.3g}) in {len(facts.curve)} rows, first at step {first}.",
            f"{len(facts.curve)} 行中有 {len(spikes)} 次损失尖峰、{len(jumps)} 次梯度突增（超过中位范数 {usual:.3g} 的 "
            f"{GRADIENT_JUMP} 倍），最早在第 {first} 步。",
        ),
        Said(
            "The learning rate is too high for some batches, or individual records are corrupt.",
            "学习率对某些批次过高，或个别记录有问题。",
        ),
        Said(
            "Lower the learning rate or lengthen the warmup, keep gradient clipping on, and check the records of that "
            "step.",
            "降低学习率或延长预热，保持梯度裁剪，并检查该步所用的记录。",
        ),
        {"loss_spikes": spikes[:20], "gradient_jumps": jumps[:20]},
    )


def loss_spikes(curve: tuple[CurvePoint, ...]) -> list[int]:
    """Steps whose loss exceeds the median of the SPIKE_WINDOW rows before by SPIKE_SIGMAS robust deviations.

    The robust deviation is 1.4826 times the median absolute deviation, which is the standard deviation of a normal.
    """
    rows = finite_points((row.step, row.loss) for row in curve)
    spikes = []
    for position in range(SPIKE_WINDOW, len(rows)):
        window = [loss for _, loss in rows[position - SPIKE_WINDOW : position]]
        middle = median(window)
        deviation = 1.4826 * median(abs(loss - middle) for loss in window)
        step, loss = rows[position]
        if loss - middle > max(SPIKE_SIGMAS * deviation, SPIKE_RISE):
            spikes.append(step)
    return spikes
