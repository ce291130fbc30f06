"""How the training went: memorised pairs, overfitting, underfitting, spikes, what more data would give."""

import math
from collections.abc import Iterable
from statistics import fmean, median

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.rewards import slower
from rewardsmith.diagnose.checks.signals import learned_state, sample_of, tail_loss, validation_of
from rewardsmith.diagnose.facts import CHANCE_LOSS, CurvePoint, Facts
from rewardsmith.diagnose.finding import Finding, Said, Severity, percent, shown, span
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import Figures

OVERFIT_RISE = 0.02
"""Nats by which held-out loss must rise after its minimum; smaller rises are within the noise of 1,000 pairs
(standard error of the mean loss about 0.5 / sqrt(1000) = 0.016)."""

STILL_FALLING, PAYS = 0.01, 0.04
"""Nats by which the last validation pass lies under the one before, from which it is told, and from which more epochs pay:
of sound small runs that fell by 0.01 to 0.03 at the end, with a decaying rate, half gained nothing from twice the epochs."""

SPIKE_SIGMAS = 10
"""Robust standard deviations above the running median. Batch losses have a heavy right tail: at 6 a healthy run with
batches of 8 had up to 8 false alarms in 5,000 steps, at 10 none from batches of 4 on (simulated, margin std 1 to 4)."""

SPIKE_RISE = 0.5
"""Nats a spike must rise at least, so that a very smooth curve does not turn ripples into spikes."""

SPIKE_WINDOW = 50
"""Steps behind the running median; with fewer the robust deviation is itself too uncertain."""

RARE = 0.01
"""Share of the steps up to which spikes that a run recovered from are an event and no way of training."""

GRADIENT_JUMP = 20
"""A gradient norm this many times its median is an event of its own, not batch noise."""

SMALL_NORM = 0.05
"""Median gradient norms under this are those of a run that has nothing more to learn; jumps are then told from this on."""

BORDER, FELL, BACK = 5, 0.1, 0.7
"""Steps at either end of an epoch that are compared; nats that the loss has to fall within one; and the share of that
which is back when the next begins, from which it is no noise of batches."""

MEMORISED_GAP = 0.12
"""Points of accuracy between training and held-out comparisons that no healthy run of a few epochs shows."""

MANY_EPOCHS = 10
"""Passes over the data from which a good validation, which may be a handful of pairs, does not speak against it."""

MEMORISED_RISE = 0.15
"""Nats between their losses."""


def memorised(facts: Facts) -> Finding | None:
    """The model is far better on the comparisons it was trained on than on others."""
    sample, held = sample_of(facts), facts.interval
    if sample is None or held is None or not is_memorised(facts, sample, held):
        return None
    own, loss, accuracy = sample.accuracy_interval or held, facts.loss or 0.0, facts.accuracy or 0.0
    middle = on_validation(facts)
    return Finding(
        "memorised",
        "critical" if held.low <= 0.5 or above_chance(facts) else "warning",
        Said("the model memorised its training pairs", "模型记住了训练数据"),
        Said(
            f"Loss {sample.loss:.4f} on {sample.n:,} training comparisons{middle.en}, {loss:.4f} on held-out ones; accuracy "
            f"{percent(sample.accuracy)} ({span(own.low, own.high)}) against {percent(accuracy)} "
            f"({span(held.low, held.high)}).",
            f"在 {sample.n:,} 个训练比较上损失 {sample.loss:.4f}{middle.zh}，在留出比较上 {loss:.4f}；准确率 "
            f"{percent(sample.accuracy)}（{span(own.low, own.high)}）对 {percent(accuracy)}"
            f"（{span(held.low, held.high)}）。",
        ),
        Said(
            "Too many epochs on too few prompts: what was learned does not carry over.",
            "在太少的提示词上训练了太多轮：学到的东西无法推广。",
        ),
        Said(
            "Train for fewer epochs with early stopping, and on more prompts.",
            "减少训练轮数并使用早停，增加提示词数量。",
        ),
        {"train_loss": sample.loss, "loss": loss, "gap": sample.accuracy - accuracy},
        command=commands.train(facts, "--epochs", fewer_epochs(facts), "--patience", "2"),
    )


def on_validation(facts: Facts) -> Said:
    """The validation loss as the middle of a sentence; "" where there is none."""
    found = validation_of(facts)
    if found is None:
        return Said("", "")
    return Said(f", {found[0]:.4f} on validation", f"，验证集 {found[0]:.4f}")


def above_chance(facts: Facts) -> bool:
    """Whether the held-out loss is above that of a constant reward with its whole interval."""
    return facts.loss_interval is not None and facts.loss_interval.low > CHANCE_LOSS


def carries_over(facts: Facts, loss: float) -> bool:
    """Whether validation is as good as training; after many passes that says nothing."""
    validation = validation_of(facts)
    return validation is not None and validation[0] - loss < MEMORISED_RISE and (facts.epochs or 0) <= MANY_EPOCHS


def is_memorised(facts: Facts, sample: Figures, held: Interval95) -> bool:
    """Whether loss and accuracy on training comparisons are far better, beyond the intervals, than on held-out ones.

    Where validation, which is split off the training data, is as good as training, the test is what differs.
    """
    own = sample.accuracy_interval
    if own is None or sample.loss is None or facts.loss is None or facts.accuracy is None or held.high < 0.5:
        return False
    if carries_over(facts, sample.loss):
        return False
    gap, rise = sample.accuracy - facts.accuracy, facts.loss - sample.loss
    return gap >= MEMORISED_GAP and rise >= MEMORISED_RISE and own.low > held.high


def fewer_epochs(facts: Facts) -> str:
    """A quarter of the epochs, at least one."""
    return str(max(1, round((facts.epochs or 1) / 4)))


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
        command=commands.train(facts, "--epochs", fewer_epochs(facts), "--patience", "2"),
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
        "warning" if fall >= PAYS else "info",
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
            "Train for twice the epochs, with the learning rate decaying over the new length.",
            "将训练轮数加倍，并让学习率按新的长度衰减。",
        ),
        {"last_loss": losses[-1], "fall": fall, "passes": len(losses)},
        command=commands.train(facts, *longer(facts)),
    )


def longer(facts: Facts) -> list[str]:
    """The flags for a run of twice the length."""
    if facts.settings.get("max_steps"):
        return ["--max-steps", str(2 * int(facts.settings["max_steps"]))]
    return ["--epochs", str(round(2 * facts.epochs))] if facts.epochs else []


def unstable(facts: Facts) -> Finding | None:
    """Spikes of the training loss or of the gradient norm; a note where the run recovered from each of them."""
    spikes, (jumps, usual) = loss_spikes(facts.curve), gradient_jumps(facts.curve)
    if not spikes and not jumps:
        return None
    severity: Severity = "critical" if learned_state(facts) == "no" else "warning"
    title, action, command = UNSTABLE, SLOWER, commands.train(facts, *slower(facts), "--warmup", "0.1")
    if recovered(facts, {*spikes, *jumps}):
        severity, title, action, command = "info", RECOVERED, WATCH, ""
    first = min(spikes + jumps)
    return Finding(
        "unstable",
        severity,
        title,
        Said(
            f"Loss spikes: {len(spikes)}, gradient jumps (over {GRADIENT_JUMP} times the median norm {usual:.3g}): "
            f"{len(jumps)}, in {len(facts.curve):,} rows, first at step {first}.",
            f"{len(facts.curve):,} 行中有 {len(spikes)} 次损失尖峰、{len(jumps)} 次梯度突增（超过中位范数 {usual:.3g} 的 "
            f"{GRADIENT_JUMP} 倍），最早在第 {first} 步。",
        ),
        Said(
            "The learning rate is too high for some batches, or individual records are corrupt.",
            "学习率对某些批次过高，或个别记录有问题。",
        ),
        action,
        {"loss_spikes": spikes[:20], "gradient_jumps": jumps[:20]},
        command=command,
    )


UNSTABLE = Said("the training was unstable", "训练不稳定")
RECOVERED = Said("the training spiked and recovered", "训练中出现过尖峰，随后恢复")
SLOWER = Said(
    "Lower the learning rate or lengthen the warmup, keep gradient clipping on, and check the records of that step.",
    "降低学习率或延长预热，保持梯度裁剪，并检查该步所用的记录。",
)
WATCH = Said(
    "Nothing has to be done for this model; with more such spikes, lower the learning rate.",
    "此模型无需处理；若此类尖峰更多，请降低学习率。",
)


def recovered(facts: Facts, events: set[int]) -> bool:
    """Whether a run that learned has few of these steps, and the loss after each is back at, or under, what it was before.

    Compared are the medians of SPIKE_WINDOW rows on either side; where fewer follow, it is not known.
    """
    rows = finite_points((row.step, row.loss) for row in facts.curve)
    places = [place for place, (step, _) in enumerate(rows) if step in events]
    if learned_state(facts) != "yes" or len(events) > RARE * len(rows) or len(places) < len(events):
        return False
    losses = [loss for _, loss in rows]
    return all(fell_back(losses[max(0, k - SPIKE_WINDOW) : k], losses[k + 1 : k + 1 + SPIKE_WINDOW]) for k in places)


def fell_back(before: list[float], after: list[float]) -> bool:
    """Whether SPIKE_WINDOW losses follow, and their median is at most that of those before."""
    return bool(before) and len(after) == SPIKE_WINDOW and median(after) <= median(before)


def gradient_jumps(curve: tuple[CurvePoint, ...]) -> tuple[list[int], float]:
    """(steps whose gradient norm is GRADIENT_JUMP times the median one or more, that median)."""
    norms = finite_points((row.step, row.grad_norm) for row in curve)
    usual = median([norm for _, norm in norms]) if norms else 0.0
    bound = GRADIENT_JUMP * max(usual, SMALL_NORM)
    return [step for step, norm in norms if len(norms) >= SPIKE_WINDOW and norm > bound], usual


def falls_back(facts: Facts) -> Finding | None:
    """The training loss is back at where it began whenever an epoch begins: what was learned is lost in between."""
    parts = losses_by_epoch(facts.curve)
    if len(parts) < 2 or min(map(len, parts)) < 5 * BORDER:
        return None
    fell, back = fall_and_return(parts)
    if fell < FELL or back < BACK:
        return None
    return Finding(
        "weights_reset",
        "critical",
        Said("what was learned is lost at the start of each epoch", "每轮开始时学到的内容都丢失"),
        Said(
            f"The training loss falls by at least {fell:.3f} within an epoch, and {percent(back)} of that is back at "
            f"the start of the next, in each of {len(parts)} epochs.",
            f"训练损失在每轮内至少下降 {fell:.3f}，但在下一轮开始时其中 {percent(back)} 又回升（共 {len(parts)} 轮）。",
        ),
        Said(
            "The weights or the optimizer are initialised again, or an old checkpoint is loaded, between epochs.",
            "在各轮之间重新初始化了权重或优化器，或加载了旧的检查点。",
        ),
        Said("Train again in one process from the start to the end.", "在同一进程中从头到尾重新训练。"),
        {"fell": fell, "back": back, "epochs": len(parts)},
        command=commands.train(facts),
    )


def losses_by_epoch(curve: tuple[CurvePoint, ...]) -> list[list[float]]:
    """The finite losses of each epoch, in order; none of a curve that does not say its epochs."""
    parts: dict[int, list[float]] = {}
    for row in curve:
        if row.epoch is not None and row.loss is not None and math.isfinite(row.loss):
            parts.setdefault(math.ceil(row.epoch), []).append(row.loss)
    return [parts[number] for number in sorted(parts)]


def fall_and_return(parts: list[list[float]]) -> tuple[float, float]:
    """The smallest fall from the first start to the end of an epoch, and the smallest share of one that is back at the next
    start.
    """
    starts, ends = [fmean(part[:BORDER]) for part in parts], [fmean(part[-BORDER:]) for part in parts]
    shares = [(start - end) / max(starts[0] - end, 1e-9) for start, end in zip(starts[1:], ends, strict=False)]
    return starts[0] - max(ends), min(shares)


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


def more_data(facts: Facts) -> Finding | None:
    """What a learning curve tells of more training data; nothing where none was measured."""
    curve = facts.more_data
    if curve is None:
        return None
    if curve.gain is None or curve.interval is None:
        return more_data_unclear(facts, Said("nothing could be extrapolated", "无法外推"))
    low, high = (100 * end for end in (curve.interval.low, curve.interval.high))
    evidence = Said(
        f"From {curve.now:,} to {shown(curve.then)} training records: {100 * curve.gain:+.1f} points of accuracy "
        f"[{low:+.1f}, {high:+.1f}].",
        f"训练记录从 {curve.now:,} 条增至 {shown(curve.then)} 条：准确率 {100 * curve.gain:+.1f} 个百分点 "
        f"[{low:+.1f}, {high:+.1f}]。",
    )
    if curve.status == "cannot_tell":
        return more_data_unclear(facts, evidence)
    numbers = {"gain": curve.gain, "gain_ci": [curve.interval.low, curve.interval.high], "records": curve.then}
    if curve.status == "found":
        return Finding(
            "more_data_helps",
            "info",
            Said("more data of this kind raises the accuracy", "同类数据越多，准确率越高"),
            evidence,
            action=Said(
                f"Collect and label more data of this kind: {shown(curve.then)} records in all.",
                f"收集并标注更多同类数据，共 {shown(curve.then)} 条。",
            ),
            numbers=numbers,
        )
    return Finding(
        "more_data_excluded",
        "info",
        Said(
            f"more data of this kind gives less than {100 * curve.bound:g} points",
            f"同类数据再多，提升也不足 {100 * curve.bound:g} 个百分点",
        ),
        evidence,
        action=Said(
            "Improve the labels or change the model; more data of this kind does not pay.",
            "改进标签或更换模型；增加同类数据得不偿失。",
        ),
        numbers=numbers,
        status="excluded",
    )


def more_data_unclear(facts: Facts, evidence: Said) -> Finding:
    """The curve does not tell."""
    return Finding(
        "more_data_unclear",
        "info",
        Said("whether more data would help", "增加数据是否有用"),
        evidence,
        Said("the measured points leave both open", "现有的测量点无法给出结论"),
        Said("Measure the curve with more seeds.", "用更多种子测量学习曲线。"),
        status="cannot_tell",
        command=commands.learning_curve(facts, "--seeds", 5),
    )
