"""Bradley-Terry with a contrastive term: two views of one response are alike, those of different responses are not."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.loss import Annotations, Loss, difference_of, on_differences


def info_nce(first: Float[Tensor, "R F"], second: Float[Tensor, "R F"], *, temperature: float) -> Float[Tensor, " R"]:
    """-log(e^(cos(a_i, b_i) / t) / sum over j of e^(cos(a_i, b_j) / t)) (SimCSE, Gao et al. 2021, equation 4)."""
    alike = F.normalize(first, dim=1) @ F.normalize(second, dim=1).T / temperature
    return F.cross_entropy(alike, torch.arange(len(first), device=first.device), reduction="none")


def contrastive(
    outputs: Float[Tensor, "R O"],
    labels: Annotations,
    *,
    contrast: float = 0.1,
    temperature: float = 0.1,
) -> Tensor:
    """Bradley-Terry plus `contrast` times the mean of `info_nce` over the responses of the step.

    The reward model's loss of Wang et al. 2024 (arXiv 2401.06080, section 3.2) with SimCSE. The columns behind the first
    are a response's features; its two views are these under two masks of dropout (`labels.views`, already scaled). All
    other responses of the optimizer step are the negatives.
    """
    assert labels.views is not None  # the step draws them
    first, second = (outputs[:, 1:] * mask.to(outputs) for mask in labels.views)
    alike = info_nce(first, second, temperature=temperature).mean()
    return bradley_terry(difference_of(outputs[:, 0], labels), labels.preference) + contrast * alike


LOSS = Loss(
    contrastive,
    options={
        "contrast": NumberOption(0.1, low=0.0),
        "temperature": NumberOption(0.1, low=0.0, open_low=True),
        "view_dropout": NumberOption(0.1, low=0.0, high=1.0, open_low=True, open_high=True),
    },
    couples=True,
    outputs="features",
    held_out=on_differences(bradley_terry),
    view_dropout=0.1,
)
