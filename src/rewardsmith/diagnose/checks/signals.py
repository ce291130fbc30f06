"""What several checks ask of the facts: whether anything was learned, how the loss went, which settings are usual."""

import math
from statistics import fmean
from typing import Literal

import numpy as np

from rewardsmith.diagnose.facts import CHANCE_LOSS, CurvePoint, Facts
from rewardsmith.diagnose.intervals import Z95, Interval95, wilson
from rewardsmith.diagnose.measured import Figures
from rewardsmith.evaluate.metrics import weighted_mean
from rewardsmith.train.schedule import LEARNING_RATES

FEWEST = 6
"""Under six independent comparisons all correct occurs by chance in 6 % of cases, two-sided (2 / 2 ** 5)."""

SURE, FAR_BELOW = 3.29, 0.4
"""Standard errors of a two-sided test at 0.1 %; and an accuracy that no labels without a signal give on a usual test."""

LAST, DIVERGED = 10, 10.0
"""Mean loss of so many steps at which `train` gives up (train/loop.py, EXPLODED), where equal rewards have ln 2."""

AT_CHANCE = 0.005
"""A loss this close to ln 2 is chance: a calibrated model with 55 % accuracy already reaches 0.688 = ln 2 - 0.005."""

USEFUL = 0.60
"""An accuracy whose exclusion makes "nothing was learned" a statement and not a lack of data."""

TINY = 2_000_000
"""Parameters up to which a model is trained from nothing at the tiny model's rate."""

Learned = Literal["yes", "no", "reverse", "unknown"]


def learned_state(facts: Facts) -> Learned:
    """Whether the model learned something: yes and reverse beyond chance, no where a useful accuracy is excluded.

    Excluded is what the interval of the accuracy does not hold (60 % and more), or, where the training comparisons
    themselves are not told apart, any. Without n the loss speaks alone.
    """
    interval = facts.interval
    if interval is None:
        return "no" if facts.accuracy is None and loss_is_chance(facts) else "unknown"
    if 0.5 in interval:
        return "no" if useful_is_excluded(facts, interval) else "unknown"
    if too_few(facts):
        return "unknown"
    if interval.low > 0.5:
        return "yes"
    return "reverse" if surely_reversed(interval, facts.accuracy or 0.0) else "no"


def surely_reversed(interval: Interval95, accuracy: float) -> bool:
    """Whether an accuracy below one half is far below, or more than the one interval in forty that lies there by chance."""
    return accuracy < FAR_BELOW or accuracy + SURE / Z95 * (interval.high - accuracy) < 0.5


def useful_is_excluded(facts: Facts, interval: Interval95) -> bool:
    """Whether no useful accuracy may be behind one that is consistent with chance."""
    return interval.high < USEFUL or training_untold(facts) or (too_few(facts) and loss_is_chance(facts))


def loss_is_chance(facts: Facts) -> bool:
    """Whether the loss (held-out, else training) is that of a constant reward: within AT_CHANCE of ln 2."""
    loss = facts.train_loss if facts.loss is None else facts.loss
    return loss is not None and abs(loss - CHANCE_LOSS) <= AT_CHANCE


def training_untold(facts: Facts) -> bool:
    """Whether the training comparisons themselves are ranked no better than by chance."""
    sample = sample_of(facts)
    if sample is None or sample.accuracy_interval is None or sample.n < 100:
        return False
    return sample.accuracy_interval.low <= 0.5 and sample.accuracy_interval.high < USEFUL


def too_few(facts: Facts) -> bool:
    """Whether so few comparisons, or prompts, may all be right (or wrong) by chance."""
    return any(count is not None and count < FEWEST for count in (facts.n, facts.clusters))


def sample_of(facts: Facts) -> Figures | None:
    """The figures on training comparisons."""
    return facts.measured.beside.sample if facts.measured.beside else None


def finite_losses(curve: tuple[CurvePoint, ...]) -> list[float]:
    """The losses of a curve that are finite numbers, in order."""
    return [row.loss for row in curve if row.loss is not None and math.isfinite(row.loss)]


def tail_loss(curve: tuple[CurvePoint, ...]) -> float | None:
    """Mean training loss of the last fifth of the rows; None under 10 finite rows."""
    losses = finite_losses(curve)
    return fmean(losses[-max(1, len(losses) // 5) :]) if len(losses) >= 10 else None


def head_loss(curve: tuple[CurvePoint, ...]) -> float | None:
    """Mean training loss of the first fifth of the rows; None under 10 finite rows."""
    losses = finite_losses(curve)
    return fmean(losses[: max(1, len(losses) // 5)]) if len(losses) >= 10 else None


def bad(value: float | None) -> bool:
    """Whether a value was written but is not a finite number."""
    return value is not None and not math.isfinite(value)


def stopped_by_nan(facts: Facts) -> bool:
    """Whether a run without an end has a last step whose loss or gradient is not a finite number."""
    return facts.died and bool(facts.curve) and (bad(facts.curve[-1].loss) or bad(facts.curve[-1].grad_norm))


def stopped_by_divergence(facts: Facts) -> bool:
    """Whether a run without an end has last losses that are margins of ten on the wrong side."""
    losses = finite_losses(facts.curve)[-LAST:]
    return facts.died and len(losses) == LAST and fmean(losses) > DIVERGED


def learning_rate(facts: Facts) -> float | None:
    """The peak learning rate of the run, as it was set, else the highest that a step was taken with."""
    for given in (facts.training.get("lr"), facts.settings.get("lr")):
        if isinstance(given, float | int) and not isinstance(given, bool):
            return float(given)
    return max((row.learning_rate for row in facts.curve if row.learning_rate), default=None)


def usual_rate(facts: Facts) -> float | None:
    """The learning rate that is usual for this kind of training; None where the kind is not known."""
    settings = facts.settings
    if not settings:
        return None
    lora = settings.get("lora")
    if isinstance(lora, dict) and lora.get("r"):
        return LEARNING_RATES["lora"]
    if settings.get("freeze_layers") == -1:
        return LEARNING_RATES["head"]
    size = facts.training.get("parameters")
    if settings.get("model") == "tiny":
        return LEARNING_RATES["tiny"]
    if facts.died and size is None:
        return max(LEARNING_RATES.values())  # a killed run told no size: too high is what is too high for all
    return LEARNING_RATES["tiny" if size <= TINY else "full"] if isinstance(size, int) else None


def loss_at_temperature(facts: Facts) -> float | None:
    """The held-out loss of the margins divided by the fitted temperature; None where one is not known."""
    compared, heat = facts.compared, facts.temperature
    if compared is None or not heat or not compared.decided.any():
        return None
    used = compared.decided
    return weighted_mean(np.logaddexp(0.0, -compared.margin[used] / heat), compared.weights[used])


def validation_of(facts: Facts) -> tuple[float, float] | None:
    """(loss, accuracy) of the validation pass whose checkpoint was kept, else of the last one; None without passes."""
    kept = [row for row in facts.passes if row.step == facts.best_step] or list(facts.passes[-1:])
    if not kept or kept[0].loss is None or kept[0].accuracy is None or not math.isfinite(kept[0].loss):
        return None
    return kept[0].loss, kept[0].accuracy


def design_effect(facts: Facts) -> float:
    """How much wider the accuracy's interval is than that of independent comparisons, squared; at least 1."""
    interval, n = facts.accuracy_interval, facts.n
    if interval is None or not n or facts.accuracy is None:
        return 1.0
    return max(1.0, (interval.half_width / wilson(facts.accuracy, n).half_width) ** 2)


def steps_of(facts: Facts) -> int:
    """Optimizer steps that were taken."""
    return facts.steps or max((row.step for row in facts.curve), default=0)
