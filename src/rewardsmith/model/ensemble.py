"""Several heads on one backbone: their mean is the model's reward, their spread says how far data like these decide it.

Linear heads on the same features have a mean that is a linear head itself, with the mean of their weights. So the folder's
own head is the ensemble's mean and opens everywhere as before; the heads lie beside it, in `heads/`, where no reader of
weights looks. Their spread depends on the sample of prompts alone (bootstrap), not on what all of them share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rewardsmith.errors import ContractError
from rewardsmith.model.ensembles.combination import columns_of, member_columns
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.heads.head import CLOSE, FOLDER
from rewardsmith.model.inspection.finite import refuse_values

FILE = Path(FOLDER) / "weights.safetensors"


@dataclass(frozen=True)
class HeadEnsemble:
    """The weights of M heads, one row each; as a `ColumnSource` it gives them and their spread."""

    weights: Float[Tensor, "M F"]

    @property
    def columns(self) -> tuple[str, ...]:
        """The standard deviation over the heads (divided by their number), and each: std, member_1, …"""
        return member_columns(len(self.weights))

    def mean(self) -> Float[Tensor, " F"]:
        """The head whose rewards are the mean of theirs."""
        mean: Tensor = self.weights.double().mean(dim=0)
        return mean

    def tensors(self) -> Mapping[str, Tensor]:
        """The weights."""
        return {"weights": self.weights.float().cpu().contiguous()}

    def save(self, folder: Path, reward: Float[Tensor, "1 F"]) -> None:
        """Write the file beside a model, whose reward head is the mean of these."""
        (folder / FILE).parent.mkdir(exist_ok=True)
        save_file(dict(self.tensors()), folder / FILE)

    @classmethod
    def load(cls, folder: Path, network: RewardNetwork, count: int) -> "HeadEnsemble":
        """Read the `count` heads of a model; ContractError where they are not there or not those of its own head."""
        path = folder / FILE
        own = network.head.weight.detach().cpu().float()[0]
        try:
            weights = load_file(path)["weights"]
        except (OSError, SafetensorError, KeyError) as error:
            raise ContractError(
                f"{path} cannot be read, but reward.json lists {count} heads; copy the model again"
            ) from error
        refuse_values(str(path), [("weights", weights)])
        ensemble = cls(weights)
        if weights.shape != (count, len(own)):
            raise ContractError(
                f"{path} has weights of shape {list(weights.shape)}, expected {[count, len(own)]}; copy the model again"
            )
        apart = (ensemble.mean() - own).abs().max().item()
        if not apart <= CLOSE * weights.abs().max().item():
            raise ContractError(
                f"{path} belongs to another model: the mean of its heads differs by {apart:.2g} from the head of the "
                "model"
            )
        return ensemble

    def values(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R C"]:
        """The spread of each response and the rewards of the heads, with a bias and an offset, which all of them share."""
        by_head = F.linear(features, self.weights.to(features)).double()
        return columns_of(by_head - by_head.mean(dim=1, keepdim=True) + rewards.double()[:, None])
