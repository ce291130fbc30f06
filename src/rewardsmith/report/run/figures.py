"""The figures of a run in words: those of the first screen, and all in a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewardsmith.diagnose.facts import BaselineFacts, Facts
from rewardsmith.diagnose.finding import percent, signed_span, span

SHARES = ("accuracy", "tie_rate")
COUNTS = ("n", "clusters", "label_ties", "train_pairs", "steps", "best_step")
DECIMALS = ("loss", "loss_at_chance", "train_loss", "auc", "brier", "ece", "ece_noise_floor", "ece_calibrated")
FIGURES = (
    *("split", "n", "clusters", "label_ties", "accuracy", "loss", "loss_at_chance", "train_loss", "auc", "brier"),
    *("ece", "ece_noise_floor", "ece_calibrated", "temperature", "kendall_tau", "tie_rate"),
    *("train_pairs", "epochs", "steps", "best_step"),
)
"""Order of the figures on the page."""

MEMORY = ("peak_process_bytes", "peak_gpu_bytes")
COST = (
    *("seconds", "pairs_per_second", "tokens_per_second", "device", "dtype", "processes"),
    *("parameters", "trainable_parameters", *MEMORY),
)
"""What a run took, from train.json."""


@dataclass(frozen=True, slots=True)
class Headline:
    """A figure of the first screen: its name, its value, what it is to be compared with."""

    name: str
    value: str
    remark: str


def shown_figures(facts: Facts, texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """(name, value) of the figures that are known, ready to read."""
    numbers = facts.numbers()
    rows = [(texts[name], readable(name, numbers[name])) for name in FIGURES if numbers.get(name) is not None]
    if facts.kendall_tau is not None:
        place = [name for name, _ in rows].index(texts["kendall_tau"])
        rows[place] = (texts["kendall_tau"], f"{rows[place][1]} ({rankings(facts, texts)})")
    if facts.interval is not None:
        place = next((i for i, row in enumerate(rows) if row[0] == texts["accuracy"]), -1) + 1
        rows.insert(place, (texts["interval"], span(facts.interval.low, facts.interval.high)))
    for width, count in facts.prompts_needed.items():
        rows.append((texts["prompts_needed"].format(points=f"{100 * float(width):g}"), f"{count:,}"))
    if (ceiling := facts.noise_ceiling) is not None:
        told = texts["annotators_agree"].format(agreement=percent(ceiling.agreement), n=f"{ceiling.n:,}")
        rows.append((texts["noise_ceiling"], f"{span(ceiling.low, ceiling.high)} ({told})"))
    return rows


def cost_figures(facts: Facts, texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """(name, value) of what the run took: time, memory, speed."""
    known = [(name, facts.training.get(name)) for name in COST]
    return [(texts[name], readable(name, value)) for name, value in known if value is not None]


def rankings(facts: Facts, texts: Mapping[str, str]) -> str:
    """How many rankings Kendall's tau is the mean of."""
    return texts["rankings"].format(n="?" if facts.kendall_tau_n is None else f"{facts.kendall_tau_n:,}")


def readable(name: str, value: Any) -> str:
    """A figure as a person reads it: shares in percent, counts with separators, losses with four decimals."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if name in SHARES:
        return percent(value)
    if name in MEMORY:
        return f"{value / 2**30:.2f} GiB"
    if name in DECIMALS:
        return f"{value:.4f}"
    if name in COUNTS or isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.3g}"


def headlines(facts: Facts, texts: Mapping[str, str]) -> list[Headline]:
    """The figures of the first screen, each with what it is to be compared with."""
    shown = []
    if facts.accuracy is not None:
        shown.append(Headline(texts["accuracy"], percent(facts.accuracy), sample_of(facts, texts)))
    if (nearest := nearest_baseline(facts)) is not None:
        shown.append(lead_over(nearest, texts))
    if facts.loss is not None:
        chance = texts["against_chance"].format(chance=f"{facts.numbers()['loss_at_chance']:.3f}")
        shown.append(Headline(texts["loss"], f"{facts.loss:.3f}", chance))
    if facts.ece is not None:
        floor = facts.ece_noise_floor
        remark = "" if floor is None else texts["against_floor"].format(floor=f"{floor:.3f}")
        shown.append(Headline(texts["ece"], f"{facts.ece:.3f}", remark))
    return shown


def sample_of(facts: Facts, texts: Mapping[str, str]) -> str:
    """The interval of the accuracy and what it was measured on; says so where either is unknown."""
    interval = texts["no_interval"] if facts.interval is None else span(facts.interval.low, facts.interval.high)
    n = "?" if facts.n is None else f"{facts.n:,}"
    if facts.clusters is None:
        return texts["sample"].format(interval=interval, n=n)
    return texts["sample_of_prompts"].format(interval=interval, n=n, prompts=f"{facts.clusters:,}")


def nearest_baseline(facts: Facts) -> BaselineFacts | None:
    """The baseline that comes nearest to the model; None where none was measured."""
    known = [one for one in facts.baselines if one.accuracy is not None and one.difference is not None]
    return min(known, key=lambda one: one.difference or 0.0) if known else None


def lead_over(baseline: BaselineFacts, texts: Mapping[str, str]) -> Headline:
    """How far the model is ahead of a baseline, in percentage points."""
    spread = baseline.difference_interval
    points = texts["points"].format(value=f"{100 * (baseline.difference or 0.0):+.1f}")
    name = texts.get(f"baseline_{baseline.rule}", baseline.name)
    if spread is None:
        remark = texts["over_baseline_alone"].format(name=name)
    else:
        remark = texts["over_baseline"].format(name=name, interval=signed_span(spread.low, spread.high))
    return Headline(texts["lead"], points, remark)
