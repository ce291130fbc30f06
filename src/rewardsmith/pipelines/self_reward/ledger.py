"""The rows of the ledger, one per iteration, and why a loop stops."""

from collections.abc import Mapping
from typing import Any

from rewardsmith.pipelines.self_reward.config import Config
from rewardsmith.pipelines.self_reward.measuring import diversity, lengths, scores_of
from rewardsmith.pipelines.self_reward.scoring import read_rows
from rewardsmith.pipelines.self_reward.variants import OWN, Turn

COLLAPSED = 0.95
"""Share of prompts whose candidates all have one reward from which on the rewards tell nothing apart."""
TRAINING = ("steps", "records", "pairs", "train_loss", "best_step")
ON_PAIRS = ("n", "accuracy", "accuracy_ci", "margin", "log_prob_chosen", "log_prob_rejected")


def candidates_told(turn: Turn) -> dict[str, Any]:
    """What an iteration's candidates are like: rewards, lengths against the first iteration, diversity."""
    rows = read_rows(turn.here.candidates(OWN))
    length = lengths(rows)
    first = lengths(read_rows(turn.places.iteration(1).candidates(OWN)))
    drift = length["characters"] / first["characters"] if length["characters"] and first["characters"] else None
    return {
        "prompts": len(rows),
        "rewards": scores_of(turn.here.scored(OWN)),
        "length": {**length, "drift": drift},
        "diversity": diversity(rows),
    }


def training_told(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What of a DPO run stands in the ledger."""
    measured = summary["eval"]
    held = None if measured is None else {name: measured[name] for name in ON_PAIRS}
    return {**{name: summary[name] for name in TRAINING}, "validation": held}


def stop_before_training(
    config: Config, told: Mapping[str, Any], pairs: Mapping[str, Any], consistency: Mapping[str, Any] | None
) -> str | None:
    """Why an iteration cannot be trained; None where it can."""
    flat = told["rewards"]["flat"]
    if flat is not None and flat >= COLLAPSED:
        return f"rewards collapsed: {flat:.1%} of the prompts have candidates of one reward only"
    if pairs["pairs"] < config.min_pairs:
        return f"{pairs['pairs']} pairs, fewer than --min-pairs {config.min_pairs}"
    if consistency is not None and consistency["value"] is not None and consistency["value"] <= 0.5:
        return f"two iterations rank no more alike than by chance: consistency {consistency['value']:.3f}"
    return None


def stop_after_training(config: Config, measured: Mapping[str, Any]) -> str | None:
    """Why the model of an iteration ends the loop; None where it goes on."""
    kl = None if measured["kl"] is None else measured["kl"]["kl"]
    if config.max_kl is not None and kl is not None and kl > config.max_kl:
        return f"KL from the first model {kl:.3f} exceeds --max-kl {config.max_kl:g}"
    return (
        "the independent reward shows the model to be worse than the first one" if is_worse(config, measured) else None
    )


def is_worse(config: Config, measured: Mapping[str, Any]) -> bool:
    """Whether the win rate over the first model, or the difference in reward, is below chance with its whole interval."""
    found = measured["independent"]
    if found is None or not config.stop_worse:
        return False
    high, top = found["win_rate"]["ci"][1], found["difference"]["ci"][1]
    return (high is not None and high < 0.5) or (top is not None and top < 0)
