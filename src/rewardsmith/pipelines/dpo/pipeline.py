"""The steps of a DPO run, in order: data, policy, reference, loop, model, what it came to."""

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rewardsmith.files import claimed, write_json
from rewardsmith.files.kinds import POLICY_RUN
from rewardsmith.language import current
from rewardsmith.pipelines.dpo import measured
from rewardsmith.pipelines.dpo.config import LEARNING_RATES, Config
from rewardsmith.pipelines.dpo.data import PairData, encoded, load_pairs
from rewardsmith.pipelines.dpo.result import Result
from rewardsmith.pipelines.dpo.run_folder import (
    as_before,
    begin_run,
    check_run,
    fingerprint_of,
    refuse_processes,
    save_inputs,
    save_policy,
)
from rewardsmith.pipelines.train.run_folder import figures_of
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.align.dpo.opening import OpenedPolicy
    from rewardsmith.model.adapters.lora import AdapterFiles
    from rewardsmith.train.examples import Encoding, Example
    from rewardsmith.train.loop import FitResult, FitSettings
    from rewardsmith.train.losses.loss import Loss

MERGE_CHECKED = 8
"""Records whose log probabilities must survive the merge of an adapter."""


def optimise(config: Config, progress: Progress = SILENT) -> Result:
    """Train a language model on preferences, measure it, write the run; returns what `dpo.json` holds."""
    refuse_processes()
    with claimed(config.output, POLICY_RUN):
        check_run(config)
        config = as_before(config)
        data = load_pairs(config, progress)
        policy = opened(config, progress)
        train, validation = encoded(config, data, policy, progress)
        summary = trained(config, data, policy, train, validation, progress)
    return Result(summary)


def opened(config: Config, progress: Progress) -> "OpenedPolicy":
    """The policy as it starts, which is the reference."""
    import torch

    from rewardsmith.align.dpo.opening import open_policy

    if config.threads:
        torch.set_num_threads(config.threads)
    policy = open_policy(
        config.model,
        device=config.device,
        dtype=config.dtype,
        max_length=config.max_length,
        thinking=config.thinking,
        beta=config.beta,
        per_token=config.per_token,
        trust_remote_code=config.trust_remote_code,
    )
    if policy.why_separate:
        progress.note(f"prefixes are not shared: {policy.why_separate}")
    return policy


def trained(
    config: Config,
    data: PairData,
    policy: "OpenedPolicy",
    train: "Encoding",
    validation: "Encoding",
    progress: Progress,
) -> dict[str, Any]:
    """From the opened policy to the written run."""
    from rewardsmith.align.dpo.losses import preference_loss
    from rewardsmith.model.frozen.feature_cache import weights_hash
    from rewardsmith.train.optimizer import count_parameters

    start_weights = weights_hash(policy.network)
    learn(config, policy)
    settings = fit_settings(config, policy, train.examples, progress)
    fingerprint = fingerprint_of(config, settings, policy, data, len(train.examples), start_weights)
    begin_run(config, fingerprint)
    save_inputs(config, data, train, validation)
    take_reference(config, policy, [*train.examples, *validation.examples], settings, progress)
    loss = preference_loss(config.loss, beta=config.beta, label_smoothing=config.label_smoothing, sft=config.sft)
    parameters = count_parameters(policy.network)
    fitted = fit(config, policy, settings, train.examples, validation.examples, loss, fingerprint, progress)
    adapter = merged(policy, train.examples, progress)
    policy.network.autocast = None
    save_policy(policy, config.output / "model", adapter, config.model)
    budget = settings.tokens_per_microbatch
    summary = {
        **summary_of(config, settings, fitted, train, validation),
        "parameters": parameters.all,
        "trainable_parameters": parameters.trainable,
        "prefixes_shared": policy.network.packed,
        "eval": measured.on_comparisons(policy, validation.examples, loss, budget),
    }
    summary["kl"] = moved(config, data, policy, budget, progress)
    return finish(config, summary)


def learn(config: Config, policy: "OpenedPolicy") -> None:
    """All weights learn, or an adapter."""
    from rewardsmith.model.adapters.lora import LoraSettings, attach
    from rewardsmith.train.optimizer import recompute_activations

    lora = config.lora
    if lora.r is not None:
        settings = LoraSettings(lora.r, lora.scale or lora.r, lora.dropout, lora.target)
        policy.adapter = attach(policy.network, settings, seed=config.seed, task="CAUSAL_LM")
    if config.gradient_checkpointing:
        recompute_activations(policy.network)


def fit_settings(
    config: Config, policy: "OpenedPolicy", examples: "list[Example]", progress: Progress
) -> "FitSettings":
    """The loop's settings with every default filled in."""
    from rewardsmith.train.budget import find_budget
    from rewardsmith.train.loop import FitSettings

    per_epoch = -(-len(examples) // config.batch)
    between = min(per_epoch, config.max_steps or per_epoch)
    steps = min(per_epoch * config.epochs, config.max_steps or per_epoch * config.epochs)
    budget = config.tokens_per_microbatch
    if budget is None:
        found = find_budget(policy.network, examples, batch=config.batch, steps=steps)
        if found.told:
            progress.note(found.told)
        budget = found.tokens
    lr = config.lr if config.lr is not None else LEARNING_RATES["full" if config.lora.r is None else "lora"]
    same = ("epochs", "batch", "weight_decay", "warmup", "clip", "loss", "seed", "patience", "keep", "max_steps")
    return FitSettings(
        **{name: getattr(config, name) for name in same},
        lr=lr,
        dropout=0.0,
        tokens_per_microbatch=budget,
        eval_every=max(1, -(-between // config.evals)),
        head_start="own",
    )


def take_reference(
    config: Config, policy: "OpenedPolicy", examples: "list[Example]", settings: "FitSettings", progress: Progress
) -> None:
    """The log probabilities under the start: those that a killed run has computed, or computed now and kept.

    An adapter changes nothing before its first step, so the network is still the reference.
    """
    from rewardsmith.align.dpo.log_probs import reference_of
    from rewardsmith.align.dpo.reference import FILE, Reference

    sequences = [example.sequences for example in examples]
    path = config.output / FILE
    known = Reference.read(path)
    if known is None or not known.holds(sequences):
        known = reference_of(policy.network, sequences, budget=settings.tokens_per_microbatch, progress=progress)
        known.save(path)
    policy.network.reference = known


def fit(
    config: Config,
    policy: "OpenedPolicy",
    settings: "FitSettings",
    train: "list[Example]",
    validation: "list[Example]",
    loss: "Loss",
    fingerprint: dict[str, Any],
    progress: Progress,
) -> "FitResult":
    """Run the loop in the run folder."""
    from rewardsmith.align.dpo.fit import PolicyFit

    loop = PolicyFit(
        policy.network,
        settings,
        train=train,
        validation=validation,
        folder=config.output,
        fingerprint=fingerprint,
        loss=loss,
    )
    return loop.run(resuming=config.resume, progress=progress)


def merged(policy: "OpenedPolicy", examples: "list[Example]", progress: Progress) -> "AdapterFiles | None":
    """Merge the adapter in fp32, the log probabilities of some responses held against those before; its files."""
    import numpy as np

    from rewardsmith.align.dpo.log_probs import log_probs
    from rewardsmith.model.adapters.lora import merge

    policy.network.eval()
    if policy.adapter is None:
        return None
    policy.network.autocast = None
    files = policy.adapter.files()
    some = [example.sequences for example in examples[:MERGE_CHECKED]]
    changed = merge(policy.adapter, policy.network, lambda: np.concatenate(log_probs(policy.network, some)))
    progress.note(f"adapter merged in fp32: log probabilities of responses changed by at most {changed:.1e}")
    policy.adapter = None
    return files


def summary_of(
    config: Config, settings: "FitSettings", fitted: "FitResult", train: "Encoding", validation: "Encoding"
) -> dict[str, Any]:
    """The run's summary, without what was measured at its end."""
    return {
        "output": str(config.output),
        "model_folder": str(config.output / "model"),
        "reference": config.model,
        "records": len(train.examples),
        **figures_of(fitted),
        "loss": config.loss,
        "beta": config.beta,
        "label_smoothing": config.label_smoothing,
        "sft": config.sft,
        "per_token": config.per_token,
        "lora": asdict(config.lora) if config.lora.r else None,
        "lr": settings.lr,
        "batch": settings.batch,
        "loss_at_start": fitted.equal,
        "left_out": train.left_out.to_json(),
        "left_out_validation": validation.left_out.to_json(),
    }


def moved(
    config: Config, data: PairData, policy: "OpenedPolicy", budget: int, progress: Progress
) -> dict[str, Any] | None:
    """How far the policy has moved on prompts of the validation data (training data where there is none)."""
    prompts = list(dict.fromkeys(record.prompt for record in data.validation or data.train))[: config.kl_prompts]
    if not prompts:
        return None
    with fp32(policy):
        records = measured.sampled(policy, prompts, tokens=config.kl_tokens, seed=config.seed, progress=progress)
        now = measured.sample_log_probs(policy, records, budget)
    del policy.network
    gc.collect()
    start = opened(config, progress)
    with fp32(start):
        return measured.divergence(now, measured.sample_log_probs(start, records, budget))


@contextlib.contextmanager
def fp32(policy: "OpenedPolicy") -> Iterator[None]:
    """Without mixed precision, whose rounding a small divergence would drown in."""
    before, policy.network.autocast = policy.network.autocast, None
    policy.network.eval()
    try:
        yield
    finally:
        policy.network.autocast = before


def finish(config: Config, summary: dict[str, Any]) -> dict[str, Any]:
    """Write `dpo.json` and the report; the run is finished then."""
    from rewardsmith.report.alignment.writing import write_dpo_report

    summary |= {"report": str(config.output / "report.html"), "finished": True}
    write_dpo_report(summary, config.output, lang=current())
    write_json(config.output / "dpo.json", summary)
    return summary
