"""From findings to one verdict: a label, a headline, one next action, and whether the model may be used."""

from collections.abc import Callable

from rewardsmith.diagnose.checks import calibration, curves, data_quality, learning, performance, slices
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import SEVERITIES, Finding, Said, Verdict, joined

Check = Callable[[Facts], Finding | None]

CHECKS: dict[str, Check] = {
    "finite": curves.not_finite,
    "constant": learning.constant_rewards,
    "model": data_quality.other_model,
    "split": performance.split_used,
    "learned": learning.learned,
    "accuracy": performance.no_accuracy,
    "sample": performance.sample_size,
    "perfect": performance.perfect,
    "baselines": performance.baselines,
    "weak": performance.weak_signal,
    "train_loss": learning.train_loss_above_chance,
    "prompts": slices.few_prompts,
    "length": slices.length_bias,
    "overfit": curves.overfit,
    "underfit": curves.underfit,
    "unstable": curves.unstable,
    "calibration": calibration.calibration,
    "categories": slices.weak_categories,
    "predicted_ties": slices.predicted_ties,
    "label_ties": slices.label_ties,
    "lost_rows": data_quality.lost_rows,
    "left_out": data_quality.left_out,
    "data": data_quality.data_findings,
}
"""Questions in the order in which they matter; each answers with one finding or has nothing to say."""

LABELS: dict[str, tuple[Said, bool | None]] = {
    "broken": (Said("Broken", "训练已损坏"), False),
    "nothing_learned": (Said("Nothing was learned", "什么都没学到"), False),
    "reversed": (Said("Prefers the wrong side", "偏好方向错误"), False),
    "cannot_judge": (Said("Cannot be judged", "无法判断"), None),
    "suspicious": (Said("Suspiciously perfect", "结果好得可疑"), None),
    "no_better_than_baseline": (Said("No better than a simple baseline", "不优于简单基线"), False),
    "undecided": (Said("Undecided", "尚无定论"), None),
    "shortcut": (Said("Learned a shortcut", "学到的是捷径"), False),
    "usable_with_care": (Said("Usable with care", "谨慎可用"), True),
    "good": (Said("Good", "良好"), True),
}
"""Label -> its words and whether the next stage may use the model (None: cannot be said)."""

DECIDED_BY: dict[str, str] = {
    "not_finite": "broken",
    "constant_rewards": "nothing_learned",
    "nothing_learned": "nothing_learned",
    "reversed": "reversed",
    "other_model": "cannot_judge",
    "measured_on_training_data": "cannot_judge",
    "no_accuracy": "cannot_judge",
    "no_sample_size": "cannot_judge",
    "no_baselines": "cannot_judge",
    "suspiciously_perfect": "suspicious",
    "no_better_than_baseline": "no_better_than_baseline",
    "length_shortcut": "shortcut",
    "learning_unclear": "undecided",
    "baselines_open": "undecided",
    "few_prompts": "undecided",
}
"""Finding -> the label it forces; the first in this order decides."""

WANTING: dict[str, Said] = {
    "other_model": Said("the model that was saved", "保存时的模型"),
    "measured_on_training_data": Said("held-out data", "留出数据"),
    "no_accuracy": Said("a held-out accuracy", "留出集准确率"),
    "no_sample_size": Said("n", "比较数 n"),
    "no_baselines": Said("baselines", "基线"),
}
"""What is missing, for the headline of a run that cannot be judged."""

NEXT_STAGE: dict[bool | None, Finding] = {
    True: Finding(
        "ready",
        "good",
        Said("ready for the next stage", "可以进入下一阶段"),
        Said(
            "It ranks held-out comparisons better than chance and better than every measured baseline. Read the "
            "warnings first.",
            "它在留出比较上的排序优于随机水平和所有已测量的基线；请先阅读警告。",
        ),
        Said("", ""),
        Said(
            "Use it for best-of-N and for DPO pairs first. For RL, add a KL penalty and monitor response length and a "
            "second reward.",
            "先用于 best-of-N 和 DPO 偏好对；用于 RL 时加上 KL 惩罚，并监控回复长度和另一个奖励。",
        ),
    ),
    False: Finding(
        "not_ready",
        "critical",
        Said("not ready for best-of-N, DPO or RL", "尚不能用于 best-of-N、DPO 或 RL"),
        Said("Blocked by the critical findings above.", "上面的严重问题解决之前不能使用。"),
        Said(
            "A policy optimised against this reward would learn to exploit its errors instead of following human "
            "preferences.",
            "用该奖励优化的策略会学会利用它的错误，而不是遵循人的偏好。",
        ),
        Said(
            "Fix the first finding, then run `rewardsmith diagnose` again.",
            ("先解决第一个问题，然后重新运行 `rewardsmith diagnose`。"),
        ),
    ),
    None: Finding(
        "readiness_unknown",
        "warning",
        Said("readiness for best-of-N, DPO or RL is unknown", "是否可用于 best-of-N、DPO 或 RL 未知"),
        Said("The figures that decide this are missing or too uncertain.", "缺少所需的数值，或数值过于不确定。"),
        Said(
            "An accuracy is meaningful only with n, an interval and baselines, measured on data not used in training.",
            "准确率只有在未用于训练的数据上测量，并附有 n、区间和基线时才有意义。",
        ),
        Said(
            "Follow the next action, then run `rewardsmith diagnose` again.",
            "先执行下一步，然后重新运行 `rewardsmith diagnose`。",
        ),
    ),
}


def judge(facts: Facts) -> Verdict:
    """Ask every question of CHECKS and sum the answers up in one verdict."""
    answers = [finding for finding in (check(facts) for check in CHECKS.values()) if finding is not None]
    label = label_of(answers)
    ready = LABELS[label][1]
    findings = by_severity([*answers, NEXT_STAGE[ready]])
    return Verdict(label, headline(label, answers), findings, next_action(label, answers, ready), ready)


def by_severity(findings: list[Finding]) -> tuple[Finding, ...]:
    """Most severe first; equals keep the order of CHECKS."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def is_urgent(finding: Finding) -> bool:
    """Whether somebody has to do something about it."""
    return finding.severity in ("critical", "warning")


def label_of(answers: list[Finding]) -> str:
    """The label that the findings force, else how clean they are."""
    ids = {finding.id for finding in answers}
    forced = next((label for finding_id, label in DECIDED_BY.items() if finding_id in ids), None)
    if forced is not None:
        return forced
    return "usable_with_care" if any(map(is_urgent, answers)) else "good"


def deciding(label: str, answers: list[Finding]) -> list[Finding]:
    """The findings that force the label, in the order of DECIDED_BY."""
    by_id = {finding.id: finding for finding in answers}
    return [by_id[finding_id] for finding_id, forced in DECIDED_BY.items() if forced == label and finding_id in by_id]


def headline(label: str, answers: list[Finding]) -> Said:
    """The label's words, what decided it, and the most severe other finding."""
    words, reasons = LABELS[label][0], deciding(label, answers)
    other = [finding.title for finding in beside(reasons, answers)[:1]]
    wanting = [WANTING[finding.id] for finding in reasons if finding.id in WANTING]
    if wanting:  # it names what decided already
        return sentence(without(words, wanting), Said("; ", "；"), other)
    return sentence(words, Said(": ", "："), [*(finding.title for finding in reasons[:1]), *other])


def without(words: Said, wanting: list[Said]) -> Said:
    """The label's words with what is missing."""
    return Said(
        f"{words.en} without {' and '.join(said.en for said in wanting)}",
        f"缺少{'、'.join(said.zh for said in wanting)}，{words.zh}",
    )


def beside(reasons: list[Finding], answers: list[Finding]) -> list[Finding]:
    """What a headline may name besides the findings that decided: the urgent ones, most severe first.

    Where there are none, and none decided, what speaks for the model.
    """
    urgent = [f for f in by_severity(answers) if is_urgent(f) and f not in reasons and f.id != "learning_unclear"]
    if reasons or urgent:
        return urgent
    return [finding for finding in answers if finding.id == "beats_baselines"]


def sentence(opening: Said, joint: Said, titles: list[Said]) -> Said:
    """`opening`, and behind `joint` the titles, if there are any."""
    if not titles:
        return Said(f"{opening.en}.", f"{opening.zh}。")
    because = joined(titles)
    return Said(f"{opening.en}{joint.en}{because.en}.", f"{opening.zh}{joint.zh}{because.zh}。")


def next_action(label: str, answers: list[Finding], ready: bool | None) -> Said:
    """The one thing to do now: what the deciding finding asks for, else the first warning, else the next stage."""
    urgent = filter(is_urgent, by_severity(answers))
    for finding in (*deciding(label, answers), *urgent):
        if finding.action.en:
            return finding.action
    return NEXT_STAGE[ready].action
