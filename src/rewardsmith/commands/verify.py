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
    """Run folder of train, or a model's folder."""
    part: tuple[Literal["files", "data", "settings", "versions", "probes"], ...] = ()
    """Check this part only; may be given several times (default: all)."""
    device: str = "auto"
    """Where the probes are scored: auto, cpu, cuda, cuda:1, mps."""


Result = Verification


def run(config: Config, progress: Progress = SILENT) -> Verification:
    """Check the parts of a run or a model, one after the other; nothing is changed."""
    return verify(config.place, parts=config.part, device=config.device)
