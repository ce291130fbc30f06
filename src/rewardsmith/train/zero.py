"""DeepSpeed's ZeRO as an engine: it cuts moments (stage 1), gradients (2) or weights too (3), and may keep them on the host.

Ours stay the step, the learning rate and the files; DeepSpeed exchanges, cuts, clips and updates. `train.zero_state` makes
whole what it has cut.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from rewardsmith.errors import ModelError
from rewardsmith.model.batches import Batch
from rewardsmith.model.network import RewardNetwork
from rewardsmith.model.team import Team
from rewardsmith.train.engines import Engine, refuse_shared, unreached
from rewardsmith.train.examples import Example
from rewardsmith.train.zero_state import is_cut

SETTLED = {
    "train_micro_batch_size_per_gpu": 1,  # read by its logs alone
    "gradient_accumulation_steps": 2,  # any number above 1 makes it add passes up; when a step ends, we say
    "steps_per_print": 2**31,
    "zero_allow_untested_optimizer": True,
    "zero_force_ds_cpu_optimizer": False,  # torch's fused AdamW, which needs no compiler, on the host too
}


class Zero(Engine):
    """ZeRO 1 to 3 under our loop; `settings` is DeepSpeed's `zero_optimization`.

    Weights stay in fp32, mixed precision is autocast as under every engine, and fp16 is refused by its caller. The largest
    gradient norm has to be known from the start (`clip`, 0: none).
    """

    def __init__(
        self, network: RewardNetwork, team: Team, *, example: Example, settings: Mapping[str, Any], clip: float
    ) -> None:
        super().__init__(network, team)
        refuse_shared(network, how="ZeRO")
        if idle := unreached(network, example):
            raise ModelError(
                f"no reward depends on {len(idle)} of the weights ({idle[0]}), and ZeRO would decay them all the same; "
                "train with --parallel fsdp"
            )
        self.settings = {**SETTLED, "zero_optimization": dict(settings), "gradient_clipping": clip}
        self.wrapped: Any = None

    def start(self, optimizer: torch.optim.Optimizer) -> Any:
        """Cut the network and the optimizer; returns ZeRO's optimizer, whose groups have the same learning rates."""
        import deepspeed

        with quiet_deepspeed():
            self.wrapped, started, *_ = deepspeed.initialize(
                model=self.network, optimizer=optimizer, config=self.settings, dist_init_required=False
            )
        if is_cut(self.network.head.weight):  # the network multiplies with it itself, so no hook of the head gathers it
            for parameter in self.network.head.parameters():
                deepspeed.zero.register_external_parameter(self.network, parameter)
        return started

    def rewards(self, batch: Batch, keep: Tensor | None) -> Tensor:
        """As for one process, through DeepSpeed's engine."""
        rewards: Tensor = self.wrapped(batch, keep=keep)
        return rewards

    @contextlib.contextmanager
    def passing(self, *, last: bool) -> Iterator[None]:
        """DeepSpeed is told which pass is the last of a step."""
        self.wrapped.set_gradient_accumulation_boundary(last)
        yield

    def backward(self, loss: Tensor) -> None:
        """Its own backward pass; our loss is divided by the step's weight already."""
        self.wrapped.backward(loss, scale_wrt_gas=False)

    def step(self, optimizer: Any, scaler: torch.amp.GradScaler, clip: float) -> float:
        """Clip, update, exchange the weights; where the gradient is not finite it updates nothing."""
        self.wrapped.step()
        return float(self.wrapped.get_global_grad_norm())


@contextlib.contextmanager
def quiet_deepspeed() -> Iterator[None]:
    """Its log goes to the standard output, where results belong: here it goes to the other, errors only."""
    log = logging.getLogger("DeepSpeed")
    log.setLevel(logging.ERROR)
    with contextlib.redirect_stdout(sys.stderr):
        yield
