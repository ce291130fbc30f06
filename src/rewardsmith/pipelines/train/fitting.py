"""The loop in a run folder: of one model, or of two that filter each other's comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rewardsmith.data.splits.sources import Splits
from rewardsmith.errors import UsageError
from rewardsmith.pipelines.critique.settings import CLOUD
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.head import SUMS
from rewardsmith.pipelines.train.setup import Start, microbatch_tokens, open_model
from rewardsmith.progress import Progress
from rewardsmith.records import Record
from rewardsmith.train.engines.deepspeed_config import zero_settings

if TYPE_CHECKING:
    from rewardsmith.model.forward.network import RewardNetwork
    from rewardsmith.model.runtime.processes import Team
    from rewardsmith.train.examples import Encoding, Example
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
    splits: Splits,
    train: "Encoding",
    validation: "Encoding",
    fingerprint: Mapping[str, Any],
    team: "Team",
    progress: Progress,
    watch: "Watch | None" = None,
) -> "FitResult":
    """Run the loop in the run folder; for `--head cloud` all stages, on the same records."""
    from rewardsmith.train.loop import Fit

    if config.head.name == CLOUD:
        from rewardsmith.pipelines.critique.training import Stages

        parts = (config.critique, settings, config.output, fingerprint, config.resume, progress, watch)
        return Stages(start.model, *parts).run(used(splits.train, train), used(splits.validation, validation))

    given: dict[str, Any] = {
        "train": about_attributes(config, train.examples, progress),
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


def about_attributes(config: Config, examples: "Sequence[Example]", progress: Progress) -> "Sequence[Example]":
    """The examples that outputs of attributes learn from: a record that says nothing of them has no part in their loss, and
    waits for the fit of what they count in the reward.
    """
    if config.head.name not in SUMS:
        return examples
    found = [example for example in examples if example.judged is None or not example.judged.empty]
    if len(found) < len(examples):
        progress.note(
            f"{len(examples) - len(found)} training records compare responses without judging an attribute; they are used "
            "for the weights of the attributes only"
        )
    return found


def used(records: Sequence[Record], encoding: "Encoding") -> list[Record]:
    """The records that became examples: what was refused, or left out by --frac, is not among them."""
    seen = {example.id for example in encoding.examples}
    return [record for record in records if record.id in seen]


def fit_settings(config: Config, start: Start, train: "Encoding", team: "Team", progress: Progress) -> "FitSettings":
    """The loop's settings with every default filled in; what has to be tried out, the first process tries."""
    from rewardsmith.train.loop import FitSettings
    from rewardsmith.train.schedule import LEARNING_RATES

    per_epoch = -(-len(train.examples) // config.batch)
    between = min(per_epoch, config.max_steps or per_epoch)
    return FitSettings(
        epochs=config.epochs,
        batch=config.batch,
        lr=config.lr if config.lr is not None else LEARNING_RATES[start.kind],
        weight_decay=config.weight_decay,
        warmup=config.warmup,
        clip=config.clip,
        dropout=config.dropout,
        loss=config.loss.name,
        loss_options=config.loss.options,
        seed=config.seed,
        tokens_per_microbatch=team.from_lead(lambda: microbatch_tokens(config, start, train.examples, progress)),
        eval_every=max(1, -(-between // config.evals)),
        patience=config.patience,
        keep=config.keep,
        head_start=start.head,
        max_steps=0 if start.exact else config.max_steps,
        heads=config.fitted_heads,
        members=config.stepped_heads,
    )


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
