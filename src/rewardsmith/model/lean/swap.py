"""Which modules of a transformers model compute by `lean_layers`: those that do the same, found by trying.

Names of families are not used. A norm, a gated feed-forward part or an embedding is taken over if its formula gives
what the module itself gives for random input; whether a norm may hand its rows over in half precision is read off a forward
pass: if linear layers alone take them, which would round them anyway.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rewardsmith.model.equivalence.path_check import random_texts
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.lean.kernels import GatedProjection, Lookup, RmsNorm, inverse_rms, scaled_rows

EXACT = 1e-5  # of the largest value; another formula is off by far more
ROWS = 7  # of random input


class LeanNorm(nn.Module):
    """RMSNorm of fp32 rows; anything else goes the module's own way."""

    weight: nn.Parameter
    lean_eps: float
    lean_rounds: bool

    def forward(self, x: Tensor) -> Tensor:
        """Rows in fp32, or as autocast would round them for the linear layers behind."""
        if x.dtype != torch.float32:
            return super().forward(x)  # type: ignore[no-any-return, misc]
        device, dtype = x.device.type, x.dtype
        if self.lean_rounds and torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        return normed(x, self.weight, self.lean_eps, dtype)


class LeanGated(nn.Module):
    """A gated feed-forward part; where an adapter has wrapped the last projection, by that."""

    gate_proj: nn.Module
    up_proj: nn.Module
    down_proj: nn.Module
    act_fn: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """Rows of the model's width."""
        gate, up, down = self.gate_proj(x), self.up_proj(x), self.down_proj
        if type(down) is not nn.Linear:
            return down(self.act_fn(gate) * up)  # type: ignore[no-any-return]
        return projected(gate, up, down.weight, self.act_fn)


class LeanLookup(nn.Embedding):
    """An embedding that can add to its gradient in place."""

    gathers = False

    def forward(self, ids: Tensor) -> Tensor:
        """The rows of the ids."""
        if self.gathers and self.weight.requires_grad and torch.is_grad_enabled():
            rows: Tensor = Lookup.apply(self.weight, ids, self.padding_idx)  # type: ignore[no-untyped-call]
            return rows
        return super().forward(ids)


MADE: dict[tuple[Any, Any], Any] = {}


def leaner(kind: Any, plain: Any) -> Any:
    """`plain` with the forward method of `kind`; its name stays, by which libraries know it."""
    if (kind, plain) not in MADE:
        MADE[kind, plain] = type(plain.__name__, (kind, plain), {"__doc__": plain.__doc__, "plain": plain})
    return MADE[kind, plain]


def normed(x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """weight * x / rms(x), in `dtype`."""
    if not torch.is_grad_enabled():
        return scaled_rows(x, weight, inverse_rms(x, eps), dtype)
    rows: Tensor = RmsNorm.apply(x, weight, eps, dtype)  # type: ignore[no-untyped-call]
    return rows


def projected(gate: Tensor, up: Tensor, weight: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
    """(activation(gate) * up) @ weight.T, in the precision of gate; `gate` and `up` are the caller's to lose."""
    if not torch.is_grad_enabled():
        return F.linear(activation(gate).mul_(up), weight.to(gate.dtype))
    rows: Tensor = GatedProjection.apply(gate, up, weight.to(gate.dtype), activation)  # type: ignore[no-untyped-call]
    return rows


def make_lean(network: RewardNetwork) -> dict[str, int]:
    """Take over what can be; returns how many modules of each kind ("rounding": norms that hand over half precision)."""
    hf = network.hf
    norms = {module: eps for module in hf.modules() if (eps := epsilon_of(module)) is not None}
    only_projected = read_by_linear_layers(network, norms)
    for norm, eps in norms.items():
        norm.lean_eps, norm.lean_rounds = eps, norm in only_projected
        norm.__class__ = leaner(LeanNorm, type(norm))
    gated = [module for module in hf.modules() if is_gated(module)]
    for module in gated:
        module.__class__ = leaner(LeanGated, type(module))
    lookups = [module for module in hf.modules() if is_plain_lookup(module)]
    for lookup in lookups:
        lookup.__class__ = leaner(LeanLookup, type(lookup))
    return {"norms": len(norms), "rounding": len(only_projected), "gated": len(gated), "lookups": len(lookups)}


def make_plain(hf: Any) -> None:
    """Give every module its own class back."""
    for module in hf.modules():
        if isinstance(module, LeanNorm | LeanGated | LeanLookup):
            module.__class__ = module.plain  # type: ignore[assignment]


@contextlib.contextmanager
def gathering(hf: Any) -> Iterator[None]:
    """While it is open, embeddings on a CPU add to their gradient in place; only where nobody else waits for it."""
    lookups = [m for m in hf.modules() if isinstance(m, LeanLookup) and m.weight.device.type == "cpu"]
    for module in lookups:
        module.gathers = True
    try:
        yield
    finally:
        for module in lookups:
            module.gathers = False


def epsilon_of(module: nn.Module) -> float | None:
    """The epsilon of an RMSNorm that is weight * x / rms(x), else None: some multiply by 1 + weight."""
    weight = getattr(module, "weight", None)
    eps = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    if "norm" not in type(module).__name__.lower() or not isinstance(weight, nn.Parameter) or weight.ndim != 1:
        return None
    if weight.dtype != torch.float32 or not isinstance(eps, float) or list(module.parameters()) != [weight]:
        return None
    x = some_rows(len(weight), weight.device)
    return eps if agrees(module, x, lambda: normed(x, weight, eps, x.dtype)) else None


def is_gated(module: Any) -> bool:
    """Whether a module is down(activation(gate(x)) * up(x)) with plain linear layers, the last without bias."""
    parts = [getattr(module, name, None) for name in ("gate_proj", "up_proj", "down_proj")]
    if not all(type(part) is nn.Linear for part in parts) or module.down_proj.bias is not None:
        return False
    if not isinstance(getattr(module, "act_fn", None), nn.Module) or list(module.act_fn.parameters()):
        return False
    gate, up, weight = module.gate_proj, module.up_proj, module.down_proj.weight
    x = some_rows(gate.in_features, weight.device).to(weight.dtype)
    return agrees(module, x, lambda: projected(gate(x), up(x), weight, module.act_fn))


def is_plain_lookup(module: nn.Module) -> bool:
    """Whether a module is an embedding without norms, scales or sparse gradients."""
    return type(module) is nn.Embedding and module.max_norm is None and not (module.scale_grad_by_freq or module.sparse)


def agrees(module: nn.Module, x: Tensor, ours: Callable[[], Tensor]) -> bool:
    """Whether our formula gives what the module gives."""
    try:
        with torch.no_grad():
            expected, found = module(x), ours()
    except (RuntimeError, TypeError, ValueError):
        return False
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return False
    return torch.allclose(found, expected, rtol=0, atol=EXACT * max(expected.abs().max().item(), 1e-9))


def some_rows(width: int, device: torch.device) -> Tensor:
    """Random input of unlike sizes, the same every time, drawn without touching anybody's random numbers."""
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(ROWS, width, generator=draw) * torch.logspace(-2, 2, ROWS).unsqueeze(1)
    return rows.to(device)


def read_by_linear_layers(network: RewardNetwork, norms: Mapping[nn.Module, float]) -> set[nn.Module]:
    """The norms whose rows nothing but linear layers took as input during a forward pass."""
    was_training, readers = network.training, Readers(norms)
    network.eval()
    try:
        with readers, torch.no_grad():
            network.features(network.collate(random_texts(network, seed=0)))
    finally:
        network.train(was_training)
    return readers.only_projected


class Readers(TorchFunctionMode):
    """Notes which functions of torch take the output of which norm; looking at its shape is not taking it."""

    def __init__(self, norms: Iterable[nn.Module]) -> None:
        super().__init__()
        self.outputs: dict[int, tuple[nn.Module, Tensor]] = {}
        self.projected: set[nn.Module] = set()
        self.otherwise: set[nn.Module] = set()
        self.handles = [norm.register_forward_hook(self._note) for norm in norms]

    @property
    def only_projected(self) -> set[nn.Module]:
        """Norms that linear layers alone read."""
        return self.projected - self.otherwise

    def __exit__(self, *raised: Any) -> None:
        for handle in self.handles:
            handle.remove()
        super().__exit__(*raised)  # type: ignore[no-untyped-call]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [*args, *(kwargs or {}).values()]
        for value in [item for entry in given for item in (entry if isinstance(entry, (list, tuple)) else [entry])]:
            known = self.outputs.get(id(value))
            if known is not None and getattr(func, "__name__", "") != "__get__":
                (self.projected if func is torch.nn.functional.linear else self.otherwise).add(known[0])
        return func(*args, **(kwargs or {}))

    def _note(self, module: nn.Module, arguments: Any, output: Tensor) -> None:
        self.outputs[id(output)] = (module, output)  # held, so that its id is not given to another tensor
