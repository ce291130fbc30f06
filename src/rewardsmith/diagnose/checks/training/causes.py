"""Why nothing, or little, was learned: settings and measurements that tell one cause from another.

Each check speaks only where the run is weak (see `weak`), so that no setting is blamed in a run that went well.
"""

import math
from statistics import fmean, variance

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.signals import (
    finite_losses,
    head_loss,
    learned_state,
    learning_rate,
    sample_of,
    steps_of,
    stopped_by_divergence,
    tail_loss,
    usual_rate,
)
from rewardsmith.diagnose.checks.slices import fails_in_part
from rewardsmith.diagnose.checks.training.fitted_head import fitted_or, more_epochs
from rewardsmith.diagnose.facts import CHANCE_LOSS, Facts
from rewardsmith.diagnose.finding import Finding, Said, Severity, percent, signed_span
from rewardsmith.diagnose.measured import HundredPairs

LOW, HIGH = 1 / 12, 8.0
"""Learning rates outside of these multiples of the usual one are suspects, where the curve agrees."""

MOVED = 0.02
"""Nats by which the training loss has to fall from the first to the last fifth to say that training moved anything."""

FEW_STEPS = 100
"""Under this many optimizer steps a model that starts with a random head has hardly begun."""

A_HANDFUL = 10
"""Steps under which a head that began at random is not trained, even where its first direction ranks well."""

HARDLY_ANY, FALLING = 30, 0.01
"""From so many steps on, too few of them are only blamed where the training loss still fell at the end, by so many nats from
the last but one fifth of the steps to the last."""

HEAD_LEAD = 0.05
"""Points by which a fitted linear head has to lead, beyond its interval, before the trained head is blamed."""

CAN_FIT = 0.75
"""Accuracy on 100 pairs that were trained on for up to 400 steps, under which the model cannot learn them."""

CHECK_FILES = Said(
    "This run began with a fitted head: check whether its files are still those that training saved.",
    "该训练从拟合的奖励头开始：检查其文件是否仍是训练时保存的那些。",
)
LET_LEARN = Said("Let all layers learn.", "让所有层都参与训练。")


def weak(facts: Facts) -> bool:
    """Whether the run shows that little was learned: not beyond chance, or its training comparisons hardly told apart."""
    sample, state = sample_of(facts), learned_state(facts)
    if state == "no" or (state == "unknown" and facts.accuracy is not None and sample is None):
        return True
    if sample is not None and sample.loss is not None:
        return sample.loss > CHANCE_LOSS - 3 * MOVED
    tail = tail_loss(facts.curve)
    return tail is not None and tail > CHANCE_LOSS - MOVED


def severity(facts: Facts) -> Severity:
    """Critical where nothing was learned, or where the loss ended the run."""
    return "critical" if learned_state(facts) == "no" or stopped_by_divergence(facts) else "warning"


def moved(facts: Facts) -> float | None:
    """How far the training loss fell from the first to the last fifth of the steps, in nats."""
    first, last = head_loss(facts.curve), tail_loss(facts.curve)
    return None if first is None or last is None else first - last


def rates(facts: Facts) -> tuple[float, float] | None:
    """(the learning rate, the usual one); None where one is not known, or no step was taken with it."""
    rate, usual = learning_rate(facts), usual_rate(facts)
    return None if rate is None or usual is None or not steps_of(facts) else (rate, usual)


def learning_rate_low(facts: Facts) -> Finding | None:
    """A learning rate far below the usual one, and a training loss that hardly moved."""
    found, fell = rates(facts), moved(facts)
    if found is None or not weak(facts) or found[0] > LOW * found[1]:
        return None
    if fell is not None and fell > 5 * MOVED:
        return None
    rate, usual = found
    change = "?" if fell is None else f"{fell:+.4f}"
    return Finding(
        "learning_rate_low",
        severity(facts),
        Said(f"the learning rate {rate:g} is too low", f"学习率 {rate:g} 过低"),
        Said(
            f"The usual rate for this kind of training is {usual:g}; the training loss fell by {change} nats from the first "
            f"to the last fifth of {steps_of(facts)} steps.",
            f"这类训练通常的学习率为 {usual:g}；在 {steps_of(facts)} 步中，训练损失从最初五分之一到最后五分之一下降了 "
            f"{change} nat。",
        ),
        Said("The weights hardly moved.", "权重几乎没有变化。"),
        Said(f"Train again with the usual rate {usual:g}.", f"用通常的学习率 {usual:g} 重新训练。"),
        {"lr": rate, "usual": usual, "fell": fell},
        command=commands.train(facts, "--lr", f"{usual:g}"),
    )


def learning_rate_high(facts: Facts) -> Finding | None:
    """A learning rate far above the usual one, and a training loss that jumped or stayed high."""
    found = rates(facts)
    if found is None or found[0] < HIGH * found[1]:
        return None
    losses = finite_losses(facts.curve)
    jumped = bool(losses) and max(losses) > 2 * CHANCE_LOSS
    if not weak(facts) and not jumped and (facts.reward_std or 0.0) < 10:
        return None
    rate, usual = found
    peak = max(losses, default=float("nan"))
    tail = tail_loss(facts.curve)
    end = "?" if tail is None else f"{tail:.3f}"
    return Finding(
        "learning_rate_high",
        severity(facts),
        Said(f"the learning rate {rate:g} is too high", f"学习率 {rate:g} 过高"),
        Said(
            f"The usual rate for this kind of training is {usual:g}; the training loss reached {peak:.3g} and ended at "
            f"{end} "
            f"(chance level {CHANCE_LOSS:.3f}).",
            f"这类训练通常的学习率为 {usual:g}；训练损失最高达到 {peak:.3g}，最后为 {end}（随机水平 {CHANCE_LOSS:.3f}）。",
        ),
        Said(
            "Steps this large jump over what could be learned, or drive the rewards apart.",
            "这样大的步长会越过可学习的区域，或使奖励发散。",
        ),
        Said(f"Train again with the usual rate {usual:g}.", f"用通常的学习率 {usual:g} 重新训练。"),
        {"lr": rate, "usual": usual, "peak": peak, "tail": tail},
        command=commands.train(facts, "--lr", f"{usual:g}"),
    )


def still_falling(facts: Facts) -> bool:
    """Whether the training loss fell from the last but one fifth of the steps to the last, beyond the noise of batches."""
    losses = finite_losses(facts.curve)
    fifth = len(losses) // 5
    if fifth < 2:
        return False
    before, last = losses[-2 * fifth : -fifth], losses[-fifth:]
    noise = math.sqrt((variance(before) + variance(last)) / fifth)
    return fmean(before) - fmean(last) >= max(FALLING, 2 * noise)


def are_few(facts: Facts, steps: int) -> bool:
    """Whether so few steps explain a weak run; a handful is too few for any head that began at random."""
    if steps < A_HANDFUL and facts.settings.get("head_start") != "probe":
        return True
    return steps < FEW_STEPS and weak(facts) and (steps < HARDLY_ANY or still_falling(facts))


def too_few_steps(facts: Facts) -> Finding | None:
    """So few optimizer steps that nothing can be expected, at a usual learning rate, in a run that came to its end."""
    steps, found = steps_of(facts), rates(facts)
    if facts.died or found is None or not LOW < found[0] / found[1] < HIGH or not are_few(facts, steps):
        return None
    epochs = facts.settings.get("epochs")
    times = int(epochs) * max(2, -(-3 * FEW_STEPS // steps)) if isinstance(epochs, int) else 0
    flags = ["--epochs", str(times)] if times else []
    if facts.settings.get("max_steps"):
        flags = ["--max-steps", str(3 * FEW_STEPS)]
    return Finding(
        "too_few_steps",
        "warning" if fails_in_part(facts) else severity(facts),
        Said(f"{steps} optimizer steps are too few", f"只有 {steps} 个优化步，太少"),
        Said(
            f"{steps} steps of {facts.training.get('batch', '?')} records; a new head needs some hundred steps.",
            f"共 {steps} 步，每步 {facts.training.get('batch', '?')} 条记录；新的奖励头需要几百步。",
        ),
        Said(
            "The data is small for this batch size, or --max-steps or --epochs ended the run early.",
            "相对于批大小数据太少，或 --max-steps、--epochs 过早结束了训练。",
        ),
        Said("Train for more steps.", "训练更多步。"),
        {"steps": steps},
        command=commands.train(facts, *flags),
    )


def head_not_trained(facts: Facts) -> Finding | None:
    """A linear head on the model's own features does clearly better than the head it has."""
    head = facts.measured.head
    if head is None or head.difference_interval is None:
        return None
    if head.difference < HEAD_LEAD or head.difference_interval.low <= 0:
        return None
    spread = head.difference_interval
    action, command = better_head(facts)
    return Finding(
        "head_not_trained",
        "critical" if learned_state(facts) != "yes" else "warning",
        Said("the reward head is worse than its features allow", "奖励头没有用好模型的特征"),
        Said(
            f"A linear head fitted on the model's features of {head.pairs:,} training comparisons reaches "
            f"{percent(head.fitted.accuracy)} on {head.fitted.n:,} held-out comparisons, the model's own "
            f"{percent(head.own.accuracy)}; difference {100 * head.difference:+.1f} "
            f"[{signed_span(spread.low, spread.high)}] points.",
            f"在 {head.pairs:,} 个训练比较的特征上拟合的线性奖励头，在 {head.fitted.n:,} 个留出比较上达到 "
            f"{percent(head.fitted.accuracy)}，模型自己的奖励头为 {percent(head.own.accuracy)}；相差 "
            f"{100 * head.difference:+.1f} [{signed_span(spread.low, spread.high)}] 个百分点。",
        ),
        Said(
            "The head was not trained, not saved and newly initialised, or trained with too low a learning rate.",
            "奖励头没有训练、没有保存而被重新初始化，或学习率过低。",
        ),
        action,
        {"fitted": head.fitted.accuracy, "own": head.own.accuracy, "difference": head.difference},
        command=command,
    )


def better_head(facts: Facts) -> tuple[Said, str]:
    """How to get the head that the features allow, and its command: a head that was fitted is no longer the one saved."""
    if facts.settings.get("head_start") == "probe":
        return CHECK_FILES, commands.verify(facts)
    return fitted_or(
        facts,
        Said("Start from a fitted head.", "从拟合的奖励头开始训练。"),
        Said("Train the head for more epochs.", "让奖励头训练更多轮。"),
        *more_epochs(facts),
    )


def cannot_fit(facts: Facts) -> Finding | None:
    """What can be trained of a fresh model does not learn a hundred training pairs, and the run shows nothing else."""
    hundred = facts.measured.hundred
    if hundred is None or hundred.accuracy >= CAN_FIT or learned_state(facts) == "yes":
        return None
    frozen = hundred.exact or bool(facts.settings.get("freeze_layers"))
    title, evidence = unfit_head(hundred) if hundred.exact else unfit_model(hundred)
    return Finding(
        "cannot_fit",
        "critical",
        title,
        evidence,
        Said(
            "What is scored does not contain what the labels are about: responses are truncated, the pooled token does "
            "not see "
            "them, equal pairs have opposite labels, or all weights that matter are frozen.",
            "被评分的内容不包含标签所依据的信息：回复被截断、池化的 token 看不到它们、相同的偏好对标签相反，"
            "或重要的权重都被冻结。",
        ),
        LET_LEARN if frozen else Said("Look at what is scored of one record.", "查看一条记录中被评分的内容。"),
        {"accuracy": hundred.accuracy, "loss": hundred.loss, "pairs": hundred.pairs},
        command=commands.train(facts, "--freeze-layers", "0") if frozen else commands.inspect(facts),
    )


def unfit_model(hundred: HundredPairs) -> tuple[Said, Said]:
    """Title and evidence of a model that was trained on the pairs."""
    return (
        Said("the model cannot learn even 100 pairs", "模型连 100 个偏好对都学不会"),
        Said(
            f"Trained on {hundred.pairs} pairs for {hundred.steps} steps at learning rate {hundred.lr:g}, it ranks "
            f"{percent(hundred.accuracy)} of these same pairs right (loss {hundred.loss:.3f}).",
            f"在 {hundred.pairs} 个偏好对上以学习率 {hundred.lr:g} 训练 {hundred.steps} 步后，它在这些偏好对上的正确率为 "
            f"{percent(hundred.accuracy)}（损失 {hundred.loss:.3f}）。",
        ),
    )


def unfit_head(hundred: HundredPairs) -> tuple[Said, Said]:
    """Title and evidence of a head that was fitted to the pairs, on layers that stay as they are."""
    return (
        Said(
            "no head on these frozen layers can rank even 100 pairs",
            "在这些冻结的层上，任何奖励头都排不好 100 个偏好对",
        ),
        Said(
            f"The best linear head for {hundred.pairs} training pairs, fitted to these very pairs, ranks "
            f"{percent(hundred.accuracy)} of them right (loss {hundred.loss:.3f}).",
            f"对 {hundred.pairs} 个训练偏好对直接拟合的最佳线性奖励头，在这些偏好对上的正确率为 "
            f"{percent(hundred.accuracy)}（损失 {hundred.loss:.3f}）。",
        ),
    )


def usual_settings(facts: Facts) -> bool:
    """Whether learning rate and number of steps are no suspects."""
    found = rates(facts)
    return found is not None and LOW < found[0] / found[1] < HIGH and steps_of(facts) >= HARDLY_ANY


def learns_pairs(facts: Facts) -> bool:
    """Whether training pairs can be learned. What a head alone can fit says nothing: it would fit any labels."""
    hundred, sample = facts.measured.hundred, sample_of(facts)
    if hundred is not None:
        return not hundred.exact and hundred.accuracy >= CAN_FIT
    return sample is not None and sample.accuracy >= USED_ALL


def labels_look_random(facts: Facts) -> Finding | None:
    """The model can learn pairs, steps and rate are usual, and still nothing carries over: the labels follow nothing."""
    hundred, sample = facts.measured.hundred, sample_of(facts)
    if learned_state(facts) != "no" or not usual_settings(facts) or not learns_pairs(facts):
        return None
    told = "" if hundred is None else f"; {percent(hundred.accuracy)} of 100 pairs that it is trained on alone"
    told_zh = "" if hundred is None else f"；单独在 100 个偏好对上训练时为 {percent(hundred.accuracy)}"
    own = "?" if sample is None else percent(sample.accuracy)
    return Finding(
        "labels_look_random",
        "critical",
        Said("the labels look random: nothing learned carries over", "标签看起来是随机的：学到的东西无法推广到新数据"),
        Said(
            f"The model ranks {own} of its training comparisons right{told}, and held-out ones at chance; learning "
            "rate and number of steps are usual.",
            f"模型在训练比较上的正确率为 {own}{told_zh}，在留出比较上处于随机水平；学习率和步数正常。",
        ),
        Said(
            "A large share of the training labels is wrong or was shuffled, the labels follow something that the texts "
            "do not "
            "show, or there are far too few prompts.",
            "大部分训练标签错误或被打乱，标签依据的内容不在文本中，或提示词太少。",
        ),
        Said(
            "Measure how many labels are wrong, and read some of the pairs.",
            "测量有多少标签是错误的，并阅读部分偏好对。",
        ),
        {"sample_accuracy": sample.accuracy if sample else None},
        command=commands.prepare(facts, "--label-noise", "report"),
    )


def labels_look_noisy(facts: Facts) -> Finding | None:
    """The model can learn 100 pairs, settings are usual, the loss has settled, and most training comparisons stay untold."""
    hundred, sample = facts.measured.hundred, sample_of(facts)
    if hundred is None or sample is None or not learns_pairs(facts) or sample.accuracy >= NOISY:
        return None
    if learned_state(facts) in ("no", "reverse") or not usual_settings(facts) or still_falling(facts):
        return None
    most = percent(1 - sample.accuracy)
    return Finding(
        "label_noise",
        "warning",
        Said("many training labels may be wrong", "许多训练标签可能是错误的"),
        Said(
            f"The model learns 100 pairs alone to {percent(hundred.accuracy)}, but of its training comparisons it "
            "ranks only "
            f"{percent(sample.accuracy)} right after {steps_of(facts)} steps, and the training loss no longer falls. Wrong "
            f"labels, at most about {most} of them, would do that.",
            f"模型单独学习 100 个偏好对时能达到 {percent(hundred.accuracy)}，但在 {steps_of(facts)} 步之后，"
            "训练比较的正确率只有 "
            f"{percent(sample.accuracy)}，且训练损失不再下降。错误标签（最多约 {most}）会造成这种情况。",
        ),
        Said(
            "Labels are wrong or were made from ties at random; or the model is too small to see what they are about.",
            "标签错误或由平局随机产生；或模型太小，无法看出标签的依据。",
        ),
        Said("Measure how many labels are wrong.", "测量有多少标签是错误的。"),
        {"sample_accuracy": sample.accuracy, "hundred": hundred.accuracy},
        "cannot_tell",
        commands.prepare(facts, "--label-noise", "report"),
    )


NOISY = 0.7
"""Accuracy on training comparisons under which a third of the labels is not told apart."""

USED_ALL = 0.65
"""Accuracy on training comparisons from which the model did learn them."""
