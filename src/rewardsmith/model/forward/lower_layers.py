"""Frozen layers whose outputs are known: a forward pass that begins above them.

The embeddings are looked up as ever, which costs nothing, and so positions, masks and whatever else a class makes before its
layers are there as ever; only the frozen layers are not computed and return what is known instead. So a class that
scales its embeddings, adds positions to them, or has layers of several kinds needs no case of its own. Whether a class
bears it (one may hand more from layer to layer than the hidden state) is found by `difference`.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Reached(Exception):
    """The last layer that is wanted has been computed."""


class LowerLayers:
    """The lowest layers of a network. `kept` names (from 1) those whose outputs something above reads: the last of them,
    and the ones of `read` (see `readout`).
    """

    def __init__(self, layers: Sequence[nn.Module], *, read: Sequence[int] = ()) -> None:
        self.layers = list(layers)
        self.kept = sorted({len(layers), *(number for number in read if number < len(layers))})
        self._others: dict[int, int] = {}  # what a layer returns beside its output, by number; -1: no tuple

    def outputs(self, run: Callable[[], Any]) -> Float[Tensor, "rows tokens S H"]:
        """The outputs of the kept layers in the forward pass that `run` makes, which ends there."""
        found: dict[int, Tensor] = {}

        def keeper(number: int) -> Callable[[nn.Module, Any, Any], None]:
            def keep(module: nn.Module, inputs: Any, output: Any) -> None:
                whole = isinstance(output, tuple)
                self._others[number] = len(output) - 1 if whole else -1
                found[number] = output[0] if whole else output
                if number == len(self.layers):
                    raise Reached

            return keep

        hooks = [layer.register_forward_hook(keeper(number)) for number, layer in enumerate(self.layers, start=1)]
        try:
            run()
        except Reached:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return torch.stack([found[number] for number in self.kept], dim=-2)

    @contextlib.contextmanager
    def answering(self, states: Float[Tensor, "rows tokens S H"]) -> Iterator[None]:
        """While it is open, the layers return `states` (of the kept ones, in order) and compute nothing.

        A layer that is not kept returns what the next kept one does, since nothing reads it. `outputs` must have run.
        """
        before = [vars(layer).get("forward") for layer in self.layers]
        for number, layer in enumerate(self.layers, start=1):
            at = next(index for index, kept in enumerate(self.kept) if kept >= number)
            layer.forward = returning(states[..., at, :], self._others[number])
        try:
            yield
        finally:
            for layer, own in zip(self.layers, before, strict=True):
                del layer.forward
                if own is not None:
                    layer.forward = own


def returning(state: Tensor, others: int) -> Callable[..., Any]:
    """A layer's forward that returns `state`, in a tuple before `others` absent values where those are not negative."""
    value = state if others < 0 else (state, *[None] * others)
    return lambda *arguments, **named: value
