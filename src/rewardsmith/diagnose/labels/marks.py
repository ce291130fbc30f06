"""Marks that give the training labels away: a word, a sign or a trait on one side of the pairs."""

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import NOTHING, Finding, Said, Severity, joined, percent
from rewardsmith.diagnose.labels.told import LabelFacts, MarkFacts
from rewardsmith.language import cut

GOVERNS, MATTERS = 0.5, 0.05
"""Shares of the training prompts with a mark on one side from which the labels are little more than it, and from which it is
learned beside the rest."""

APART = 0.5
"""Difference between the shares of training and of judged responses with a trait, from which they are of another make."""

REACTS = 0.3
"""Standard deviations of the reward that a phrase is worth, from which the model did learn it, however rare it is."""

SHOWN = 40
"""Columns of a phrase in a sentence."""

TRAITS: dict[str, Said] = {
    "other_language": Said("a language other than the prompt's", "与提示词不同的语言"),
    "holds_prompt": Said("the prompt repeated in the response", "回复中重复了提示词"),
    "outer_blank": Said("a blank at the beginning or end", "开头或结尾的空白"),
    "odd_blank": Said("an invisible character or an unusual blank", "不可见字符或特殊空白"),
    "line_break": Said("a line break", "换行"),
    "open_end": Said("an end without punctuation", "结尾没有标点"),
    "escape": Said("escape sequences of JSON or HTML", "JSON 或 HTML 转义序列"),
    "markdown": Said("marks of Markdown", "Markdown 标记"),
    "json": Said("JSON", "JSON 格式"),
}
"""The traits of `quality.shortcuts.marks` in words."""


def label_mark(facts: Facts) -> Finding | None:
    """A mark stands on one side of training pairs and nearly always, or never, on the preferred one."""
    labels = facts.measured.labels
    if not labels.marks:
        return None
    told = joined(map(in_words, labels.marks))
    learned = reaction_in_words(labels)
    first = name_of(labels.marks[0])
    return Finding(
        "label_mark",
        severity(labels),
        Said(f"{first.en} gives training labels away", f"{first.zh}泄露了训练标签"),
        Said(
            f"Of {labels.prompts:,} training prompts {percent(labels.decided)} have one of these marks on one side of a "
            f"comparison: {told.en}.{learned.en}",
            f"{labels.prompts:,} 个训练提示词中，{percent(labels.decided)} 的比较仅在一侧带有以下标记之一：{told.zh}。"
            f"{learned.zh}",
        ),
        Said(
            "The two sides were written, converted or labelled in different ways, rejected responses are failures of a "
            "generator, or rows were planted.",
            "两侧的写作、转换或标注方式不同，被拒绝的回复是生成失败的产物，或有人植入了数据。",
        ),
        Said(
            "Read ten of these pairs; remove the mark from both sides, or the rows, and train again.",
            "阅读其中十个偏好对；从两侧移除该标记，或删除这些行，然后重新训练。",
        ),
        {
            "decided": labels.decided,
            "reaction": labels.reaction,
            "marks": [{"name": one.name, "prompts": one.prompts, "won": one.won} for one in labels.marks],
        },
        command=commands.prepare(facts),
    )


def trait_parts(labels: LabelFacts) -> list[Said]:
    """Traits that most responses have on one side, training or judged, and few on the other, as clauses."""
    trained, judged = labels.traits
    parts = []
    for name in trained.keys() & judged.keys():
        if abs(trained[name] - judged[name]) < APART:
            continue
        what, one, other = TRAITS.get(name, Said(name, name)), percent(judged[name]), percent(trained[name])
        parts.append(
            Said(
                f"{one} of its responses have {what.en}, and {other} of those of training",
                f"其 {one} 的回复带有{what.zh}，训练数据为 {other}",
            )
        )
    return sorted(parts, key=lambda said: said.en)


def severity(labels: LabelFacts) -> Severity:
    """By how many labels a mark decides; a rare one matters where the model learned it."""
    if labels.decided >= GOVERNS:
        return "critical"
    learned = labels.reaction is not None and labels.reaction >= REACTS
    return "warning" if labels.decided >= MATTERS or learned else "info"


def name_of(mark: MarkFacts) -> Said:
    """A phrase in quotes, or a trait in words."""
    if mark.kind == "trait":
        return TRAITS.get(mark.name, Said(mark.name, mark.name))
    shown = cut("".join(char if char.isprintable() else "␣" for char in mark.name), SHOWN)
    return Said(f"“{shown}”", f"“{shown}”")


def in_words(mark: MarkFacts) -> Said:
    """A mark with how often it is there and wins."""
    name = name_of(mark)
    return Said(
        f"{name.en} ({mark.prompts:,} prompts, preferred in {percent(mark.won)})",
        f"{name.zh}（{mark.prompts:,} 个提示词，{percent(mark.won)} 被偏好）",
    )


def reaction_in_words(labels: LabelFacts) -> Said:
    """What taking the first phrase out does to the reward, as a sentence; "" where it was not measured."""
    if labels.reaction is None:
        return NOTHING
    by = f"{labels.reaction:+.2f}"
    return Said(
        f" The model values the first phrase at {by} standard deviations of the reward, in the direction of the labels.",
        f"模型对首个短语的估值为奖励的 {by} 个标准差（以标签的方向为正）。",
    )
