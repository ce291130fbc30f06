"""Groups of comparisons by any field of their records (source, annotator, language, …) that the model is wrong about."""

import math

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.slices import NAMED, weakest, widened
from rewardsmith.diagnose.facts import CHANCE_LOSS, Facts, GroupFacts
from rewardsmith.diagnose.finding import Finding, Said, percent
from rewardsmith.diagnose.intervals import Z95, normal
from rewardsmith.diagnose.measured import FieldGroups, Figures

FEWEST = 20
"""Comparisons of a group from which it is judged."""

UNNAMED: dict[str, Said] = {
    "place_in_data": Said("the quarter of the rows by their place in the data,", "数据位置四分段"),
    "prompt_length": Said("the quarter of the prompts by their length,", "提示词长度四分段"),
}
"""Groups of `pipelines/diagnose/groups.py` that no field of the records names; their values are quarters."""

UNLEARNED = 0.56
"""Accuracy on comparisons that were trained on, up to which nothing was learned about a group."""


def failing_groups(facts: Facts) -> Finding | None:
    """Values of a field on whose comparisons the model is wrong, or learned nothing, while it is right on the others.

    All groups of all fields are taken together (Bonferroni). Among comparisons that were trained on, such labels contradict
    the others: the model had them before its eyes and learned the opposite, or nothing.
    """
    total = sum(len(large(fields)) for fields in facts.measured.groups)
    found = next((one for one in facts.measured.groups if untold(facts, one, failing(one, total))), None)
    if found is None:
        return None
    groups = failing(found, total)
    where = Said("training", "训练") if found.trained else Said("judged", "被评估的")
    names, field = weakest(groups), field_of(found)
    return Finding(
        "failing_group",
        "critical" if is_contrary(groups[0], total) else "warning",
        title_of(found, groups, total),
        Said(
            f"Accuracy on the {where.en} comparisons by {field.en}: {names.en}; all held-out ones together "
            f"{percent(facts.accuracy or 0.0)}.",
            f"按 {field.zh} 划分的{where.zh}比较上的准确率：{names.zh}；全部留出比较为 "
            f"{percent(facts.accuracy or 0.0)}。",
        ),
        Said(
            "The labels of this group are swapped, random, or follow another criterion: one annotator, source or category "
            "was read the wrong way round, or is of another kind.",
            "该组的标签被对调、随机，或遵循另一种标准：某个标注者、来源或类别的标签方向被读反，或属于另一类数据。",
        ),
        Said(
            "Read ten comparisons of this group; turn round its labels, or remove it from training.",
            "阅读该组的十个比较；翻转其标签，或将其从训练中移除。",
        ),
        {group.label: {"n": group.n, "accuracy": group.accuracy} for group in groups},
        command=commands.inspect(facts),
    )


def title_of(fields: FieldGroups, groups: list[GroupFacts], total: int) -> Said:
    """The first group, or how many there are, and whether the model is wrong about it or learned nothing of it."""
    first = groups[0].label if len(groups) <= NAMED else f"{len(groups)} values"
    field = field_of(fields)
    if is_contrary(groups[0], total):
        return Said(
            f"the labels of {field.en} {first!r} are contrary to the others",
            f"{field.zh} 为 {first!r} 的标签与其他标签相反",
        )
    return Said(
        f"the labels of {field.en} {first!r} do not go with the others",
        f"{field.zh} 为 {first!r} 的标签与其他标签不一致",
    )


def field_of(fields: FieldGroups) -> Said:
    """What the groups are of: a field by its name, or one of UNNAMED in words."""
    return UNNAMED.get(fields.field, Said(fields.field, fields.field))


def large(fields: FieldGroups) -> dict[str, Figures]:
    """The groups of a field with enough comparisons."""
    return {name: one for name, one in fields.values.items() if one.n >= FEWEST}


def failing(fields: FieldGroups, total: int) -> list[GroupFacts]:
    """The groups that are contrary to another of the field, or, trained on, not learned where another was; worst first."""
    groups = {
        name: (GroupFacts(name, one.n, one.accuracy, one.accuracy_interval), one) for name, one in large(fields).items()
    }
    if not any(widened(group, total).low > 0.5 for group, _ in groups.values()):
        return []
    best = min((one for _, one in groups.values()), key=loss_of)
    chosen = [
        group
        for group, one in groups.values()
        if is_contrary(group, total) or (asks_for_labels(fields) and is_unlearned(one, best, total))
    ]
    return sorted(chosen, key=lambda group: group.accuracy)


def asks_for_labels(fields: FieldGroups) -> bool:
    """Whether a group that was trained on and not learned has other labels; long prompts may just be hard."""
    return fields.trained and fields.field != "prompt_length"


def is_contrary(group: GroupFacts, total: int) -> bool:
    """Whether the model is wrong more often than right, at the level that `total` groups together keep."""
    return widened(group, total).high < 0.5


def loss_of(one: Figures) -> float:
    """The loss of a group; infinite where it is not known."""
    return math.inf if one.loss is None else one.loss


def is_unlearned(one: Figures, best: Figures, total: int) -> bool:
    """Whether the loss of a group is that of a constant, and surely above the best one, at the level of `total` groups."""
    if one.loss_interval is None or best.loss_interval is None or one.accuracy > UNLEARNED:
        return False
    gap = loss_of(one) - loss_of(best)
    error = math.hypot(one.loss_interval.half_width, best.loss_interval.half_width) / Z95
    return loss_of(one) > CHANCE_LOSS - 0.005 and gap > normal(1 - 0.025 / max(1, total)) * error


def untold(facts: Facts, fields: FieldGroups, groups: list[GroupFacts]) -> bool:
    """Whether there are such groups, other than the categories of the evaluation, which are a finding of their own."""
    known = {group.label for group in facts.by_category}
    return bool(groups) and (fields.trained or not all(group.label in known for group in groups))
