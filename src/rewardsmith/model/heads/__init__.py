"""Heads: what a model gives of a response beside its reward. Begin in `head`; `HEADS` names them, one file a head.

The `scalar` head is the reward alone and has no entry: it is the transformers class's own. Adding one: a file with a
`ColumnHead` and its `HeadKind`, a line here, a loss in `train.losses`, a row in docs/heads.md.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.errors import ContractError, UsageError
from rewardsmith.model.heads import gated, gaussian, helpful_cost, inform, multi_objective, odin, process, quantile
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import ExtraOutputs, OutputKind, attach
from rewardsmith.model.heads.head import ColumnHead, HeadInfo, HeadKind
from rewardsmith.model.heads.members import Members
from rewardsmith.settings.options import NamedOption, check_option
from rewardsmith.settings.values import nearest

SCALAR, VALUE, CLOUD = "scalar", "value", "cloud"
ALONE = (SCALAR, VALUE, CLOUD)
"""Heads that are the transformers class's own; "value" is one that has a value at each token (`model.token_values`), "cloud"
one that reads the reward behind a critique (`critique`)."""
NO_ATTRIBUTES = AttributePlan()
HEADS: Mapping[str, HeadKind] = {
    "multi-objective": multi_objective.HEAD,
    "gated": gated.HEAD,
    "helpful-cost": helpful_cost.HEAD,
    "gaussian": gaussian.HEAD,
    "quantile": quantile.HEAD,
    "odin": odin.HEAD,
    "inform": inform.HEAD,
    "process": process.HEAD,
}


def check_head(name: str, given: Mapping[str, Any] | None = None) -> None:
    """UsageError for a head that there is not, or an option that it does not take."""
    known: dict[str, Mapping[str, NamedOption]] = {
        **{alone: {} for alone in ALONE},
        **{other: kind.options for other, kind in HEADS.items()},
    }
    if name not in known:
        raise UsageError(f"--head {name}: expected one of {', '.join(known)}.{nearest(name, known)}")
    for option, value in (given or {}).items():
        check_option("head", name, known, option, value)


def describe_head(
    name: str, given: Mapping[str, Any] | None = None, plan: AttributePlan = NO_ATTRIBUTES
) -> HeadInfo | None:
    """The head of this name with its options and attributes; None for the scalar one, UsageError for what does not fit."""
    check_head(name, given)
    return None if name in ALONE else HEADS[name].describe(given or {}, plan)


def new_head(info: HeadInfo, width: int, *, seed: int) -> ColumnHead:
    """A head that has learned nothing, for features of that width."""
    return HEADS[info.name].make(info, width, torch.Generator().manual_seed(seed))


def open_head(folder: Path, info: HeadInfo, reward: Float[Tensor, "1 F"]) -> ColumnHead:
    """The head of a saved model; ContractError where it is not there, not whole, or of another model."""
    if info.name not in HEADS:
        raise ContractError(
            f"{folder} has a head {info.name!r}, which this version does not know; expected one of {', '.join(HEADS)}; "
            "update rewardsmith"
        )
    head = new_head(info, reward.shape[1], seed=0)
    head.load(folder, reward)
    return head.eval()


def attach_outputs(
    network: Any, kind: OutputKind, info: HeadInfo | None = None, *, members: int = 0, seed: int
) -> None:
    """Give a network what a loss of this kind needs beside the reward: a new head where the loss trains one."""
    width = network.head.in_features
    if info is None and kind in HEADS:
        info = describe_head(kind)
    if info is not None:
        attach(network, new_head(info, width, seed=seed))
    elif kind == "features":
        attach(network, ExtraOutputs())
    elif kind == "members":
        attach(network, Members(members, width, torch.Generator().manual_seed(seed)))
