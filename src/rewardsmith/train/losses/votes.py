"""Soft labels from votes: the share of judges, drawn towards one half where few have voted."""

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.loss import Loss, on_differences


def soft_labels(
    difference: Float[Tensor, " C"],
    preference: Float[Tensor, " C"],
    *,
    votes: Float[Tensor, "C 3"],
    prior_votes: float = 1.0,
) -> Float[Tensor, " C"]:
    """Bradley-Terry with the target (for + undecided / 2 + a) / (for + against + undecided + 2 a).

    The mean of the posterior of a share under a Beta(a, a) prior (Gelman et al., Bayesian Data Analysis, section 2.4): one
    vote of one is a target of 2/3 with a = 1, nine of nine 10/11. `prior_votes` is a; 0 is the plain share. A comparison
    without votes (NaN), or whose votes are all zero, keeps its preference.
    """
    total = votes.sum(dim=1)
    counted = torch.nan_to_num(total) > 0
    cast = torch.where(counted[:, None], votes, torch.ones_like(votes))
    share = (cast[:, 0] + cast[:, 2] / 2 + prior_votes) / (cast.sum(dim=1) + 2 * prior_votes)
    return bradley_terry(difference, torch.where(counted, share, preference))


LOSS = Loss(
    on_differences(soft_labels, votes="votes"),
    options={"prior_votes": NumberOption(1.0, low=0.0)},
    needs="votes",
)
