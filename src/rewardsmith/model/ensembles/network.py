"""The network of an ensemble: token trees to the members' rewards, and to the one reward that they come to.

It stands where any other network stands, so whatever scores, scores an ensemble; what needs the head of one model
(training, attribution) is refused. Where another network has features, this one has its members' rewards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from rewardsmith.errors import ModelError
from rewardsmith.model.ensembles.combination import (
    RULES,
    Combiner,
    MemberScale,
    columns_of,
    member_columns,
    on_one_scale,
)
from rewardsmith.model.forward.batches import Batch, KnownFeatures
from rewardsmith.model.forward.network import RewardNetwork


class EnsembleNetwork(RewardNetwork):
    """Members whose rewards are put on one scale and combined; `scales` has one entry per member."""

    def __init__(self, first: RewardNetwork, scales: Sequence[MemberScale], combination: Combiner) -> None:
        nn.Module.__init__(self)
        self.kind, self.pad_id, self.padded = first.kind, first.pad_id, first.padded
        self.plain_attention, self.late_pooling = first.plain_attention, first.late_pooling
        self.packed, self.autocast = first.packed, first.autocast
        self.offset, self.offload, self.readout, self.cache, self.lower = 0.0, False, None, None, None
        self.scales, self.combination = tuple(scales), combination

    @property
    def members(self) -> int:
        """How many there are."""
        return len(self.scales)

    def raw(self, batch: Batch) -> Float[Tensor, "R M"]:
        """What each member gives by itself."""
        raise NotImplementedError

    def member_rewards(self, batch: Batch) -> Float[Tensor, "R M"]:
        """The members' rewards on one scale."""
        return on_one_scale(self.raw(batch).double(), self.scales)

    def forward(
        self, batch: Batch, *, keep: Float[Tensor, "R H"] | None = None, head: bool = True, wide: bool = False
    ) -> Float[Tensor, "R ..."]:
        """One reward per response; with `head=False` what it is made of, the members' rewards (R, M) on one scale.

        Nothing here learns: dropout and outputs for a loss are refused.
        """
        if keep is not None or wide:
            self.refuse()
        members = batch.rows if isinstance(batch, KnownFeatures) else self.member_rewards(batch).float()
        return self.combination.of(members.double()) if head else members

    def refuse(self) -> NoReturn:
        """ModelError for what only a single model has."""
        raise ModelError(
            f"an ensemble of {self.members} members has no head of its own to train or to compare; pass the folder of one "
            "member"
        )


class NetworkEnsemble(EnsembleNetwork):
    """Members with a network each, which may share the weights of their backbone."""

    def __init__(self, networks: Sequence[RewardNetwork], scales: Sequence[MemberScale], combination: Combiner) -> None:
        super().__init__(networks[0], scales, combination)
        self.networks = nn.ModuleList(networks)
        self.hf = nn.ModuleList([network.hf for network in networks])
        self.readout = next((one.readout for one in networks if one.readout and one.readout.answers), None)
        self.packed = all(network.packed for network in networks)
        self.padded = all(network.padded for network in networks)
        for network in networks:
            network.packed, network.padded = self.packed, self.padded
        self.use_attention()

    def member_networks(self) -> list[RewardNetwork]:
        """The members' own networks."""
        return [network for network in self.networks if isinstance(network, RewardNetwork)]

    def use_attention(self) -> None:
        """Switch every member's backbone to the attention that fits `packed`."""
        for network in self.member_networks():
            network.use_attention()

    def raw(self, batch: Batch) -> Float[Tensor, "R M"]:
        """One forward pass per member."""
        networks = self.member_networks()
        for network in networks:
            network.autocast = self.autocast  # as it is set on the ensemble from outside
        return torch.stack([network(batch) for network in networks], dim=1)


class HeadsNetwork(EnsembleNetwork):
    """Members that are linear heads on one network: one forward pass for all."""

    def __init__(
        self,
        network: RewardNetwork,
        weights: Float[Tensor, "M F"],
        scales: Sequence[MemberScale],
        combination: Combiner,
    ) -> None:
        super().__init__(network, scales, combination)
        self.inner = network
        self.hf, self.head, self.readout, self.offset = network.hf, network.head, network.readout, network.offset
        self.register_buffer("weights", weights.float(), persistent=False)

    def raw(self, batch: Batch) -> Float[Tensor, "R M"]:
        """The head's features times every head; a bias and an offset, which all share, stay."""
        self.inner.autocast = self.autocast
        features = self.inner.features(batch).float()
        with torch.autocast(self.device.type, enabled=False):
            bias = 0.0 if self.head.bias is None else self.head.bias.float()
            weights = self.get_buffer("weights").to(features)
            return F.linear(features, weights) + bias + self.offset


@dataclass(frozen=True)
class MemberColumns:
    """The columns of an ensemble beside its reward: the members' standard deviation (divided by their number), and each."""

    network: EnsembleNetwork

    @property
    def columns(self) -> tuple[str, ...]:
        """std, member_1, member_2, …"""
        return member_columns(self.network.members)

    def values(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R C"]:
        """From the members' rewards, which stand where another network has features."""
        return columns_of(features)

    def save(self, folder: Path, reward: Float[Tensor, "1 F"]) -> None:
        """Nothing: the members are saved where they lie."""

    def tensors(self) -> Mapping[str, Tensor]:
        """Scales and rule."""
        combination = self.network.combination
        scales = torch.tensor([[one.centre, one.scale] for one in self.network.scales], dtype=torch.float64)
        rule = torch.tensor([RULES.index(combination.rule), combination.std_weight], dtype=torch.float64)
        return {"scales": scales, "rule": rule}


def heads_network(network: RewardNetwork, weights: Float[Tensor, "M F"]) -> HeadsNetwork:
    """The heads of a model whose own head is their mean."""
    return HeadsNetwork(network, weights, [MemberScale()] * len(weights), Combiner())
