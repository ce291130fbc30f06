"""The members of `rewardsmith train`: how many, and what they are."""

from dataclasses import dataclass
from typing import Literal

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.train.head import SCALAR

MOST = 64


@dataclass(frozen=True, kw_only=True)
class MembersSettings:
    """How many members an ensemble has, and what each is."""

    name: int = 1
    """Number of members to train as an ensemble, each with its own seed; their disagreement is stored (see
    docs/ensembles.md)."""
    kind: Literal["heads", "lora", "runs"] | None = None
    """What a member is: heads (on one backbone), lora (LoRA adapters on one backbone) or runs (whole models) (default:
    heads with --freeze-layers -1, lora with --lora.r, else runs)."""

    @property
    def count(self) -> int:
        """How many members there are; 1 is a single model."""
        return self.name


def refuse_members(
    members: MembersSettings,
    kind: str | None,
    *,
    head: str,
    loss: str,
    rank: int | None,
    quantize: str | None,
    push: str | None,
) -> None:
    """UsageError for members that the other settings exclude; `kind` is what the members are (None: a single model)."""
    if not 1 <= members.count <= MOST:
        raise UsageError(f"--members {members.count}: expected 1 to {MOST}")
    if members.kind is not None and members.count == 1:
        raise UsageError(f"--members.kind {members.kind} needs the number of members; add --members 4")
    if kind == "heads":
        refuse_heads(members.count, head, loss)
    elif kind == "lora":
        refuse_lora(rank, quantize, head)
    if kind in ("lora", "runs") and push is not None:
        raise UsageError("--push-to-hub uploads a single model; train the ensemble without it")


def refuse_heads(count: int, head: str, loss: str) -> None:
    """UsageError for a loss or a head of which there cannot be several on one backbone."""
    if head != SCALAR:
        raise UsageError(
            f"--members {count} --members.kind heads takes scalar heads; use --members.kind runs, or remove --head {head}"
        )
    if loss == "uncertainty":
        raise UsageError(
            "--loss uncertainty trains an ensemble of heads itself; use --loss.members instead of --members"
        )


def refuse_lora(rank: int | None, quantize: str | None, head: str) -> None:
    """UsageError for LoRA members without a LoRA adapter, on a quantised backbone, or with columns of their own."""
    if head != SCALAR:
        raise UsageError(f"--members.kind lora takes scalar heads; use --members.kind runs, or remove --head {head}")
    if rank is None:
        raise UsageError("--members.kind lora needs a rank; add --lora.r, for instance 16")
    if quantize is not None:
        raise UsageError(
            f"--members.kind lora keeps one backbone for all members, which cannot be quantised; remove --quantize "
            f"{quantize}, or use --members.kind runs"
        )
