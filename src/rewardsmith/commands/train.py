"""`rewardsmith train`: preference data and a model in, a reward model with an honest evaluation out."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.commands import card, push
from rewardsmith.commands.origin import origin_of
from rewardsmith.commands.sources import (
    Splits,
    input_files,
    is_prepared,
    quarantine_lines,
    read_json,
)
from rewardsmith.commands.train_frozen import done_in_words, known_features
from rewardsmith.commands.train_inputs import Start, load_data, open_model
from rewardsmith.commands.train_settings import Config as Config
from rewardsmith.commands.train_settings import Lora as Lora
from rewardsmith.errors import OutputError, TrainingError, UsageError
from rewardsmith.files import (
    check_output,
    explained,
    hash_text,
    prepare_output,
    refuse_inside,
    sha256,
    write_bytes,
    write_json,
    write_jsonl,
    write_text,
)
from rewardsmith.progress import SILENT, Progress
from rewardsmith.track.following import following
from rewardsmith.track.trackers import Job, require

if TYPE_CHECKING:
    from rewardsmith.commands.rewards import Scored
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.train.examples import Encoding
    from rewardsmith.train.loop import FitResult, FitSettings
    from rewardsmith.train.optimizer import Parameters


PEAKS = {"peak_process_bytes": "memory of the process", "peak_gpu_bytes": "GPU memory"}
"""What `train.json` calls a peak of memory, and what a person reads."""


@dataclass(frozen=True)
class Result:
    """What a training run came to; the same as `train.json` in the run folder."""

    summary: Mapping[str, Any]
    verdict_text: str

    def to_json(self) -> dict[str, Any]:
        """Keys of the summary: output, steps, pairs, train_loss, eval, pairs_per_second, tokens_per_second, …"""
        return dict(self.summary)

    def to_text(self) -> str:
        """What a person reads at the end of training."""
        s = self.summary
        peaks = [f"peak {words}: {s[key] / 2**30:.2f} GiB" for key, words in PEAKS.items() if key in s]
        lines = [
            done_in_words(s),
            "; ".join([f"trained {s['trainable_parameters']:,} of {s['parameters']:,} parameters", *peaks]),
            f"model: {s['model_folder']}",
        ]
        return "\n".join([*lines, *([self.verdict_text] if self.verdict_text else [])])


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Train, evaluate on the test split, diagnose; returns what `train.json` holds."""
    from rewardsmith.model.devices import begin_peak_memory
    from rewardsmith.train.optimizer import count_parameters

    check_run(config)
    if config.push_to_hub is not None:
        push.warn_early(config.push_to_hub, progress)
    config = as_before(config)
    splits = load_data(config, progress)
    start = open_model(config)
    model = start.model
    for told in start.told():
        progress.note(told)
    parameters = count_parameters(model.network)
    begin_peak_memory(model.network.device)
    train, validation = encode_splits(config, splits, model, progress)
    settings = fit_settings(config, start, train)
    fingerprint = fingerprint_of(config, settings, model, train, splits)
    begin_run(config, fingerprint)
    save_settings(config, splits, train, validation)
    with following(tracking_jobs(config), progress):
        with known_features(start, train, validation, settings.tokens_per_microbatch, progress):
            fitted = fit(config, settings, model, train, validation, fingerprint, progress)
        held = finish_model(config, model, splits, progress)
        summary = summarize_run(config, settings, model, train, fitted, parameters, dtype=fingerprint["dtype"])
        write_json(config.output / "train.json", summary)
        result = Result(summary, "")
        if config.report:
            result = evaluate_and_report(config, model, splits, held, summary, progress)
    share(config, summary, progress)
    return result


def share(config: Config, summary: dict[str, Any], progress: Progress) -> None:
    """Make sure that the model has its card, and upload it where that was asked for."""
    if not (config.output / "model" / card.CARD).is_file():  # the diagnosis writes it, where there is one
        card.refresh(config.output, progress=progress)
    if config.push_to_hub is not None:
        summary["hub"] = push.push_run(config.output, config.push_to_hub, public=config.push_public, progress=progress)
        write_json(config.output / "train.json", summary)


def check_run(config: Config) -> None:
    """Refuse what can be refused before any data is read; nothing is written yet, so a wrong word costs nothing."""
    from rewardsmith.train.losses import LOSSES

    if config.loss not in LOSSES:
        raise UsageError(f"--loss {config.loss}: expected one of {', '.join(LOSSES)}")
    require(config.track)
    if config.resume:
        if not (config.output / "settings.json").is_file():
            raise OutputError(f"{config.output} holds no run to resume; start without --resume")
        return
    inner = str(Path(config.model) / "model")  # where a run folder has its model
    data = input_files([*config.dataset, *config.validation, *config.test])
    refuse_inside(config.output, [config.model, inner, *data])
    check_output(config.output, overwrite=config.overwrite)


def tracking_jobs(config: Config) -> list[Job]:
    """What each tracker of the run has to know."""
    project, name = config.track_project or "", config.run_name or ""
    return [Job(tracker, config.output, project, name, config.track_uri) for tracker in config.track]


def as_before(config: Config) -> Config:
    """On resume, what the first run found out by itself (threads, token budget, precision) is used again."""
    if not config.resume:
        return config
    stored = read_json(config.output / "settings.json")
    return replace(
        config,
        threads=config.threads or stored.get("threads"),
        tokens_per_microbatch=config.tokens_per_microbatch or stored.get("tokens_per_microbatch"),
        dtype=stored.get("dtype", "auto") if config.dtype == "auto" else config.dtype,
    )


def begin_run(config: Config, fingerprint: Mapping[str, Any]) -> None:
    """Make the run folder, or make sure that the one to resume began with the same settings and data."""
    from rewardsmith.train.loop import refuse_changes

    if config.resume:
        refuse_changes(read_json(config.output / "settings.json"), fingerprint)
        return
    prepare_output(config.output, overwrite=config.overwrite)
    write_json(config.output / "settings.json", fingerprint)


def keep_findings(config: Config) -> None:
    """Copy what `prepare` found into the run, so that the verdict can name it."""
    if len(config.dataset) == 1 and is_prepared(Path(config.dataset[0])):
        for name in ("prepare.json", "quality.json"):
            path = Path(config.dataset[0]) / name
            if path.is_file():
                write_bytes(config.output / "data" / name, path.read_bytes())


def encode_splits(
    config: Config, splits: Splits, model: "RewardModel", progress: Progress
) -> "tuple[Encoding, Encoding]":
    """Tokenize training and validation records."""
    from rewardsmith.train.examples import encode_examples, take_share

    share = model.network.packed
    train = encode_examples(splits.train, model.encoder, share=share, progress=progress)
    validation = encode_examples(splits.validation, model.encoder, share=share)
    train.examples = take_share(train.examples, config.frac, seed=config.seed)
    if not train.examples:
        reason = train.refused[0].reason if train.refused else "no record holds a comparison"
        raise TrainingError(f"nothing left to train on: all {len(splits.train)} records were refused ({reason})")
    return train, validation


def fit_settings(config: Config, start: Start, train: "Encoding") -> "FitSettings":
    """The loop's settings with every default filled in."""
    from rewardsmith.model.scorer import DEFAULT_BUDGET
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
        loss=config.loss,
        seed=config.seed,
        tokens_per_microbatch=config.tokens_per_microbatch
        or DEFAULT_BUDGET.get(start.model.network.device.type, DEFAULT_BUDGET["cpu"]),
        eval_every=max(1, -(-between // config.evals)),
        patience=config.patience,
        keep=config.keep,
        head_start=start.head,
        max_steps=0 if start.exact else config.max_steps,
    )


def save_settings(config: Config, splits: Splits, train: "Encoding", validation: "Encoding") -> None:
    """`config.yaml` (what --config takes again), and what became of the data: every row left out, with its reason."""
    from rewardsmith.settings import to_yaml

    if not (config.output / "config.yaml").is_file():  # one to resume may have been killed before it was written
        with explained(config.output):
            write_text(config.output / "config.yaml", to_yaml(replace(config, resume=False)))
    keep_findings(config)
    write_jsonl(config.output / "data" / "quarantine.jsonl", quarantine_lines(splits.quarantined))
    refused = [{"split": "train", **row} for row in quarantine_lines(train.refused)]
    refused += [{"split": "validation", **row} for row in quarantine_lines(validation.refused)]
    write_jsonl(config.output / "data" / "refused.jsonl", refused)
    write_json(
        config.output / "data" / "data.json",
        {
            "understood": splits.understood,
            "hashes": splits.hashes(),
            "quarantined": len(splits.quarantined),
            "not_taken": splits.not_taken,
            "records": {name: len(getattr(splits, name)) for name in ("train", "validation", "test")},
            "encoding": train.to_json(),
        },
    )


def fingerprint_of(
    config: Config, settings: "FitSettings", model: "RewardModel", train: "Encoding", splits: Splits
) -> dict[str, Any]:
    """All that decides a run's bits: a run is only resumed where every value is the same."""
    import platform

    import torch

    from rewardsmith.model.devices import dtype_name
    from rewardsmith.version import VERSION

    resolved = {**asdict(settings), "date": model.contract.date}
    resolved.pop("keep")
    folder = Path(config.model)
    start_weights = [sha256(path)[:16] for path in sorted(folder.rglob("*.safetensors"))] if folder.is_dir() else None
    return {
        **resolved,
        "model": config.model,
        "layers": config.layers,
        "freeze_layers": config.freeze_layers,
        "lora": {**asdict(config.lora), "alpha": config.lora.scale, "target": list(config.lora.target)}
        if config.lora.r
        else None,
        "quantize": config.quantize,
        "gradient_checkpointing": config.gradient_checkpointing,
        "contract": hash_text(json.dumps(model.contract.to_json(), sort_keys=True))[:16],
        "architecture": hash_text(model.network.hf.config.to_json_string(use_diff=False))[:16],
        "start_weights": start_weights,
        "packed": model.network.packed,
        "examples": len(train.examples),
        **{f"data_{name}": digest for name, digest in splits.hashes().items()},
        "device": model.network.device.type,
        "dtype": dtype_name(model.network.autocast),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "rewardsmith": VERSION,
    }


def fit(
    config: Config,
    settings: "FitSettings",
    model: "RewardModel",
    train: "Encoding",
    validation: "Encoding",
    fingerprint: Mapping[str, Any],
    progress: Progress,
) -> "FitResult":
    """Run the loop in the run folder."""
    from rewardsmith.train.loop import Fit

    trainer = Fit(
        model.network,
        settings,
        train=train.examples,
        validation=validation.examples,
        folder=config.output,
        fingerprint=fingerprint,
    )
    return trainer.run(resuming=config.resume, progress=progress)


def finish_model(config: Config, model: "RewardModel", splits: Splits, progress: Progress) -> "Scored":
    """Merge an adapter, fit normaliser and temperature, write `model/`; returns validation with its rewards."""
    from rewardsmith.commands.rewards import calibrate, normalize, score_all
    from rewardsmith.model.adapters import merge

    model.network.autocast = None
    model.network.eval()
    if model.adapter is not None:
        changed = merge(model)
        progress.note(f"adapter merged in fp32: the probes' rewards changed by at most {changed:.1e}")
    held = score_all(model, splits.validation, progress)
    if held.records:
        model.sidecar = replace(
            model.sidecar,
            normalizer=normalize(held.rewards),
            calibration=calibrate(held.records, held.rewards, fitted_on="validation"),
        )
    model.save(config.output / "model", training=origin_of(config.model, config.dataset))
    return held


def summarize_run(
    config: Config,
    settings: "FitSettings",
    model: "RewardModel",
    train: "Encoding",
    fitted: "FitResult",
    parameters: "Parameters",
    *,
    dtype: str,
) -> dict[str, Any]:
    """The run's summary, without its evaluation."""
    from rewardsmith.model.devices import peak_memory

    state = fitted.state
    return {
        "output": str(config.output),
        "model_folder": str(config.output / "model"),
        "steps": state.step,
        "total_steps": fitted.total_steps,
        "epochs": config.epochs,
        "records": len(train.examples),
        "pairs": state.comparisons,
        "train_loss": state.train_loss,
        "best_step": state.best_step,
        "best_validation_loss": None if state.best_step is None else state.best_loss,
        "stopped_early": state.stopped_early,
        "resumed_from": fitted.resumed_from,
        "seconds": state.seconds,
        "pairs_per_second": state.comparisons / state.seconds if state.seconds else None,
        "tokens_per_second": state.tokens / state.seconds if state.seconds else None,
        "parameters": parameters.all,
        "trainable_parameters": parameters.trainable,
        **peak_memory(model.network.device),
        "device": str(model.network.device),
        "dtype": dtype,
        "prefixes_shared": model.network.packed,
        "why_separate": model.why_separate,
        "lr": settings.lr,
        "batch": settings.batch,
        "eval": None,
    }


def evaluate_and_report(
    config: Config,
    model: "RewardModel",
    splits: Splits,
    held: "Scored",
    summary: dict[str, Any],
    progress: Progress,
) -> Result:
    """Evaluate on the test split (validation where there is none), write the verdict and the report."""
    from rewardsmith.commands import diagnose
    from rewardsmith.commands.rewards import evaluate_records

    name = "test" if splits.test else "validation"
    records = getattr(splits, name)
    if not records:
        progress.note("no test or validation records, so nothing can be said about the model's quality")
        return Result(summary, "")
    evaluation = evaluate_records(
        model,
        records,
        validation=held if name == "test" else None,
        train=splits.train,
        split=name,
        progress=progress,
    )
    evaluation.save(config.output)
    summary["eval"] = evaluation.headline()
    write_json(config.output / "train.json", summary)
    verdict = diagnose.run(diagnose.Config(run=config.output, overwrite=True))
    return Result(summary, verdict.to_text())
