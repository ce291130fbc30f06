"""Training that resists wrong labels: its settings, and what they exclude."""

from dataclasses import dataclass
from typing import Literal

from rewardsmith.errors import UsageError
from rewardsmith.settings.options import NamedSettings, NumberOption, check_option

OPTIONS = {
    "none": {},
    "crm": {
        "rate": NumberOption(0.3, 0, 1, open_high=True),
        "ramp": NumberOption(0.3, 0, 1, open_low=True),
        "curriculum": NumberOption(0, 0, 1, whole=True),
    },
}  # fmt: skip
"""The options of each method."""


@dataclass(frozen=True, kw_only=True)
class NoiseSettings(NamedSettings):
    """How wrong labels in the training data are resisted."""

    name: Literal["none", "crm"] = "none"
    """Training against wrong labels: none, or crm (collaborative reward modelling: two models, each trains on the
    comparisons that the other fits best, and the better one on validation is saved; twice the memory, three times the
    time)."""
    rate: float | None = None
    """crm: share of each step's comparisons that is filtered out in the end, about that of wrong labels (default: 0.3)."""
    ramp: float | None = None
    """crm: fraction of the run over which that share is reached, from 0 (default: 0.3)."""
    curriculum: int | None = None
    """crm: 1 to order every epoch but the first from easy records to hard ones, 0 to shuffle (default: 0)."""

    def __post_init__(self) -> None:
        for option, value in (self.options or {}).items():
            check_option("noise", self.name, OPTIONS, option, value)

    def value(self, option: str) -> float:
        """An option as it is used: what was given, else its default."""
        given = getattr(self, option)
        return float(OPTIONS[self.name][option].default if given is None else given)

    @property
    def resists(self) -> bool:
        """Whether anything is done."""
        return self.name != "none"


def refuse_with_noise(noise: NoiseSettings, *, head_start: str, members: int, parallel: str | None) -> None:
    """UsageError for settings of training that two models beside each other do not go with."""
    if not noise.resists:
        return
    if members > 1:
        raise UsageError(f"--noise {noise.name} trains two models already; remove --members {members}")
    if head_start == "probe":
        raise UsageError(
            f"--noise {noise.name}: a head that is fitted directly, with --head-start probe, takes no steps to filter; "
            "remove one of them"
        )
    if parallel in ("fsdp", "deepspeed"):
        raise UsageError(f"--noise {noise.name} cannot be sharded across processes; use --parallel ddp")
