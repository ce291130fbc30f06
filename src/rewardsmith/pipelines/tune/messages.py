"""What the search and the processes that train tell each other, beside `ValidationPass` and the answer to it, true or false.

Not in the program of those processes: what it defines there is another class than what the search would read.
"""

from dataclasses import dataclass
from typing import Any

from rewardsmith.pipelines.train.config import Config as TrainConfig


@dataclass(frozen=True)
class TrialJob:
    """A run to train; with `resume` what an earlier process left of it is continued. `device` counts GPUs."""

    config: TrainConfig
    resume: bool
    device: int


@dataclass(frozen=True)
class Done:
    """A run that was trained to its end: what `train.json` holds, and the verdict in words."""

    summary: dict[str, Any]
    verdict: str


@dataclass(frozen=True)
class FailedTrial:
    """A run that came to no end: the error's kind and message, `error` where it can travel, a bug's traceback."""

    kind: str
    reason: str
    error: Exception | None = None
    trace: str = ""


@dataclass(frozen=True)
class Pruned:
    """The answer for a trial that was stopped early."""
