"""Whether what was learned carries over to validation, which is split off the training data, and not to the judged data."""

import math

from rewardsmith.diagnose import commands, values
from rewardsmith.diagnose.checks.signals import sample_of, validation_of
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Finding, Said, percent, span
from rewardsmith.diagnose.intervals import Interval95, wilson

MANY_EPOCHS = 10
"""Passes over the data above which a good validation is no evidence."""

CARRIES = 0.12
"""Points of accuracy that the test may lie under validation before it is called other data."""

APART = 0.03
"""Points between the intervals of training comparisons and of the test, where validation is as good as training."""

LOSS_APART = 0.06
"""Nats between the losses of validation and test, beyond the intervals of both."""

EASIER = 0.05
"""Points between the intervals of test and training comparisons, and to validation, from which the test is easier."""


def beside_validation(facts: Facts) -> list[Said]:
    """What was learned carries over to validation, which is like training, and not to the judged data."""
    validation, interval = validation_of(facts), facts.interval
    if validation is None or interval is None or facts.split == "validation" or facts.accuracy is None:
        return []
    if (facts.epochs or 0) > MANY_EPOCHS:
        return []  # validation is a few pairs then, or was memorised with the rest
    lead = validation[1] - facts.accuracy
    if interval.high < 0.5:
        return []
    spread = math.hypot(interval.half_width, validation_spread(facts, validation[1]))
    if not (clearly_worse(lead, spread) or worse_than_all_training(facts, validation[1])):
        return loss_beside_validation(facts, validation[0])
    return [
        Said(
            f"accuracy {percent(validation[1])} on validation, which is split off the training data, and "
            f"{percent(facts.accuracy)} ({span(interval.low, interval.high)}) on the test",
            f"在从训练数据划分的验证集上准确率为 {percent(validation[1])}，在测试集上为 {percent(facts.accuracy)}"
            f"（{span(interval.low, interval.high)}）",
        )
    ]


def loss_beside_validation(facts: Facts, validation: float) -> list[Said]:
    """The same by the loss, which tells labels of another criterion from those of training earlier than the accuracy."""
    spread = facts.loss_interval
    if spread is None or facts.loss is None:
        return []
    apart = facts.loss - validation - math.hypot(facts.loss - spread.low, validation_loss_spread(facts, spread))
    if apart < LOSS_APART:
        return []
    return [
        Said(
            f"the loss is {validation:.3f} on validation, which is split off the training data, and {facts.loss:.3f} "
            f"({spread.low:.3f}–{spread.high:.3f}) on the test",
            f"在从训练数据划分的验证集上损失为 {validation:.3f}，在测试集上为 {facts.loss:.3f}（{spread.low:.3f}–"
            f"{spread.high:.3f}）",
        )
    ]


def clearly_worse(lead: float, spread: float) -> bool:
    """Whether validation leads the test by much, and beyond half the width of the interval of both by half of that."""
    return lead >= CARRIES and lead - spread >= CARRIES / 2


def validation_spread(facts: Facts, accuracy: float) -> float:
    """Half the width of the interval of an accuracy on so many records as validation has; 0 where that is not known."""
    records = validation_records(facts)
    return wilson(accuracy, records).half_width if records > 0 else 0.0


def validation_loss_spread(facts: Facts, judged: Interval95) -> float:
    """Half the width of the interval of the loss on validation, from that of the `judged` loss: it shrinks with the root of
    the prompts. 0 where it is not known how many validation has.
    """
    records, prompts = validation_records(facts), facts.clusters or facts.n or 0
    return judged.half_width * math.sqrt(prompts / records) if records > 0 else 0.0


def validation_records(facts: Facts) -> int:
    """The records of validation that were used; 0 where that is not known."""
    account = facts.training.get("left_out_validation")
    used = account.get("unused") if isinstance(account, dict) else None
    return (values.count(used, "of") or 0) - (values.count(used, "count") or 0) if isinstance(used, dict) else 0


def worse_than_all_training(facts: Facts, validation: float) -> bool:
    """Whether validation is as good as training itself, and the test worse than both beyond the intervals.

    Then what was learned does carry over to new prompts, and not to these labels.
    """
    sample, interval = sample_of(facts), facts.interval
    if sample is None or interval is None or sample.accuracy_interval is None:
        return False
    apart = sample.accuracy_interval.low - interval.high
    return apart >= APART and validation >= sample.accuracy - CARRIES / 2 and validation - interval.high >= APART


def easier_test(facts: Facts) -> Finding | None:
    """The judged comparisons are ranked right more often than those that were trained on, and than those of validation."""
    sample, validation, interval = sample_of(facts), validation_of(facts), facts.interval
    if sample is None or sample.accuracy_interval is None or validation is None or interval is None:
        return None
    if interval.low - sample.accuracy_interval.high < EASIER or interval.low - validation[1] < EASIER:
        return None
    own = sample.accuracy_interval
    return Finding(
        "test_easier",
        "warning",
        Said("the test is easier than the training data", "测试集比训练数据更容易"),
        Said(
            f"Accuracy {percent(facts.accuracy or 0.0)} ({span(interval.low, interval.high)}) on the test, "
            f"{percent(sample.accuracy)} ({span(own.low, own.high)}) on {sample.n:,} comparisons that were trained on, and "
            f"{percent(validation[1])} on validation.",
            f"测试集准确率 {percent(facts.accuracy or 0.0)}（{span(interval.low, interval.high)}），{sample.n:,} "
            f"个训练过的比较上为 {percent(sample.accuracy)}（{span(own.low, own.high)}），"
            f"验证集上为 {percent(validation[1])}。",
        ),
        Said(
            "Nothing is easier than what was trained on, unless it was chosen so: pairs far apart, rows on which several "
            "judges agreed, or labels of the test that are cleaner than those of training.",
            "除非经过挑选，否则不会有比训练过的数据更容易的数据：差距很大的偏好对、多名评判者一致的行，"
            "或测试标签比训练标签更干净。",
        ),
        Said(
            "Evaluate on comparisons like those of the later use, drawn as the training data is; if the training labels are "
            "the noisy ones, measure how many are wrong.",
            "在与实际用途相似、按训练数据方式抽取的比较上评估；若训练标签噪声较大，先测量有多少是错误的。",
        ),
        {"accuracy": facts.accuracy, "trained": sample.accuracy, "validation": validation[1], "n": facts.n},
        "cannot_tell",
        commands.evaluate(facts),
    )
