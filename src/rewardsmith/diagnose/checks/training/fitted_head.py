"""Advice to start from a fitted head, where `train --head-start probe` would do something else than the run did."""

from collections.abc import Mapping
from typing import Any

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Said

OF_OUTPUTS = ("multi-objective", "gated", "inform")
"""Heads whose reward is made of outputs of their own, which begin at random whatever --head-start says."""


def can_be_fitted(facts: Facts) -> bool:
    """Whether --head-start probe would change the run: its head was not fitted, and is one that can be."""
    head = facts.settings.get("head")
    name = head.get("name") if isinstance(head, Mapping) else head
    return facts.settings.get("head_start") != "probe" and name not in OF_OUTPUTS


def fitted_or(facts: Facts, fitted: Said, otherwise: Said, *flags: Any) -> tuple[Said, str]:
    """What to do and its command: `fitted` where the head can be, else `otherwise`, training again with these flags."""
    if can_be_fitted(facts):
        return fitted, commands.train(facts, "--head-start", "probe")
    return otherwise, commands.train(facts, *flags)


def more_epochs(facts: Facts) -> list[str]:
    """The flags for twice the epochs, where they are known."""
    epochs = facts.settings.get("epochs")
    return ["--epochs", f"{2 * epochs:g}"] if isinstance(epochs, int | float) and not isinstance(epochs, bool) else []
