"""Learning rates: one table by kind of training, linear warm-up, cosine decay."""

import math

# Starting points, not the result of a search. "tiny" is trained from scratch, "head" on a frozen backbone; an adapter
# begins at zero and bears a larger step than the weights it stands on.
LEARNING_RATES = {"full": 5e-5, "lora": 2e-4, "tiny": 2e-3, "head": 1e-3}


def learning_rate(step: int, total: int, *, peak: float, warmup: int) -> float:
    """Rate for optimizer step `step` (from 0): linear up to `peak` over `warmup` steps, then cosine down to zero.

    The cosine is that of Loshchilov & Hutter 2017 (SGDR, equation 5) without restarts.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
