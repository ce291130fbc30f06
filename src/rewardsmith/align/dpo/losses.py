"""The losses of preference optimisation, on the implicit rewards of `policy`; all but one are those of reward models.

| name | loss of a comparison with d = r(preferred) - r(other) | source |
|---|---|---|
| sigmoid | -log sigma(d) | DPO: Rafailov et al. 2023, arXiv 2305.18290, equation 7 |
| sigmoid, label smoothing e | -(1 - e) log sigma(d) - e log sigma(-d) | conservative DPO: Mitchell 2023 |
| robust, label smoothing e | ((1 - e) l(d) - e l(-d)) / (1 - 2 e) | Chowdhury et al. 2024, arXiv 2403.00409, equation 12 |
| hinge | max(0, 1 - d) | SLiC: Zhao et al. 2023, arXiv 2305.10425; Liu et al. 2023, arXiv 2309.06657 |
| ipo | (d / beta - 1 / (2 beta))^2 | Azar et al. 2023, arXiv 2310.12036, equation 17 |

A label that is a share of judges costs the mean over judges in all of them.
"""

from functools import partial

from jaxtyping import Float
from torch import Tensor

from rewardsmith.train.losses import LOSSES, choose
from rewardsmith.train.losses.loss import Loss, expected, on_differences
from rewardsmith.train.losses.text import TextTerm


def ipo(difference: Float[Tensor, " C"], preference: Float[Tensor, " C"], *, beta: float) -> Float[Tensor, " C"]:
    """(d / beta - 1 / (2 beta))^2, the mean over judges: log ratios are drawn to a distance of 1 / (2 beta)."""
    return expected(lambda d: ((d - 0.5) / beta).square(), difference, preference)


def preference_loss(name: str, *, beta: float, label_smoothing: float = 0.0, sft: float = 0.0) -> Loss:
    """The loss of this name; `sft` adds the mean negative log likelihood per token of preferred responses (RPO, Pang et al.
    2024, arXiv 2404.19733, equation 4).
    """
    if name == "ipo":
        loss = Loss(on_differences(partial(ipo, beta=beta)))
    elif name == "robust":
        loss = choose("unbiased", {"flip_rate": label_smoothing})
    elif name == "hinge":
        loss = LOSSES["hinge"]
    else:
        loss = choose("label-smoothing", {"smoothing": label_smoothing}) if label_smoothing else LOSSES["bradley-terry"]
    return Loss(loss.values, text=TextTerm(lm=sft) if sft else None)
