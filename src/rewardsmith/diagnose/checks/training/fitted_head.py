"""Advice to start from a fitted head, where `train --head-start probe` would do something else than the run did."""

from collections.abc import Mapping
from typing import Any

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Said

OF_OUTPUTS = ("multi-objective", "gated", "inform")
"""Heads whose reward is made of outputs of their own, which begin at random whatever --head-start says."""

FITTED_WHOLE = ("scalar", "value", "cloud")
"""Heads that `train --freeze-layers -1 --head-start probe` fits to the end; it refuses the others."""


def can_be_fitted(facts: Facts) -> bool:
    """Whether `train` would take --head-start probe for this run, and do something else with it than the run did."""
    settings = facts.settings
    head, loss = name_of(settings.get("head"), "scalar"), settings.get("loss")
    if settings.get("head_start") == "probe" or head in OF_OUTPUTS or name_of(settings.get("noise"), "none") != "none":
        return False
    return settings.get("freeze_layers") != -1 or (head in FITTED_WHOLE and is_plain(loss))


def is_plain(loss: Any) -> bool:
    """Whether a loss is Bradley-Terry without options, which is what a head is fitted with."""
    options = {key: value for key, value in loss.items() if key != "name"} if isinstance(loss, Mapping) else {}
    return name_of(loss, "bradley-terry") == "bradley-terry" and not any(
        value is not None for value in options.values()
    )


def name_of(setting: Any, default: str) -> str:
    """The name of a setting that has options beside it, or is the name alone."""
    given = setting.get("name") if isinstance(setting, Mapping) else setting
    return default if given is None else str(given)


def fitted_or(facts: Facts, fitted: Said, otherwise: Said, *flags: Any) -> tuple[Said, str]:
    """What to do and its command: `fitted` where the head can be, else `otherwise`, training again with these flags."""
    if can_be_fitted(facts):
        return fitted, commands.train(facts, "--head-start", "probe")
    return otherwise, commands.train(facts, *flags)


def more_epochs(facts: Facts) -> list[str]:
    """The flags for twice the epochs, where they are known."""
    epochs = facts.settings.get("epochs")
    return ["--epochs", f"{2 * epochs:g}"] if isinstance(epochs, int | float) and not isinstance(epochs, bool) else []
