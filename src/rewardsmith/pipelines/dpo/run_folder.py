"""What a DPO run writes about itself: settings to resume by, what became of the data, the language model."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.bench.environment import versions
from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.files import (
    check_output,
    explained,
    hash_text,
    prepare_output,
    refuse_inside,
    write_folder,
    write_json,
    write_text,
)
from rewardsmith.files.kinds import LANGUAGE_MODEL, POLICY_RUN
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.dpo.config import Config
from rewardsmith.pipelines.dpo.data import PairData
from rewardsmith.pipelines.train.run_folder import save_left_out

if TYPE_CHECKING:
    from rewardsmith.align.dpo.opening import OpenedPolicy
    from rewardsmith.model.adapters.lora import AdapterFiles
    from rewardsmith.train.examples import Encoding
    from rewardsmith.train.loop import FitSettings

STORED = {"threads": int, "tokens_per_microbatch": int, "dtype": str}
"""What the first run found out by itself, and a resumed one uses again."""
PREFERENCE = ("loss", "beta", "label_smoothing", "sft", "kl_prompts", "kl_tokens", "thinking", "gradient_checkpointing")


def check_run(config: Config) -> None:
    """Refuse what can be refused before any data is read; nothing is written yet."""
    if config.resume:
        if not (config.output / "settings.json").is_file():
            raise OutputError(f"{config.output} contains no run to resume; start without --resume")
        return
    data = input_files([*config.pairs, *config.validation])
    refuse_inside(config.output, [config.model, str(Path(config.model) / "model"), *data])
    check_output(config.output, POLICY_RUN, overwrite=config.overwrite)


def as_before(config: Config) -> Config:
    """On resume, what the first run found out by itself (threads, token budget, precision) is used again."""
    if not config.resume:
        return config
    stored = read_object(config.output / "settings.json")
    if not all(isinstance(stored.get(name), kind) for name, kind in STORED.items()):
        raise DataError(f"{config.output / 'settings.json'} is damaged; start again with --overwrite")
    dtype = stored["dtype"] if config.dtype == "auto" else config.dtype
    return replace(
        config,
        threads=config.threads or stored["threads"],
        tokens_per_microbatch=config.tokens_per_microbatch or stored["tokens_per_microbatch"],
        dtype=dtype,
    )


def fingerprint_of(
    config: Config, settings: "FitSettings", policy: "OpenedPolicy", data: PairData, examples: int, start_weights: str
) -> dict[str, Any]:
    """All that decides a run's bits: a run is only resumed where every value is the same."""
    import torch

    from rewardsmith.model.runtime.devices import dtype_name
    from rewardsmith.scoring.contract import tokenizer_hash

    resolved = asdict(settings)
    resolved.pop("keep")
    return {
        **resolved,
        **{name: getattr(config, name) for name in PREFERENCE},
        "per_token": config.per_token,
        "model": config.model,
        "lora": {**asdict(config.lora), "alpha": config.lora.scale, "target": list(config.lora.target)}
        if config.lora.r
        else None,
        "template": hash_text(json.dumps(policy.encoder.contract.to_json(), sort_keys=True))[:16],
        "tokenizer": tokenizer_hash(policy.tokenizer)[:16],
        "start_weights": start_weights,
        "packed": policy.network.packed,
        "examples": examples,
        **{f"data_{name}": digest for name, digest in data.hashes().items()},
        "device": policy.network.device.type,
        "dtype": dtype_name(policy.network.autocast),
        "threads": torch.get_num_threads(),
        **versions(),
    }


def begin_run(config: Config, fingerprint: Mapping[str, Any]) -> None:
    """Make the run folder, or make sure that the one to resume began with the same settings and data."""
    from rewardsmith.train.loop import refuse_changes

    if config.resume:
        refuse_changes(read_object(config.output / "settings.json"), fingerprint)
        return
    prepare_output(config.output, POLICY_RUN, overwrite=config.overwrite)
    write_json(config.output / "settings.json", fingerprint)


def save_inputs(config: Config, data: PairData, train: "Encoding", validation: "Encoding") -> None:
    """`config.yaml`, and what became of the data: every row left out, with its reason."""
    from rewardsmith.settings import to_yaml

    if not (config.output / "config.yaml").is_file():
        with explained(config.output):
            write_text(config.output / "config.yaml", to_yaml(replace(config, resume=False)))
    save_left_out(config.output / "data", data.quarantined, train, validation)
    write_json(
        config.output / "data" / "data.json",
        {
            "understood": data.understood,
            "hashes": data.hashes(),
            "quarantined": len(data.quarantined),
            "records": {"train": len(data.train), "validation": len(data.validation)},
            "encoding": train.to_json(),
        },
    )


def save_policy(policy: "OpenedPolicy", folder: Path, adapter: "AdapterFiles | None", base: str) -> None:
    """Write the language model as a Hugging Face folder with a manifest, a merged adapter beside it."""
    from rewardsmith.model.checkpoint.hf_folder import save_plain_folder
    from rewardsmith.model.checkpoint.intact import seal_model
    from rewardsmith.model.lean.swap import make_plain

    def fill(place: Path) -> None:
        hf = policy.network.hf
        make_plain(hf)
        save_plain_folder(hf, policy.tokenizer, policy.tokenizer.chat_template, place)
        if adapter is not None:
            adapter.write(place / "adapter", base=base)
        seal_model(place)

    write_folder(folder, fill, LANGUAGE_MODEL, overwrite=True)


def refuse_processes() -> None:
    """UsageError under torchrun or accelerate with several processes."""
    import os

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("dpo trains in one process; start it without torchrun or accelerate")
