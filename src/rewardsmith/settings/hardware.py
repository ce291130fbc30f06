"""Precision and device as settings: checked before torch is loaded or data is read."""

import re
from typing import Literal

from rewardsmith.errors import UsageError

DtypeName = Literal["auto", "fp32", "bf16", "fp16"]
"""Precision below the reward head; the head is always computed in fp32."""
DEVICE = re.compile(r"auto|cpu|mps|(cuda|xpu)(:\d+)?")


def check_device(name: str) -> None:
    """UsageError for a name that no device can have; whether it is there is seen when it is used."""
    if DEVICE.fullmatch(name):
        return
    digits = re.search(r"\d+", name)
    meant = f"cuda:{digits[0]}" if digits else "cuda"
    hint = f" Did you mean {meant!r}?" if digits or name.lower() in ("gpu", "cuda", "nvidia") else ""
    raise UsageError(f"--device {name}: expected auto, cpu, cuda, cuda:1 or mps.{hint}")
