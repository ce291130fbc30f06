"""Whether the labels of training say what they seem to: preferences near one half, weights on a few, places of responses."""

from collections.abc import Mapping

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.signals import learned_state
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Finding, Said, percent, signed_span
from rewardsmith.diagnose.intervals import Interval95, unpaired_difference
from rewardsmith.diagnose.labels.told import PlaceFacts

UNDECIDED = 0.6
"""Preference under which nine in ten decided labels lie: two of three judges give 0.67, and a vote of few nothing lower."""

UNEQUAL = 0.2
"""Share of their number that training comparisons count as by their weights, under which most of the data is not used."""

FEWEST = 100

FOLLOWS, ALWAYS = 0.6, 0.97
"""Shares of preferred responses on one place from which labels may follow it, and from which rows are written that way."""

PLACE_GAP, PLACE_LEAST = 0.1, 0.03
"""Points of accuracy that the model lacks where the labels are for the frequent place; and with the whole interval."""

LEANS = 0.7
"""Share on one place that is odd by itself, as rows are written in random order or always in the same: there half of the gap
is enough, with an interval that may reach as far on the other side. Where the better writer stands first, the model does
better on the frequent place."""

LARGEST_MARGIN = 10.0
"""Reward difference that a loss asks for from which no probability is left: sigmoid(10) is 0.99995."""

VALIDATION_KNOWN = 0.2
"""Share of validation records that were trained on from which the checkpoint was chosen by memory."""


def soft_labels(facts: Facts) -> Finding | None:
    """Nearly every decided label says that next to half of the judges disagree."""
    found = facts.measured.labels.preferences
    if found is None or found[0] < FEWEST or found[2] > UNDECIDED:
        return None
    n, median, most = found
    return Finding(
        "soft_labels",
        "warning",
        Said("the training labels say next to nothing", "训练标签几乎不含信息"),
        Said(
            f"Of {n:,} decided training labels half are preferences up to {median:.3f}, and nine in ten up to {most:.3f}, "
            "where 0.5 is a tie and 1 a clear win.",
            f"{n:,} 个有倾向的训练标签中，一半的偏好值不超过 {median:.3f}，九成不超过 {most:.3f}"
            "（0.5 为平局，1 为明确胜出）。",
        ),
        Said(
            "The column has another quantity than the share of judges: a difference of ratings, a rescaled score, a "
            "smoothed label. The model learns margins as small as these labels.",
            "该列不是评判者的比例，而是评分之差、缩放后的分数或平滑后的标签。模型学到的奖励差会与这些标签一样小。",
        ),
        Said(
            "Check what the preference column means, and give shares of judges, or clear labels.",
            "检查偏好列的含义，改为评判者的比例或明确的标签。",
        ),
        {"n": n, "median": median, "most": most},
        command=commands.inspect(facts),
    )


def margins_large(facts: Facts) -> Finding | None:
    """The loss asks for reward differences that no calibrated model has: the margins of the data are in another unit."""
    loss, margin = facts.settings.get("loss"), facts.measured.labels.margin
    if not isinstance(loss, Mapping) or loss.get("name") not in BY_MARGIN or margin is None:
        return None
    name, factor = str(loss["name"]), loss.get("margin_scale")
    asked = margin * (factor if isinstance(factor, int | float) else 1.0)
    if asked <= LARGEST_MARGIN:
        return None
    wanted = f"{1 / margin:.2g}"
    return Finding(
        "margins_large",
        "warning",
        Said(f"the loss asks for reward differences of {asked:.3g}", f"损失要求的奖励差高达 {asked:.3g}"),
        Said(
            f"Half of the training comparisons name a margin of {margin:.3g} or more, which --loss {name} takes "
            "for a difference of rewards; one of 5 is a probability of 99 % already.",
            f"一半训练比较的 margin 不小于 {margin:.3g}，而 --loss {name} 把它当作奖励差；差为 5 时概率已达 99 %。",
        ),
        Said(
            "The margins are in another unit, such as points or percent of votes: every pair pulls as hard as it can, the "
            "hard ones and the wrong ones too, and the scale of the rewards means nothing.",
            "margin 的单位不同（如分数或投票百分比）：每个偏好对（包括困难的和标错的）都在尽力拉大差距，"
            "奖励的尺度失去意义。",
        ),
        Said(
            f"Scale the margins to about 1 (--loss.margin-scale {wanted}), or use --loss bradley-terry.",
            f"将 margin 缩放到约 1（--loss.margin-scale {wanted}），或使用 --loss bradley-terry。",
        ),
        {"margin": margin, "asked": asked},
        command=commands.train(facts, "--loss", name, "--loss.margin-scale", wanted),
    )


BY_MARGIN = ("margin", "scaled-margin")
"""Losses that read the margins of the data."""


def training_weights(facts: Facts) -> Finding | None:
    """The weights of the training labels are so unequal that a few comparisons are all that is trained on."""
    labels = facts.measured.labels
    if labels.weighted < FEWEST or labels.effective >= UNEQUAL * labels.weighted:
        return None
    return Finding(
        "few_rows_weigh",
        "critical" if labels.effective < FEWEST else "warning",
        Said("a few training comparisons carry most of the weight", "少数训练比较占了大部分权重"),
        Said(
            f"By their weights the {labels.weighted:,} training comparisons count as {labels.effective:.0f} of equal "
            "weight.",
            f"按权重计算，{labels.weighted:,} 个训练比较只相当于 {labels.effective:.0f} 个等权的比较。",
        ),
        Said(
            "The weights were computed wrongly or filled with zeros, or the column that was taken for the weight is another "
            "one.",
            "权重计算有误或被填成零，或被当作权重的列其实是别的内容。",
        ),
        Said(
            "Check the weight column, and train without it or with the right one.", "检查权重列，去掉或改正后重新训练。"
        ),
        {"n": labels.weighted, "effective": labels.effective},
        command=commands.inspect(facts),
    )


def position_bias(facts: Facts) -> Finding | None:
    """Labels lean to one place of the responses, and the model, which sees no place, is wrong where they do."""
    found = [(one, gap) for one in facts.measured.labels.places if (gap := follows_place(one)) is not None]
    if not found:
        return None
    worst, gap = max(found, key=lambda each: each[1].low)
    first = worst.share_first > 0.5
    share = percent(max(worst.share_first, 1 - worst.share_first))
    with_, against = (worst.first, worst.later) if first else (worst.later, worst.first)
    where = Said("training", "训练") if worst.trained else Said("judged", "被评估的")
    place = Said("first", "靠前") if first else Said("later", "靠后")
    return Finding(
        "position_bias",
        "critical" if learned_state(facts) == "no" else "warning",  # then it is why nothing was learned
        Said("labels follow the place of a response", "标签受回复位置影响"),
        Said(
            f"In {share} of {worst.n:,} {where.en} comparisons of {worst.source} the response that is listed {place.en} is "
            f"preferred. There the model agrees with {percent(with_[1])} (n = {with_[0]:,}), with the other labels in "
            f"{percent(against[1])} (n = {against[0]:,}); difference [{signed_span(gap.low, gap.high)}] points.",
            f"{worst.source} 的 {worst.n:,} 个{where.zh}比较中，{share} 偏好列在{place.zh}的回复。"
            f"模型与这些标签的一致率为 {percent(with_[1])}（n = {with_[0]:,}），与其余标签为 {percent(against[1])}"
            f"（n = {against[0]:,}）；相差 [{signed_span(gap.low, gap.high)}] 个百分点。",
        ),
        Said(
            "The judge prefers a place, or verdicts that could not be read were counted for one. A reward model sees no "
            "place: to it these labels are wrong at random.",
            "评判者偏好某个位置，或无法解析的判断被计为某个位置胜出。奖励模型看不到位置：对它而言这些标签是随机的错误。",
        ),
        Said(
            "Have both orders judged, keep the labels on which they agree, and drop verdicts that could not be read.",
            "让评判者按两种顺序各判断一次，保留一致的标签，并删除无法解析的判断。",
        ),
        {"source": worst.source, "share_first": worst.share_first, "first": worst.first[1], "later": worst.later[1]},
        command=commands.prepare(facts, "--label-noise", "report"),
    )


def follows_place(one: PlaceFacts) -> Interval95 | None:
    """The interval of the accuracy on labels against the frequent place minus that on those for it; None where the labels
    lean to no place, always name the same, or the model does as well on both.
    """
    lean = max(one.share_first, 1 - one.share_first)
    if not FOLLOWS <= lean <= ALWAYS:
        return None
    with_, against = (one.first, one.later) if one.share_first > 0.5 else (one.later, one.first)
    gap = unpaired_difference(against[1], against[0], with_[1], with_[0])
    wanted, least = (PLACE_GAP / 2, -PLACE_GAP / 2) if lean >= LEANS else (PLACE_GAP, PLACE_LEAST)
    return gap if against[1] - with_[1] >= wanted and gap.low >= least else None


def validation_in_training(facts: Facts) -> Finding | None:
    """The data that chose the checkpoint was trained on."""
    known = facts.measured.labels.validation_in_training
    if known < VALIDATION_KNOWN:
        return None
    return Finding(
        "validation_in_training",
        "critical" if known >= 0.5 else "warning",
        Said("validation data is in the training data", "验证数据出现在训练数据中"),
        Said(
            f"{percent(known)} of the validation records have a prompt and a response that were trained on.",
            f"{percent(known)} 的验证记录的提示词和回复在训练数据中。",
        ),
        Said(
            "The checkpoint, early stopping and the temperature were chosen by what the model had memorised, so that the "
            "most memorised checkpoint looked best.",
            "检查点、早停和温度是按模型记住的内容选定的，因此记忆最多的检查点看起来最好。",
        ),
        Said(
            "Split the data again by prompt, and train on these splits; without --validation, train splits by itself.",
            "按提示词重新划分数据，并在这些划分上训练；不给 --validation 时 train 会自动划分。",
        ),
        {"share": known},
        command=commands.prepare(facts),
    )
