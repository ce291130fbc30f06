"""Models with three outcomes: the first response wins, the second wins, or they tie."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.loss import Loss, on_differences


def rao_kupper(
    difference: Float[Tensor, " C"],
    preference: Float[Tensor, " C"],
    *,
    votes: Float[Tensor, "C 3"],
    tie_share: float = 1 / 3,
) -> Float[Tensor, " C"]:
    """Cross-entropy with P(win) = sigma(d - h), P(loss) = sigma(-d - h), P(tie) = the rest (Rao & Kupper 1967).

    h = log t with t = (1 + s) / (1 - s), where `tie_share` s is P(tie) between equal rewards; s = 0 is Bradley-Terry on
    decided comparisons. P(tie) = (t^2 - 1) sigma(d - h) sigma(-d - h).
    """
    threshold = math.log((1 + tie_share) / (1 - tie_share))
    win, loss = F.logsigmoid(difference - threshold), F.logsigmoid(-difference - threshold)
    tie = win + loss + log_or_floor(math.expm1(2 * threshold))
    return -cross(outcomes(preference, votes), win, loss, tie)


def davidson(
    difference: Float[Tensor, " C"],
    preference: Float[Tensor, " C"],
    *,
    votes: Float[Tensor, "C 3"],
    tie_share: float = 1 / 3,
) -> Float[Tensor, " C"]:
    """Cross-entropy with odds of win : loss : tie = e^(d/2) : e^(-d/2) : v (Davidson 1970).

    v = 2 s / (1 - s), where `tie_share` s is P(tie) between equal rewards; s = 0 is Bradley-Terry on decided comparisons.
    """
    half = difference / 2
    level = torch.full_like(half, log_or_floor(2 * tie_share / (1 - tie_share)))
    total = torch.logsumexp(torch.stack([half, -half, level]), dim=0)
    return -cross(outcomes(preference, votes), half - total, -half - total, level - total)


def outcomes(preference: Float[Tensor, " C"], votes: Float[Tensor, "C 3"]) -> Float[Tensor, "C 3"]:
    """Shares of (win, loss, tie): the votes where there are any, else a tie at a preference of 1/2, else (p, 1 - p, 0)."""
    tie = (preference == 0.5).to(preference)
    stated = torch.stack([preference * (1 - tie), (1 - preference) * (1 - tie), tie], dim=1)
    total = torch.nan_to_num(votes.sum(dim=1, keepdim=True))
    voted = torch.nan_to_num(votes) / total.clamp(min=1.0)
    return torch.where(total > 0, voted.to(preference), stated)


def cross(
    shares: Float[Tensor, "C 3"], win: Float[Tensor, " C"], loss: Float[Tensor, " C"], tie: Float[Tensor, " C"]
) -> Float[Tensor, " C"]:
    """sum of share times log probability."""
    return (shares * torch.stack([win, loss, tie], dim=1)).sum(dim=1)


def log_or_floor(value: float) -> float:
    """log(value); where ties are impossible (0) a large negative number instead of -infinity, which times 0 is no number."""
    return math.log(value) if value > 0 else -1e4


TIE_SHARE = {"tie_share": NumberOption(1 / 3, low=0.0, high=1.0, open_low=True, open_high=True)}
RAO_KUPPER = Loss(on_differences(rao_kupper, votes="votes"), options=TIE_SHARE)
DAVIDSON = Loss(on_differences(davidson, votes="votes"), options=TIE_SHARE)
