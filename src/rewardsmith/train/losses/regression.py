"""Regression of the reward on the rating of a response."""

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.train.losses.loss import Annotations, Loss


def regression(rewards: Float[Tensor, " R"], rating: Float[Tensor, " R"]) -> Float[Tensor, " R"]:
    """(r - rating)^2 per response, 0 where it has no rating (NaN) (HelpSteer2, Wang et al. 2024, section 4.1).

    Ratings keep their unit: a reward then is a predicted rating, and differences of rewards are no log odds.
    """
    rated = ~torch.isnan(rating)
    return torch.where(rated, (rewards - torch.nan_to_num(rating)) ** 2, torch.zeros_like(rewards))


def values(rewards: Float[Tensor, " R"], labels: Annotations) -> Float[Tensor, " R"]:
    """The loss of each response."""
    return regression(rewards, labels.rating)


LOSS = Loss(values, unit="response", needs="ratings")
