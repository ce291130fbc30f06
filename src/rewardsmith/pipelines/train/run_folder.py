"""What a training run writes about itself into its folder: settings, what became of the data, the summary."""

import contextlib
import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rewardsmith.bench.environment import code_commit, versions
from rewardsmith.data.splits.sources import Splits, input_files, is_prepared, quarantine_lines
from rewardsmith.errors import DataError, RewardsmithError, first_line
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
from rewardsmith.files.kinds import RUN
from rewardsmith.files.manifest import MANIFEST, files_of, seal
from rewardsmith.files.reading import WRITE_AGAIN, read_object, refuse_types, taking_from
from rewardsmith.pipelines.critique.settings import CLOUD
from rewardsmith.pipelines.publish import card
from rewardsmith.pipelines.train.augment import AugmentKind
from rewardsmith.pipelines.train.config import Config
from rewardsmith.progress import Progress
from rewardsmith.records import Quarantined, Record
from rewardsmith.settings.in_memory import InMemory

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.train.examples import Encoding
    from rewardsmith.train.loop import FitResult, FitSettings
    from rewardsmith.train.optimizer import Parameters

SEALED = ("settings.json", "config.yaml", "metrics.jsonl", "train.json", "evaluation.json", "comparisons.jsonl")
"""Files of a run folder, beside those in `data/`, that nothing changes once the run is finished."""
ENDED = "ended.json"
"""Why a run came to no end, where it could still tell."""
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

    The number of processes and the machine may change on the way, which moves no record to another step, and so may the
    commit of the code; both are noted.
    """
    from rewardsmith.train.loop import refuse_changes

    surroundings = surroundings_of(processes)
    if config.resume:
        stored = stored_settings(config.output)
        before = {name: stored.pop(name, None) for name in SURROUNDINGS}
        refuse_changes(stored, fingerprint)
        note_changes(before, surroundings, progress)
        reopen(config.output)
        return
    prepare_output(config.output, RUN, overwrite=config.overwrite, edited=card.edited)
    write_json(config.output / "settings.json", {**fingerprint, **surroundings})


@contextlib.contextmanager
def telling_why(folder: Path | None, *, lr: float, parameters: int) -> Iterator[None]:
    """Whatever ends the training before its end is written into the run folder (None: no run of this process).

    `ended.json` holds the error and what the verdict has to know of the settings; how far the run came stands in
    `metrics.jsonl`. Where the machine refuses even this, the error itself is what counts.
    """
    try:
        yield
    except BaseException as error:
        ended = {"error": type(error).__name__, "message": first_line(error), "lr": lr, "parameters": parameters}
        if folder is not None:
            with contextlib.suppress(RewardsmithError, OSError):
                write_json(folder / ENDED, ended)
        raise


def reopen(folder: Path) -> None:
    """A run that was finished is no longer: its files change from here on, and none is held against a manifest.

    Why one ended before is no longer true either.
    """
    path = folder / "train.json"
    for name in (MANIFEST, ENDED):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(DataError):  # damaged: it is written anew at the end
        if (summary := read_object(path)).get("finished"):
            write_json(path, {**summary, "finished": False})


SURROUNDINGS = ("processes", "cpu", "gpu", "commit")


def surroundings_of(processes: int) -> dict[str, Any]:
    """What a run may be resumed under all the same: how many processes, which instructions torch uses, which commit."""
    import torch

    return {
        "processes": processes,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "commit": code_commit(),
    }


def note_changes(before: Mapping[str, Any], now: Mapping[str, Any], progress: Progress) -> None:
    """Say what is different since the run began; where arithmetic is, the bits at the end will be."""
    if before["processes"] != now["processes"]:
        progress.note(
            f"started with {before['processes']} processes and continued with {now['processes']}: results may differ "
            "by rounding"
        )
    for name in ("cpu", "gpu"):
        if before[name] != now[name]:
            progress.note(f"started on {before[name]} and continued on {now[name]}: results may differ by rounding")
    if before["commit"] != now["commit"]:
        progress.note(f"started with the code of commit {before['commit']} and continued with {now['commit']}")


def seal_run(folder: Path) -> None:
    """Write the manifest of a finished run: what it was given and what it measured; reports are written again later."""
    seal(folder, [path for path in files_of(folder) if is_sealed(path.relative_to(folder))])


def is_sealed(place: Path) -> bool:
    """Whether a file of a run folder stays as it is when the run is finished."""
    return place.as_posix() in SEALED or place.parts[0] == "data"


def stored_settings(folder: Path) -> dict[str, Any]:
    """`settings.json` of a run to resume; DataError where it is damaged."""
    path = folder / "settings.json"
    stored = read_object(path)
    with taking_from(path):
        refuse_types(stored, STORED)
        if not stored:
            raise DataError(f"{path} contains no settings; {WRITE_AGAIN}")
        datetime.date.fromisoformat(str(stored.get("date") or "2000-01-01"))
    return stored


def keep_findings(config: Config) -> None:
    """Copy what `prepare` found into the run, so that the verdict can name it."""
    if len(config.dataset) == 1 and is_prepared(Path(config.dataset[0])):
        for name in ("prepare.json", "quality.json"):
            path = Path(config.dataset[0]) / name
            if path.is_file():
                write_bytes(config.output / "data" / name, path.read_bytes())


def save_left_out(folder: Path, quarantined: Sequence[Quarantined], train: "Encoding", validation: "Encoding") -> None:
    """Every row that could not be read or encoded, with its reason."""
    write_jsonl(folder / "quarantine.jsonl", quarantine_lines(quarantined))
    refused = [{"split": "train", **row} for row in quarantine_lines(train.refused)]
    refused += [{"split": "validation", **row} for row in quarantine_lines(validation.refused)]
    write_jsonl(folder / "refused.jsonl", refused)


def save_settings(config: Config, splits: Splits, train: "Encoding", validation: "Encoding") -> None:
    """`config.yaml` (what --config takes again), and what became of the data: every row left out, with its reason."""
    from rewardsmith.settings import to_yaml

    if not (config.output / "config.yaml").is_file():  # one to resume may have been killed before it was written
        with explained(config.output):
            write_text(config.output / "config.yaml", to_yaml(replace(config, resume=False)))
    keep_findings(config)
    save_left_out(config.output / "data", splits.quarantined, train, validation)
    write_json(
        config.output / "data" / "data.json",
        {
            "understood": splits.understood,
            "hashes": splits.hashes(),
            "files": data_hashes(config),
            "quarantined": len(splits.quarantined),
            "not_taken": splits.not_taken,
            "records": {name: len(getattr(splits, name)) for name in ("train", "validation", "test")},
            "encoding": train.to_json(),
        },
    )


def save_augmented(config: Config, made: Mapping[AugmentKind, Sequence[Record]]) -> None:
    """`data/augmented.jsonl`: the synthetic comparisons that are trained on, each marked in `fields`."""
    from rewardsmith.data.formats.native import to_row

    if made:
        rows = (to_row(record) for records in made.values() for record in records)
        write_jsonl(config.output / "data" / "augmented.jsonl", rows)


def fingerprint_of(
    config: Config, settings: "FitSettings", model: "RewardModel", train: "Encoding", splits: Splits
) -> dict[str, Any]:
    """All that decides a run's bits: a run is only resumed where every value is the same."""
    import torch

    from rewardsmith.model.frozen.feature_cache import weights_hash
    from rewardsmith.model.runtime.devices import dtype_name
    from rewardsmith.scoring.contract import tokenizer_hash

    resolved = {**asdict(settings), "date": model.contract.date}
    resolved.pop("keep")
    return {
        **resolved,
        "model": config.model,
        "augment": [*config.augment, config.augment_weight] if config.augment else None,
        "noise": asdict(config.noise) if config.noise.resists else None,
        "layers": config.layers,
        "freeze_layers": config.freeze_layers,
        "readout": None if (readout := model.network.readout) is None else readout.told(),
        "lora": {**asdict(config.lora), "alpha": config.lora.scale, "target": list(config.lora.target)}
        if config.lora.r
        else None,
        "quantize": config.quantize,
        "head": {"name": config.head.name, **(config.head.options or {})},
        "critique": critique_in_fingerprint(config, splits),
        "gradient_checkpointing": config.gradient_checkpointing,
        "activation_offload": config.activation_offload,
        "contract": hash_text(json.dumps(model.contract.to_json(), sort_keys=True))[:16],
        "architecture": hash_text(model.network.hf.config.to_json_string(use_diff=False))[:16],
        "tokenizer": tokenizer_hash(model.tokenizer)[:16],
        "start_weights": weights_hash(model.network),
        "packed": model.network.packed,
        "examples": len(train.examples),
        **{f"data_{name}": digest for name, digest in splits.hashes().items()},
        "device": model.network.device.type,
        "dtype": dtype_name(model.network.autocast),
        "threads": torch.get_num_threads(),
        **versions(),
    }


def critique_in_fingerprint(config: Config, splits: Splits) -> dict[str, Any] | None:
    """The settings of critiques and those that the data bring along; None for a model without."""
    if config.head.name != CLOUD:
        return None
    from rewardsmith.pipelines.critique.training import critiques_hash

    return {**asdict(config.critique), "given": critiques_hash([*splits.train, *splits.validation])}


def data_hashes(config: Config) -> list[dict[str, str]]:
    """What the data was read from, files and data in memory, each with the hash of its content."""
    found = [{"file": str(path), "sha256": sha256(path)} for path in data_files(config)]
    named = [*config.dataset, *config.validation, *config.test]
    return found + [{"file": str(each), "sha256": each.sha256} for each in named if isinstance(each, InMemory)]


def data_files(config: Config) -> list[Path]:
    """The files that the data was read from, by their full paths; none for built-in data and names on the hub."""
    named = input_files([*config.dataset, *config.validation, *config.test])
    return sorted({Path(name).resolve() for name in named if Path(name).is_file()})


def heads_told(count: int, fitted: "FitResult") -> dict[str, Any] | None:
    """How several heads do on validation, their number alone where there is none; None for one head."""
    if count == 1:
        return None
    agreement = None if fitted.head is None else fitted.head.agreement
    return {"count": count} if agreement is None else asdict(agreement)


def figures_of(fitted: "FitResult") -> dict[str, Any]:
    """What the loop came to, whatever it trained: its steps, its loss and its speed."""
    state = fitted.state
    return {
        "steps": state.step,
        "total_steps": fitted.total_steps,
        "pairs": state.comparisons,
        "train_loss": state.train_loss,
        "best_step": state.best_step,
        "stopped_early": state.stopped_early,
        "resumed_from": fitted.resumed_from,
        "seconds": state.seconds,
        "pairs_per_second": state.comparisons / state.seconds if state.seconds else None,
        "tokens_per_second": state.tokens / state.seconds if state.seconds else None,
    }


def losses_in_summary(settings: "FitSettings", fitted: "FitResult") -> dict[str, Any]:
    """Which loss was minimised, what it is at equal rewards, and its best value on validation."""
    best = None if fitted.state.best_step is None else fitted.state.best_loss
    return {
        "loss": {"name": settings.loss, **(settings.loss_options or {})},
        "loss_at_equal_rewards": fitted.equal,
        "best_validation_loss": best,
        **({} if fitted.before is None else {"critiques": dict(fitted.before)}),
    }


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
    from rewardsmith.model.runtime.devices import peak_memory

    return {
        "output": str(config.output),
        "model_folder": str(config.output / "model"),
        "epochs": config.epochs,
        "records": len(train.examples),
        **figures_of(fitted),
        **losses_in_summary(settings, fitted),
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
        "heads": heads_told(max(settings.heads, settings.members), fitted),
        "noise": None if fitted.peer is None else {"method": config.noise.name, **fitted.peer},
        "eval": None,
    }
