"""The settings of `rewardsmith score`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from rewardsmith.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith score`."""

    model: str
    """Reward model: a folder, a run folder, or a hub name."""
    source: str
    """File, folder or synthetic:N to score."""
    output: Path
    """JSON lines to write: each input row with its `rewards`, one per response in the row's order."""
    map: tuple[str, ...] = ()
    """Columns under other names, as in prompt=instruction; the output keeps the row's own names."""
    best_of: bool = False
    """Add `best`, the index of the response with the highest reward."""
    tokens_per_batch: int | None = None
    """Tokens per forward pass (default by device)."""
    dtype: str = "fp32"
    """Precision below the head: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    allow_mismatch: bool = False
    """Score even if the model's probes no longer give the stored rewards; every row then says so (`mismatch`)."""
    engine: Literal["local", "ray"] = "local"
    """local: in this process; ray: on the workers of a Ray session."""
    workers: int | None = None
    """With --engine ray: CPUs of a session that is started here (default: one per core)."""
    strict: bool = False
    """Stop at the first row that cannot be read."""
    overwrite: bool = False
    """Replace --output if it is there."""
    trust_remote_code: bool = False
    """Run code that comes with a hub model."""
    keeps_parts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.workers is not None and self.engine == "local":
            raise UsageError("--workers counts workers of --engine ray; add it, or leave --workers out")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"--workers {self.workers}: expected at least 1")
