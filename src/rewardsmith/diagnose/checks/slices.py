"""Where it fails: short preferred answers, categories, ties, few prompts."""

import numpy as np
import numpy.typing as npt

from rewardsmith.diagnose.checks.learning import CONSTANT_TIES
from rewardsmith.diagnose.compared import Compared
from rewardsmith.diagnose.facts import Facts, GroupFacts
from rewardsmith.diagnose.finding import Finding, Said, percent, short_label, shown, signed_span, span
from rewardsmith.diagnose.intervals import Interval95, wilson

Chosen = npt.NDArray[np.bool_]

MIN_GROUP = 30
"""Comparisons under which a group's interval is wider than about 35 points, which says nothing."""

LENGTH_GAP = 0.10
"""Points of accuracy between longer and shorter preferred answers that an optimised policy would turn into length."""

WEAK_GAP = 0.05
"""Points under the overall accuracy from which a category is worth a person's time."""

PREDICTED_TIES = 0.01
"""Continuous rewards never tie by chance; one in a hundred is a cut, a rounding or the same text twice."""

NAMED = 5
"""Weak categories named in the sentence; the rest is counted."""

LABEL_TIES = 0.2
"""From one undecided label in five on, accuracy leaves out much of the data."""

MIN_PROMPTS = 30
"""Under 30 prompts the clustered bootstrap covers less than its 95 % (measured: 82 % at 6 prompts, 94 % at 30)."""


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


def length_bias(facts: Facts) -> Finding | None:
    """Whether the model is right more often where the preferred response is the longer one."""
    groups = length_groups(facts)
    if groups is None or facts.compared is None:
        return None
    shorter, longer = groups
    numbers: dict[str, dict[str, float]] = {g.label: {"n": g.n, "accuracy": g.accuracy} for g in groups}
    gap = longer.accuracy - shorter.accuracy
    where = by_preferred_length(facts.compared)
    spread = facts.compared.difference(where[1], where[0])
    evidence = length_evidence(shorter, longer, gap, spread)
    if min(shorter.n, longer.n) < MIN_GROUP:
        return length_bias_unknown(evidence, numbers)
    if spread.low <= 0 <= spread.high or abs(gap) < LENGTH_GAP:
        return Finding(
            "no_length_bias", "good", Said("no strong length bias", "没有明显的长度偏差"), evidence, numbers=numbers
        )
    return length_followed(shorter if gap > 0 else longer, gap, evidence, numbers)


def length_followed(weak: GroupFacts, gap: float, evidence: Said, numbers: dict[str, dict[str, float]]) -> Finding:
    """The reward follows length (`gap` > 0) or brevity; `weak` are the comparisons on which that costs accuracy."""
    worse_than_coin = weak.interval is not None and weak.interval.high < 0.5
    return Finding(
        "length_shortcut" if worse_than_coin else "length_bias",
        "critical" if worse_than_coin else "warning",
        Said("the reward favours long responses", "奖励偏向较长的回复")
        if gap > 0
        else Said("the reward favours short responses", "奖励偏向较短的回复"),
        evidence,
        Said(
            "The training labels favour one length, and length is the easiest feature to learn.",
            "训练标签偏向某种长度，而长度是最容易学到的特征。",
        ),
        Said(
            "Balance the response lengths of the training pairs or apply length calibration before optimising a "
            "policy against this reward.",
            "在用该奖励优化策略之前，平衡训练偏好对的回复长度，或使用长度校准。",
        ),
        numbers,
    )


def length_bias_unknown(evidence: Said, numbers: dict[str, dict[str, float]]) -> Finding:
    """One side has too few pairs."""
    return Finding(
        "length_bias_unknown",
        "info",
        Said("length bias cannot be judged", "无法判断长度偏差"),
        evidence,
        Said(
            f"One of the two groups has fewer than {MIN_GROUP} comparisons.", f"两组中有一组少于 {MIN_GROUP} 个比较。"
        ),
        Said("Evaluate on more held-out comparisons.", "在更多留出比较上评估。"),
        numbers,
    )


def length_evidence(shorter: GroupFacts, longer: GroupFacts, gap: float, spread: Interval95) -> Said:
    """Both accuracies, their n and intervals, and the gap in points."""
    parts = [
        percent(g.accuracy) + f" (n = {g.n:,}{', ' + span(g.interval.low, g.interval.high) if g.interval else ''})"
        for g in (shorter, longer)
    ]
    points = f"{100 * gap:+.1f} [{signed_span(spread.low, spread.high)}]"
    return Said(
        f"Accuracy {parts[0]} where the preferred response is shorter and {parts[1]} where it is longer; difference "
        f"{points} points.",
        f"偏好的回复较短时准确率 {parts[0]}，较长时 {parts[1]}；相差 {points} 个百分点。",
    )


def weak_categories(facts: Facts) -> Finding | None:
    """Categories whose whole interval lies under the overall accuracy, by at least WEAK_GAP."""
    if facts.accuracy is None or len(facts.by_category) < 2:
        return None
    overall = facts.accuracy
    weak = [g for g in facts.by_category if g.n >= MIN_GROUP and is_weak(g, overall)]
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


def is_weak(group: GroupFacts, overall: float) -> bool:
    """Whether a group lies under the overall accuracy, beyond its interval and by WEAK_GAP."""
    interval = group.interval or wilson(group.accuracy, group.n)
    return interval.high < overall and overall - group.accuracy >= WEAK_GAP


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
            "Run `rewardsmith inspect` on such a pair. Raise --max-length if the difference was truncated.",
            "对这样的偏好对运行 `rewardsmith inspect`；如果差异被截断，增大 --max-length。",
        ),
        {"tie_rate": facts.tie_rate, "n": facts.n},
    )


def label_ties(facts: Facts) -> Finding | None:
    """Many comparisons on which the judges were undecided."""
    if not facts.label_ties or facts.n is None:
        return None
    total = facts.label_ties + facts.n
    if facts.label_ties / total < LABEL_TIES:
        return None
    return Finding(
        "label_ties",
        "info",
        Said("many labels are ties", "许多标签是平局"),
        Said(
            f"{facts.label_ties:,} of {total:,} comparisons ({percent(facts.label_ties / total)}) have no preferred "
            "response. The accuracy excludes them; the loss includes them with target 0.5.",
            f"{total:,} 个比较中有 {facts.label_ties:,} 个（{percent(facts.label_ties / total)}）没有偏好的回复；"
            "准确率不计入它们，损失以 0.5 为目标计入。",
        ),
        Said("The annotators rated both responses as equally good.", "标注者认为两条回复同样好。"),
        Said("Keep them in training as ties; do not break them at random.", "训练时保留为平局，不要随机指定。"),
        {"label_ties": facts.label_ties, "n": facts.n},
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
    )
