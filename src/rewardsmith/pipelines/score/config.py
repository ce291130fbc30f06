"""The settings of `rewardsmith score`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.ensembles.combine import CombineSettings
from rewardsmith.settings.hardware import DtypeName, check_device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith score`."""

    model: str
    """Reward model: a folder, a run folder, or a Hub name; or a rewards file (YAML, kind: verifiable) with checks of
    responses, or a judge file (YAML, kind: pointwise, pairwise or listwise)."""
    source: str
    """File, folder or synthetic:N to score."""
    output: Path
    """Output file, in Parquet where its name ends in .parquet, else in JSON Lines: each input row with its `rewards`, one
    per response, in the order of the row."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction; the output keeps the original names."""
    best_of: bool = False
    """Add `best`, the index of the response with the highest reward."""
    per_token: bool = False
    """Add `per_token`: for each response the ids and texts of its tokens and the value at each, as a critic gives them."""
    calibrated: bool = False
    """Add `calibrated_rewards` and `p_better` (probability of being better than another response of the row), by the
    calibration stored in the model."""
    combine: CombineSettings = CombineSettings()  # noqa: RUF009 - frozen
    tokens_per_batch: int | None = None
    """Tokens per forward pass (default by device)."""
    dtype: DtypeName = "fp32"
    """Precision of the backbone: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    allow_mismatch: bool = False
    """Score even if the probes (conversations stored with their rewards to check the model) no longer give the stored
    rewards; every row is then marked `mismatch`."""
    engine: Literal["local", "ray"] = "local"
    """Where rows are scored: local (this process) or ray (the workers of a Ray session)."""
    workers: int | None = None
    """With --engine ray: number of CPUs of a locally started session (default: one per core)."""
    strict: bool = False
    """Stop at the first invalid row."""
    overwrite: bool = False
    """Replace --output if it exists."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""
    keeps_parts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_device(self.device)
        if self.tokens_per_batch is not None and self.tokens_per_batch < 1:
            raise UsageError(f"--tokens-per-batch {self.tokens_per_batch}: expected at least 1")
        if self.workers is not None and self.engine == "local":
            raise UsageError("--workers applies to --engine ray only; add --engine ray, or remove --workers")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"--workers {self.workers}: expected at least 1")
