"""The head of `rewardsmith train`: its settings, the loss that trains it, and the attributes that it learns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from rewardsmith.data.splits.sources import Splits, attributes_of, follow_attribute
from rewardsmith.data.splits.splitter import SPLITS
from rewardsmith.errors import TrainingError, UsageError
from rewardsmith.pipelines.critique.settings import CLOUD
from rewardsmith.pipelines.train.loss import DEFAULT, LossSettings
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.settings.options import NamedSettings

if TYPE_CHECKING:
    from rewardsmith.model.forward.network import RewardNetwork
    from rewardsmith.model.heads.attributes import AttributePlan
    from rewardsmith.model.heads.head import HeadInfo
    from rewardsmith.model.loading.backbones import Backbone
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.train.loop import FitResult

SCALAR, VALUE = "scalar", "value"
COST = "helpful-cost"
GATED = "gated"
PROCESS = "process"
LOSSES_OF = {
    "multi-objective": ("attributes",),
    GATED: ("attributes",),
    COST: ("helpful-cost",),
    "gaussian": ("gaussian",),
    "quantile": ("quantile", "pinball"),
    "odin": ("odin",),
    "inform": ("inform",),
    PROCESS: ("step-cross-entropy",),
}
"""The losses that train each head beside the scalar one, as in `model.heads.HEADS`, without its imports."""
SUMS = ("multi-objective", GATED)
"""Heads whose reward is a sum of attributes, with weights that are fitted afterwards."""
BY_ATTRIBUTE = (*SUMS, COST)
OWN_REWARD = (*SUMS, "inform")
"""Heads whose reward is computed from outputs of their own, so that no scalar head learns."""
ALONE = ("odin",)
"""Losses of a head that also train a scalar one: what they need beside it is dropped at the end."""
OVERALL = "overall"
"""The attribute of a comparison of the responses as a whole."""
FEWEST = 20
"""Comparisons from which the weights of attributes, or a gate, are fitted."""


@dataclass(frozen=True, kw_only=True)
class HeadSettings(NamedSettings):
    """The reward head and its options; an option that the head does not use is refused."""

    name: str = SCALAR
    """Reward head: scalar, value, multi-objective, gated, helpful-cost, gaussian, quantile, odin, inform or process (see
    docs/heads.md), or cloud, which reads the reward behind a critique that the model writes first (see docs/cloud.md)."""
    attributes: tuple[str, ...] = ()
    """multi-objective, gated: attributes to learn (default: all of the training data but --attribute)."""
    weights: tuple[str, ...] = ()
    """multi-objective: weight of each attribute in the reward, for example helpfulness=1 verbosity=-0.2 (default: fitted on
    the validation comparisons of --attribute, else equal)."""
    hidden: int | None = None
    """gated: hidden units of the gate that weighs the attributes by prompt (default: 1024)."""
    gate_steps: int | None = None
    """gated: steps in which the gate is fitted once the attributes have been learned (default: 2000)."""
    penalize: str | None = None
    """gated: attribute that is subtracted from the others until they no longer follow it, for example verbosity (default:
    none)."""
    levels: int | None = None
    """quantile: number of quantiles (default: 9)."""
    latent: int | None = None
    """inform: dimensions of the bottleneck (default: 32)."""
    aggregate: Literal["min", "product", "last"] | None = None
    """process: how one reward is made of the probabilities of a solution's steps: min, product or last (default: min)."""

    @property
    def plain(self) -> bool:
        """Whether it is the reward alone, without columns."""
        return self.name in (SCALAR, VALUE, CLOUD)


def loss_for(head: HeadSettings, loss: LossSettings) -> LossSettings:
    """The loss to train with: that of the head where none was chosen; UsageError for one that does not train this head."""
    wanted = LOSSES_OF.get(head.name)
    if wanted is None:
        owner = next((name for name, own in LOSSES_OF.items() if loss.name in own and loss.name not in ALONE), None)
        if owner is not None:
            raise UsageError(f"--loss {loss.name} trains --head {owner}; add --head {owner}")
        return loss
    if loss.name == DEFAULT:
        return replace(loss, name=wanted[0])
    if loss.name not in wanted:
        raise UsageError(
            f"--loss {loss.name}: --head {head.name} is trained with --loss {' or '.join(wanted)}; remove --loss"
        )
    return loss


def refuse_reading(head: HeadSettings, *, layers: bool, pooling: bool) -> None:
    """UsageError where settings say what the head reads, and the head has a reading of its own."""
    given = {"--read-layers": layers, "--pooling": pooling}
    flags = [flag for flag, is_given in given.items() if is_given]
    if flags and head.name == GATED:
        raise UsageError(
            f"{', '.join(flags)}: not used with --head {GATED}, which reads the last token and the end of the prompt; "
            "remove it"
        )


def refuse_few_comparisons(main: str, records: Sequence[Record]) -> None:
    """TrainingError where a gate has too few comparisons to learn from; `records` follow the attribute `main`."""
    found = len([c for record in records for c in record.comparisons if not c.is_tie])
    if found < FEWEST:
        raise TrainingError(
            f"--head {GATED}: the gate learns from comparisons of {main!r}, of which the training data has {found}; "
            f"expected at least {FEWEST}; add such data, or use --head multi-objective"
        )


def refuse_other_rows(head: str, splits: Splits) -> None:
    """TrainingError where a head of steps meets rows that are not divided into steps, or another head rows that are."""
    for name in SPLITS:
        rows = getattr(splits, name)
        divided = len([record for record in rows if record.by_steps])
        if head == PROCESS and divided < len(rows):
            raise TrainingError(
                f"--head {PROCESS} learns from solutions divided into steps, but {len(rows) - divided} of {len(rows)} "
                f"records ({name}) are not; expected prompt, completions and labels, Math-Shepherd, PRM800K or ProcessBench"
            )
        if head != PROCESS and divided:
            raise TrainingError(
                f"{divided} of {len(rows)} records ({name}) are solutions divided into steps; add --head {PROCESS}"
            )


def main_attribute(head: str, attribute: str, records: Sequence[Record]) -> str:
    """The attribute whose comparisons the reward is judged by: --attribute where the data has it.

    Else that of helpfulness, or of several attributes without it the first. TrainingError where a reward of
    helpfulness has nothing to learn from.
    """
    from rewardsmith.model.heads.helpful_cost import HELPFUL

    counts = attributes_of(records)
    if attribute in counts:
        return attribute
    if head != COST:
        return next((name for name in counts if name.startswith(HELPFUL)), next(iter(counts), attribute))
    if HELPFUL in counts:
        return HELPFUL
    found = ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
    raise TrainingError(
        f"--head {COST}: no comparison has the attribute {HELPFUL!r} or {attribute!r}; comparisons by attribute: {found}; "
        "choose the attribute of the reward with --attribute"
    )


def followed_attribute(head: str | None, attribute: str, records: Sequence[Record]) -> str:
    """The attribute that a reward of this head is judged by on records that it may not have been trained on.

    `attribute`, unless that is the whole, no comparison is about it, and the head has a main attribute of its own.
    """
    from rewardsmith.model.heads.helpful_cost import HELPFUL

    counts = attributes_of(records)
    if attribute != OVERALL or OVERALL in counts or not counts:
        return attribute
    if head in SUMS or (head == COST and HELPFUL in counts):
        return main_attribute(head, attribute, records)
    return attribute


def follow_main(splits: Splits, head: str, attribute: str) -> str:
    """Let the records of a head with attributes follow its main one; what else was judged stays in `splits.judged`."""
    splits.judged = {name: getattr(splits, name) for name in SPLITS}
    main = main_attribute(head, attribute, splits.train)
    for name in SPLITS:
        setattr(splits, name, follow_attribute(getattr(splits, name), main))
    return main


def attribute_plan(
    head: HeadSettings, attribute: str, splits: Splits, progress: Progress = SILENT
) -> "AttributePlan | None":
    """The attributes that the head learns from these data; None for a head without attributes."""
    from rewardsmith.model.heads.attributes import AttributePlan
    from rewardsmith.model.heads.helpful_cost import SAFE
    from rewardsmith.train.attributes import attribute_counts, rating_plan

    if head.name not in BY_ATTRIBUTE:
        return None
    records = splits.judged["train"]
    counts, main = attribute_counts(records), main_attribute(head.name, attribute, records)
    if head.name == COST:
        if SAFE not in counts:
            raise TrainingError(
                f"--head {COST}: the training data does not say which responses are safe; expected comparisons or ratings "
                f"of the attribute {SAFE!r}, as in PKU-SafeRLHF"
            )
        return AttributePlan((SAFE,), main, {SAFE: (0.0, 1.0)}, both=True)
    if head.name == GATED:
        refuse_few_comparisons(main, splits.train)
    names = chosen_attributes(head, attribute, counts)
    plan = rating_plan(records, AttributePlan(names, main, equal=main != attribute))
    tell_kinds(plan, progress)
    if main != attribute:
        progress.note(f"no comparison has the attribute {attribute!r}; accuracy is that on comparisons of {main!r}")
    return plan


def tell_kinds(plan: "AttributePlan", progress: Progress) -> None:
    """Say which attributes are learned from ratings, and which from comparisons."""
    rated = ", ".join(name for name in plan.names if name in plan.rated)
    compared = ", ".join(name for name in plan.names if name not in plan.rated)
    if rated:
        progress.note(f"attributes learned from ratings: {rated}")
    if compared:
        progress.note(f"attributes learned from comparisons: {compared}")


def chosen_attributes(head: HeadSettings, attribute: str, counts: Mapping[str, int]) -> tuple[str, ...]:
    """Those given, else all but the one that the reward follows; TrainingError for one that the data does not have."""
    if unknown := [name for name in head.attributes if name not in counts]:
        found = ", ".join(counts) or "no attributes"
        raise TrainingError(f"--head.attributes {unknown[0]}: the training data has {found}")
    return head.attributes or tuple(name for name in counts if name != attribute) or tuple(counts)


def take_over_head(config_model: str, backbone: "Backbone", network: "RewardNetwork", info: "HeadInfo | None") -> str:
    """Go on with the outputs that the model was saved with, where the head is the same; what to tell of it, "" for nothing.

    UsageError where the reward is a sum of new outputs, but the model has a trained reward head.
    """
    from rewardsmith.model.heads.extra import extra_of
    from rewardsmith.model.heads.head import ColumnHead

    extra = extra_of(network)
    if extra is not None and extra.replaces and not backbone.head_is_new and not same_head(backbone, info):
        name = "" if info is None else info.name
        raise UsageError(
            f"--head {name}: {config_model} has a trained reward head, which would be lost; start from a model without a "
            "reward head"
        )
    saved = saved_head(backbone)
    if saved is None:
        return ""
    if backbone.folder and isinstance(extra, ColumnHead) and same_head(backbone, info):
        extra.go_on(backbone.folder, network.head.weight)
        return f"the head {saved.name} of {config_model} is trained further"
    return (
        f"the columns of {config_model} ({', '.join(saved.columns)}) are not kept; add --head {saved.name} to keep them"
    )


def saved_head(backbone: "Backbone") -> "HeadInfo | None":
    """The head that a model was saved with beside its reward head."""
    from rewardsmith.model.checkpoint.sidecar import Sidecar

    sidecar = Sidecar.load(backbone.folder) if backbone.folder else None
    return None if sidecar is None else sidecar.head


def same_head(backbone: "Backbone", info: "HeadInfo | None") -> bool:
    """Whether a model was saved with the head that is to be trained."""
    saved = saved_head(backbone)
    return saved is not None and info is not None and saved.continues(info)


def keep_outputs(head: str, model: "RewardModel", fitted: "FitResult") -> None:
    """Take what the loss needed beside the reward out of the network; what belongs to the finished model stays with it."""
    from rewardsmith.model.heads.extra import detach
    from rewardsmith.model.heads.head import ColumnHead
    from rewardsmith.model.heads.members import Members
    from rewardsmith.model.language_head.head import detach_language_head

    if head != CLOUD:  # which writes its critiques with it
        detach_language_head(model.network)
    made = detach(model.network)
    if isinstance(made, Members):
        model.keep_heads(made.weights(model.network.head.weight))
    elif isinstance(made, ColumnHead) and made.info.name == head:
        model.keep_head(made)
    if fitted.head is not None and fitted.head.members is not None:
        model.keep_heads(fitted.head.members)
