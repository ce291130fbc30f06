"""Whether the rewards are usable numbers: finite, different for different texts, at a scale that means something."""

import numpy as np

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.signals import bad, learning_rate, stopped_by_nan, usual_rate
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Finding, Said, joined, percent, shown

SAME_REWARD = 1e-6
"""Rewards that spread less than this share of their size are one number: fp32 rounds at 6e-8."""

CONSTANT_TIES = 0.5
"""With half of all comparisons tied the model tells most responses apart by nothing."""

PREDICTED_TIES = 0.01
"""Continuous rewards never tie by chance; one in a hundred is a cut, a rounding or the same text twice."""

COARSE = 0.5
"""Share of different rewards among different texts under which rewards are rounded: by chance fp32 rewards never collide."""

FEWEST = 100
"""Texts under which that share says nothing."""

COLD, HOT = 0.02, 30.0
"""Temperatures outside of which margins are no log odds in any sense: a head scaled by accident, or one that exploded."""

SEPARATED = 0.97
"""From this accuracy on the best temperature goes to 0, whatever the scale."""

LEAST_LARGE = 1.0
"""A standard deviation of rewards under which no temperature makes them too large."""

WIDE = 30.0
"""A standard deviation of rewards above which sigma(margin) is 0 or 1 for most pairs."""

SLOWER = 10
"""How many times lower a learning rate is advised where the loss or the rewards left all bounds: the next worth trying."""

NARROW = 1e-3
"""One under which sigma(margin) is 1/2 for all pairs, in bf16 exactly."""


def not_finite(facts: Facts) -> Finding | None:
    """A loss, gradient or reward that is not a number: nothing after it can be trusted."""
    steps = bad_steps(facts)
    unscored = facts.compared.unscored if facts.compared else 0
    places = []
    if steps:
        places.append(
            Said(
                f"{len(steps)} rows of the training curve, first at step {min(steps)}, last at step {max(steps)} of "
                f"{facts.curve[-1].step if facts.curve else max(steps)}",
                f"训练曲线中有 {len(steps)} 行，最早在第 {min(steps)} 步，最后在第 {max(steps)} 步",
            )
        )
    if unscored:
        places.append(Said(f"{unscored} comparisons without a reward", f"{unscored} 个比较没有奖励值"))
    if not places:
        return None
    if stopped_by_nan(facts):
        places.append(Said("the run stopped there", "训练在此停止"))
    where = joined(places)
    return Finding(
        "not_finite",
        "critical",
        Said("non-finite values (NaN or infinity)", "出现非有限值（NaN 或无穷）"),
        Said(f"{where.en}.", f"{where.zh}。"),
        Said(
            "An optimizer step was too large, half precision overflowed, or a record contains values that do. A run that "
            "continues "
            "afterwards has skipped or damaged those steps.",
            "优化器步长过大、半精度溢出，或某条记录含有异常值。之后继续的训练跳过或损坏了这些步。",
        ),
        Said(
            "Train again with a lower learning rate, warmup and gradient clipping, in fp32.",
            "用更低的学习率、预热和梯度裁剪，以 fp32 重新训练。",
        ),
        {"steps": steps[:20], "unscored": unscored},
        command=commands.train(facts, *slower(facts), "--dtype", "fp32"),
    )


def bad_steps(facts: Facts) -> list[int]:
    """The steps with a loss or a gradient norm that is not finite."""
    steps = [row.step for row in facts.curve if bad(row.loss) or bad(row.grad_norm)]
    return steps + [row.step for row in facts.passes if bad(row.loss)]


def slower(facts: Facts) -> list[str]:
    """The flags for a tenth of the learning rate, or for the usual one where that is lower; none where it is not known."""
    rate, usual = learning_rate(facts), usual_rate(facts)
    return [] if rate is None else ["--lr", f"{min(rate / SLOWER, usual or rate):.2g}"]


def size_of_rewards(facts: Facts) -> float | None:
    """The root mean square of the rewards; None where they are not known."""
    if facts.compared is None or not facts.compared.margin.size:
        return None
    rewards = np.concatenate([facts.compared.preferred_reward, facts.compared.other_reward])
    rewards = rewards[np.isfinite(rewards)]
    return float(np.sqrt(np.mean(rewards**2))) if rewards.size else None


def constant_rewards(facts: Facts) -> Finding | None:
    """The same reward for every response."""
    tied = facts.tie_rate is not None and facts.tie_rate >= CONSTANT_TIES
    size, spread = size_of_rewards(facts), facts.reward_std
    ranks = facts.interval is not None and facts.interval.low > 0.5
    flat = spread is not None and not ranks and spread <= SAME_REWARD * max(size or 1.0, 1e-30)
    if not tied and not flat:
        return None
    ties = "" if facts.tie_rate is None else f"tie rate {percent(facts.tie_rate)}, n = {shown(facts.n)}"
    width = "" if spread is None else f"reward std {spread:.2g}"
    numbers = "; ".join(filter(None, (ties, width)))
    return Finding(
        "constant_rewards",
        "critical",
        Said("the rewards are constant", "奖励是常数"),
        Said(f"Different responses get the same reward: {numbers}.", f"不同回复得到相同的奖励：{numbers}。"),
        Said(
            "The head reads a position that does not depend on the response (token 0 of a causal model, a pad token), the "
            "length limit removed every response, the reward collapsed in training, or low precision rounds it.",
            "奖励头读取的位置与回复无关（因果模型的第 0 个 token 或填充 token）、回复因长度限制全部被截断、"
            "奖励在训练中坍缩，或低精度把它舍入。",
        ),
        Said(
            "Look at one record: which token is pooled, and what was cut.",
            "查看一条记录：池化的是哪个 token，截断了什么。",
        ),
        {"tie_rate": facts.tie_rate, "reward_std": spread},
        command=commands.inspect(facts),
    )


def coarse_rewards(facts: Facts) -> Finding | None:
    """Different texts get equal rewards, because rewards are rounded."""
    compared = facts.compared
    if compared is None or (facts.tie_rate is not None and facts.tie_rate >= CONSTANT_TIES):
        return None
    if compared.texts < FEWEST or compared.rewards / compared.texts >= COARSE:
        return short_rewards(compared.rounded_to, facts)
    return Finding(
        "coarse_rewards",
        "critical" if compared.rewards < compared.texts / 10 else "warning",
        Said("the rewards are coarse: different texts get equal ones", "奖励粒度过粗：不同文本得到相同的奖励"),
        Said(
            f"{compared.texts:,} different texts have {compared.rewards:,} different rewards; predicted ties "
            f"{percent(facts.tie_rate or 0.0)}.",
            f"{compared.texts:,} 条不同文本只有 {compared.rewards:,} 个不同的奖励；预测平局 "
            f"{percent(facts.tie_rate or 0.0)}。",
        ),
        Said(
            "The weights or the rewards were rounded to a low precision (fp16, bf16, int8), or the head saturates.",
            "权重或奖励被舍入到低精度（fp16、bf16、int8），或奖励头饱和。",
        ),
        Said("Keep the head and its output in fp32, and evaluate again.", "让奖励头及其输出保持 fp32，然后重新评估。"),
        {"texts": compared.texts, "rewards": compared.rewards},
        command=commands.evaluate(facts, commands.HELD_OUT, "--dtype", "fp32"),
    )


def short_rewards(precision: str, facts: Facts) -> Finding | None:
    """Rewards that mostly differ, and carry no more digits than a low precision has."""
    if not precision:
        return None
    ties = percent(facts.tie_rate or 0.0)
    return Finding(
        "coarse_rewards",
        "warning",
        Said(f"the rewards were rounded to {precision}", f"奖励被舍入到 {precision}"),
        Said(
            f"Every reward can be written in {precision} without loss, which fp32 rewards cannot by chance; predicted ties "
            f"{ties}.",
            f"每个奖励都能用 {precision} 无损表示，fp32 的奖励不会偶然如此；预测平局 {ties}。",
        ),
        Said(
            "The head or its output was computed or stored in a low precision: responses of nearly the same quality get "
            "equal rewards, or the order of two by rounding.",
            "奖励头或其输出以低精度计算或保存：质量相近的回复会得到相同的奖励，或由舍入决定先后。",
        ),
        Said("Keep the head and its output in fp32, and evaluate again.", "让奖励头及其输出保持 fp32，然后重新评估。"),
        {"precision": precision, "tie_rate": facts.tie_rate},
        command=commands.evaluate(facts, commands.HELD_OUT, "--dtype", "fp32"),
    )


def scale_of(facts: Facts) -> str | None:
    """`large` or `small` where rewards are so far from unit scale that sigma(margin) is no probability; None otherwise."""
    spread = facts.reward_std or 1.0
    if spread > WIDE:
        return "large"
    if facts.interval is None or facts.interval.low <= 0.5:
        return None  # of a model that ranks nothing the scale says nothing
    return "small" if spread < NARROW else scale_by_temperature(facts)


def scale_by_temperature(facts: Facts) -> str | None:
    """The same by the temperature; where nearly all is ranked right, none is small enough."""
    heat = facts.temperature or 1.0
    if heat > HOT and (facts.reward_std or 1.0) >= LEAST_LARGE:
        return "large"  # smaller margins that ask for such a temperature tell nothing on the data it was fitted on
    return "small" if heat < COLD and (facts.accuracy or 0.0) < SEPARATED else None


SCALES = {
    "large": (
        Said("the rewards are far too large", "奖励的尺度过大"),
        Said(
            "The learning rate or the number of steps drove the head apart, or the head was multiplied after training.",
            "学习率过高或步数过多使奖励头发散，或训练后奖励头被放大。",
        ),
        Said(
            "Train again with a lower learning rate and weight decay on the head.",
            "用更低的学习率和奖励头权重衰减重新训练。",
        ),
    ),
    "small": (
        Said("the rewards are far too small", "奖励的尺度过小"),
        Said("The head was scaled down after training, or hardly trained.", "训练后奖励头被缩小，或几乎没有训练。"),
        Said(
            "Check the model folder against the run, then evaluate again.", "将模型目录与训练记录核对，然后重新评估。"
        ),
    ),
}
"""Title, cause and action by scale."""


def reward_scale(facts: Facts) -> Finding | None:
    """Rewards so large or so small that sigma(margin) is no probability."""
    scale = scale_of(facts)
    if scale is None:
        return None
    title, cause, action = SCALES[scale]
    width = "?" if facts.reward_std is None else f"{facts.reward_std:.3g}"
    loss = "?" if facts.loss is None else f"{facts.loss:.4g}"
    large = scale == "large"
    return Finding(
        "reward_scale",
        "critical" if large else "warning",
        title,
        Said(
            f"The standard deviation of the rewards is {width} (about 1 is usual); held-out loss {loss}. The ranking may be "
            "right all the same; loss, temperature and calibration say nothing at this scale.",
            f"奖励的标准差为 {width}（通常约为 1）；留出集损失 {loss}。排序仍可能正确；在这一尺度下，损失、"
            "温度和校准都没有意义。",
        ),
        cause,
        action,
        {"reward_std": facts.reward_std, "temperature": facts.temperature, "loss": facts.loss},
        command=commands.train(facts, *slower(facts)) if large else commands.verify(facts),
    )


def predicted_ties(facts: Facts) -> Finding | None:
    """Pairs whose rewards are exactly equal."""
    if facts.tie_rate is None or not PREDICTED_TIES <= facts.tie_rate < CONSTANT_TIES:
        return None
    return Finding(
        "predicted_ties",
        "warning",
        Said("some responses get exactly equal rewards", "部分回复的奖励完全相同"),
        Said(
            f"Tie rate {percent(facts.tie_rate)} at n = {shown(facts.n)}; each tie counts as one half in the accuracy.",
            f"平局率 {percent(facts.tie_rate)}，n = {shown(facts.n)}；每个平局在准确率中计一半。",
        ),
        Said(
            "The responses are identical, become identical after truncation, or their rewards were rounded.",
            "两条回复相同、截断后相同，或奖励被舍入。",
        ),
        Said(
            "Look at such a pair. Raise --max-length if the difference was truncated.",
            "查看这样的偏好对；如果差异被截断，增大 --max-length。",
        ),
        {"tie_rate": facts.tie_rate, "n": facts.n},
        command=commands.inspect(facts),
    )
