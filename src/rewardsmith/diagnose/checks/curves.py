"""How the training went: numbers that are not finite, overfitting, underfitting, spikes."""

import math
from statistics import median

from rewardsmith.diagnose.checks.learning import tail_loss
from rewardsmith.diagnose.facts import CurvePoint, Facts
from rewardsmith.diagnose.finding import Finding, Said

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
    if not steps and not unscored:
        return None
    where_en = f"{len(steps)} rows of the curve, first at step {min(steps)}" if steps else ""
    where_zh = f"曲线中有 {len(steps)} 行，最早在第 {min(steps)} 步" if steps else ""
    score_en = f"{unscored} comparisons without a reward" if unscored else ""
    score_zh = f"{unscored} 个比较没有奖励值" if unscored else ""
    return Finding(
        "not_finite",
        "critical",
        Said("numbers that are not finite", "出现非有限数值（NaN 或无穷）"),
        Said(
            "; ".join(filter(None, (where_en, score_en))) + ".",
            "；".join(filter(None, (where_zh, score_zh))) + "。",
        ),
        Said("A step was too large, or half precision overflowed.", "步长过大，或半精度溢出。"),
        Said(
            "Train again with a smaller learning rate, a warm-up and gradient clipping, in bf16 or fp32 instead "
            "of fp16.",
            "用更小的学习率、预热和梯度裁剪重新训练，并用 bf16 或 fp32 代替 fp16。",
        ),
        {"steps": steps[:20], "unscored": unscored},
    )


def bad(value: float | None) -> bool:
    """Whether a value was written but is not a finite number."""
    return value is not None and not math.isfinite(value)


def overfit(facts: Facts) -> Finding | None:
    """Held-out loss has its minimum before the end and rises after it."""
    passes = [row for row in facts.passes if row.loss is not None and math.isfinite(row.loss)]
    if len(passes) < 2:
        return None
    best = min(passes, key=lambda row: row.loss or 0.0)
    rise = (passes[-1].loss or 0.0) - (best.loss or 0.0)
    if rise < OVERFIT_RISE:
        return None
    kept = facts.best_step == best.step
    gap = tail_loss(facts.curve)
    gap_en = f"; training loss at the end {gap:.4f}" if gap is not None else ""
    gap_zh = f"；训练末尾的训练损失 {gap:.4f}" if gap is not None else ""
    return Finding(
        "overfit",
        "info" if kept else "warning",
        Said(
            f"overfitting after step {best.step}" + (", the best checkpoint was kept" if kept else ""),
            f"第 {best.step} 步之后过拟合" + ("，已保留最佳检查点" if kept else ""),
        ),
        Said(
            f"Held-out loss fell to {best.loss:.4f} at step {best.step} and rose by {rise:.4f} until step "
            f"{passes[-1].step}, over {len(passes)} passes{gap_en}.",
            f"留出集损失在第 {best.step} 步降到 {best.loss:.4f}，到第 {passes[-1].step} 步上升了 {rise:.4f}，"
            f"共 {len(passes)} 次验证{gap_zh}。",
        ),
        Said(
            "Further passes over the same pairs teach the training set by heart.",
            "继续在相同数据上训练只是在背诵训练集。",
        ),
        Said(
            "Use the checkpoint with the lowest held-out loss, and train fewer epochs or on more prompts.",
            "使用留出集损失最低的检查点，减少训练轮数或增加提示词数量。",
        ),
        {"best_step": best.step, "best_loss": best.loss, "rise": rise, "passes": len(passes)},
    )


def underfit(facts: Facts) -> Finding | None:
    """Held-out loss is lowest at the last pass and still falls by more than STILL_FALLING from the pass before."""
    passes = [row for row in facts.passes if row.loss is not None and math.isfinite(row.loss)]
    if len(passes) < 3:
        return None
    losses = [row.loss or 0.0 for row in passes]
    fall = losses[-2] - losses[-1]
    if min(losses) < losses[-1] or fall < STILL_FALLING:
        return None
    return Finding(
        "underfit",
        "warning",
        Said("the held-out loss was still falling at the end", "训练结束时留出集损失仍在下降"),
        Said(
            f"The last of {len(passes)} passes is the best: {losses[-1]:.4f}, {fall:.4f} under the pass before it.",
            f"{len(passes)} 次验证中最后一次最好：{losses[-1]:.4f}，比前一次低 {fall:.4f}。",
        ),
        Said(
            "Training ended before the model stopped learning.",
            "模型仍在学习时训练就结束了。",
        ),
        Said(
            "Train longer (twice the epochs, with the learning rate decaying over the new length) or with a "
            "larger rate.",
            "延长训练（轮数加倍，并让学习率按新的长度衰减），或提高学习率。",
        ),
        {"last_loss": losses[-1], "fall": fall, "passes": len(passes)},
    )


def unstable(facts: Facts) -> Finding | None:
    """Spikes of the training loss or of the gradient norm."""
    spikes = loss_spikes(facts.curve)
    norms = [(r.step, r.grad_norm) for r in facts.curve if r.grad_norm is not None and math.isfinite(r.grad_norm)]
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
            "The learning rate is too large for some batches, or single records are broken.",
            "学习率对某些批次过大，或个别记录有问题。",
        ),
        Said(
            "Lower the learning rate or lengthen the warm-up, keep gradient clipping on, and read the records "
            "of that step.",
            "降低学习率或延长预热，保持梯度裁剪，并检查该步所用的记录。",
        ),
        {"loss_spikes": spikes[:20], "gradient_jumps": jumps[:20]},
    )


def loss_spikes(curve: tuple[CurvePoint, ...]) -> list[int]:
    """Steps whose loss exceeds the median of the SPIKE_WINDOW rows before by SPIKE_SIGMAS robust deviations.

    The robust deviation is 1.4826 times the median absolute deviation, which is the standard deviation of a normal.
    """
    rows = [(row.step, row.loss) for row in curve if row.loss is not None and math.isfinite(row.loss)]
    spikes = []
    for position in range(SPIKE_WINDOW, len(rows)):
        window = [loss for _, loss in rows[position - SPIKE_WINDOW : position]]
        middle = median(window)
        deviation = 1.4826 * median(abs(loss - middle) for loss in window)
        step, loss = rows[position]
        if loss - middle > max(SPIKE_SIGMAS * deviation, SPIKE_RISE):
            spikes.append(step)
    return spikes
