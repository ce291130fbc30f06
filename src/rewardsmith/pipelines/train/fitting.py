"""The loop in a run folder: of one model, or of two that filter each other's comparisons."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.setup import Start, open_model
from rewardsmith.progress import Progress
from rewardsmith.train.engines.deepspeed_config import zero_settings

if TYPE_CHECKING:
    from rewardsmith.model.forward.network import RewardNetwork
    from rewardsmith.model.runtime.processes import Team
    from rewardsmith.train.examples import Encoding
    from rewardsmith.train.held_out import Watch
    from rewardsmith.train.loop import Fit, FitResult, FitSettings

PEER = "peer"
"""The folder of the second model's curve and checkpoints in the run folder."""
PEER_SEED = 1_000_003
"""Added to the seed of the run for what the second model draws: its head, its adapter, its dropout."""


def fit(
    config: Config,
    settings: "FitSettings",
    start: Start,
    train: "Encoding",
    validation: "Encoding",
    fingerprint: Mapping[str, Any],
    team: "Team",
    progress: Progress,
    watch: "Watch | None" = None,
) -> "FitResult":
    """Run the loop in the run folder."""
    from rewardsmith.train.loop import Fit

    given: dict[str, Any] = {
        "train": train.examples,
        "validation": validation.examples,
        "folder": config.output,
        "fingerprint": fingerprint,
        "team": team,
        "parallel": config.engine,
        "zero": zero_settings(config.deepspeed_config) if config.engine == "deepspeed" else None,
        "watch": watch,
    }
    network = start.model.network
    if config.noise.resists:
        loop = collaborative(config, settings, network, start, given)
    else:
        loop = Fit(network, settings, **given)
    return loop.run(resuming=config.resume, progress=progress)


def refuse_peer(config: Config, start: Start) -> None:
    """UsageError where a second model has nothing to filter, or stays the same: a trained head and no adapter."""
    from rewardsmith.train.losses import choose

    noise = config.noise
    if not noise.resists:
        return
    if choose(config.loss.name, config.loss.options).unit != "comparison":
        raise UsageError(
            f"--noise {noise.name} filters comparisons, which --loss {config.loss.name} does not use; remove one of them"
        )
    if start.head == "own" and config.lora.r is None:
        raise UsageError(
            f"--noise {noise.name}: {config.model} has a trained head, so both models would start and stay the same; add "
            "--lora.r, or start from a model without a reward head"
        )


def collaborative(
    config: Config, settings: "FitSettings", network: "RewardNetwork", start: Start, given: dict[str, Any]
) -> "Fit":
    """The loop of two models, the second one drawn with another seed."""
    from rewardsmith.train.fitting.collaborative import CollaborativeFit, Filtering
    from rewardsmith.train.loop import Fit

    peer = open_model(
        replace(config, seed=config.seed + PEER_SEED), device=network.device.type, date=start.date
    ).model.network
    if start.kind == "head":  # the same frozen weights, so the same features
        peer.cache = network.cache
    (config.output / PEER).mkdir(exist_ok=True)
    beside = Fit(
        peer,
        replace(settings, seed=settings.seed + PEER_SEED),
        **{**given, "folder": config.output / PEER, "watch": None},
    )
    filtering = Filtering(
        config.noise.value("rate"), config.noise.value("ramp"), bool(config.noise.value("curriculum"))
    )
    return CollaborativeFit(network, settings, peer=beside, filtering=filtering, **given)
