"""Where it fails: categories, undecided labels, few prompts."""

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.facts import Facts, GroupFacts
from rewardsmith.diagnose.finding import Finding, Said, percent, short_label, shown, span
from rewardsmith.diagnose.intervals import Z95, Interval95, normal, wilson

MIN_GROUP = 30
"""Comparisons under which a group's interval is wider than about 35 points, which says nothing."""

FEWEST_FAILING = 10
"""Comparisons of a group under which even all wrong ones may be chance among several groups."""

WEAK_GAP = 0.05
"""Points under the overall accuracy from which a category is worth a person's time."""

NAMED = 5
"""Weak categories named in the sentence; the rest is counted."""

LABEL_TIES, MANY_TIES = 0.2, 0.4
"""From one undecided label in five on, accuracy leaves out much of the data; from two on training learns from few."""

UNEQUAL, REPEATED = 0.2, 0.2
"""Share of the number of comparisons that their weights count as, under which it is reported; and that of repeated ones."""

MIN_PROMPTS = 30
"""Under 30 prompts the clustered bootstrap covers less than its 95 % (measured: 82 % at 6 prompts, 94 % at 30)."""


def failing_categories(facts: Facts) -> Finding | None:
    """Categories that the model ranks against the label more often than not, beyond the interval of all of them together."""
    failing, right = failing_and_right(facts)
    if not failing or (not right and facts.interval is not None and facts.interval.high < 0.5):
        return None  # where no category is right, all of it is reversed
    failing.sort(key=lambda group: group.accuracy)
    listed = weakest(failing)
    return Finding(
        "failing_category",
        "critical",
        Said(
            f"prefers the wrong side in {len(failing)} of {len(facts.by_category)} categories",
            f"{len(facts.by_category)} 个类别中有 {len(failing)} 个偏好方向错误",
        ),
        Said(f"{listed.en}.", f"{listed.zh}。"),
        Said(
            "The labels of these categories follow another criterion than those of training, or are swapped, or the model "
            "learned nothing about them and follows something else.",
            "这些类别的标签遵循与训练不同的标准，或被对调，或模型没有学到这些类别而遵循其他特征。",
        ),
        Said(
            "Read the errors of these categories; do not use the model for them.",
            "阅读这些类别的错误；不要将模型用于这些类别。",
        ),
        {g.label: {"n": g.n, "accuracy": g.accuracy} for g in failing},
        command=commands.inspect(facts),
    )


def failing_and_right(facts: Facts) -> tuple[list[GroupFacts], list[GroupFacts]]:
    """The categories that are below, and those that are above one half, beyond the interval of all of them together."""
    groups = [g for g in facts.by_category if g.n >= FEWEST_FAILING]
    spread = [(group, widened(group, len(groups))) for group in groups]
    return [g for g, inside in spread if inside.high < 0.5], [g for g, inside in spread if inside.low > 0.5]


def fails_in_part(facts: Facts) -> bool:
    """Whether some categories are ranked rightly and others against their labels: more training does not turn those."""
    failing, right = failing_and_right(facts)
    return bool(failing and right)


def widened(group: GroupFacts, groups: int) -> Interval95:
    """The interval of a group at the level that all `groups` together keep (Bonferroni): 1 - 0.05 / groups."""
    interval = group.interval or wilson(group.accuracy, group.n)
    factor = normal(1 - 0.025 / max(1, groups)) / Z95
    low = group.accuracy - factor * (group.accuracy - interval.low)
    return Interval95(low, group.accuracy + factor * (interval.high - group.accuracy))


def weak_categories(facts: Facts) -> Finding | None:
    """Categories whose whole interval lies under the overall accuracy, by at least WEAK_GAP, all of them taken together."""
    if facts.accuracy is None or len(facts.by_category) < 2:
        return None
    overall = facts.accuracy
    groups = [g for g in facts.by_category if g.n >= MIN_GROUP]
    weak = [g for g in groups if is_weak(g, overall, len(groups))]
    if not weak:
        return None
    weak.sort(key=lambda group: group.accuracy)
    listed = weakest(weak)
    return Finding(
        "weak_categories",
        "warning",
        Said(
            f"weak in {len(weak)} of {len(facts.by_category)} categories",
            f"{len(facts.by_category)} 个类别中有 {len(weak)} 个较弱",
        ),
        Said(
            f"Overall {percent(overall)}; {listed.en}.",
            f"总体 {percent(overall)}；{listed.zh}。",
        ),
        Said(
            "Too little training data in these categories, or labels that follow different criteria there.",
            "这些类别的训练数据太少，或其标签遵循不同的标准。",
        ),
        Said(
            "Read the errors of these categories in the table, then add training pairs for them.",
            "在表格中阅读这些类别的错误，然后为其补充训练偏好对。",
        ),
        {g.label: {"n": g.n, "accuracy": g.accuracy} for g in weak},
        command=commands.inspect(facts),
    )


def weakest(weak: list[GroupFacts]) -> Said:
    """The first NAMED groups with accuracy, n and interval, and how many more there are."""
    parts = []
    for group in weak[:NAMED]:
        interval = group.interval or wilson(group.accuracy, group.n)
        within = span(interval.low, interval.high)
        parts.append(f"{short_label(group.label)}: {percent(group.accuracy)} (n = {group.n:,}, {within})")
    listed, more = "; ".join(parts), len(weak) - len(parts)
    return Said(f"{listed}; and {more} more", f"{listed}；另有 {more} 个") if more else Said(listed, listed)


def is_weak(group: GroupFacts, overall: float, groups: int) -> bool:
    """Whether a group lies under the overall accuracy, beyond its widened interval and by WEAK_GAP."""
    return widened(group, groups).high < overall and overall - group.accuracy >= WEAK_GAP


def label_ties(facts: Facts) -> Finding | None:
    """Many comparisons on which the judges were undecided, in the judged or in the training data."""
    judged, trained = ties_in_test(facts), ties_in_training(facts)
    if max(judged, trained) < LABEL_TIES:
        return None
    return Finding(
        "label_ties",
        "info" if max(judged, trained) < MANY_TIES else "warning",
        Said("many labels are ties", "许多标签是平局"),
        Said(
            f"No preferred response in {percent(judged)} of the judged and {percent(trained)} of the training "
            "comparisons. The "
            "accuracy excludes them; the loss includes them with target 0.5.",
            f"{percent(judged)} 的被评估比较和 {percent(trained)} 的训练比较没有偏好的回复。准确率不计入它们，损失以 0.5 "
            "为目标计入。",
        ),
        Said("The annotators rated both responses as equally good.", "标注者认为两条回复同样好。"),
        Said("Keep them in training as ties; do not break them at random.", "训练时保留为平局，不要随机指定。"),
        {"judged": judged, "training": trained, "n": facts.n},
    )


def ties_in_test(facts: Facts) -> float:
    """The share of undecided labels in the judged data."""
    total = (facts.label_ties or 0) + (facts.n or 0)
    return (facts.label_ties or 0) / total if total else 0.0


def ties_in_training(facts: Facts) -> float:
    """The share of undecided labels in the training data, where it is known."""
    found = facts.measured.beside
    return found.training.ties / found.training.comparisons if found and found.training.comparisons else 0.0


def few_rows_weigh(facts: Facts) -> Finding | None:
    """The weights of the labels are so unequal that a few comparisons decide every figure."""
    compared = facts.compared
    n = int(compared.decided.sum()) if compared else 0
    if compared is None or n < MIN_GROUP or compared.effective >= UNEQUAL * n:
        return None
    return Finding(
        "few_rows_weigh",
        "warning",
        Said("a few comparisons carry most of the weight", "少数比较占了大部分权重"),
        Said(
            f"By their weights the {n:,} judged comparisons count as {compared.effective:.0f} of equal weight.",
            f"按权重计算，{n:,} 个被评估的比较只相当于 {compared.effective:.0f} 个等权的比较。",
        ),
        Said(
            "The weights were computed wrongly, or the column that was taken for the weight is another one.",
            "权重计算有误，或被当作权重的列其实是别的内容。",
        ),
        Said("Check the weight column, or evaluate without it.", "检查权重列，或不使用它进行评估。"),
        {"n": n, "effective": compared.effective},
        command=commands.inspect(facts),
    )


def test_repeats(facts: Facts) -> Finding | None:
    """The judged data holds the same comparisons again and again, so that n says more than there is."""
    counts = facts.measured.beside.judged_repeats if facts.measured.beside else {}
    total, again = counts.get("comparisons", 0), counts.get("repeated", 0)
    if not total or again / total < REPEATED:
        return restated(facts)
    return Finding(
        "test_repeats",
        "warning",
        Said("the test data repeats the same comparisons", "测试数据重复相同的比较"),
        Said(
            f"Of {total:,} judged comparisons {percent(again / total)} repeat an earlier one: n is in truth "
            f"{total - again:,}.",
            f"{total:,} 个被评估的比较中有 {percent(again / total)} 与更早的比较相同：实际的 n 为 {total - again:,}。",
        ),
        Said("Rows were copied or joined from several sources.", "行被复制或来自多个来源。"),
        Said("Remove the repeated rows, and evaluate again.", "移除重复的行，然后重新评估。"),
        {"n": total, "repeated": again},
        command=commands.prepare(facts),
    )


def restated(facts: Facts) -> Finding | None:
    """The judged data asks the same in other words, with the same responses."""
    labels = facts.measured.labels
    if not labels.records or 1 - labels.distinct / labels.records < REPEATED:
        return None
    share = percent(1 - labels.distinct / labels.records)
    return Finding(
        "test_repeats",
        "critical" if labels.distinct < MIN_PROMPTS else "warning",
        Said(
            f"the test asks {labels.distinct:,} different things in other words",
            f"测试集只是换了说法，实际只有 {labels.distinct:,} 个不同的问题",
        ),
        Said(
            f"{share} of {labels.records:,} judged records have the same responses as an earlier one, under a prompt that "
            f"says much the same: n is in truth {labels.distinct:,}, and every interval here is too narrow.",
            f"{labels.records:,} 条被评估记录中，{share} 的回复与更早的记录相同，提示词也基本相同：实际的 n 为 "
            f"{labels.distinct:,}，此处的所有区间都偏窄。",
        ),
        Said(
            "Prompts were rewritten, augmented or translated back after the test was drawn.",
            "抽取测试集之后对提示词做了改写、增强或回译。",
        ),
        Said(
            f"Keep one row of each, and evaluate on at least {MIN_PROMPTS} different prompts; 300 or more are recommended.",
            f"每组只保留一行，并至少在 {MIN_PROMPTS} 个不同的提示词上评估，建议 300 个或更多。",
        ),
        {"records": labels.records, "distinct": labels.distinct},
        command=commands.evaluate(facts),
    )


def few_prompts(facts: Facts) -> Finding | None:
    """Too few independent prompts for the interval."""
    few = facts.too_few_prompts or (facts.clusters is not None and facts.clusters < MIN_PROMPTS)
    if not few:
        return None
    return Finding(
        "few_prompts",
        "warning",
        Said("too few prompts", "提示词太少"),
        Said(
            f"The n = {shown(facts.n)} comparisons come from {shown(facts.clusters)} prompts, fewer than "
            f"{MIN_PROMPTS}.",
            f"n = {shown(facts.n)} 个比较来自 {shown(facts.clusters)} 个提示词，少于 {MIN_PROMPTS} 个。",
        ),
        Said(
            "Comparisons on the same prompt are not independent, so the result may not generalise to other prompts.",
            "同一提示词的比较并不独立，因此结果未必能推广到其他提示词。",
        ),
        Said(
            f"Evaluate on at least {MIN_PROMPTS} prompts; 300 or more are recommended.",
            f"至少在 {MIN_PROMPTS} 个提示词上评估，建议 300 个或更多。",
        ),
        {"clusters": facts.clusters, "n": facts.n},
        "cannot_tell",
        commands.evaluate(facts),
    )
