"""Groups of comparisons by any field of their records (source, annotator, language, …) that the model is wrong about."""

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.slices import NAMED, weakest, widened
from rewardsmith.diagnose.facts import Facts, GroupFacts
from rewardsmith.diagnose.finding import Finding, Said, percent

FEWEST = 20
"""Comparisons of a group from which it is judged."""

OTHERS = 0.6
"""Accuracy that the rest of the comparisons has to have, with its whole interval above one half."""


def failing_groups(facts: Facts) -> Finding | None:
    """Values of a field on whose comparisons the model is wrong more often than right, while it is right on the others.

    All groups of all fields are taken together (Bonferroni, see `widened`). Among comparisons that were trained on, such
    labels contradict the others: the model had them before its eyes and learned the opposite.
    """
    listed = [
        (fields.field, fields.trained, GroupFacts(name, one.n, one.accuracy, one.accuracy_interval))
        for fields in facts.measured.groups
        for name, one in fields.values.items()
        if one.n >= FEWEST
    ]
    right = {(field, trained) for field, trained, group in listed if widened(group, len(listed)).low > 0.5}
    failing = [one for one in listed if one[:2] in right and widened(one[2], len(listed)).high < 0.5]
    if not failing or already_told(facts, failing):
        return None
    field, trained = failing[0][:2]
    groups = sorted((group for *of, group in failing if of == [field, trained]), key=lambda group: group.accuracy)
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


def already_told(facts: Facts, failing: list[tuple[str, bool, GroupFacts]]) -> bool:
    """Whether these are the categories of the evaluation, which are a finding of their own."""
    known = {group.label for group in facts.by_category}
    return all(not trained and group.label in known for _, trained, group in failing)
