"""`rewardsmith bench`: how fast this machine trains and scores, beside reference figures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rewardsmith.errors import UsageError
from rewardsmith.files import check_output_file, write_json
from rewardsmith.progress import SILENT, Progress
from rewardsmith.settings.hardware import DtypeName, check_device

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
        from rewardsmith.bench.tables import tables

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
    from rewardsmith.bench.sizes import Wanted, measure, share_of_peak
    from rewardsmith.version import VERSION

    if config.threads:
        torch.set_num_threads(config.threads)
    started = time.perf_counter()
    sizes = documented.SIZES if config.quick else (*documented.SIZES, documented.LARGER)
    seconds = QUICK_SECONDS if config.quick else LONG_SECONDS
    wanted = Wanted(config.device, config.dtype, config.threads, config.repetitions, seconds)
    measured, left_out = measure(sizes, wanted, progress)
    figures = {
        "quick": config.quick,
        "rewardsmith": VERSION,
        "torch": version_of("torch"),
        "transformers": version_of("transformers"),
        "machine": describe_machine(),
        "repetitions": config.repetitions,
        "sizes": measured,
        "left_out": left_out,
        **({} if config.quick else {"share": share_of_peak(config.model, config.layers, wanted, progress)}),
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
