"""ODIN: two heads, one of which takes on what follows the length of a response."""

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.loss import Annotations, Loss, difference_of, on_differences


def pearson(x: Float[Tensor, " R"], y: Float[Tensor, " R"]) -> Float[Tensor, ""]:
    """The correlation of two columns; 0 where one of them is constant."""
    x, y = x - x.mean(), y - y.mean()
    scale = (x.square().sum() * y.square().sum()).clamp(min=torch.finfo(x.dtype).tiny).sqrt()
    return (x * y).sum() / scale


def odin(
    outputs: Float[Tensor, "R 3"], labels: Annotations, *, length_weight: float = 1.0, orthogonal_weight: float = 1.0
) -> Tensor:
    """Bradley-Terry on q + l, plus a (|corr(q, length)| - corr(l, length)) + b |cos(head_q, head_l)|.

    Chen et al. 2024 (arXiv 2402.07319), equations 4 to 7. The columns are the reward of quality q, which is the model's,
    that of length l, and the cosine of the two heads. Correlations are Pearson's over all responses of the optimizer step;
    `length` counts tokens. Every comparison has a loss of its own: a sum over the batch inside the logarithm is another.
    """
    quality, length = outputs[:, 0], labels.length.to(outputs)
    ranking = bradley_terry(difference_of(quality + outputs[:, 1], labels), labels.preference)
    follows = pearson(quality, length).abs() - pearson(outputs[:, 1], length)
    return ranking + length_weight * follows + orthogonal_weight * outputs[0, 2].abs()


LOSS = Loss(
    odin,
    options={"length_weight": NumberOption(1.0, low=0.0), "orthogonal_weight": NumberOption(1.0, low=0.0)},
    couples=True,
    outputs="odin",
    held_out=on_differences(bradley_terry),
)
