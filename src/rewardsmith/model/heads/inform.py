"""InfoRM: the reward sees the features through a narrow noisy code, which keeps what preferences need and little else."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import drawn
from rewardsmith.model.heads.head import ColumnHead, HeadInfo, HeadKind
from rewardsmith.settings.options import NumberOption

LATENT = NumberOption(32.0, low=1.0, high=4096.0, whole=True)


class Bottleneck(ColumnHead):
    """A code of L dimensions, normal with a mean and a log variance linear in the features; the reward is linear in it.

    After Miao et al. 2024 (arXiv 2402.09345), with a linear encoder and decoder. So the reward of the code's mean, which
    scoring takes, is linear in the features and any reader opens the folder; and the reward of a drawn code is normal, so
    that the loss takes the mean over all codes instead of one drawn at random.
    """

    replaces = True

    def __init__(self, info: HeadInfo, width: int, draw: torch.Generator) -> None:
        super().__init__(info)
        latent = int(info.options["latent"])
        self.mean = nn.Parameter(drawn(latent, width, draw))
        self.log_variance = nn.Parameter(drawn(latent, width, draw))
        self.bias = nn.Parameter(torch.zeros(2, latent))
        self.decoder = nn.Parameter(torch.randn(1, latent, generator=draw) / latent**0.5)

    def reward_weight(self) -> Float[Tensor, "1 F"]:
        """The weights of the reward head."""
        weight: Tensor = self.decoder.float() @ self.mean.float()
        return weight

    def code(self, features: Float[Tensor, "R F"]) -> tuple[Float[Tensor, "R L"], Float[Tensor, "R L"]]:
        """Mean and log variance of each response's code."""
        mean = F.linear(features, self.mean.float(), self.bias[0].float())
        return mean, F.linear(features, self.log_variance.float(), self.bias[1].float()).clamp(-20, 20)

    def divergence(self, features: Float[Tensor, "R F"]) -> Float[Tensor, "R 1"]:
        """The KL divergence of each code from a standard normal one, summed over the dimensions of the code."""
        mean, log_variance = self.code(features)
        return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1, keepdim=True)

    def forward(
        self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"], head: Float[Tensor, "1 F"]
    ) -> Float[Tensor, "R O"]:
        """The reward of the code's mean, the standard deviation of the reward over codes, and the divergence."""
        _, log_variance = self.code(features)
        variance = F.linear(log_variance.exp(), self.decoder.float().square())
        return torch.cat([rewards[:, None], variance.clamp(min=1e-12).sqrt(), self.divergence(features)], dim=1)

    def values(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R C"]:
        """The divergence: how much the code tells of this response."""
        return self.divergence(features)


def describe(options: Mapping[str, Any], plan: AttributePlan) -> HeadInfo:
    """One column."""
    return HeadInfo("inform", ("kl",), {"latent": int(options.get("latent", LATENT.default))})


HEAD = HeadKind(losses=("inform",), describe=describe, make=Bottleneck, options={"latent": LATENT})
