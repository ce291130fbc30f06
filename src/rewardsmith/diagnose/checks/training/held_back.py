"""Settings far from the usual that keep a run from learning: decay, dropout, warm-up, clipping and smoothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.learning import measured
from rewardsmith.diagnose.checks.training.causes import severity, weak
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Finding, Said

SMALL_REWARDS = 0.1
"""Standard deviation of the rewards under which regularisation may be what holds them down."""

CUT = 1_000.0
"""Factor by which gradients are cut at nearly every step from which little of them is left: an optimizer that divides by
their size makes up for less, and not for what its epsilon swallows."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A setting (a dotted name stands within another), the value from which it is suspect, the usual one, and why.

    `always`: no run is as good as it would be without; else only one that learned little is asked.
    """

    name: str
    limit: float
    usual: float
    why: Said
    always: bool = False

    @property
    def id(self) -> str:
        """The last part of the name, as the finding is called."""
        return self.name.rsplit(".", 1)[-1]

    @property
    def flag(self) -> str:
        """The option of `train`."""
        return f"--{self.name.replace('_', '-')}"


REGULARISED = Said(
    "So much regularisation pulls the weights to zero, or hides what the head has to read.",
    "过强的正则化会把权重拉向零，或遮住奖励头要读取的内容。",
)
SUSPECTS = (
    Suspect("weight_decay", 1.0, 0.01, REGULARISED),
    Suspect("dropout", 0.5, 0.0, REGULARISED),
    Suspect(
        "warmup",
        0.5,
        0.05,
        Said(
            "The learning rate rises for most of the run, so that hardly a step is taken at the rate that was set.",
            "学习率在训练的大部分时间里仍在上升，几乎没有一步使用所设的学习率。",
        ),
        always=True,
    ),
    Suspect(
        "loss.smoothing",
        0.3,
        0.1,
        Said(
            "Labels that are smoothed this much are best met by rewards that are nearly equal.",
            "标签平滑到这种程度时，几乎相等的奖励就是最优解。",
        ),
        always=True,
    ),
)


def too_much_held_back(facts: Facts) -> Finding | None:
    """A setting far above the usual: one that always costs, or any in a run that learned little or whose rewards hardly
    differ.
    """
    little = weak(facts) or (facts.reward_std or 1.0) < SMALL_REWARDS
    for suspect in SUSPECTS:
        value = value_of(facts.settings, suspect.name)
        if value is not None and value >= suspect.limit and (little or suspect.always):
            return held_back(facts, suspect, value)
    return clipped_away(facts)


def value_of(settings: Mapping[str, object], name: str) -> float | None:
    """A number among the settings; None where it is not set."""
    first, _, rest = name.partition(".")
    value = settings.get(first)
    if rest:
        return value_of(value, rest) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, float | int) and not isinstance(value, bool) else None


def held_back(facts: Facts, suspect: Suspect, value: float) -> Finding:
    """The finding about one setting."""
    name = suspect.name
    return Finding(
        suspect.id,
        severity(facts),
        Said(f"{name} = {value:g} keeps the run from learning", f"{name} = {value:g} 妨碍了学习"),
        Said(
            f"{name} is {value:g}; {suspect.usual:g} is usual. {measured(facts).en}.",
            f"{name} 为 {value:g}，通常为 {suspect.usual:g}。{measured(facts).zh}。",
        ),
        suspect.why,
        Said(f"Train again with {name} {suspect.usual:g}.", f"将 {name} 设为 {suspect.usual:g} 重新训练。"),
        {suspect.id: value, "usual": suspect.usual},
        command=commands.train(facts, suspect.flag, f"{suspect.usual:g}"),
    )


def clipped_away(facts: Facts) -> Finding | None:
    """Gradients are clipped to a small part of their norm at nearly every step."""
    clip = value_of(facts.settings, "clip")
    norms = [row.grad_norm for row in facts.curve if row.grad_norm is not None]
    if not clip or not norms or median(norms) < CUT * clip:
        return None
    usual = f"{median(norms):.2g}"
    return Finding(
        "clip",
        severity(facts),
        Said(f"clip = {clip:g} cuts the gradients away", f"clip = {clip:g} 几乎裁掉了全部梯度"),
        Said(
            f"Gradients are clipped to a norm of {clip:g}; half of the {len(norms):,} steps have a norm of {usual} or more. "
            f"{measured(facts).en}.",
            f"梯度被裁剪到范数 {clip:g}；{len(norms):,} 步中有一半的范数不小于 {usual}。{measured(facts).zh}。",
        ),
        Said(
            "Next to nothing is left of each gradient, and of most weights less than the epsilon of the optimizer.",
            "每个梯度几乎所剩无几，对多数权重而言已小于优化器的 epsilon。",
        ),
        Said("Train again with clip 1, or 0 for none.", "将 clip 设为 1（0 表示不裁剪）重新训练。"),
        {"clip": clip, "norm": median(norms)},
        command=commands.train(facts, "--clip", "1"),
    )
