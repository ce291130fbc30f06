"""`rewardsmith bench`: how fast this machine trains and scores, beside reference figures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import UsageError
from rewardsmith.files import check_output_file, write_json
from rewardsmith.progress import SILENT, Progress
from rewardsmith.settings.hardware import DtypeName, check_device

if TYPE_CHECKING:
    from rewardsmith.bench.documented import Size
    from rewardsmith.bench.timing import Timing
    from rewardsmith.model.reward_model import RewardModel

BATCHES = (1, 2, 4, 8, 16, 32)
LARGER = (12, 8, 512, 512)  # layers, heads, width, block size
QUICK_SECONDS, LONG_SECONDS = 45.0, 400.0
FEWEST = 5


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith bench`."""

    quick: bool = False
    """Measure three small models only, in at most two minutes; without this flag, larger models and the share of peak
    performance are measured too."""
    model: str | None = None
    """Model whose share of peak performance is measured (default: a tiny model with 12 layers); not with --quick."""
    layers: int | None = None
    """Keep only the first N layers of --model."""
    output: Path | None = None
    """Output JSON file for the results."""
    repetitions: int = FEWEST
    """Number of repetitions of every measurement; the tables show medians."""
    dtype: DtypeName = "auto"
    """Precision of the backbone: auto, fp32, bf16, fp16."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    threads: int | None = None
    """Number of CPU threads (default: all cores)."""
    overwrite: bool = False
    """Replace --output if it exists."""

    def __post_init__(self) -> None:
        check_device(self.device)
        if self.repetitions < FEWEST:
            raise UsageError(
                f"--repetitions {self.repetitions}: expected at least {FEWEST}, so that the medians are meaningful"
            )
        if self.quick and (self.model or self.layers):
            raise UsageError("--quick skips the share of peak performance; remove it to measure --model")
        if self.layers is not None and (self.layers < 1 or self.model in (None, "tiny")):
            raise UsageError(f"--layers {self.layers}: expected at least 1, with a pretrained --model")
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"--threads {self.threads}: expected at least 1")


@dataclass(frozen=True)
class Result:
    """All figures; the same as the JSON file."""

    figures: Mapping[str, Any]
    output: Path | None

    def to_json(self) -> dict[str, Any]:
        """machine, settings, sizes (training and scoring by batch, memory), share (not with quick), left_out, document."""
        return dict(self.figures)

    def to_text(self) -> str:
        """The tables."""
        lines = tables(self.figures)
        return "\n".join([*lines, *([f"→ {self.output}"] if self.output else [])])


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Measure memory first, each size in a fresh process, then all speeds in turn."""
    if config.output is not None:
        check_output_file(config.output, overwrite=config.overwrite)
    import time

    import torch

    from rewardsmith.bench import documented
    from rewardsmith.bench.environment import describe_machine, version_of
    from rewardsmith.version import VERSION

    if config.threads:
        torch.set_num_threads(config.threads)
    started = time.perf_counter()
    sizes = documented.SIZES if config.quick else (*documented.SIZES, documented.Size(*LARGER))
    measured, left_out = measure(config, sizes, progress)
    figures = {
        "quick": config.quick,
        "rewardsmith": VERSION,
        "torch": version_of("torch"),
        "transformers": version_of("transformers"),
        "machine": describe_machine(),
        "repetitions": config.repetitions,
        "sizes": measured,
        "left_out": left_out,
        **({} if config.quick else {"share": share_of_peak(config, progress)}),
        "document": {
            "machine": documented.MACHINE,
            "training": [asdict(size) for size in documented.SIZES],
            "scoring": {"samples_per_second": documented.SAMPLES_PER_SECOND, "latency_ms": documented.LATENCY_MS},
        },
        "seconds": time.perf_counter() - started,
    }
    if config.output is not None:
        write_json(config.output, figures)
    return Result(figures, config.output)


def measure(
    config: Config, sizes: "tuple[Size, ...]", progress: Progress
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Figures per size, and the cells that did not fit into the time allowed."""
    from rewardsmith.bench.documented import BATCH
    from rewardsmith.bench.memory import training_memory
    from rewardsmith.bench.timing import interleaved
    from rewardsmith.bench.workload import Trainer, build, scoring

    place = {"device": config.device, "dtype": config.dtype}
    models = [build(size, **place) for size in sizes]  # first, so that a device that is not there is told at once
    with progress.task("memory", len(sizes), "models") as task:
        memories = []
        for size in sizes:
            memories.append(training_memory(size, batch=BATCH, threads=config.threads, **place))
            task.advance()
    families: list[dict[tuple[str, str, int], Any]] = []
    for size, model in zip(sizes, models, strict=True):
        trainer = Trainer.of(model, max(BATCHES))
        families.append({(size.name, "training", batch): trainer.step(batch) for batch in BATCHES})
        families.append({(size.name, "scoring", batch): scoring(model, batch) for batch in BATCHES})
    limit = QUICK_SECONDS if config.quick else LONG_SECONDS
    timings = interleaved(families, repetitions=config.repetitions, limit=limit, progress=progress)
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


def share_of_peak(config: Config, progress: Progress) -> dict[str, Any]:
    """How near training and scoring come to the machine's matrix products."""
    import datetime

    from rewardsmith.bench import documented
    from rewardsmith.bench.share import measure_share
    from rewardsmith.bench.workload import build
    from rewardsmith.model.inferred import new_contract
    from rewardsmith.model.loading.backbones import open_backbone
    from rewardsmith.model.reward_model import RewardModel

    if config.model in (None, "tiny"):
        size = documented.Size(*LARGER)
        model, name = build(size, device=config.device, dtype=config.dtype), f"tiny, {size.name}"
    else:
        backbone = open_backbone(str(config.model), layers=config.layers)
        length = min(1024, backbone.longest or 1024)
        contract = new_contract(backbone, max_length=length, date=datetime.date(2025, 1, 1))
        model = RewardModel.build(backbone, contract, device=config.device, dtype=config.dtype)
        name = f"{config.model}, {config.layers} layers" if config.layers else str(config.model)
    return asdict(measure_share(model, name, repetitions=config.repetitions, limit=LONG_SECONDS, progress=progress))


def share_lines(share: Mapping[str, Any]) -> list[str]:
    """The share of the peak as text."""
    return [
        "",
        f"Share of this machine's peak, {share['model']}, {share['dtype']}, {share['pairs']} pairs of {share['tokens']} "
        f"tokens in micro-batches of {share['budget']}",
        f"  matrix products {share['matmul_peak'] / 1e9:,.0f} GFLOP/s, memory {share['bandwidth'] / 1e9:.1f} GB/s",
        f"  training, optimizer included: {share['training_of_peak']:.0%} of the peak, "
        f"{share['training_tokens_per_second']:,.0f} tokens/s, {share['training_pairs_per_second']:.2f} pairs/s",
        f"  scoring: {share['scoring_of_peak']:.0%} of the peak, {share['scoring_tokens_per_second']:,.0f} tokens/s",
        f"  {share['useful_tokens']:.0%} of the tokens computed are useful; sharing prompts saves "
        f"{share['tokens_saved_by_sharing']:.0%} of them",
    ]


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


def tables(figures: Mapping[str, Any]) -> list[str]:
    """The figures as text: training, scoring, memory, each beside the reference figures."""
    machine, sizes = figures["machine"], figures["sizes"]
    document = figures["document"]
    documented = {size["n_layer"]: size for size in document["training"]}
    lines = [
        f"{machine['processor']}, {machine['cores_usable']} cores, {machine['threads']} threads; {sizes[0]['device']}, "
        f"torch {figures['torch']}; medians of {figures['repetitions']} interleaved repetitions, {figures['seconds']:.0f} s",
        document["machine"],
        *speed_lines(sizes, documented, document["scoring"]),
        *memory_lines(sizes, documented),
    ]
    if "share" in figures:
        lines += share_lines(figures["share"])
    for cell in figures["left_out"]:
        lines.append(
            f"skipped, because it would take too long: {cell['work']} of {cell['size']} with batch {cell['batch']}"
        )
    return lines


def speed_lines(
    sizes: Sequence[Mapping[str, Any]], documented: Mapping[int, Mapping[str, Any]], scoring: Mapping[str, Any]
) -> list[str]:
    """Training and scoring, by batch."""
    lines = [
        "",
        "Training, optimizer steps per second by batch (pairs per step)",
        header([*map(str, BATCHES), "reference"]),
    ]
    for size in sizes:
        given = approximately(documented, size, "steps_per_second")
        lines.append(row(label(size), [*rates(size["training"], "steps_per_second"), given]))
    lines += ["", "Training, pairs per second by batch", header([*map(str, BATCHES), ""])]
    lines += [row(label(size), [*rates(size["training"], "pairs_per_second"), ""]) for size in sizes]
    lines += ["", "Scoring from text, samples per second by batch", header(list(map(str, BATCHES)))]
    lines += [row(label(size), rates(size["scoring"], "samples_per_second")) for size in sizes]
    lines.append(row("reference, model not named", approximate(scoring["samples_per_second"])))
    lines += ["", "Scoring from text, milliseconds per call by batch", header(list(map(str, BATCHES)))]
    lines += [row(label(size), milliseconds(size["scoring"])) for size in sizes]
    lines.append(row("reference, model not named", approximate(scoring["latency_ms"])))
    return lines


def memory_lines(sizes: Sequence[Mapping[str, Any]], documented: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Memory of a training process."""
    head = header(["parameters", "weights", "libraries", "peak"]) + f"{'device':>11}{'reference':>11}"
    lines = ["", "Memory of a training process in MB (batch 4)", head]
    for size in sizes:
        values = [f"{size['parameters']:,}", f"{size['model_mb']:.1f}"]
        values += ["–" if value is None else f"{value:.0f}" for value in size["training_memory"].values()]
        lines.append(row(label(size), [*values, approximately(documented, size, "memory_mb")]))
    return lines


def approximately(documented: Mapping[int, Mapping[str, Any]], size: Mapping[str, Any], name: str) -> str:
    """The reference figure for a model of this size; a dash where there is none."""
    given = documented.get(size["n_layer"], {}).get(name)
    return f"~{given:g}" if given else "–"


def label(size: Mapping[str, Any]) -> str:
    """A size and its precision."""
    return f"{size['name']}, {size['dtype']}"


def header(names: list[str]) -> str:
    """The head of a table."""
    return row("", names)


def row(name: str, values: list[str]) -> str:
    """A row of a table."""
    return f"  {name:<26}" + "".join(f"{value:>11}" for value in values)


def rates(rows: list[Mapping[str, Any]], name: str) -> list[str]:
    """A rate per batch, or a dash where it was not measured."""
    found = {entry["batch"]: entry[name] for entry in rows}
    return [three_digits(found[batch]) if batch in found else "–" for batch in BATCHES]


def milliseconds(rows: list[Mapping[str, Any]]) -> list[str]:
    """Milliseconds per call."""
    found = {entry["batch"]: 1000 * entry["seconds"]["median"] for entry in rows}
    return [three_digits(found[batch]) if batch in found else "–" for batch in BATCHES]


def approximate(told: Mapping[int, float]) -> list[str]:
    """The reference figures at our batch sizes."""
    return [f"~{told[batch]:g}" if batch in told else "–" for batch in BATCHES]


def three_digits(value: float) -> str:
    """A figure that fits a column: 1,234 or 12.3 or 0.12."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
