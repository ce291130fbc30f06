"""Speeds and memory of models of several sizes, each size in turn with the others, as `rewardsmith bench` reports them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rewardsmith.bench.documented import BATCH, BATCHES, LARGER, Size
from rewardsmith.progress import Progress

if TYPE_CHECKING:
    from rewardsmith.bench.timing import Timing
    from rewardsmith.model.reward_model import RewardModel


@dataclass(frozen=True)
class Wanted:
    """How to measure: device, precision and threads, repetitions per cell, and seconds that all cells may take."""

    device: str
    dtype: str
    threads: int | None
    repetitions: int
    seconds: float


def measure(
    sizes: Sequence[Size], wanted: Wanted, progress: Progress
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Figures per size, and the cells that did not fit into the time allowed."""
    from rewardsmith.bench.memory import training_memory
    from rewardsmith.bench.timing import interleaved
    from rewardsmith.bench.workload import Trainer, build, scoring

    place = {"device": wanted.device, "dtype": wanted.dtype}
    models = [build(size, **place) for size in sizes]  # first, so that a device that is not there is told at once
    with progress.task("memory", len(sizes), "models") as task:
        memories = []
        for size in sizes:
            memories.append(training_memory(size, batch=BATCH, threads=wanted.threads, **place))
            task.advance()
    families: list[dict[tuple[str, str, int], Any]] = []
    for size, model in zip(sizes, models, strict=True):
        trainer = Trainer.of(model, max(BATCHES))
        families.append({(size.name, "training", batch): trainer.step(batch) for batch in BATCHES})
        families.append({(size.name, "scoring", batch): scoring(model, batch) for batch in BATCHES})
    timings = interleaved(families, repetitions=wanted.repetitions, limit=wanted.seconds, progress=progress)
    measured = [
        {
            **described(size, model),
            "training_memory": asdict(memory),
            "training": cells(timings.by_job, (size.name, "training"), per_call="steps_per_second", unit="pairs"),
            "scoring": cells(timings.by_job, (size.name, "scoring"), per_call="calls_per_second", unit="samples"),
        }
        for size, model, memory in zip(sizes, models, memories, strict=True)
    ]
    return measured, [dict(zip(("size", "work", "batch"), key, strict=True)) for key in timings.left_out]  # type: ignore[arg-type, call-overload]


def share_of_peak(name: str | None, layers: int | None, wanted: Wanted, progress: Progress) -> dict[str, Any]:
    """How near training and scoring of a model (None or tiny: LARGER) come to the machine's matrix products."""
    from rewardsmith.bench.share import measure_share

    model, shown = opened(name, layers, wanted)
    measured = measure_share(model, shown, repetitions=wanted.repetitions, limit=wanted.seconds, progress=progress)
    return asdict(measured)


def opened(name: str | None, layers: int | None, wanted: Wanted) -> "tuple[RewardModel, str]":
    """The model whose share is measured, its head new, and what to call it."""
    import datetime

    from rewardsmith.bench.workload import build
    from rewardsmith.model.inferred import new_contract
    from rewardsmith.model.loading.backbones import open_backbone
    from rewardsmith.model.reward_model import RewardModel

    if name in (None, "tiny"):
        return build(LARGER, device=wanted.device, dtype=wanted.dtype), f"tiny, {LARGER.name}"
    backbone = open_backbone(str(name), layers=layers)
    length = min(1024, backbone.longest or 1024)
    contract = new_contract(backbone, max_length=length, date=datetime.date(2025, 1, 1))
    model = RewardModel.build(backbone, contract, device=wanted.device, dtype=wanted.dtype)
    return model, f"{name}, {layers} layers" if layers else str(name)


def described(size: "Size", model: "RewardModel") -> dict[str, Any]:
    """What a size is, and how it is computed here."""
    from rewardsmith.model.runtime.devices import dtype_name

    weights = list(model.network.hf.parameters())
    return {
        "name": size.name,
        **{name: getattr(size, name) for name in ("n_layer", "n_head", "n_embd", "block_size")},
        "parameters": sum(weight.numel() for weight in weights),
        "model_mb": sum(weight.numel() * weight.element_size() for weight in weights) / 1e6,
        "device": str(model.network.device),
        "dtype": dtype_name(model.network.autocast),
        "prefixes_shared": model.network.packed,
    }


def cells(timed: "Mapping[Any, Timing]", prefix: tuple[str, str], *, per_call: str, unit: str) -> list[dict[str, Any]]:
    """One row per batch size that was measured: rates from the median, and the seconds they come from."""
    rows = []
    for batch in BATCHES:
        timing = timed.get((*prefix, batch))
        if timing is not None:
            rates = {per_call: 1 / timing.median, f"{unit}_per_second": batch / timing.median}
            rows.append({"batch": batch, **rates, "seconds": asdict(timing)})
    return rows
