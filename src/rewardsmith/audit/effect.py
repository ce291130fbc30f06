"""An effect on the reward: its size with interval and n, and whether it was found, excluded, or neither.

Sizes are in standard deviations of the reward between responses to the same prompt: what moves a response past its
siblings, which is all that best-of-N, DPO pairs and group-relative policy gradients see; a shift of all rewards is nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.diagnose.finding import Said
from rewardsmith.evaluate.statistics import (
    Interval,
    Statistic,
    cluster_intervals,
    clustered_mean,
    holm,
    minimal_detectable_difference,
    no_interval,
    sign_flip_p_value,
    unbounded_mean,
)

EffectStatus = Literal["found", "excluded", "cannot_tell"]
EffectKind = Literal["edit", "attack", "observed", "generator", "built_in", "rewrite"]
LEVEL = 0.05
"""Of the family-wise error over all effects of an audit."""

BOUND = 0.2
"""Standard deviations; Cohen (1988, section 2.2) calls 0.2 a small effect."""

FEWEST_PROMPTS = 10
"""Under so many prompts nothing is excluded: a few that agree by chance would look like a narrow interval."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The standard deviation that effects are measured in; `within` prompts, or over all responses where none has two."""

    sd: float
    within: bool
    prompts: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"value": self.sd, "within_prompts": self.within, "prompts": self.prompts}


@dataclass(frozen=True, slots=True)
class EffectExample:
    """A response that an effect moved: the text before and after, and both rewards."""

    prompt: str
    before: str
    after: str
    reward_before: float
    reward_after: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "prompt": self.prompt,
            "before": self.before,
            "after": self.after,
            "reward_before": self.reward_before,
            "reward_after": self.reward_after,
        }


@dataclass(frozen=True)
class Effect:
    """One effect on the reward, over `n` responses or comparisons of `prompts` prompts.

    `effect` is in units of the reward, `effect_sd`, `interval` (95 %, clustered by prompt), `mde` (found with 80 % power
    at 5 %) and `bound` in standard deviations (see `Scale`). `flipped` is the share of pairs of responses that change their
    order. `p` is two-sided, for no effect (of an attack: for an effect of -bound); `p_adjusted` after Holm's correction.
    """

    name: str
    family: str
    kind: EffectKind
    title: Said
    n: int
    prompts: int
    effect: float
    effect_sd: float
    interval: Interval
    p: float
    bound: float
    flipped: float = math.nan
    flipped_interval: Interval | None = None
    p_adjusted: float = math.nan
    examples: tuple[EffectExample, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mde(self) -> float:
        """The effect that would be found with 80 % power, in standard deviations."""
        return minimal_detectable_difference(self.interval.standard_error)

    @property
    def status(self) -> EffectStatus:
        """found: shown to differ from none, and at least `bound` large; excluded: the whole interval lies within ±bound.

        A constant text (an attack) is found where it is shown to come within `bound` of the responses, or above them, and
        excluded where the whole interval lies below -bound. Between the two nothing can be said.
        """
        low, high, shown = self.interval.low, self.interval.high, self.p_adjusted <= LEVEL
        if math.isnan(low):
            return "cannot_tell"
        if self.kind == "attack":
            inside, large = high < -self.bound, self.effect_sd > -self.bound
        else:
            inside, large = -self.bound < low and high < self.bound, abs(self.effect_sd) >= self.bound
        if inside and self.prompts >= FEWEST_PROMPTS:
            return "excluded"
        return "found" if shown and large else "cannot_tell"

    def to_json(self) -> dict[str, Any]:
        """The entry of `effects` in audit.json; NaN becomes null."""
        flipped_ci = self.flipped_interval
        return {
            "name": self.name,
            "family": self.family,
            "kind": self.kind,
            "title": {"en": self.title.en, "zh": self.title.zh},
            "n": self.n,
            "prompts": self.prompts,
            "effect": self.effect,
            "effect_sd": self.effect_sd,
            "ci": [self.interval.low, self.interval.high],
            "flipped": self.flipped,
            "flipped_ci": None if flipped_ci is None else [flipped_ci.low, flipped_ci.high],
            "status": self.status,
            "bound": self.bound,
            "mde": self.mde,
            "p": self.p,
            "p_adjusted": self.p_adjusted,
            **({"details": dict(self.details)} if self.details else {}),
            "examples": [example.to_json() for example in self.examples],
        }


def reward_scale(rewards: Sequence[Float[np.ndarray, " K"]]) -> Scale:
    """The pooled standard deviation of rewards within prompts: sqrt(sum of squared deviations / sum of (K - 1)).

    Where no prompt has two responses, that over all responses. NaN where rewards do not differ at all.
    """
    several = [values for values in rewards if values.size > 1]
    freedom = sum(values.size - 1 for values in several)
    squares = float(sum(((values - values.mean()) ** 2).sum() for values in several))
    if freedom and squares > 0:
        return Scale(math.sqrt(squares / freedom), within=True, prompts=len(several))
    every = np.concatenate(list(rewards)) if rewards else np.zeros(0)
    spread = float(every.std(ddof=1)) if every.size > 1 else 0.0
    return Scale(spread if spread > 0 else math.nan, within=False, prompts=len(rewards))


def interval_of(
    statistic: Statistic, clusters: int, *, seed: int, bounds: tuple[float, float] | None = None
) -> Interval:
    """The 95 % interval of a statistic over clusters."""
    if clusters < 2:
        return no_interval(clusters)
    limits = {"value": bounds} if bounds else None
    return cluster_intervals({"value": statistic}, clusters=clusters, rng=np.random.default_rng(seed), bounds=limits)[
        "value"
    ]


def mean_with_interval(
    value: Float[np.ndarray, " N"], cluster: Int[np.ndarray, " N"], *, bounds: tuple[float, float] | None = None
) -> tuple[float, Interval]:
    """The mean over all rows and its interval, clusters kept together; NaN and none for no rows.

    With `bounds` that of `clustered_mean`, for shares; without, that of `unbounded_mean`.
    """
    weight = np.ones(value.size)
    if bounds is None:
        mean = unbounded_mean(value, weight, cluster=cluster)
    else:
        mean = clustered_mean(value, weight, cluster=cluster, bounds=bounds)
    return mean.value, mean.interval()


def p_value(value: Float[np.ndarray, " N"], cluster: Int[np.ndarray, " N"], *, seed: int) -> float:
    """Two-sided p-value of a mean of 0: the signs of whole clusters are flipped."""
    return sign_flip_p_value(value, np.ones(value.size), cluster=cluster, rng=np.random.default_rng(seed))[0]


def adjusted(effects: Sequence[Effect]) -> list[Effect]:
    """The effects with p-values after Holm's correction over all that have one: their statements together are wrong with a
    probability of at most LEVEL."""
    corrected = holm([one.p for one in effects])
    return [replace(one, p_adjusted=p) for one, p in zip(effects, corrected, strict=True)]


def mean_effect(
    name: str,
    family: str,
    kind: EffectKind,
    title: Said,
    *,
    value: Float[np.ndarray, " N"],
    cluster: Int[np.ndarray, " N"],
    scale: Scale,
    bound: float,
    seed: int,
    n: int | None = None,
    against: float = 0.0,
    examples: tuple[EffectExample, ...] = (),
    details: Mapping[str, Any] | None = None,
) -> Effect:
    """The effect that is the mean of `value`, in standard deviations, over `n` (None: all) responses.

    The p-value is that of a mean of `against`.
    """
    mean, interval = mean_with_interval(value, cluster)
    return Effect(
        name=name,
        family=family,
        kind=kind,
        title=title,
        n=value.size if n is None else n,
        prompts=int(np.unique(cluster).size),
        effect=mean * scale.sd,
        effect_sd=mean,
        interval=interval,
        p=p_value(value - against, cluster, seed=seed),
        bound=bound,
        examples=examples,
        details=details or {},
    )
