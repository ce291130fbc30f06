"""Whether the model learned anything: loss and accuracy against chance level, constant rewards, the mean training loss."""

import math

from rewardsmith.diagnose.facts import CHANCE_LOSS, CurvePoint, Facts
from rewardsmith.diagnose.finding import Finding, Said, percent, shown, span

AT_CHANCE = 0.005
"""A loss this close to ln 2 is chance: a calibrated model with 55 % accuracy already reaches 0.688 = ln 2 - 0.005."""

SAME_REWARD_STD = 1e-4
"""Rewards that spread less than this are one number: fp16 and bf16 already round more than that."""

FEWEST = 6
"""Under six independent comparisons all correct occurs by chance in 6 % of cases, two-sided (2 / 2 ** 5)."""

CONSTANT_TIES = 0.5
"""With half of all comparisons tied the model tells most responses apart by nothing."""


def constant_rewards(facts: Facts) -> Finding | None:
    """The same reward for every response."""
    tied = facts.tie_rate is not None and facts.tie_rate >= CONSTANT_TIES
    flat = facts.reward_std is not None and facts.reward_std < SAME_REWARD_STD
    if not tied and not flat:
        return None
    ties = "" if facts.tie_rate is None else f"tie rate {percent(facts.tie_rate)}, n = {shown(facts.n)}"
    spread = "" if facts.reward_std is None else f"reward std {facts.reward_std:.2g}"
    numbers = "; ".join(filter(None, (ties, spread)))
    return Finding(
        "constant_rewards",
        "critical",
        Said("the rewards are constant", "奖励是常数"),
        Said(f"Different responses get the same reward: {numbers}.", f"不同回复得到相同的奖励：{numbers}。"),
        Said(
            "The head reads a position that does not depend on the response (token 0 of a causal model, a pad token), "
            "or the length limit removed every response.",
            "奖励头读取的位置与回复无关（因果模型的第 0 个 token 或填充 token），或回复因长度限制全部被截断。",
        ),
        Said(
            "Run `rewardsmith inspect` on one record and check which token is pooled and what was truncated.",
            "对一条记录运行 `rewardsmith inspect`，检查池化的 token 以及被截断的内容。",
        ),
        {"tie_rate": facts.tie_rate, "reward_std": facts.reward_std},
    )


def learned(facts: Facts) -> Finding | None:
    """Whether accuracy and loss differ from chance level (0.5 and ln 2) at this n."""
    if facts.accuracy is None and facts.loss is None and facts.train_loss is None:
        return None
    interval = facts.interval
    if interval is None or 0.5 in interval:  # without n the loss speaks alone
        return nothing_learned(facts) if loss_at_chance(facts) else learning_unclear(facts)
    if too_few(facts):
        return learning_unclear(facts)
    return learned_something(facts) if interval.low > 0.5 else learned_the_reverse(facts)


def too_few(facts: Facts) -> bool:
    """Whether so few comparisons, or prompts, may all be right (or wrong) by chance."""
    return any(count is not None and count < FEWEST for count in (facts.n, facts.clusters))


def loss_at_chance(facts: Facts) -> bool:
    """Whether the loss (held-out, else training) is ln 2 or worse, or its interval holds ln 2."""
    if facts.loss_interval is not None:
        return facts.loss_interval.high >= CHANCE_LOSS
    if facts.loss is not None:
        return facts.loss > CHANCE_LOSS - AT_CHANCE
    # A mean over a whole run says nothing against a held-out accuracy whose n is not known.
    usable = facts.train_loss is not None and (facts.accuracy is None or facts.interval is not None)
    return usable and abs((facts.train_loss or 0.0) - CHANCE_LOSS) <= AT_CHANCE


def measured(facts: Facts) -> Said:
    """Loss and accuracy with n and interval, as one clause."""
    en, zh = [], []
    if facts.loss is not None:
        spread = facts.loss_interval
        tail = f" ({spread.low:.4f}–{spread.high:.4f})" if spread else ""
        en.append(f"held-out loss {facts.loss:.4f}{tail} (chance level: ln 2 = {CHANCE_LOSS:.4f})")
        zh.append(f"留出集损失 {facts.loss:.4f}{tail}（随机水平：ln 2 = {CHANCE_LOSS:.4f}）")
    elif facts.train_loss is not None:
        en.append(f"training loss {facts.train_loss:.4f} (chance level: ln 2 = {CHANCE_LOSS:.4f})")
        zh.append(f"训练损失 {facts.train_loss:.4f}（随机水平：ln 2 = {CHANCE_LOSS:.4f}）")
    if facts.accuracy is not None:
        interval = facts.interval
        tail_en = (
            f", 95 % interval {span(interval.low, interval.high)}"
            if interval
            else (", no interval because n is unknown")
        )
        tail_zh = f"，95 % 区间 {span(interval.low, interval.high)}" if interval else "，n 未知，因此没有区间"
        en.append(f"accuracy {percent(facts.accuracy)} at n = {shown(facts.n)}{tail_en}")
        zh.append(f"准确率 {percent(facts.accuracy)}，n = {shown(facts.n)}{tail_zh}")
    clause = "; ".join(en)
    return Said(clause[:1].upper() + clause[1:], "；".join(zh))


def figures(facts: Facts) -> dict[str, float | None]:
    """The figures behind the sentences about learning."""
    interval = facts.interval
    return {
        "accuracy": facts.accuracy,
        "n": facts.n,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "loss": facts.loss,
        "train_loss": facts.train_loss,
        "loss_at_chance": CHANCE_LOSS,
    }


def nothing_learned(facts: Facts) -> Finding:
    """Loss at ln 2 and an accuracy that may be chance."""
    said, interval = measured(facts), facts.interval
    tail = f" ({span(interval.low, interval.high)})" if interval else ""
    return Finding(
        "nothing_learned",
        "critical",
        Said(
            f"the loss is at ln 2 and the accuracy is consistent with chance{tail}",
            f"损失处于 ln 2，准确率与随机水平没有显著差异{tail}",
        ),
        Said(f"{said.en}.", f"{said.zh}。"),
        Said(
            "Too few steps or pairs, a learning rate that is too low, rewards that do not depend on the response, or "
            "random labels.",
            "步数或偏好对太少、学习率过低、奖励与回复无关，或标签是随机的。",
        ),
        Said(
            "First check that the model can overfit 100 training pairs (loss near 0). If it cannot, raise the "
            "learning rate and check the pooled token with `rewardsmith inspect`. Then train on more pairs and "
            "evaluate on at least 400.",
            "先确认模型能过拟合 100 个训练偏好对（损失接近 0）；若不能，提高学习率并用 `rewardsmith inspect` "
            "检查池化的 token；然后用更多偏好对训练，并在至少 400 个偏好对上评估。",
        ),
        figures(facts),
    )


def learned_the_reverse(facts: Facts) -> Finding:
    """An accuracy below one half beyond chance."""
    said = measured(facts)
    return Finding(
        "reversed",
        "critical",
        Said("the model prefers the rejected responses", "模型偏好被拒绝的回复"),
        Said(f"{said.en}. The whole interval is below 50 %.", f"{said.zh}：整个区间低于 50 %。"),
        Said(
            "Chosen and rejected are swapped in one of the two data sets, the sign of the reward is flipped, or the "
            "model learned a shortcut that predicts the opposite on this data.",
            "其中一个数据集的 chosen 与 rejected 对调了，奖励的符号反了，或模型学到的捷径在这份数据上方向相反。",
        ),
        Said(
            "Read ten of the worst errors below. If their labels are right, find where the columns are swapped.",
            "阅读下面最严重的十个错误：如果标签正确，找出列在哪里被对调。",
        ),
        figures(facts),
    )


def learned_something(facts: Facts) -> Finding:
    """An accuracy above one half beyond chance."""
    said = measured(facts)
    return Finding(
        "learned",
        "good",
        Said("the model learned something", "模型学到了东西"),
        Said(f"{said.en}. The interval is above 50 %.", f"{said.zh}：区间高于 50 %。"),
        numbers=figures(facts),
    )


def learning_unclear(facts: Facts) -> Finding:
    """The numbers point somewhere, but n is missing or too small."""
    said = measured(facts)
    return Finding(
        "learning_unclear",
        "warning",
        Said("it is unclear whether the model learned anything", "尚不清楚模型是否学到东西"),
        Said(f"{said.en}.", f"{said.zh}。"),
        Said(
            "This accuracy is consistent with chance, or n is unknown.",
            "该准确率与随机水平没有显著差异，或 n 未知。",
        ),
        Said(
            "Evaluate on more held-out comparisons with `rewardsmith evaluate`.",
            "用 `rewardsmith evaluate` 在更多留出比较上评估。",
        ),
        figures(facts),
    )


def train_loss_above_chance(facts: Facts) -> Finding | None:
    """A mean training loss above ln 2 is worse than giving every response the same reward."""
    loss = facts.train_loss
    if loss is None or loss <= CHANCE_LOSS + AT_CHANCE:
        return None
    tail = tail_loss(facts.curve)
    end_en = f"; {tail:.4f} over the last fifth of the steps" if tail is not None else "; no loss curve was recorded"
    end_zh = f"；最后五分之一的步数上为 {tail:.4f}" if tail is not None else "；没有记录损失曲线"
    return Finding(
        "train_loss_above_chance",
        "warning",
        Said(
            f"training loss {loss:.4f} is above chance level (ln 2 = {CHANCE_LOSS:.4f})",
            f"训练损失 {loss:.4f} 高于随机水平（ln 2 = {CHANCE_LOSS:.4f}）",
        ),
        Said(
            f"Mean training loss {loss:.4f}, which is {loss - CHANCE_LOSS:.4f} above that of a constant "
            f"reward{end_en}.",
            f"平均训练损失 {loss:.4f}，比常数奖励的损失高 {loss - CHANCE_LOSS:.4f}{end_zh}。",
        ),
        Said(
            "This is the mean over the run: the head was initialised with too large a scale (large random rewards), "
            "or the first steps were too large. Dropout alone does not cause this.",
            "这是整个训练的平均值：奖励头的初始化尺度过大（随机奖励很大），或最初几步的步长过大。仅有 dropout "
            "不会造成这种情况。",
        ),
        Said(
            "Check the first steps of the loss curve. Initialise the head near zero, and use a learning-rate warmup "
            "or a lower learning rate.",
            "查看损失曲线的开头；将奖励头初始化到接近零，并使用学习率预热或降低学习率。",
        ),
        {"train_loss": loss, "tail_loss": tail, "loss_at_chance": CHANCE_LOSS},
    )


def tail_loss(curve: tuple[CurvePoint, ...]) -> float | None:
    """Mean training loss of the last fifth of the rows; None under 10 finite rows."""
    losses = finite_losses(curve)
    if len(losses) < 10:
        return None
    tail = losses[-max(1, len(losses) // 5) :]
    return sum(tail) / len(tail)


def finite_losses(curve: tuple[CurvePoint, ...]) -> list[float]:
    """The losses of a curve that are finite numbers, in order."""
    return [row.loss for row in curve if row.loss is not None and math.isfinite(row.loss)]
