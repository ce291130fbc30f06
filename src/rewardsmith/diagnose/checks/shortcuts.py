"""Whether the model follows length, simple features or audited edits instead of quality: found, excluded, or unclear."""

import numpy as np
import numpy.typing as npt

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.performance import HUMAN
from rewardsmith.diagnose.compared import Compared
from rewardsmith.diagnose.facts import CHANCE_LOSS, AuditEffect, BaselineFacts, Facts, GroupFacts
from rewardsmith.diagnose.finding import Finding, Said, joined, percent, short_label, signed_span, span
from rewardsmith.diagnose.intervals import Interval95

Chosen = npt.NDArray[np.bool_]

MIN_GROUP = 30
"""Comparisons under which a side's interval is wider than about 35 points, which says nothing."""

LENGTH_GAP = 0.10
"""Points of accuracy between longer and shorter preferred answers that an optimised policy would turn into length; the
bound within which the whole interval has to lie to exclude a bias."""

LENGTH_LEAST = 0.05
"""Points that the whole interval has to lie beyond, half of the bound: of sound models one in twenty has one that only
excludes 0, and some have a small gap that padding does not widen."""

SURE = 0.99
"""Level of that interval: the verdict asks many questions of one test, and any ranking that is not yet good follows length
somewhat, by chance in one direction or the other."""

UNTOUCHED = 0.002
"""Nats around ln 2 within which no margin matters."""

FOLLOWS, MISLED = 0.8, 0.65
"""Agreement with a simple rule from which the model is little more than it; and from which being wrong where it misleads is
no accident."""

PREDICTS, NO_LEAD = 0.7, 0.04
"""Accuracy of a rule on the judged labels from which it is strong, and the lead over it that the model has to have."""

RULE_STRONG, RULE_GIVES_AWAY = 0.75, HUMAN
"""Accuracy of simple features on the training labels from which it is said, and from which they know the labels better than
a second annotator would, which taste for long or well-made answers does not explain."""

LARGE = 0.5
"""Standard deviations of the reward by which an edit without meaning may move it before it governs the ranking."""

NAMED = 5

RULES = {
    "shortcuts": Said("all simple features together", "所有简单特征合起来"),
    "tfidf": Said("a rule on single words (TF-IDF)", "基于词的规则（TF-IDF）"),
    "longer": Said("a rule by length", "长度规则"),
}


def length_groups(facts: Facts) -> tuple[GroupFacts, GroupFacts] | None:
    """(preferred is shorter, preferred is longer) from the compared pairs; None without lengths on both sides."""
    if facts.compared is None:
        return None
    found = []
    for label, where in zip(("shorter", "longer"), by_preferred_length(facts.compared), strict=True):
        size = int(where.sum())
        if not size:
            return None
        found.append(GroupFacts(label, size, facts.compared.accuracy(where), facts.compared.interval(where)))
    return found[0], found[1]


def by_preferred_length(compared: Compared) -> tuple[Chosen, Chosen]:
    """Which decided comparisons prefer the shorter, and which the longer response."""
    sign = np.sign(compared.length_difference)
    return compared.decided & (sign < 0), compared.decided & (sign > 0)


def detectable(interval: Interval95) -> float:
    """The smallest true difference that would be found in 80 % of repetitions: (z_.975 + z_.8) standard errors."""
    return 2.8016 / 1.95996 * interval.half_width


def length_bias(facts: Facts) -> Finding | None:
    """Whether the model is right more often where the preferred response is the longer one."""
    groups = length_groups(facts)
    if groups is None or facts.compared is None:
        return None
    shorter, longer = groups
    where = by_preferred_length(facts.compared)
    gap = longer.accuracy - shorter.accuracy
    spread, sure = facts.compared.difference(where[1], where[0]), facts.compared.gap(where[1], where[0]).interval(SURE)
    numbers = {g.label: {"n": g.n, "accuracy": g.accuracy} for g in groups}
    told = {**numbers, "gap": gap, "low": spread.low, "high": spread.high, "detectable": detectable(spread)}
    evidence = length_evidence(shorter, longer, gap, spread)
    if min(shorter.n, longer.n) < MIN_GROUP or np.isnan(spread.low):
        return length_bias_unknown(facts, evidence, told)
    if abs(gap) >= LENGTH_GAP and max(sure.low, -sure.high) > LENGTH_LEAST:
        return length_followed(facts, shorter if gap > 0 else longer, gap, evidence, told)
    if max(-spread.low, spread.high) < LENGTH_GAP:
        title = Said("a strong length bias is excluded", "已排除明显的长度偏差")
        return Finding("length_bias_excluded", "good", title, evidence, numbers=told, status="excluded")
    return length_bias_unknown(facts, evidence, told)


def length_followed(facts: Facts, weak: GroupFacts, gap: float, evidence: Said, numbers: dict[str, object]) -> Finding:
    """The reward follows length (`gap` > 0) or brevity; `weak` are the comparisons on which that costs accuracy."""
    governs = weak.interval is not None and weak.interval.high < 0.5 and not negligible(facts)
    return Finding(
        "length_shortcut" if governs else "length_bias",
        "critical" if governs else "warning",
        Said("the reward favours long responses", "奖励偏向较长的回复")
        if gap > 0
        else Said("the reward favours short responses", "奖励偏向较短的回复"),
        evidence,
        Said(
            "The training labels favour one length, and length is the easiest feature to learn.",
            "训练标签偏向某种长度，而长度是最容易学到的特征。",
        ),
        Said(
            "See how far length predicts the labels, and balance the lengths of the training pairs before optimising a "
            "policy "
            "against this reward.",
            "查看长度对标签的预测程度，并在用该奖励优化策略之前平衡训练偏好对的长度。",
        ),
        numbers,
        command=commands.prepare(facts),
    )


def negligible(facts: Facts) -> bool:
    """Whether the rewards differ so little that their signs are what is left of a model that collapsed or never began."""
    return facts.loss is not None and abs(facts.loss - CHANCE_LOSS) < UNTOUCHED and (facts.reward_std or 1.0) < 0.05


def length_bias_unknown(facts: Facts, evidence: Said, numbers: dict[str, object]) -> Finding:
    """Neither found nor excluded."""
    points = f"{100 * LENGTH_GAP:.0f}"
    return Finding(
        "length_bias_unknown",
        "info",
        Said("length bias can be neither shown nor excluded", "既不能证明也不能排除长度偏差"),
        evidence,
        Said(
            f"Excluded is a bias only where the whole interval lies within ±{points} points.",
            f"只有整个区间都在 ±{points} 个百分点之内，才能排除偏差。",
        ),
        Said("Evaluate on more held-out comparisons.", "在更多留出比较上评估。"),
        numbers,
        "cannot_tell",
        commands.evaluate(facts),
    )


def length_evidence(shorter: GroupFacts, longer: GroupFacts, gap: float, spread: Interval95) -> Said:
    """Both accuracies, their n and intervals, the gap in points, and the smallest gap that would be found."""
    parts = [
        percent(g.accuracy) + f" (n = {g.n:,}{', ' + span(g.interval.low, g.interval.high) if g.interval else ''})"
        for g in (shorter, longer)
    ]
    points = f"{100 * gap:+.1f} [{signed_span(spread.low, spread.high)}]"
    least = f"{100 * detectable(spread):.0f}"
    return Said(
        f"Accuracy {parts[0]} where the preferred response is shorter and {parts[1]} where it is longer; difference "
        f"{points} points (a gap of {least} would be found in 80 % of such tests).",
        f"偏好的回复较短时准确率 {parts[0]}，较长时 {parts[1]}；相差 {points} 个百分点（80 % 的此类检验能发现 {least} "
        "个百分点的差距）。",
    )


def rule_followed(facts: Facts) -> Finding | None:
    """The model does what a simple rule does, and is wrong where the rule misleads."""
    if facts.interval is None or facts.interval.low <= 0.5:
        return None
    found = [rule for rule in facts.baselines if rule.name in RULES and follows(rule)]
    if not found:
        return None
    rule = max(found, key=lambda one: (agreement_with(one), one.accuracy or 0.0, one.name == "longer"))
    name, wrong = RULES[rule.name], on_both_sides(rule)
    by_length = rule.name == "longer"
    own, reached = (percent(value or 0.0) for value in (facts.accuracy, rule.accuracy))
    agrees = agreement_in_words(rule)
    return Finding(
        "length_shortcut" if by_length else "simple_shortcut",
        "critical",
        Said("the reward follows length instead of quality", "奖励遵循的是长度而非质量")
        if by_length
        else Said("the reward follows a simple rule instead of quality", "奖励遵循的是简单规则而非质量"),
        Said(
            f"{name.en[:1].upper()}{name.en[1:]} reaches {reached} on the judged labels, the "
            f"model {own}; "
            f"they agree on {agrees.en} of the comparisons{wrong.en}.",
            f"{name.zh}在被评估的标签上达到 {reached}，模型为 {own}；二者在 {agrees.zh} 的比较上一致{wrong.zh}。",
        ),
        Said(
            "A marker, the length, the layout or the author of a response gives the training labels away, and is easier to "
            "learn than quality.",
            "回复的某个标记、长度、排版或作者泄露了训练标签，比质量更容易学到。",
        ),
        Said(
            "Find the feature in the data report, remove or balance it, and train again.",
            "在数据报告中找到该特征，移除或平衡它，然后重新训练。",
        ),
        {"rule": rule.name, "agreement": agreement_with(rule), "accuracy": rule.accuracy},
        command=commands.prepare(facts),
    )


def agreement_in_words(rule: BaselineFacts) -> Said:
    """How often model and rule agree; the least where it was not measured."""
    share = percent(agreement_with(rule))
    return Said(f"at least {share}", f"至少 {share}") if rule.agreement is None else Said(share, share)


def on_both_sides(rule: BaselineFacts) -> Said:
    """The model's accuracy where the rule is right and where it misleads, as the end of a sentence; "" where not known."""
    leads, misleads = rule.leads, rule.misleads
    if misleads is None or leads is None:
        return Said("", "")
    inside = misleads.accuracy_interval
    tail = f", {span(inside.low, inside.high)}" if inside else ""
    right, wrong = percent(leads.accuracy), percent(misleads.accuracy)
    return Said(
        f"; accuracy {right} where the rule is right (n = {leads.n:,}) and {wrong} where it misleads "
        f"(n = {misleads.n:,}{tail})",
        f"；规则正确时准确率 {right}（n = {leads.n:,}），规则误导时 {wrong}（n = {misleads.n:,}{tail}）",
    )


def follows(rule: BaselineFacts) -> bool:
    """Whether the model is little more than this rule: it agrees with a rule that predicts most labels and does not lead
    it, or is worse than a coin where the rule misleads.
    """
    if (rule.accuracy or 0.0) >= PREDICTS and not_ahead(rule) and agreement_with(rule) >= FOLLOWS:
        return True
    return is_misled(rule) and agreement_with(rule) > MISLED


def not_ahead(rule: BaselineFacts) -> bool:
    """Whether the model's lead over the rule is small, or may be."""
    lead = rule.difference_interval
    return lead is not None and lead.low <= NO_LEAD and (rule.difference or 0.0) < NO_LEAD


def is_misled(rule: BaselineFacts) -> bool:
    """Whether the model is worse than chance where the rule misleads."""
    side = rule.misleads
    inside = side.accuracy_interval if side else None
    return side is not None and inside is not None and side.n >= MIN_GROUP and inside.high < 0.5


def agreement_with(rule: BaselineFacts) -> float:
    """How often model and rule agree: as measured, else the least that their accuracies a and b allow, a + b - 1."""
    if rule.agreement is not None:
        return rule.agreement
    return 2 * (rule.accuracy or 0.0) + (rule.difference or 0.0) - 1


def rule_in_data(facts: Facts) -> Finding | None:
    """Simple features predict the training labels so well that nothing else need be learned; a note where a second annotator
    would predict them as well.
    """
    rule = (facts.data.rule if facts.data else None) or facts.measured.rule
    if rule is None or rule.interval is None or rule.interval.low < RULE_STRONG:
        return None
    features = ", ".join(rule.features) or "?"
    return Finding(
        "shortcut_in_data",
        "warning" if rule.interval.low > RULE_GIVES_AWAY else "info",
        Said("simple features predict the training labels", "简单特征就能预测训练标签"),
        Said(
            f"Features such as {features} predict {percent(rule.accuracy)} "
            f"({span(rule.interval.low, rule.interval.high)}) of "
            f"{rule.n:,} training labels on prompts they were not fitted on.",
            f"{features} 等特征在未参与拟合的提示词上能预测 {rule.n:,} 个训练标签中的 {percent(rule.accuracy)}"
            f"（{span(rule.interval.low, rule.interval.high)}）。",
        ),
        Said(
            "How the data was made or labelled shows in the form of the responses.",
            "数据的制作或标注方式体现在回复的形式上。",
        ),
        Said(
            "Read which features they are, and balance or remove them before training.",
            "查看是哪些特征，并在训练前平衡或移除。",
        ),
        {"accuracy": rule.accuracy, "features": list(rule.features)},
        command=commands.prepare(facts),
    )


def audited(facts: Facts) -> Finding | None:
    """Effects of edits that change no meaning."""
    if not facts.audit:
        return None
    found = sorted((e for e in facts.audit if harms(e)), key=lambda e: -abs(e.size or 0.0))
    if not found:
        return excluded(facts.audit)
    listed = joined(told(effect) for effect in found[:NAMED])
    large = abs(found[0].size or 0.0) >= LARGE
    return Finding(
        "audit_bias",
        "critical" if large else "warning",
        Said("the audit found biases", "审计发现了偏差"),
        Said(
            f"{len(found)} of {len(facts.audit)} effects (standard deviations of the reward): {listed.en}.",
            f"{len(facts.audit)} 个效应中有 {len(found)} 个（单位为奖励的标准差）：{listed.zh}。",
        ),
        Said(
            "Edits that change no meaning change the reward: a policy will learn them.",
            "不改变含义的编辑会改变奖励：策略会学到它们。",
        ),
        Said(
            "Balance these features in the training pairs, and audit again.",
            "在训练偏好对中平衡这些特征，然后重新审计。",
        ),
        {effect.name: {"size": effect.size, "n": effect.n} for effect in found},
        command=commands.prepare(facts),
    )


ONE_SIDED = ("agrees_with_error",)
"""Effects that only do harm above 0: a reward that is lower for agreeing with a user's error is none to guard against."""


def harms(effect: AuditEffect) -> bool:
    """Whether an effect was found, and in a direction in which it is a bias."""
    return effect.status == "found" and not (effect.name in ONE_SIDED and (effect.size or 0.0) < 0)


def told(effect: AuditEffect) -> Said:
    """An effect with its size and interval."""
    spread = "" if effect.interval is None else f" [{effect.interval.low:+.2f}, {effect.interval.high:+.2f}]"
    size = "?" if effect.size is None else f"{effect.size:+.2f}"
    numbers = f"{size}{spread} (n = {effect.n:,})"
    en, zh = (f"{short_label(title)} {numbers}" for title in (effect.title.en, effect.title.zh))
    return Said(en, zh)


def excluded(effects: tuple[AuditEffect, ...]) -> Finding:
    """No effect was found: how many are excluded, how many cannot be told."""
    out = [e for e in effects if e.status != "cannot_tell"]  # found ones are here only where they do no harm
    open_ = len(effects) - len(out)
    return Finding(
        "audit_excluded" if not open_ else "audit_open",
        "good" if not open_ else "info",
        Said("the audit found no bias", "审计没有发现偏差"),
        Said(
            f"{len(out)} of {len(effects)} effects are excluded, {open_} cannot be told at this n.",
            f"{len(effects)} 个效应中 {len(out)} 个已排除，{open_} 个在当前 n 下无法判断。",
        ),
        numbers={"excluded": len(out), "open": open_},
        status="cannot_tell" if open_ else "excluded",
    )
