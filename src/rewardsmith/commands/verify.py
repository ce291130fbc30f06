"""`rewardsmith verify`: which parts of a run or a model still hold: files, data, settings, versions, probes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rewardsmith.pipelines.verify import Verification, verify
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith verify`."""

    place: Path
    """Run folder of train, a model folder, or the --output of evaluate."""
    part: tuple[Literal["files", "data", "settings", "versions", "probes"], ...] = ()
    """Part to check; repeat the flag for several (default: all)."""
    device: str = "auto"
    """Device for scoring the probes (conversations stored with their rewards to check the model): auto, cpu, cuda,
    cuda:1, mps."""


Result = Verification


def run(config: Config, progress: Progress = SILENT) -> Verification:
    """Check the parts of a run or a model, one after the other; nothing is changed."""
    return verify(config.place, parts=config.part, device=config.device)
