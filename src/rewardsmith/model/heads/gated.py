"""One output per attribute, and a reward in which a gate weighs them by the prompt: ArmoRM's mixture."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from rewardsmith.errors import UsageError
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import WholeReward
from rewardsmith.model.heads.head import HeadInfo, HeadKind
from rewardsmith.model.heads.multi_objective import AttributeHeads
from rewardsmith.model.heads.multi_objective import describe as describe_sum
from rewardsmith.settings.options import ListOption, NumberOption
from rewardsmith.settings.values import nearest

NAME = "gated"
HIDDEN = NumberOption(1024.0, low=1.0, high=65536.0, whole=True)
STEPS = NumberOption(2000.0, low=1.0, whole=True)
HIDDEN_LAYERS = 3
TEMPERATURE = 10.0
DROPOUT = 0.2
"""Of the gate: RLHFlow/RLHF-Reward-Modeling, armo-rm/stage-2_train.py, `GatingNetwork` and the defaults of its options."""


class GatedAttributes(AttributeHeads):
    """A linear output per attribute o_k of the last token, and the reward sum_k g_k (o_k - p_k o_v).

    g = s softmax(MLP(state of the prompt's last token) / 10) are weights of the attributes, all of one sign, that depend on
    the prompt alone; v is the penalised attribute (verbosity), p_k what is taken off attribute k, p_v = 1 (Wang et al. 2024,
    arXiv 2406.12845, section 2.2). The reward is no linear map of the features, of which the first half is the last
    token's and the second the prompt's. While the outputs learn, their equally weighted sum stands for the reward; the gate
    is fitted afterwards (`train.fitting.gate`) and until then does not learn.
    """

    penalty: Tensor

    def __init__(self, info: HeadInfo, width: int, draw: torch.Generator) -> None:
        super().__init__(info, width // 2, draw)
        sizes = [width // 2, *[int(info.options["hidden"])] * HIDDEN_LAYERS]
        self.gate = nn.ModuleList(
            linear(a, b, draw) for a, b in zip(sizes, [*sizes[1:], len(info.columns)], strict=True)
        )
        self.gain = nn.Parameter(torch.ones(1))
        self.register_buffer("penalty", torch.zeros(len(info.columns)))
        self.gate.requires_grad_(False)
        self.gain.requires_grad_(False)

    @property
    def penalized(self) -> int | None:
        """The number of the attribute that is taken off the others; None where none is."""
        name = self.info.options.get("penalize")
        return None if name is None else self.columns.index(name)

    def reward_weight(self) -> Float[Tensor, "1 F"]:
        """The weights of the equally weighted sum; none on the prompt's features."""
        mixed = super().reward_weight()
        return torch.cat([mixed, torch.zeros_like(mixed)], dim=1)

    def of_response(self, features: Float[Tensor, "R F"]) -> Float[Tensor, "R H"]:
        """The features of the last token."""
        return features[:, : features.shape[1] // 2]

    def of_prompt(self, features: Float[Tensor, "R F"]) -> Float[Tensor, "R H"]:
        """The features of the prompt's last token."""
        return features[:, features.shape[1] // 2 :]

    def gates(self, prompts: Float[Tensor, "R H"]) -> Float[Tensor, "R A"]:
        """g: the weight of each attribute before the penalty."""
        hidden = prompts
        for number, layer in enumerate(self.gate):
            hidden = layer(hidden)
            if number < HIDDEN_LAYERS:
                hidden = F.dropout(F.relu(hidden), DROPOUT, training=self.training)
        return F.softmax(hidden / TEMPERATURE, dim=1) * self.gain

    def coefficients(self, prompts: Float[Tensor, "R H"]) -> Float[Tensor, "R A"]:
        """What each output counts in the reward: the gate's weights, of the penalised one less all that is taken off."""
        gates = self.gates(prompts)
        at = self.penalized
        if at is None:
            return gates
        taken = (gates * self.penalty).sum(dim=1, keepdim=True)
        return gates - F.one_hot(torch.tensor(at, device=gates.device), gates.shape[1]).to(gates) * taken

    def outputs(self, features: Float[Tensor, "R F"]) -> Float[Tensor, "R A"]:
        """The output of each attribute without its bias, which no comparison can see."""
        return F.linear(self.of_response(features), self.weight.float())

    def whole_reward(self) -> WholeReward | None:
        """The weighted sum of the outputs."""

        def reward(features: Tensor) -> Tensor:
            return (self.coefficients(self.of_prompt(features)) * self.outputs(features)).sum(dim=1)

        return reward


def describe(options: Mapping[str, Any], plan: AttributePlan) -> HeadInfo:
    """As for a fixed sum of attributes, with what describes the gate; UsageError for a penalty on an unknown attribute."""
    info = describe_sum({}, plan)
    penalize = options.get("penalize")
    if penalize is not None and penalize not in plan.names:
        names = ", ".join(plan.names)
        raise UsageError(
            f"--head.penalize {penalize}: expected one of the attributes {names}.{nearest(penalize, plan.names)}"
        )
    weights = [1 / len(plan.names)] * len(plan.names)
    gate = {"hidden": int(options.get("hidden", HIDDEN.default)), "penalize": penalize}
    return HeadInfo(NAME, plan.names, {**info.options, "weights": weights, **gate})


def linear(inputs: int, outputs: int, draw: torch.Generator) -> nn.Linear:
    """A layer with weights and biases drawn evenly within 1 / sqrt(inputs), as `nn.Linear` draws its own."""
    made = nn.Linear(inputs, outputs)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-(inputs**-0.5), inputs**-0.5, generator=draw)
    return made


HEAD = HeadKind(
    losses=("attributes",),
    describe=describe,
    make=GatedAttributes,
    options={"attributes": ListOption(), "hidden": HIDDEN, "gate_steps": STEPS, "penalize": ListOption()},
    by_attribute=True,
)
