"""ODIN: two heads, one of which takes on what follows the length of a response."""

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.loss import Annotations, Loss, difference_of, on_differences


def pearson(
    x: Float[Tensor, " R"], y: Float[Tensor, " R"], weight: Float[Tensor, " R"] | None = None
) -> Float[Tensor, ""]:
    """The correlation of two columns, whose rows count `weight` (None: alike); 0 where one of them is constant."""
    share = torch.full_like(x, 1 / len(x)) if weight is None else weight / weight.sum()
    x, y = x - (share * x).sum(), y - (share * y).sum()
    scale = ((share * x.square()).sum() * (share * y.square()).sum()).clamp(min=torch.finfo(x.dtype).tiny).sqrt()
    return (share * x * y).sum() / scale


def given_the_label(column: Float[Tensor, " R"], labels: Annotations) -> Float[Tensor, ""]:
    """The correlation of a column with length over verdicts: of preferred minus other in both.

    Each judge counts with the response that it preferred first, so a share p of judges is p verdicts one way and 1 - p the
    other. Levels of prompts drop out, and so does quality that goes with length only because the better response is the
    longer one. It is separation (equalised odds, Hardt et al. 2016, arXiv 1610.02413), where the correlation over all
    responses is independence of the reward and length.
    """
    ahead, longer = difference_of(column, labels), difference_of(labels.length.to(column), labels)
    weight, share = labels.unit_weight.to(column), labels.preference.to(column)
    return pearson(
        torch.cat([ahead, -ahead]), torch.cat([longer, -longer]), torch.cat([weight * share, weight * (1 - share)])
    )


def odin(
    outputs: Float[Tensor, "R 3"],
    labels: Annotations,
    *,
    length_weight: float = 1.0,
    orthogonal_weight: float = 1.0,
    given_label: float = 0.0,
) -> Tensor:
    """Bradley-Terry on q + l, plus a (|corr(q, length)| - corr(l, length)) + b |cos(head_q, head_l)|.

    Chen et al. 2024 (arXiv 2402.07319), equations 4 to 7. The columns are the reward of quality q, which is the model's,
    that of length l, and the cosine of the two heads. Correlations are Pearson's over all responses of the optimizer step;
    `length` counts tokens. Every comparison has a loss of its own: a sum over the batch inside the logarithm is another.

    With `given_label` 1, which is ours, correlations are those of `given_the_label`, and Bradley-Terry takes l as given: l
    learns length alone, or it would learn the quality that q then lacks.
    """
    quality, of_length, length = outputs[:, 0], outputs[:, 1], labels.length.to(outputs)
    if given_label:
        ranked = quality + of_length.detach()
        follows = given_the_label(quality, labels).abs() - given_the_label(of_length, labels)
    else:
        ranked = quality + of_length
        follows = pearson(quality, length).abs() - pearson(of_length, length)
    ranking = bradley_terry(difference_of(ranked, labels), labels.preference)
    return ranking + length_weight * follows + orthogonal_weight * outputs[0, 2].abs()


LOSS = Loss(
    odin,
    options={
        "length_weight": NumberOption(1.0, low=0.0),
        "orthogonal_weight": NumberOption(1.0, low=0.0),
        "given_label": NumberOption(0.0, low=0.0, high=1.0, whole=True),
    },
    couples=True,
    outputs="odin",
    held_out=on_differences(bradley_terry),
)
