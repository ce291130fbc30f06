"""What a training run writes about itself into its folder: settings, what became of the data, the summary."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rewardsmith.commands.sources import Splits, is_prepared, quarantine_lines
from rewardsmith.commands.train_settings import Config
from rewardsmith.errors import DataError
from rewardsmith.files import (
    explained,
    hash_text,
    prepare_output,
    sha256,
    write_bytes,
    write_json,
    write_jsonl,
    write_text,
)
from rewardsmith.files.reading import WRITE_AGAIN, read_object, refuse_types, taking_from
from rewardsmith.progress import Progress

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.train.examples import Encoding
    from rewardsmith.train.loop import FitResult, FitSettings
    from rewardsmith.train.optimizer import Parameters

STORED = {
    "threads": int | None,
    "tokens_per_microbatch": int | None,
    "dtype": Literal["fp32", "bf16", "fp16"],
    "date": str,
    "processes": int,
}
"""What of a run's settings is used again when it is resumed; the others are compared."""


def begin_run(config: Config, fingerprint: Mapping[str, Any], *, processes: int, progress: Progress) -> None:
    """Make the run folder, or make sure that the one to resume began with the same settings and data.

    The number of processes may change on the way: it moves no record to another step.
    """
    from rewardsmith.train.loop import refuse_changes

    if config.resume:
        stored = stored_settings(config.output)
        before = stored.pop("processes", 1)
        refuse_changes(stored, fingerprint)
        if before != processes:
            progress.note(f"begun with {before} processes, going on with {processes}: sums are rounded differently")
        return
    prepare_output(config.output, overwrite=config.overwrite)
    write_json(config.output / "settings.json", {**fingerprint, "processes": processes})


def stored_settings(folder: Path) -> dict[str, Any]:
    """`settings.json` of a run to resume; DataError where it is damaged."""
    path = folder / "settings.json"
    stored = read_object(path)
    with taking_from(path):
        refuse_types(stored, STORED)
        if not stored:
            raise DataError(f"{path} holds no settings; {WRITE_AGAIN}")
        datetime.date.fromisoformat(str(stored.get("date") or "2000-01-01"))
    return stored


def keep_findings(config: Config) -> None:
    """Copy what `prepare` found into the run, so that the verdict can name it."""
    if len(config.dataset) == 1 and is_prepared(Path(config.dataset[0])):
        for name in ("prepare.json", "quality.json"):
            path = Path(config.dataset[0]) / name
            if path.is_file():
                write_bytes(config.output / "data" / name, path.read_bytes())


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
        "readout": None if (readout := model.network.readout) is None else readout.told(),
        "lora": {**asdict(config.lora), "alpha": config.lora.scale, "target": list(config.lora.target)}
        if config.lora.r
        else None,
        "quantize": config.quantize,
        "gradient_checkpointing": config.gradient_checkpointing,
        "activation_offload": config.activation_offload,
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


def heads_told(count: int, fitted: "FitResult") -> dict[str, Any] | None:
    """How several heads do on validation, their number alone where there is none; None for one head."""
    if count == 1:
        return None
    agreement = None if fitted.head is None else fitted.head.agreement
    return {"count": count} if agreement is None else asdict(agreement)


def summarize_run(
    config: Config,
    settings: "FitSettings",
    model: "RewardModel",
    train: "Encoding",
    fitted: "FitResult",
    parameters: "Parameters",
    *,
    dtype: str,
    processes: int,
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
        "processes": processes,
        "parallel": config.engine if processes > 1 else None,
        "lr": settings.lr,
        "batch": settings.batch,
        "heads": heads_told(settings.heads, fitted),
        "eval": None,
    }
