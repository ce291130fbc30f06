"""Whether the model learned anything: accuracy and loss against chance level (1/2 and ln 2), with what n allows to say."""

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.signals import AT_CHANCE, learned_state, loss_at_temperature, tail_loss
from rewardsmith.diagnose.checks.slices import failing_and_right
from rewardsmith.diagnose.checks.training.fitted_head import fitted_or
from rewardsmith.diagnose.facts import CHANCE_LOSS, Facts
from rewardsmith.diagnose.finding import Finding, Said, percent, shown, span

LABELS_NEXT = Said(
    "Look at a training record: whether the scored text contains what the label is about.",
    "查看一条训练记录：标签所依据的内容是否出现在被评分的文本中。",
)

MEASURE_NEXT = Said(
    "Let `diagnose` measure which of these it is: it trains a fresh model on 100 pairs and fits a linear head.",
    "让 `diagnose` 测量是哪一种原因：它会用 100 个偏好对训练一个新模型，并拟合一个线性奖励头。",
)
LAYERS_NEXT = Said(
    "Only the head was trained: let the layers below it learn too, or start from a stronger backbone.",
    "只训练了奖励头：让下面的层也参与训练，或从更强的骨干模型开始。",
)


def learned(facts: Facts) -> Finding | None:
    """Whether accuracy and loss differ from chance level at this n: learned, reversed, nothing, or cannot tell."""
    if facts.accuracy is None and facts.loss is None and facts.train_loss is None:
        return None
    answers = {"yes": learned_something, "no": nothing_learned, "unknown": learning_unclear}
    state = learned_state(facts)
    return None if state == "reverse" else answers[state](facts)


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
    sample = facts.measured.beside.sample if facts.measured.beside else None
    if sample is not None and sample.loss is not None:
        en.append(f"on {sample.n} training comparisons loss {sample.loss:.4f} and accuracy {percent(sample.accuracy)}")
        zh.append(f"在 {sample.n} 个训练比较上损失 {sample.loss:.4f}，准确率 {percent(sample.accuracy)}")
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
    """An accuracy that may be chance, and evidence that no useful one is hidden behind it."""
    said, interval = measured(facts), facts.interval
    tail = f" ({span(interval.low, interval.high)})" if interval else ""
    near = facts.loss is None or abs(facts.loss - CHANCE_LOSS) <= 0.01
    action, command = after_nothing(facts)
    title = (
        Said(
            f"the loss is at ln 2 and the accuracy is consistent with chance{tail}",
            f"损失处于 ln 2，准确率与随机水平没有显著差异{tail}",
        )
        if near
        else Said(
            f"the accuracy is consistent with chance{tail}, and a useful one is excluded",
            f"准确率与随机水平没有显著差异{tail}，可排除有用的准确率",
        )
    )
    return Finding(
        "nothing_learned",
        "critical",
        title,
        Said(f"{said.en}.", f"{said.zh}。"),
        Said(
            "Too few steps or pairs, a learning rate that does not fit, rewards that do not depend on the response, or "
            "labels "
            "that follow nothing in the texts.",
            "步数或偏好对太少、学习率不合适、奖励与回复无关，或标签与文本内容无关。",
        ),
        action,
        figures(facts),
        command=command,
    )


def after_nothing(facts: Facts) -> tuple[Said, str]:
    """What to do where nothing was learned, and the command."""
    if not facts.measured.done:
        return MEASURE_NEXT, commands.diagnose(facts)
    if facts.settings.get("freeze_layers") == -1:
        return LAYERS_NEXT, commands.train(facts, "--freeze-layers", "0")
    return LABELS_NEXT, commands.inspect(facts)


def reversed_labels(facts: Facts) -> Finding | None:
    """An accuracy below one half beyond chance."""
    if (facts.accuracy is None and facts.loss is None) or learned_state(facts) != "reverse":
        return None
    if all(failing_and_right(facts)):
        return None  # some categories are right: those that are not are the finding
    said = measured(facts)
    sample = facts.measured.beside.sample if facts.measured.beside else None
    own = sample is not None and sample.accuracy_interval is not None and sample.accuracy_interval.low > 0.5
    return Finding(
        "reversed",
        "critical",
        Said("the model prefers the rejected responses", "模型偏好被拒绝的回复"),
        Said(f"{said.en}. The whole interval is below 50 %.", f"{said.zh}：整个区间低于 50 %。"),
        Said(
            "It agrees with its training labels, so the labels of the two data sets contradict each other: chosen and "
            "rejected "
            "are swapped in one of them."
            if own
            else "Chosen and rejected are swapped in one of the two data sets, the sign of the reward is flipped, or the "
            "model learned a shortcut that predicts the opposite on this data.",
            "模型与训练标签一致，因此两个数据集的标签互相矛盾：其中一个的 chosen 与 rejected 对调了。"
            if own
            else "其中一个数据集的 chosen 与 rejected 对调了，奖励的符号反了，或模型学到的捷径在这份数据上方向相反。",
        ),
        Said(
            "Read ten of the worst errors below. If their labels are right, the training labels are swapped; if not, "
            "those of "
            "the test data are.",
            "阅读下面最严重的十个错误：如果标签正确，则是训练标签被对调；否则是测试数据的标签被对调。",
        ),
        figures(facts),
        command=commands.inspect(facts),
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
            "This accuracy is consistent with chance and with a useful model, or n is unknown.",
            "该准确率既可能是随机水平，也可能是有用的模型，或 n 未知。",
        ),
        Said("Evaluate on more held-out comparisons.", "在更多留出比较上评估。"),
        figures(facts),
        "cannot_tell",
        commands.evaluate(facts),
    )


def worse_than_constant(facts: Facts) -> Finding | None:
    """A held-out loss above ln 2 beyond its interval: probabilities from these margins are worse than 1/2 for everything."""
    spread = facts.loss_interval
    if facts.loss is None or facts.loss <= CHANCE_LOSS + AT_CHANCE:
        return None
    if spread is not None and spread.low <= CHANCE_LOSS:
        return None
    if spread is None and not facts.n:
        return None
    cooled = loss_at_temperature(facts)
    cause, action, command = SCALE_ALONE if only_scale(facts, cooled) else TOO_LONG
    return Finding(
        "worse_than_constant",
        "critical" if facts.loss > 2 * CHANCE_LOSS or learned_state(facts) != "yes" else "warning",
        Said(
            f"the held-out loss {facts.loss:.3g} is worse than that of a constant reward (ln 2 = {CHANCE_LOSS:.3f})",
            f"留出集损失 {facts.loss:.3g} 比常数奖励（ln 2 = {CHANCE_LOSS:.3f}）更差",
        ),
        Said(f"{measured(facts).en}.", f"{measured(facts).zh}。"),
        cause,
        action,
        {**figures(facts), "loss_at_temperature": cooled},
        command=command(facts),
    )


def only_scale(facts: Facts, cooled: float | None) -> bool:
    """Whether the margins, divided by the temperature, are better than a constant."""
    return learned_state(facts) == "yes" and cooled is not None and cooled < CHANCE_LOSS - AT_CHANCE


def stop_early(facts: Facts) -> str:
    """The run with fewer epochs."""
    return commands.train(facts, "--epochs", "1", "--patience", "2")


def fit_temperature(facts: Facts) -> str:
    """A temperature from held-out data, stored in the model."""
    return commands.calibrate(facts, "VALIDATION_DATA")


TOO_LONG = (
    Said(
        "The margins are large where they are wrong: the model memorised its training pairs, was trained with too high a "
        "learning rate or too long, or judges data unlike that of its training.",
        "奖励差在出错处很大：模型记住了训练数据、学习率过高或训练过久，或被评估的数据与训练数据不同。",
    ),
    Said(
        "Train for fewer epochs, keep the checkpoint with the lowest validation loss, and stop early.",
        "减少训练轮数，保留验证损失最低的检查点，并使用早停。",
    ),
    stop_early,
)
SCALE_ALONE = (
    Said(
        "Only the scale of the margins is wrong: divided by the best temperature they are better than a constant. The head "
        "was multiplied after training, or training went on long after the ranking was learned.",
        "只是奖励差的尺度不对：除以最佳温度后就优于常数奖励。奖励头在训练后被放大，或学会排序之后仍训练了很久。",
    ),
    Said(
        "Fit a temperature on held-out data and divide the margins by it; the ranking does not change.",
        "在留出数据上拟合温度并用它去除奖励差；排序不变。",
    ),
    fit_temperature,
)
"""Why the loss is that high, what to do, and the command: for margins that are wrong, and for those of a wrong scale."""


def train_loss_above_chance(facts: Facts) -> Finding | None:
    """A mean training loss above ln 2 is worse than giving every response the same reward."""
    loss = facts.train_loss
    if loss is None or loss <= CHANCE_LOSS + AT_CHANCE:
        return None
    tail = tail_loss(facts.curve)
    end_en = f"; {tail:.4f} over the last fifth of the steps" if tail is not None else "; no loss curve was recorded"
    end_zh = f"；最后五分之一的步数上为 {tail:.4f}" if tail is not None else "；没有记录损失曲线"
    action, command = fitted_or(facts, *GENTLER, "--warmup", "0.1")
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
            "This is the mean over the run: the scale of the initial head was too large (large random rewards), or the "
            "learning rate is too high. Dropout alone does not cause this.",
            "这是整个训练的平均值：奖励头的初始尺度过大（随机奖励很大），或学习率过高。仅有 dropout 不会造成这种情况。",
        ),
        action,
        {"train_loss": loss, "tail_loss": tail, "loss_at_chance": CHANCE_LOSS},
        command=command,
    )


GENTLER = (
    Said(
        "Check the first steps of the loss curve, and start from a fitted head.",
        "查看损失曲线的开头，并从拟合的奖励头开始训练。",
    ),
    Said(
        "Check the first steps of the loss curve, and train with a longer warmup.",
        "查看损失曲线的开头，并使用更长的预热训练。",
    ),
)
"""What to do about a start that was too rough: with a head that can be fitted, and with one that cannot."""
