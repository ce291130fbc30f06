"""From findings to one verdict: a label, a headline, one next action, what may be done with the model, what stays open."""

from collections.abc import Callable, Sequence

from rewardsmith.diagnose.checks import (
    calibration,
    consistency,
    groups,
    leakage,
    learning,
    model,
    performance,
    rewards,
    shortcuts,
    slices,
)
from rewardsmith.diagnose.checks.data import differing, quality
from rewardsmith.diagnose.checks.training import carried_over, causes, curves, diverging, held_back
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import SEVERITIES, Finding, Said, Verdict, joined
from rewardsmith.diagnose.labels import marks, scale
from rewardsmith.diagnose.readiness import established, open_questions, readiness, usable

Check = Callable[[Facts], Finding | None]

CHECKS: tuple[Check, ...] = (
    model.run_died,
    model.model_unreadable,
    model.other_model,
    model.model_changed,
    model.contract_changed,
    consistency.not_reproduced,
    model.origin_unknown,
    model.data_changed,
    model.files_disagree,
    rewards.not_finite,
    causes.learning_rate_high,
    diverging.diverged,
    leakage.measured_on_training_data,
    leakage.overlap,
    scale.validation_in_training,
    scale.training_weights,
    rewards.constant_rewards,
    rewards.coarse_rewards,
    differing.test_voided,
    quality.left_out,
    quality.lost_rows,
    quality.repeats,
    quality.narrow_data,
    quality.data_findings,
    causes.learning_rate_low,
    held_back.too_much_held_back,
    causes.too_few_steps,
    marks.label_mark,
    shortcuts.length_bias,
    shortcuts.rule_followed,
    groups.failing_groups,
    scale.position_bias,
    quality.wrong_labels,
    differing.test_differs,
    carried_over.easier_test,
    leakage.test_is_validation,
    learning.reversed_labels,
    slices.failing_categories,
    scale.soft_labels,
    scale.margins_large,
    model.other_template,
    rewards.reward_scale,
    causes.cannot_fit,
    causes.head_not_trained,
    curves.memorised,
    causes.labels_look_random,
    causes.labels_look_noisy,
    curves.unstable,
    curves.falls_back,
    performance.no_accuracy,
    slices.few_prompts,
    slices.few_rows_weigh,
    slices.test_repeats,
    performance.sample_size,
    shortcuts.rule_in_data,
    learning.learned,
    performance.perfect,
    learning.worse_than_constant,
    performance.baselines,
    learning.train_loss_above_chance,
    shortcuts.audited,
    performance.weak_signal,
    slices.weak_categories,
    curves.overfit,
    curves.underfit,
    curves.more_data,
    calibration.calibration,
    rewards.predicted_ties,
    model.pad_token_in_text,
    slices.label_ties,
    leakage.validation_only,
)
"""Questions, causes before what follows from them; each answers with one finding or has nothing to say."""

LABELS: dict[str, Said] = {
    "unfinished": Said("Not finished", "训练未完成"),
    "broken": Said("Broken", "已损坏"),
    "nothing_learned": Said("Nothing was learned", "什么都没学到"),
    "reversed": Said("Prefers the wrong side", "偏好方向错误"),
    "cannot_judge": Said("Cannot be judged", "无法判断"),
    "suspicious": Said("Suspiciously perfect", "结果好得可疑"),
    "no_better_than_baseline": Said("No better than a simple baseline", "不优于简单基线"),
    "undecided": Said("Undecided", "尚无定论"),
    "shortcut": Said("Learned a shortcut", "学到的是捷径"),
    "not_usable": Said("Not usable as it is", "目前不可用"),
    "usable_with_care": Said("Usable with care", "谨慎可用"),
    "good": Said("Good", "良好"),
}
"""Label -> its words."""

DECIDED_BY: dict[str, str] = {
    "run_died": "unfinished",
    "not_finite": "broken",
    "model_unreadable": "broken",
    "model_changed": "broken",
    "rewards_not_reproduced": "cannot_judge",
    "contract_changed": "broken",
    "files_disagree": "broken",
    "constant_rewards": "nothing_learned",
    "nothing_learned": "nothing_learned",
    "reversed": "reversed",
    "other_model": "cannot_judge",
    "measured_on_training_data": "cannot_judge",
    "test_in_training": "cannot_judge",
    "near_test_in_training": "cannot_judge",
    "no_accuracy": "cannot_judge",
    "no_sample_size": "cannot_judge",
    "no_baselines": "cannot_judge",
    "suspiciously_perfect": "suspicious",
    "no_better_than_baseline": "no_better_than_baseline",
    "length_shortcut": "shortcut",
    "simple_shortcut": "shortcut",
    "few_prompts": "undecided",
    "learning_unclear": "undecided",
    "baselines_open": "undecided",
}
"""Finding -> the label it forces; the one that is ranked first decides."""

WITHHOLDS = ("origin_unknown",)
"""Findings that ask for nothing, and under which nothing can be called good."""

OF_CAUSES = (
    "learning_rate_high",
    "learning_rate_low",
    "weight_decay",
    "dropout",
    "warmup",
    "clip",
    "smoothing",
    "too_few_steps",
    "head_not_trained",
    "underfit",
    "label_noise",
    "contradictions",
    "narrow_data",
    "failing_group",
    "label_mark",
    "position_bias",
    "soft_labels",
    "margins_large",
    "validation_in_training",
)
"""Findings that name what to change in training or its data: more test data alone would leave it as it is."""

CONSEQUENCES = (
    "weak_signal",
    "weak_categories",
    "miscalibrated",
    "predicted_ties",
    "overfit",
    "train_loss_above_chance",
    "worse_than_constant",
    "left_out",
)
"""Findings that are shown, and mostly follow from another one."""

WANTING: dict[str, Said] = {
    "other_model": Said("the model that was saved", "保存时的模型"),
    "measured_on_training_data": Said("held-out data", "留出数据"),
    "rewards_not_reproduced": Said("an evaluation of this model", "该模型的评估"),
    "no_accuracy": Said("a held-out accuracy", "留出集准确率"),
    "no_sample_size": Said("n", "比较数 n"),
    "no_baselines": Said("baselines", "基线"),
}
"""What is missing, for the headline of a run that cannot be judged."""

NEXT_STAGE: dict[bool | None, Said] = {
    True: Said(
        "Use it for best-of-N and for DPO pairs first, as far as it is ready for them. For RL, add a KL penalty and monitor "
        "response length and a second reward.",
        "先用于 best-of-N 和 DPO 偏好对（以各自是否就绪为准）；用于 RL 时加上 KL 惩罚，并监控回复长度和另一个奖励。",
    ),
    False: Said(
        "Read the reasons why it is not ready, and train on more prompts or with a larger model.",
        "阅读未就绪的原因，并用更多提示词或更大的模型训练。",
    ),
    None: Said(
        "Measure what is still open, then diagnose again.",
        "先测量尚不清楚的部分，然后重新诊断。",
    ),
}


def judge(facts: Facts) -> Verdict:
    """Ask every question of CHECKS and sum the answers up in one verdict."""
    answers = by_severity([found for found in (check(facts) for check in CHECKS) if found is not None])
    ready_for = readiness(facts, answers)
    label, ready = label_of(answers), usable(ready_for)
    action, command = next_step(label, answers, ready)
    return Verdict(
        label=label,
        headline=headline(label, answers),
        findings=answers,
        next_action=action,
        ready=ready,
        next_command=command,
        ready_for=ready_for,
        established=established(answers),
        not_checked=open_questions(facts, answers),
    )


def by_severity(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Most severe first; equals keep the order of CHECKS."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def label_of(answers: Sequence[Finding]) -> str:
    """The label that the first urgent finding forces, else how clean they are."""
    urgent = [finding for finding in answers if finding.urgent]
    forced = next((DECIDED_BY[finding.id] for finding in urgent if finding.id in DECIDED_BY), None)
    if forced is not None:
        return forced
    if urgent:
        return "not_usable" if urgent[0].severity == "critical" else "usable_with_care"
    return "undecided" if any(finding.id in WITHHOLDS for finding in answers) else "good"


def deciding(label: str, answers: Sequence[Finding]) -> list[Finding]:
    """The urgent findings that force the label, in their order; for one that none forces, the first critical one."""
    forcing = [f for f in answers if f.urgent and DECIDED_BY.get(f.id) == label]
    return forcing or [f for f in answers if f.severity == "critical"][:1]


def headline(label: str, answers: Sequence[Finding]) -> Said:
    """The label's words, what decided it, and the most severe other finding."""
    words, reasons = LABELS[label], deciding(label, answers)
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


def beside(reasons: list[Finding], answers: Sequence[Finding]) -> list[Finding]:
    """What a headline may name besides the findings that decided: the urgent ones, most severe first.

    Where there are none, and none decided, what speaks for the model.
    """
    urgent = [f for f in answers if f.urgent and f not in reasons and f.id != "learning_unclear"]
    if reasons or urgent:
        return urgent
    return [finding for finding in answers if finding.id == "beats_baselines"]


def sentence(opening: Said, joint: Said, titles: list[Said]) -> Said:
    """`opening`, and behind `joint` the titles, if there are any."""
    if not titles:
        return Said(f"{opening.en}.", f"{opening.zh}。")
    because = joined(titles)
    return Said(f"{opening.en}{joint.en}{because.en}.", f"{opening.zh}{joint.zh}{because.zh}。")


def next_step(label: str, answers: Sequence[Finding], ready: bool | None) -> tuple[Said, str]:
    """The one thing to do now, in words and as a command: what the first critical finding asks for, else a warning that
    names a cause (see `names_cause`), else the deciding one, else the first warning, else more data where a learning
    curve shows that it helps, else the next stage.
    """
    urgent = [finding for finding in answers if finding.urgent]
    critical = [finding for finding in urgent if finding.severity == "critical"]
    mendable = [finding for finding in urgent if names_cause(finding)]
    for finding in (*critical, *mendable, *deciding(label, answers), *urgent, *more_data(answers, ready)):
        if finding.action.en:
            return finding.action, finding.command
    return NEXT_STAGE[ready], ""


def names_cause(finding: Finding) -> bool:
    """Whether a finding says what to change, and is no consequence of something else that would have to change."""
    return finding.id in OF_CAUSES or (finding.status == "found" and finding.id not in CONSEQUENCES)


def more_data(answers: Sequence[Finding], ready: bool | None) -> list[Finding]:
    """The finding that more data helps, where the model is not ready yet."""
    return [finding for finding in answers if finding.id == "more_data_helps" and ready is not True]
