"""Weights that are no numbers (NaN, infinite) are refused by name before anything is computed with them."""

from collections.abc import Iterable

import numpy as np
from torch import Tensor, nn

from rewardsmith.errors import ModelError


def refuse_not_finite(path: str, hf: nn.Module) -> None:
    """ModelError that names the first weight with a value that is NaN or infinite."""
    refuse_values(path, hf.named_parameters())


def refuse_values(path: str, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """The same for any named tensors.

    A sum tells it in one pass without memory, on one core: it is finite unless a value is not, or values are huge, and
    those are looked at one by one.
    """
    for name, tensor in tensors:
        values = tensor.detach().float().numpy()
        with np.errstate(all="ignore"):
            if np.isfinite(values.sum()):
                continue
        wrong = int((~np.isfinite(values)).sum())
        if wrong:
            raise ModelError(
                f"{path}: the weight {name} has {wrong} NaN or infinite values (of {values.size}); the weights are "
                "damaged or the training failed; use another checkpoint"
            )
