"""Groups of comparisons by any field of their records (source, annotator, language, …) that the model is wrong about."""

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.slices import NAMED, weakest, widened
from rewardsmith.diagnose.facts import Facts, GroupFacts
from rewardsmith.diagnose.finding import Finding, Said, percent
from rewardsmith.diagnose.measured import FieldGroups

FEWEST = 20
"""Comparisons of a group from which it is judged."""


def failing_groups(facts: Facts) -> Finding | None:
    """Values of a field on whose comparisons the model is wrong more often than right, while it is right on the others.

    All groups of all fields are taken together (Bonferroni, see `widened`). Among comparisons that were trained on, such
    labels contradict the others: the model had them before its eyes and learned the opposite.
    """
    total = sum(len(large(fields)) for fields in facts.measured.groups)
    found = next((one for one in facts.measured.groups if untold(facts, one, contrary(large(one), total))), None)
    if found is None:
        return None
    field, trained, groups = found.field, found.trained, contrary(large(found), total)
    names, where = weakest(groups), Said("training", "训练") if trained else Said("judged", "被评估的")
    first = groups[0].label if len(groups) <= NAMED else f"{len(groups)} values"
    return Finding(
        "failing_group",
        "critical",
        Said(
            f"the labels of {field} {first!r} are contrary to the others",
            f"{field} 为 {first!r} 的标签与其他标签相反",
        ),
        Said(
            f"Accuracy on the {where.en} comparisons by {field}: {names.en}; all together {percent(facts.accuracy or 0.0)}.",
            f"按 {field} 划分的{where.zh}比较上的准确率：{names.zh}；总体 {percent(facts.accuracy or 0.0)}。",
        ),
        Said(
            "The labels of this group are swapped, or follow another criterion: one annotator, source or category was read "
            "the wrong way round.",
            "该组的标签被对调或遵循另一种标准：某个标注者、来源或类别的标签方向被读反。",
        ),
        Said(
            "Read ten comparisons of this group, and turn round or remove its labels.",
            "阅读该组的十个比较，然后翻转或移除其标签。",
        ),
        {group.label: {"n": group.n, "accuracy": group.accuracy} for group in groups},
        command=commands.inspect(facts),
    )


def large(fields: FieldGroups) -> list[GroupFacts]:
    """The groups of a field with enough comparisons, the worst first."""
    groups = [GroupFacts(name, one.n, one.accuracy, one.accuracy_interval) for name, one in fields.values.items()]
    return sorted((group for group in groups if group.n >= FEWEST), key=lambda group: group.accuracy)


def contrary(groups: list[GroupFacts], total: int) -> list[GroupFacts]:
    """Those on which the model is wrong, at the level that `total` groups together keep, where it is right on another."""
    if not any(widened(group, total).low > 0.5 for group in groups):
        return []
    return [group for group in groups if widened(group, total).high < 0.5]


def untold(facts: Facts, fields: FieldGroups, groups: list[GroupFacts]) -> bool:
    """Whether there are such groups, other than the categories of the evaluation, which are a finding of their own."""
    known = {group.label for group in facts.by_category}
    return bool(groups) and (fields.trained or not all(group.label in known for group in groups))
