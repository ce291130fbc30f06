"""Whether the margins mean probabilities: sigma(margin) against the share that is right."""

import math

import numpy as np

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.rewards import COLD, HOT
from rewardsmith.diagnose.checks.signals import design_effect
from rewardsmith.diagnose.facts import CHANCE_LOSS, Facts, ReliabilityFacts
from rewardsmith.diagnose.finding import NOTHING, Finding, Said, percent, shown
from rewardsmith.evaluate.inference.noise_floor import NoiseFloor, ece_noise_floor

SCALE = COLD, HOT
"""Temperatures between which margins can be spoken of as log odds at all."""

ECE_EXCESS = 0.02
"""Calibration error above the noise floor that matters: two points of probability change hardly any decision."""

ECE_LARGE = 0.05
"""One above the limit of chance that makes probabilities from these margins misleading: at the limit itself is one of twenty
calibrated models, and the ranking does not depend on it."""

FEWEST = 30
"""Comparisons under which nothing is said: two in each of fifteen bins are right by chance alone."""

TEMPERATURE = Said(
    "Divide the margins by the stored temperature wherever a probability is needed (P(better), soft labels, "
    "thresholds); score --calibrated does so. The ranking does not change.",
    "在需要概率的地方（P(better)、软标签、阈值），将奖励差除以保存的温度（score --calibrated 即如此）；排序不变。",
)


LOSS_TITLES = {
    "fits": Said("loss and accuracy are consistent with a calibrated model", "损失与准确率符合已校准的模型"),
    "high": Said("the loss is too high for this accuracy", "相对于该准确率，损失过高"),
    "low": Said("the loss is too low for this accuracy", "相对于该准确率，损失过低"),
}


def calibration(facts: Facts) -> Finding | None:
    """The calibration error against what a perfectly calibrated model would show at this n."""
    if facts.n is not None and facts.n < FEWEST:
        return None
    if facts.ece is None:
        return plausible_loss(facts)
    if facts.ece_noise_floor is None:
        return no_noise_floor(facts)
    in_scale = SCALE[0] < (facts.temperature or 1.0) < SCALE[1]
    return against_floor(facts, facts.ece, facts.ece_noise_floor) if in_scale else None  # else the scale is the finding


def against_floor(facts: Facts, ece: float, floor: float) -> Finding:
    """The calibration error against what chance gives a calibrated model, before and after the temperature."""
    chance = by_chance(facts, floor, facts.ece_limit)
    numbers = {"ece": ece, "noise_floor": floor, "limit": chance.limit, "temperature": facts.temperature, "n": facts.n}
    evidence = figures(facts)
    if not exceeds(ece, chance):
        title = Said("no miscalibration detected at this n", "在当前 n 下未发现校准偏差")
        return Finding("calibrated", "good", title, evidence, numbers=numbers)
    left, after = ece if facts.ece_calibrated is None else facts.ece_calibrated, chance_after(facts)
    mended = facts.ece_calibrated is not None and not exceeds(left, after)
    direction = confidence_direction(facts)
    return Finding(
        "miscalibrated",
        "info" if mended or left - after.limit < ECE_LARGE else "warning",
        Said(f"the margins are {direction.en}", f"奖励差{direction.zh}"),
        evidence,
        Said(
            "Training on hard labels increases the margins without bound; too few training steps leave them too small.",
            "硬标签训练会不断拉大奖励差；训练步数太少则奖励差过小。",
        ),
        TEMPERATURE
        if mended
        else Said(
            "Temperature scaling does not fix this: fit an isotonic map on held-out data like the test, or use the ranking "
            "only.",
            "温度校准无法修正：在与测试集相似的留出数据上拟合保序映射，或只使用排序。",
        ),
        numbers,
        command="" if mended else commands.calibrate(facts, "VALIDATION_DATA", "--method", "isotonic"),
    )


def by_chance(facts: Facts, floor: float, limit: float | None) -> NoiseFloor:
    """The error of a calibrated model by chance. The measured limit keeps the comparisons of a prompt together; where it is
    not known, the floor is taken for one of independent comparisons and widened by how much they err together.
    """
    if limit is not None:
        return NoiseFloor(floor, max(floor, limit))
    widened = math.sqrt(design_effect(facts)) * floor
    return NoiseFloor(widened, widened)


def exceeds(error: float, chance: NoiseFloor) -> bool:
    """Whether an error is more than chance, and by enough to matter."""
    return error > max(chance.limit, chance.mean + ECE_EXCESS)


def chance_after(facts: Facts) -> NoiseFloor:
    """The same for the error that is left after the temperature."""
    floor = facts.ece_calibrated_noise_floor
    return by_chance(facts, floor_after(facts) if floor is None else floor, facts.ece_calibrated_limit)


def floor_after(facts: Facts) -> float:
    """The noise floor of the margins divided by the temperature: that of the raw ones does not hold for them."""
    raw, compared = facts.ece_noise_floor or 0.0, facts.compared
    if compared is None or not facts.temperature or not compared.decided.any():
        return raw
    used = compared.decided
    margin = compared.margin[used] / facts.temperature
    rng = np.random.default_rng(0)
    floor = ece_noise_floor(margin, compared.preference[used], weight=compared.weights[used], rng=rng)
    return max(raw, floor.mean)


def figures(facts: Facts) -> Said:
    """Calibration error, noise floor and its limit, temperature and n as one sentence."""
    after = "?" if facts.ece_calibrated is None else f"{facts.ece_calibrated:.3f}"
    heat = "?" if facts.temperature is None else f"{facts.temperature:.2f}"
    limit, ece, floor = facts.ece_limit, f"{facts.ece or 0.0:.3f}", f"{facts.ece_noise_floor or 0.0:.3f}"
    up_to = NOTHING if limit is None else Said(f" (by chance up to {limit:.3f})", f"（偶然情况下最高 {limit:.3f}）")
    return Said(
        f"ECE {ece}, noise floor {floor}{up_to.en}, after temperature scaling (T = {heat}): {after} (n = "
        f"{shown(facts.n)}).",
        f"ECE {ece}，噪声下限 {floor}{up_to.zh}，温度校准（T = {heat}）之后：{after}（n = {shown(facts.n)}）。",
    )


def confidence_direction(facts: Facts) -> Said:
    """Over- or underconfident where bins (confidence minus accuracy) and temperature (> 1: over) say the same."""
    lean = mean_lean(facts.reliability)
    signs = {value > 0 for value in (lean, None if facts.temperature is None else facts.temperature - 1) if value}
    if len(signs) != 1:
        return Said("miscalibrated", "存在校准偏差")
    return Said("overconfident", "过度自信") if signs.pop() else Said("underconfident", "置信不足")


def mean_lean(bins: tuple[ReliabilityFacts, ...]) -> float | None:
    """Mean confidence minus share correct over all comparisons; None without bins."""
    total = sum(b.n for b in bins)
    return sum(b.n * (b.confidence - b.accuracy) for b in bins) / total if total else None


def no_noise_floor(facts: Facts) -> Finding:
    """An ECE whose noise floor is not known."""
    return Finding(
        "calibration_unknown",
        "info",
        Said("calibration cannot be judged", "无法判断校准"),
        Said(
            f"ECE {facts.ece or 0.0:.3f} at n = {shown(facts.n)}; a calibrated model also has an ECE above 0, by "
            "chance.",
            f"ECE {facts.ece or 0.0:.3f}，n = {shown(facts.n)}；已校准的模型也会因偶然得到大于 0 的 ECE。",
        ),
        Said("The noise floor was not measured.", "没有测量噪声下限。"),
        Said("Evaluate, which measures it.", "重新评估，其中会测量噪声下限。"),
        {"ece": facts.ece, "n": facts.n},
        "cannot_tell",
        commands.evaluate(facts),
    )


def plausible_loss(facts: Facts) -> Finding | None:
    """Without an ECE: whether the loss is one that a calibrated model of this accuracy can have.

    A calibrated model's loss is E[H(c)] over confidences c in [1/2, 1] with E[c] = accuracy, H the binary entropy in
    nats. H is concave, so Jensen bounds it by H(a) above, and the chord from (1/2, ln 2) to (1, 0) by 2 (1 - a) ln 2
    below.
    """
    if facts.loss is None or facts.accuracy is None or facts.accuracy <= 0.5:
        return None
    a = facts.accuracy
    low = 2 * (1 - a) * CHANCE_LOSS
    high = entropy(a)
    fits = low <= facts.loss <= high
    title = LOSS_TITLES["fits" if fits else "high" if facts.loss > high else "low"]
    return Finding(
        "loss_plausible" if fits else "loss_implausible",
        "info",
        title,
        Said(
            f"Loss {facts.loss:.4f} at accuracy {percent(a)}; the loss of a calibrated model is in "
            f"{low:.3f}–{high:.3f}. The calibration error itself was not measured.",
            f"准确率 {percent(a)} 时损失 {facts.loss:.4f}；已校准模型的损失应在 {low:.3f}–{high:.3f} 之间。"
            "没有测量校准误差本身。",
        ),
        Said("", "")
        if fits
        else Said(
            "Too high: the margins are overconfident or badly scaled. Too low: the two figures come from different "
            "comparisons.",
            "过高：奖励差过度自信或尺度不当；过低：两个数值来自不同的比较。",
        ),
        Said("", "") if fits else Said("Evaluate, which draws the reliability diagram.", "重新评估以获取可靠性图。"),
        {"loss": facts.loss, "low": low, "high": high},
        command="" if fits else commands.evaluate(facts),
    )


def entropy(share: float) -> float:
    """Binary entropy in nats; 0 at 0 and 1."""
    return -sum(p * math.log(p) for p in (share, 1 - share) if p > 0)
