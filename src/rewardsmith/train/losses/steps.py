"""Cross-entropy at the end of each step of a solution."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rewardsmith.train.losses.loss import Annotations, Loss


def step_cross_entropy(values: Float[Tensor, " R"], label: Float[Tensor, " R"]) -> Float[Tensor, " R"]:
    """-t log σ(v) - (1 - t) log(1 - σ(v)) per step with label t in [0, 1], 0 where it has none (NaN).

    v is the value at the step's last token (Lightman et al. 2023, arXiv 2305.20050, section 2.4; Wang et al. 2023,
    Math-Shepherd, arXiv 2312.08935, eq. 2).
    """
    known = ~torch.isnan(label)
    entropy = F.binary_cross_entropy_with_logits(values, torch.nan_to_num(label).to(values), reduction="none")
    return torch.where(known, entropy, torch.zeros_like(values))


def values(rewards: Float[Tensor, " R"], labels: Annotations) -> Float[Tensor, " R"]:
    """The loss of each step."""
    return step_cross_entropy(rewards, labels.rating)


LOSS = Loss(values, unit="response", needs="ratings")
