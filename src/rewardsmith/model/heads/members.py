"""Several heads that learn together and whose mean is the reward."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from rewardsmith.model.heads.extra import ExtraOutputs, drawn


class Members(ExtraOutputs):
    """M heads whose mean is the reward head: its weights plus deviations that sum to zero."""

    def __init__(self, count: int, width: int, draw: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(drawn(count, width, draw))

    @property
    def deviations(self) -> Float[Tensor, "M F"]:
        """What each member's weights add to those of the reward head."""
        centred: Tensor = self.weight - self.weight.mean(dim=0)
        return centred

    def forward(
        self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"], head: Float[Tensor, "1 F"]
    ) -> Float[Tensor, "R O"]:
        """The mean, then the reward of each member."""
        members = rewards[:, None] + F.linear(features, self.deviations.float())
        return torch.cat([rewards[:, None], members], dim=1)

    def weights(self, head: Float[Tensor, "1 F"]) -> Float[np.ndarray, "M F"]:
        """The weights of the members, from those of the reward head."""
        whole: Float[np.ndarray, "M F"] = (head + self.deviations).detach().float().cpu().numpy()
        return whole
