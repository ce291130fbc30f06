"""Parts of a transformer's layer that keep less for the backward pass and go over memory less often; the same values.

Autograd keeps every factor of every product: of RMSNorm the normalised rows beside the input, and under mixed precision one
copy in half precision for each projection behind it; of a gated feed-forward part the activation and the product beside
gate and up. What is written out here keeps the inputs and computes the rest again, which costs a few passes over memory.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor
from torch.autograd.function import once_differentiable


class RmsNorm(torch.autograd.Function):
    """(x, weight, eps, dtype) to weight * x / sqrt(mean(x^2) + eps), in `dtype` (Zhang & Sennrich 2019, equation 4)."""

    @staticmethod
    def forward(
        ctx: Any, x: Float[Tensor, "... H"], weight: Float[Tensor, " H"], eps: float, dtype: torch.dtype
    ) -> Float[Tensor, "... H"]:
        """Computed in fp32, rounded once."""
        inverse = inverse_rms(x, eps)
        ctx.save_for_backward(x, weight, inverse)
        return scaled_rows(x, weight, inverse, dtype)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Float[Tensor, "... H"]) -> tuple[Tensor, Tensor | None, None, None]:
        """With n = x r, r = 1 / sqrt(mean(x^2) + eps), g the gradient: dw = sum(g n), dx = r (g w - n mean(g w n))."""
        x, weight, inverse = ctx.saved_tensors
        size = x.shape[-1]
        product = (gradient * x).reshape(-1, size)
        r = inverse.reshape(-1)
        toward = (product @ weight).mul_(r).mul_(r).div_(size).view(inverse.shape)  # r mean(g w n)
        dx = (gradient * weight).addcmul_(x, toward, value=-1).mul_(inverse)
        dw = r @ product if ctx.needs_input_grad[1] else None
        return dx, dw, None, None


def inverse_rms(x: Float[Tensor, "... H"], eps: float) -> Float[Tensor, "... 1"]:
    """1 / sqrt(mean(x^2) + eps) of every row."""
    squared: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1])
    return squared.add_(eps).rsqrt_()


def scaled_rows(
    x: Float[Tensor, "... H"], weight: Float[Tensor, " H"], inverse: Float[Tensor, "... 1"], dtype: torch.dtype
) -> Float[Tensor, "... H"]:
    """weight * x * inverse, rounded once."""
    rows: Tensor = (x * inverse).mul_(weight).to(dtype)
    return rows


class GatedProjection(torch.autograd.Function):
    """(gate, up, weight, activation) to (activation(gate) * up) @ weight.T; keeps gate and up alone.

    The feed-forward part of Shazeer 2020 (GLU variants) from its two projections on.
    """

    @staticmethod
    def forward(
        ctx: Any,
        gate: Float[Tensor, "... F"],
        up: Float[Tensor, "... F"],
        weight: Float[Tensor, "H F"],
        activation: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "... H"]:
        """The projection of the product."""
        ctx.save_for_backward(gate, up, weight)
        ctx.activation = activation
        return F.linear(activation(gate) * up, weight)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Float[Tensor, "... H"]) -> tuple[Tensor, Tensor, Tensor | None, None]:
        """The product is computed again; autograd knows the derivative of any activation."""
        gate, up, weight = ctx.saved_tensors
        with torch.enable_grad():
            gate = gate.detach().requires_grad_()
            active = ctx.activation(gate)
        inner = gradient @ weight
        (toward_gate,) = torch.autograd.grad(active, gate, inner * up)
        active = active.detach()
        toward_up = inner.mul_(active)
        toward_weight = None
        if ctx.needs_input_grad[2]:
            product = active * up
            toward_weight = gradient.flatten(0, -2).t() @ product.flatten(0, -2)
        return toward_gate, toward_up, toward_weight, None


class Lookup(torch.autograd.Function):
    """Rows of an embedding, whose gradient is added to `weight.grad` in place.

    Autograd would make a gradient of the whole vocabulary's size in every pass and add it to the one that is there: for
    small models on a CPU that is a twentieth of a step. `weight` must be a leaf, and nobody may wait for its gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, weight: Float[Tensor, "V H"], ids: Int64[Tensor, "..."], skipped: int | None
    ) -> Float[Tensor, "... H"]:
        """`skipped` is the id whose row has no gradient (padding)."""
        ctx.save_for_backward(ids)
        ctx.weight, ctx.skipped = weight, skipped
        return F.embedding(ids, weight)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Float[Tensor, "... H"]) -> tuple[None, None, None]:
        """Adds; gives autograd nothing to add."""
        (ids,) = ctx.saved_tensors
        rows = gradient.flatten(0, -2)
        if ctx.skipped is not None:
            rows = rows * (ids.flatten() != ctx.skipped).unsqueeze(-1)
        if ctx.weight.grad is None:
            ctx.weight.grad = torch.zeros_like(ctx.weight)
        ctx.weight.grad.index_add_(0, ids.flatten(), rows.to(ctx.weight.dtype))
        return None, None, None
