"""The settings of `serve` as models, limits and a key, and the server that they make."""

from pathlib import Path

from rewardsmith.errors import UsageError
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.pipelines.serving.config import Config
from rewardsmith.progress import Progress
from rewardsmith.rewards.learned import ModelRewards
from rewardsmith.rewards.opening import check_place, open_rewards
from rewardsmith.serve.app.service import RequestLimits
from rewardsmith.serve.engine.engine import EngineLimits
from rewardsmith.serve.http.key import VARIABLE, read_key
from rewardsmith.serve.models.reference import RewardReference, reference_of, stored_reference
from rewardsmith.serve.models.registry import AnyServed, Named, named
from rewardsmith.serve.models.served import ServedModel
from rewardsmith.serve.models.source import ServedSource
from rewardsmith.serve.running import Served, Serving, serve

LOOPBACK = ("127.0.0.1", "localhost", "::1")
BUDGET = {"cpu": 1024, "mps": 4096, "cuda": 16384}
"""Tokens of a forward pass: as many as make one fast, and no more, since whoever comes next waits for it."""


def served_until_signal(config: Config, progress: Progress) -> Served:
    """Check the settings, then serve."""
    models = named(config.models)
    references = reference_files(config.reference, models)
    key = read_key(config.key_file)
    if key is None and config.host not in LOOPBACK and not config.no_key:
        raise UsageError(
            f"--host {config.host} can be reached from other computers; set a key in {VARIABLE} or --key-file, or pass "
            "--no-key to serve everyone"
        )
    if key is not None and config.no_key:
        raise UsageError(f"--no-key with a key in {VARIABLE} or --key-file; remove one of the two")
    for one in models:
        check_place(one.place)
    if config.threads is not None:
        import torch

        torch.set_num_threads(config.threads)

    def opened(one: Named) -> AnyServed:
        return open_served(one, config, references.get(one.name))

    return serve(serving_of(config, key), models, opened, progress)


def open_served(one: Named, config: Config, reference: Path | None) -> AnyServed:
    """One model, rewards file or judge, opened and checked."""
    source = open_rewards(
        one.place,
        device=config.device,
        dtype=config.dtype,
        allow_mismatch=config.allow_mismatch,
        trust_remote_code=config.trust_remote_code,
    )
    if isinstance(source, ModelRewards):
        return ServedModel(one.name, one.place, source.model, reference_for(source.model, reference), config.truncate)
    given = stored_reference(None, None) if reference is None else reference_of(reference, None)
    return ServedSource(one.name, one.place, source, given)


def reference_for(model: RewardModel, file: Path | None) -> RewardReference:
    """The rewards of the file, else those that are stored with the model."""
    calibration = model.sidecar.calibration
    return stored_reference(model.sidecar.normalizer, calibration) if file is None else reference_of(file, calibration)


def reference_files(words: tuple[str, ...], models: tuple[Named, ...]) -> dict[str, Path]:
    """The file of each model that has one; UsageError for a model that is not served, or a file for one of several."""
    names = {one.name for one in models}
    found: dict[str, Path] = {}
    for word in words:
        name, given, file = word.partition("=")
        if not (given and name in names):
            if len(models) > 1:
                raise UsageError(f"--reference {word}: expected NAME=FILE with one of {', '.join(sorted(names))}")
            name, file = models[0].name, word
        if not Path(file).is_file():
            raise UsageError(f"--reference {file}: no such file")
        found[name] = Path(file)
    return found


def serving_of(config: Config, key: str | None) -> Serving:
    """The settings of the server."""
    from rewardsmith.model.runtime.devices import choose_device

    budget = config.tokens_per_batch or BUDGET.get(choose_device(config.device).type, BUDGET["cpu"])
    return Serving(
        host=config.host,
        port=config.port,
        key=key,
        limits=EngineLimits(
            budget=budget,
            waiting_tokens=config.queue_tokens,
            waiting_seconds=config.queue_seconds,
            deadline=config.deadline,
            alone=config.batch_invariant,
        ),
        requests=RequestLimits(config.max_body, config.max_texts, config.header_timeout, config.body_timeout),
        connections=config.max_connections,
        grace=config.grace,
        log=config.log == "json",
    )
