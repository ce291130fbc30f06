"""Several heads on one backbone: their mean is the model's reward, their spread says how far data like these decide it.

Linear heads on the same features have a mean that is a linear head itself, with the mean of their weights. So the folder's
own head is the ensemble's mean and opens everywhere as before; the heads lie beside it, in `heads/`, where no reader of
weights looks. Their spread depends on the sample of prompts alone (bootstrap), not on what all of them share.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rewardsmith.errors import ContractError
from rewardsmith.model.forward.batches import Batch, KnownFeatures
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.inspection.finite import refuse_values
from rewardsmith.model.scorer import RecordRewards, Sequences, computed, finite

FILE = Path("heads") / "weights.safetensors"
CLOSE = 1e-5  # relative to the largest weight of a head; all are stored in fp32


class Spread(NamedTuple):
    """The rewards of one record's responses, and the standard deviation of each over the heads (divided by their number)."""

    rewards: RecordRewards
    std: RecordRewards


@dataclass(frozen=True)
class HeadEnsemble:
    """The weights of M heads, one row each."""

    weights: Float[Tensor, "M F"]

    def mean(self) -> Float[Tensor, " F"]:
        """The head whose rewards are the mean of theirs."""
        mean: Tensor = self.weights.double().mean(dim=0)
        return mean

    def save(self, folder: Path) -> None:
        """Write the file beside a model."""
        (folder / FILE).parent.mkdir(exist_ok=True)
        save_file({"weights": self.weights.float().cpu().contiguous()}, folder / FILE)

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

    def spreads(
        self, network: RewardNetwork, records: Iterable[Sequences], *, budget: int | None = None
    ) -> Iterator[Spread]:
        """Rewards of every record, as `scorer.score` gives them, with their spread over the heads."""
        heads = self.weights.to(network.device).float()

        def both(batch: Batch) -> Float64[np.ndarray, "R 2"]:
            features = network.features(batch).float()
            with torch.autocast(network.device.type, enabled=False):
                std = F.linear(features, heads).double().std(dim=1, correction=0)
            rewards = network(KnownFeatures(features)).double()
            return torch.stack([rewards, std], dim=1).cpu().numpy()  # type: ignore[no-any-return]

        for values in computed(network, records, both, budget=budget):
            yield Spread(finite(values)[:, 0], values[:, 1])
