"""Reward heads as other programs store them: found in the weights by shape, put where transformers expects one.

| written by | head | beside it |
|---|---|---|
| transformers, TRL's RewardTrainer | `score.weight`, `classifier.…` | `num_labels: 1` |
| TRL, AutoModelForCausalLMWithValueHead | `v_head.summary.weight`, `.bias` | the language model |
| LLaMA-Factory | the same in `value_head.safetensors` | a model, or a LoRA adapter |
| OpenRLHF | `score.weight`, `value_head.weight` or another prefix | `mean` and `std` in config.json |

A decoder's `score` has no bias: the bias of a value head is an offset, stored in `reward.json` and added to every
reward.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from rewardsmith.errors import ModelError
from rewardsmith.model.checkpoint.sidecar import Normalizer
from rewardsmith.model.inspection.finite import refuse_values
from rewardsmith.model.loading.folders import VALUE_HEAD, ModelFolder, Weight

OPENRLHF_CLASSES = {"RewardModel", "CriticModel"}
OPENRLHF_KEYS = ("normalize_reward", "value_head_prefix")


@dataclass(frozen=True)
class Origin:
    """What a model that came without `reward.json` was understood as.

    `head` in words ("" where it has none), `offset` is added to every reward, `trim_id` is a token that is not pooled
    (see ScoringContract), `normalizer` the statistics that came along, `labels` the outputs of a classifier's head.
    `weights` names what the head was made of.
    """

    head: str = ""
    offset: float = 0.0
    trim_id: int | None = None
    normalizer: Normalizer | None = None
    labels: tuple[str, ...] = ()
    by_mask: bool = False  # pooled by the attention mask, whatever the pad token is
    weights: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Choice:
    """What a user says about a model that does not say it itself.

    `label` is the output of a classifier that is the reward, less that of `minus` (names or numbers); `base` is the
    model that a LoRA adapter belongs to.
    """

    label: str | None = None
    minus: str | None = None
    base: str | None = None


def find_value_head(folder: ModelFolder, own: str, width: int) -> Weight | None:
    """The one weight of shape [1, width] that stands outside the layers and is not the class's `own` head.

    ModelError where several could be it.
    """
    found = [
        weight
        for weight in folder.weights
        if weight.shape == (1, width)
        and weight.name.endswith(".weight")
        and not weight.name.endswith(f"{own}.weight")
        and not any(part.isdigit() for part in weight.name.split("."))
    ]
    if len(found) > 1:
        names = ", ".join(weight.name for weight in found)
        raise ModelError(f"{folder.path} has several heads with one output ({names}); it is ambiguous which one to use")
    return found[0] if found else None


def adopt_value_head(folder: ModelFolder, config: Any, head: nn.Linear, own: str) -> Origin | None:
    """Copy a value head into the classifier's new `head`; None where the folder holds none."""
    weight = find_value_head(folder, own, head.in_features)
    if weight is None:
        return None
    stem = weight.name.removesuffix(".weight")
    bias = next((w for w in folder.weights if w.file == weight.file and w.name == f"{stem}.bias"), None)
    offset = read_number(bias)
    with torch.no_grad():
        head.weight.copy_(read_tensor(weight))
        if head.bias is not None:
            head.bias.fill_(offset)
            offset = 0.0
    made_of = frozenset(w.name for w in (weight, bias) if w)
    return Origin(head=describe(weight, config), offset=offset, by_mask=True, weights=made_of)


def kept_head(folder: ModelFolder, config: Any, own: str, head: nn.Linear) -> Origin:
    """The class's own head was in the weights: what else the folder says about it."""
    bias = next((w for w in folder.weights if w.name == f"{own}.bias"), None)
    offset = read_number(bias) if head.bias is None else 0.0
    return Origin(
        head=f"{own}{' of OpenRLHF' if is_openrlhf(config) else ''}",
        offset=offset,
        by_mask=is_openrlhf(config),
        weights=head_weights(own),
    )


def head_weights(own: str) -> frozenset[str]:
    """The names of the weights of the head `own`."""
    return frozenset((f"{own}.weight", f"{own}.bias"))


def with_normalizer(origin: Origin, config: Any) -> Origin:
    """OpenRLHF writes mean and standard deviation of its rewards into the config; the raw reward stays raw."""
    if not origin.head or not is_openrlhf(config):
        return origin
    mean, std = getattr(config, "mean", None), getattr(config, "std", None)
    if not isinstance(mean, int | float) or not isinstance(std, int | float):
        return origin
    if not (math.isfinite(mean) and math.isfinite(std)):
        raise ModelError(f"config.json has the mean {mean} and std {std} of OpenRLHF; expected finite numbers")
    return replace(origin, normalizer=Normalizer(float(mean), float(std), ()))


def is_openrlhf(config: Any) -> bool:
    """Whether OpenRLHF wrote this config."""
    named = getattr(config, "architectures", None)
    written = isinstance(named, list) and any(name in OPENRLHF_CLASSES for name in named if isinstance(name, str))
    return written or any(hasattr(config, key) for key in OPENRLHF_KEYS)


def describe(weight: Weight, config: Any) -> str:
    """A value head in words: its name and who writes such heads."""
    name = weight.name.removesuffix(".weight")
    if weight.file.name == VALUE_HEAD:
        return f"{name} of LLaMA-Factory ({VALUE_HEAD})"
    if name.startswith("v_head"):
        return f"{name} of TRL"
    return f"{name} of OpenRLHF" if is_openrlhf(config) else name


def read_tensor(weight: Weight) -> Tensor:
    """One tensor of a safetensors file; ModelError where it holds NaN."""
    from safetensors import safe_open

    with safe_open(weight.file, framework="pt") as file:
        tensor: Tensor = file.get_tensor(weight.name)
    refuse_values(str(weight.file), [(weight.name, tensor)])
    return tensor


def read_number(weight: Weight | None) -> float:
    """The bias of a head with one output, 0 without one."""
    if weight is None:
        return 0.0
    if weight.shape not in ((), (1,)):
        raise ModelError(
            f"{weight.file}: {weight.name} has the shape {list(weight.shape)}, but a head with one output has one "
            "bias; the weights are not of the same model"
        )
    return float(read_tensor(weight).float())


def choose_label(folder: ModelFolder, names: tuple[str, ...], head: nn.Linear, own: str, choice: Choice) -> Origin:
    """Copy one row of a classifier's head (or the difference of two) into the one-output `head`."""
    rows = [label_index(names, label) for label in (choice.label, choice.minus) if label is not None]
    stored = {w.name.rpartition(".")[2]: w for w in folder.weights if w.name.rpartition(".")[0].endswith(own)}

    def combined(tensor: Tensor) -> Tensor:
        return tensor[rows[0]].float() - (tensor[rows[1]].float() if len(rows) > 1 else 0.0)

    offset = float(combined(read_tensor(stored["bias"]))) if "bias" in stored else 0.0
    with torch.no_grad():
        head.weight.copy_(combined(read_tensor(stored["weight"]))[None])
        if head.bias is not None:
            head.bias.fill_(offset)
            offset = 0.0
    told = " minus ".join(names[row] for row in rows)
    return Origin(head=f"{own}, label {told}", offset=offset, weights=frozenset(w.name for w in stored.values()))


def label_index(names: tuple[str, ...], label: str) -> int:
    """The number of a label given by name or number."""
    if label in names:
        return names.index(label)
    if label.isdigit() and int(label) < len(names):
        return int(label)
    raise ModelError(f"no label {label!r}; the labels of the model are {', '.join(names)} (or 0 to {len(names) - 1})")
