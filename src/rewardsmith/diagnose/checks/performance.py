"""How good it is: for this n, against these baselines, on this split."""

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.training.fitted_head import can_be_fitted
from rewardsmith.diagnose.facts import BaselineFacts, Facts
from rewardsmith.diagnose.finding import (
    Finding,
    FindingStatus,
    Said,
    Severity,
    joined,
    percent,
    shown,
    signed_span,
    span,
)
from rewardsmith.diagnose.intervals import Interval95, pairs_needed, unpaired_difference, wilson
from rewardsmith.evaluate.baselines import fitted_in_words, fitted_on_itself
from rewardsmith.language import say

WIDE = 0.05
"""Half width of the accuracy's interval above which models that differ by 5 points cannot be told apart."""

PERFECT = 0.97
"""People agree with each other on 65-80 % of preferences; a model at 97 % has most likely seen the answers or reads a
trait that gives the label away."""

PERFECT_MIN_N = 30
"""Under 30 pairs an accuracy of 97 % is common by luck for a model at 90 %: 0.9 ** 30 = 4 %."""

WEAK = 0.4
"""Share of the distance from chance level to the ceiling under which more than a third of what a reward tells a "
"policy is wrong."""

HUMAN = 0.8
"""Two annotators of open-ended answers agree on 65-80 % of the pairs: the ceiling where none was measured."""

ENOUGH_VOTED = 30
"""Comparisons with two votes or more from which a ceiling by annotators is taken."""

NEGLIGIBLE = 0.005
"""Half a point: no data set of a usual size tells such a difference, so no number of pairs is named."""

BASELINE_NAMES = {
    "longer": Said("longer wins", "更长者胜"),
    "shorter": Said("shorter wins", "更短者胜"),
    "tfidf": Said("TF-IDF", " TF-IDF "),
    "shortcuts": Said("all simple features together", "所有简单特征合起来"),
    "constant": Said("a constant reward", "常数奖励"),
}

EVALUATE = Said(
    "Measure accuracy, interval and baselines on held-out comparisons.",
    "在留出比较上测量准确率、区间和基线。",
)


def no_accuracy(facts: Facts) -> Finding | None:
    """There is no held-out accuracy at all."""
    if facts.accuracy is not None:
        return None
    return Finding(
        "no_accuracy",
        "warning",
        Said("no held-out accuracy was measured", "没有留出集准确率"),
        Said(
            "A training loss alone does not show how well unseen pairs are ranked.",
            "仅凭训练损失无法得知模型对未见过的偏好对排序得如何。",
        ),
        Said(
            "The run was not evaluated, or every comparison is a label tie.",
            "该运行没有评估过，或所有比较都是标签平局。",
        ),
        EVALUATE,
        status="cannot_tell",
        command=commands.evaluate(facts),
    )


def sample_size(facts: Facts) -> Finding | None:
    """Whether n is known, and whether it is large enough."""
    if facts.accuracy is None:
        return None
    if not facts.n and facts.accuracy_interval is None:
        return no_sample_size(facts, facts.accuracy)
    interval = facts.interval
    if interval is None or interval.half_width <= WIDE or not facts.n:
        return None
    prompts = facts.clusters or facts.n
    per_prompt = facts.n / prompts
    wanted = round(prompts * (interval.half_width / 0.03) ** 2)
    return Finding(
        "few_pairs",
        "warning",
        Said(f"n = {facts.n:,} comparisons are few", f"n = {facts.n:,} 个比较太少"),
        Said(
            f"The accuracy {percent(facts.accuracy)} on {prompts:,} prompts has the 95 % interval "
            f"{span(interval.low, interval.high)}; an interval of ±3 points needs about {wanted:,} prompts with "
            f"{per_prompt:.1f} comparisons each.",
            f"准确率 {percent(facts.accuracy)}（{prompts:,} 个提示词）的 95 % 区间为 "
            f"{span(interval.low, interval.high)}；要使区间为 "
            f"±3 个百分点，约需 {wanted:,} 个提示词，每个 {per_prompt:.1f} 个比较。",
        ),
        Said("The interval shrinks with the square root of the number of prompts.", "区间宽度随提示词数的平方根缩小。"),
        Said(
            f"Evaluate on about {wanted:,} prompts before comparing models.",
            f"比较模型之前，先在约 {wanted:,} 个提示词上评估。",
        ),
        {"n": facts.n, "low": interval.low, "high": interval.high, "needed": wanted},
        "cannot_tell",
        commands.evaluate(facts),
    )


def no_sample_size(facts: Facts, accuracy: float) -> Finding:
    """An accuracy without n: what its interval would be for a few n."""
    examples = {n: wilson(accuracy, n) for n in (30, 300, 3000)}
    en = ", ".join(f"n = {n}: {span(i.low, i.high)}" for n, i in examples.items())
    zh = "，".join(f"n = {n}：{span(i.low, i.high)}" for n, i in examples.items())
    return Finding(
        "no_sample_size",
        "warning",
        Said("the number of comparisons n is unknown", "比较数 n 未知"),
        Said(
            f"Accuracy {percent(accuracy)} cannot be interpreted without n (95 % intervals: {en}).",
            f"没有 n，无法解读准确率 {percent(accuracy)}（95 % 区间：{zh}）。",
        ),
        Said("Only the accuracy was reported.", "只报告了准确率。"),
        EVALUATE,
        {"accuracy": accuracy},
        "cannot_tell",
        commands.evaluate(facts),
    )


def ceiling_of(facts: Facts) -> tuple[float, bool]:
    """The accuracy that labels like these allow, and whether it was measured; else the upper end of human agreement."""
    wrong = (facts.data.wrong if facts.data else None) or facts.measured.wrong
    if wrong is not None and wrong.shown:
        return 1 - wrong.rate, True
    return HUMAN, False


def attained(facts: Facts, accuracy: float) -> float:
    """How much of the distance from chance level to the ceiling an accuracy is."""
    return (accuracy - 0.5) / max(ceiling_of(facts)[0] - 0.5, 0.01)


def least_ceiling(facts: Facts) -> tuple[float, Said]:
    """The lowest ceiling that labels like these can have, and where it is from."""
    ceiling, known = ceiling_of(facts)
    by_votes = facts.noise_ceiling
    if by_votes is not None and by_votes.n >= ENOUGH_VOTED and by_votes.low < ceiling:
        return by_votes.low, Said(
            "the least that the agreement of the annotators allows", "由标注者一致率决定的上限的最低值"
        )
    if known:
        return ceiling, Said("which the measured share of wrong labels allows", "由测得的错误标签比例决定的上限")
    return ceiling, Said("the upper end of human agreement", "标注者一致率的上端")


def weak_signal(facts: Facts) -> Finding | None:
    """Better than chance, but far from what the labels allow: wrong too often to optimise against."""
    interval = facts.interval
    if facts.accuracy is None or interval is None or not facts.n:
        return None
    ceiling, origin = least_ceiling(facts)
    share = (facts.accuracy - 0.5) / max(ceiling - 0.5, 0.01)
    if interval.low <= 0.5 or share >= WEAK:
        return None
    top = percent(ceiling)
    return Finding(
        "weak_signal",
        "warning",
        Said("the signal is weak", "信号较弱"),
        Said(
            f"Correct on {percent(facts.accuracy)} of n = {facts.n:,} comparisons ({span(interval.low, interval.high)}): "
            f"{percent(share)} of the distance from chance level to {top}, {origin.en}.",
            f"在 {facts.n:,} 个比较中正确率为 {percent(facts.accuracy)}（{span(interval.low, interval.high)}）："
            f"从随机到 {top}（{origin.zh}）的路程走了 {percent(share)}。",
        ),
        Said(
            "Wrong labels, too little training, too small a model or too few prompts.",
            "标签错误、训练不足、模型太小，或提示词太少。",
        ),
        Said(
            "First measure how many labels are wrong: no model can be right on more than the rest.",
            "先测量有多少标签是错误的：任何模型的正确率都不会超过其余部分。",
        ),
        {"accuracy": facts.accuracy, "n": facts.n, "ceiling": ceiling},
        command=commands.prepare(facts, "--label-noise", "report"),
    )


def perfect(facts: Facts) -> Finding | None:
    """An accuracy too high for preferences."""
    if facts.accuracy is None or facts.accuracy < PERFECT or (facts.n is not None and facts.n < PERFECT_MIN_N):
        return None
    return Finding(
        "suspiciously_perfect",
        "critical",
        Said(
            f"accuracy {percent(facts.accuracy)} is too good to be true", f"准确率 {percent(facts.accuracy)} 好得可疑"
        ),
        Said(
            f"Accuracy {percent(facts.accuracy)} at n = {shown(facts.n)}; human annotators agree with each other on "
            "about 65–80 % of comparisons.",
            f"准确率 {percent(facts.accuracy)}，n = {shown(facts.n)}；标注者之间的一致率约为 65–80 %。",
        ),
        Said(
            "Test pairs or their prompts are in the training data, or a feature of the text (length, generator, a "
            "marker) reveals the label.",
            "测试数据或其提示词出现在训练数据中，或文本的某个特征（长度、生成模型、标记）泄露了标签。",
        ),
        Said(
            "Look for simple features and shared prompts in the data, and evaluate on data from another source.",
            "在数据中查找简单特征和重复的提示词，并在另一个来源上评估。",
        ),
        {"accuracy": facts.accuracy, "n": facts.n},
        command=commands.prepare(facts),
    )


def difference_to(baseline: BaselineFacts, facts: Facts) -> tuple[float, Interval95, bool] | None:
    """(model minus baseline, its 95 % interval, whether it is paired); None where n and intervals are not known."""
    if facts.accuracy is None or baseline.accuracy is None:
        return None
    difference = facts.accuracy - baseline.accuracy if baseline.difference is None else baseline.difference
    if baseline.difference_interval is not None:
        return difference, baseline.difference_interval, True
    if baseline.name == "constant" and facts.interval is not None:
        # Its accuracy is known, not sampled: only the model's own interval counts.
        return difference, Interval95(facts.interval.low - 0.5, facts.interval.high - 0.5), True
    if facts.n:
        return difference, unpaired_difference(facts.accuracy, facts.n, baseline.accuracy, facts.n), False
    return None


def outcome(interval: Interval95) -> str:
    """`beats`, `loses` (does not beat) or `open` (cannot tell)."""
    if interval.low > 0:
        return "beats"
    return "loses" if interval.high <= NEGLIGIBLE else "open"


def against(baseline: BaselineFacts, facts: Facts) -> tuple[str, Said] | None:
    """The outcome against one baseline and a clause with its numbers; None where it cannot be computed."""
    compared = difference_to(baseline, facts)
    if compared is None or baseline.accuracy is None:
        return None
    difference, interval, paired = compared
    result, name = outcome(interval), BASELINE_NAMES.get(baseline.rule, Said(baseline.name, baseline.name))
    words = {
        "beats": Said(f"beats {name.en}", f"优于{name.zh}"),
        "loses": Said(f"does not beat {name.en}", f"不优于{name.zh}"),
        "open": Said(f"not distinguishable from {name.en}", f"与{name.zh}无法区分"),
    }[result]
    numbers = f"{percent(baseline.accuracy)}, {100 * difference:+.1f} [{signed_span(interval.low, interval.high)}]"
    kind = Said("" if paired else ", unpaired", "" if paired else "，非配对")
    need = more_pairs(difference, interval, facts.n) if result == "open" else Said("", "")
    itself = on_itself(baseline)
    return result, Said(
        f"{words.en} ({numbers} points{kind.en}{need.en}{itself.en})",
        f"{words.zh}（{numbers} 个百分点{kind.zh}{need.zh}{itself.zh}）",
    )


def on_itself(baseline: BaselineFacts) -> Said:
    """The tail of a clause about a rule that was fitted on the very set that it is judged on."""
    if not fitted_on_itself(baseline.fitted_on):
        return Said("", "")
    words = fitted_in_words(baseline.fitted_on)
    return Said(f", {words}", f"，{say(words, 'zh')}")


def more_pairs(difference: float, interval: Interval95, n: int | None) -> Said:
    """How many comparisons would tell the difference, as the tail of a clause."""
    needed = pairs_needed(difference, interval.half_width, n) if n and abs(difference) >= NEGLIGIBLE else None
    if needed is None:
        return Said(", too small a difference for any usual n", "，差异太小，通常的 n 都无法区分")
    return Said(f", needs about {needed:,} comparisons", f"，约需 {needed:,} 个比较")


def baselines(facts: Facts) -> Finding | None:
    """The model against every baseline that was measured."""
    if facts.accuracy is None:
        return None
    results = [result for baseline in facts.baselines if (result := against(baseline, facts)) is not None]
    if not results:
        return no_baselines(facts)
    outcomes = {result for result, _ in results}
    worst = next(result for result in ("loses", "open", "beats") if result in outcomes)
    compared = joined(said for _, said in results)
    evidence = Said(
        f"Accuracy {percent(facts.accuracy)} (n = {shown(facts.n)}) {compared.en}.",
        f"准确率 {percent(facts.accuracy)}（n = {shown(facts.n)}）{compared.zh}。",
    )
    finding_id, severity, title, cause, action = BASELINE_ANSWERS[worst]
    numbers = {b.name: {"accuracy": b.accuracy, "difference": b.difference} for b in facts.baselines}
    command = {"beats": "", "open": commands.evaluate(facts), "loses": ""}[worst]
    if worst == "loses":
        action, command = against_losing(facts, action)
    status: FindingStatus = "cannot_tell" if worst == "open" else "found"
    return Finding(finding_id, severity, title, evidence, cause, action, numbers, status, command)


def against_losing(facts: Facts, fitted: Said) -> tuple[Said, str]:
    """What to do about losing to a baseline, and its command: `fitted` where the head can be."""
    if can_be_fitted(facts):
        return fitted, commands.train(facts, "--head-start", "probe")
    return STRONGER, commands.learning_curve(facts)


BASELINE_ANSWERS: dict[str, tuple[str, Severity, Said, Said, Said]] = {
    "beats": (
        "beats_baselines",
        "good",
        Said("beats every measured baseline", "优于所有已测量的基线"),
        Said("The model uses more information than length and word counts.", "模型利用的信息多于长度和词频。"),
        Said("", ""),
    ),
    "open": (
        "baselines_open",
        "warning",
        Said("not distinguishable from a simple baseline at this n", "在当前 n 下无法与简单基线区分"),
        Said("The difference is too small for this number of comparisons.", "相对于比较的数量，差异太小。"),
        Said(
            "Evaluate on more held-out comparisons (the evidence gives the number).",
            "在更多留出比较上评估（所需数量见证据）。",
        ),
    ),
    "loses": (
        "no_better_than_baseline",
        "critical",
        Said("does not beat a simple baseline", "不优于简单基线"),
        Said(
            "The model learned no more than a simple rule: too little data, too small a backbone, or labels that "
            "follow the rule.",
            "模型学到的不多于一条简单规则：数据太少、主干太小，或标签本身遵循该规则。",
        ),
        Said(
            "Start from a fitted head, on more pairs or with a stronger backbone; if a rule by length is the one ahead, "
            "balance the lengths first.",
            "从拟合的奖励头开始，用更多数据或更强的主干训练；如果领先的是长度规则，先平衡长度。",
        ),
    ),
}

STRONGER = Said(
    "Measure what more pairs would give, and train on more or with a stronger backbone; if a rule by length is the one "
    "ahead, balance the lengths first.",
    "测量更多数据会带来多少提升，再用更多数据或更强的主干训练；如果领先的是长度规则，先平衡长度。",
)
"""What to do about losing to a baseline where the head cannot be fitted, or was."""


def no_baselines(facts: Facts) -> Finding:
    """No baseline was measured, or none can be compared."""
    measured = ", ".join(b.name for b in facts.baselines)
    return Finding(
        "no_baselines",
        "warning",
        Said("no baseline to compare with", "没有可比较的基线"),
        Said(
            f"Accuracy {percent(facts.accuracy or 0.0)}; baselines: {measured or 'none'}. On some data the `longer "
            "wins` baseline alone reaches 80 %.",
            f"准确率 {percent(facts.accuracy or 0.0)}；基线：{measured or '无'}。在某些数据上，"
            "仅凭“更长者胜”基线就能达到 80 %。",
        ),
        Said(
            ("The baselines are missing, or n is missing and their intervals cannot be computed."),
            "缺少基线，或缺少 n 而无法计算其区间。",
        ),
        EVALUATE,
        status="cannot_tell",
        command=commands.evaluate(facts),
    )
