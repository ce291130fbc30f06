"""DeepSpeed's ZeRO as an engine: it cuts moments (stage 1), gradients (2) or weights too (3), and may keep them on the host.

Ours stay the step, the learning rate and the files; DeepSpeed exchanges, cuts, clips and updates. `train.zero_state` makes
whole what it has cut.
"""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rewardsmith.errors import ModelError
from rewardsmith.model.forward.batches import Batch
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.lean.swap import make_plain
from rewardsmith.model.runtime.processes import Team
from rewardsmith.train.engines.engine import Engine, refuse_shared, unreached
from rewardsmith.train.engines.zero_state import is_cut
from rewardsmith.train.examples import Example

SETTLED = {
    "train_micro_batch_size_per_gpu": 1,  # read by its logs alone
    "gradient_accumulation_steps": 2,  # any number above 1 makes it add passes up; when a step ends, we say
    "steps_per_print": 2**31,
    "zero_allow_untested_optimizer": True,
    "zero_force_ds_cpu_optimizer": False,  # torch's fused AdamW, which needs no compiler, on the host too
}


class Zero(Engine):
    """ZeRO 1 to 3 under our loop; `settings` is DeepSpeed's `zero_optimization`.

    Weights stay in fp32, mixed precision is autocast as under every engine. DeepSpeed clips by itself, to a gradient norm
    of `clip` (0: not at all).
    """

    def __init__(
        self, network: RewardNetwork, team: Team, *, example: Example, settings: Mapping[str, Any], clip: float
    ) -> None:
        super().__init__(network, team)
        if network.autocast is torch.float16:
            raise ModelError(
                "fp16 needs loss scaling, which is not supported with DeepSpeed here; use --dtype bf16 or --parallel "
                "fsdp"
            )
        refuse_shared(network, how="ZeRO")
        if idle := unreached(network, example):
            raise ModelError(
                f"no reward depends on {len(idle)} of the weights ({idle[0]}), but ZeRO would still apply weight decay "
                "to them; use --parallel fsdp"
            )
        if settings.get("stage") == 3:  # which gathers a weight when its own module is called
            make_plain(network.hf)
        self.settings = {**SETTLED, "zero_optimization": dict(settings), "gradient_clipping": clip}
        self.wrapped: Any = None
        self.linear = nn.functional.linear

    def start(self, optimizer: torch.optim.Optimizer) -> Any:
        """Cut the network and the optimizer; returns ZeRO's optimizer, whose groups have the same learning rates."""
        with started_quietly():
            deepspeed = import_deepspeed(self.network.device.type)
            self.wrapped, started, *_ = deepspeed.initialize(
                model=self.network, optimizer=optimizer, config=self.settings, dist_init_required=False
            )
        if is_cut(self.network.head.weight):  # the network multiplies with it itself, so no hook of the head gathers it
            for parameter in self.network.head.parameters():
                deepspeed.zero.register_external_parameter(self.network, parameter)
        return started

    def rewards(self, batch: Batch, keep: Tensor | None, *, wide: bool = False) -> Tensor:
        """As for one process, through DeepSpeed's engine."""
        rewards: Tensor = self.wrapped(batch, keep=keep, wide=wide)
        return rewards

    @contextlib.contextmanager
    def passing(self, *, last: bool) -> Iterator[None]:
        """DeepSpeed is told which pass is the last of a step."""
        self.wrapped.set_gradient_accumulation_boundary(last)
        yield

    def backward(self, loss: Tensor) -> None:
        """Its own backward pass; our loss is divided by the step's weight already."""
        self.wrapped.backward(loss, scale_wrt_gas=False)

    def clip(self, optimizer: Any, scaler: torch.amp.GradScaler, limit: float) -> Tensor:
        """DeepSpeed clips as it updates, and knows no norm before."""
        return torch.zeros((), device=self.network.device)

    def update(self, optimizer: Any, scaler: torch.amp.GradScaler, norm: float) -> float:
        """Clip, update, exchange the weights; where the gradient is not finite it updates nothing."""
        self.wrapped.step()
        return float(self.wrapped.get_global_grad_norm())

    def close(self) -> None:
        """Stage 3 has put a linear of its own, which keeps no gathered weight, into torch for all modules: take it out."""
        nn.functional.linear = self.linear


def import_deepspeed(device: str) -> Any:
    """The package, working on this kind of device, and without the kernel that it would compile for exchanges on CPUs."""
    os.environ.setdefault("DS_ACCELERATOR", device)  # else it guesses, and says so
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # gloo does it without a compiler
    return deepspeed


@contextlib.contextmanager
def started_quietly() -> Iterator[None]:
    """Its log would go to the standard output, where results belong: it goes to the other, and holds errors only."""
    warnings.filterwarnings("ignore", ".*torch.distributed.* is deprecated", FutureWarning)  # its own calls
    with contextlib.redirect_stdout(sys.stderr):
        yield
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
