"""Settings of `rewardsmith evaluate`."""

from dataclasses import dataclass
from pathlib import Path

from rewardsmith.data.splits.splitter import check_split
from rewardsmith.errors import UsageError
from rewardsmith.pipelines.ensembles.combine import CombineSettings
from rewardsmith.settings.hardware import DtypeName, check_device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith evaluate`."""

    model: str
    """Reward model: a folder, a run folder, or a Hub name; or a rewards file (YAML, kind: verifiable) with checks of
    responses, or a judge file (YAML, kind: pointwise, pairwise or listwise)."""
    sources: tuple[str, ...] = ()
    """Preference data: files, folders, the output of `prepare` (its test split is read), or synthetic:N; with --benchmark
    the files of the benchmark (default: its data sets on the Hub)."""
    benchmark: str | None = None
    """Score by the published rule of a benchmark: rewardbench, rewardbench-2, rm-bench, judgebench, rmb, llmbar, hhh, ppe,
    m-rewardbench, if-rewardbench, cheemsbench, long-rewardbench, processbench, hh, pku-saferlhf, shp, ultrafeedback,
    or custom."""
    split: str | None = None
    """Split of prepared or synthetic data: train, validation, test (default: test for prepared data, else all data)."""
    validation: tuple[str, ...] = ()
    """Data to fit the temperature and the length rule on (default: 5-fold cross-validation by prompt)."""
    calibrated: bool = False
    """Compare raw and calibrated rewards, by the calibration stored in the model, with paired intervals."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction or chosen=annotations.best."""
    attribute: str = "overall"
    """Attribute to evaluate on if the data has several, such as helpful or safe."""
    combine: CombineSettings = CombineSettings()  # noqa: RUF009 - frozen
    output: Path | None = None
    """Output folder for evaluation.json and comparisons.jsonl, which diagnose and compare read."""
    dtype: DtypeName = "fp32"
    """Precision of the backbone: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    allow_mismatch: bool = False
    """Evaluate even if the probes (conversations stored with their rewards to check the model) no longer give the
    stored rewards; the verdict and the card then state it."""
    strict: bool = False
    """Stop at the first invalid row."""
    overwrite: bool = False
    """Replace the output of an earlier run of this command in --output; other files are never deleted."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        check_split(self.split)
        if self.benchmark is None and not self.sources:
            raise UsageError("SOURCES is missing; expected preference data, or --benchmark NAME")
        if self.benchmark is not None:
            self._check_benchmark()

    def _check_benchmark(self) -> None:
        """UsageError for a name that is unknown, data that only a path can tell, or a setting that a rule does not have."""
        from rewardsmith.pipelines.benchmark.catalogue import sources_of

        sources_of(str(self.benchmark), self.sources)
        given = {
            "--split": self.split,
            "--validation": self.validation,
            "--map": self.map,
            "--calibrated": self.calibrated,
        }
        refused = [flag for flag, value in given.items() if value] + ["--attribute"] * (self.attribute != "overall")
        if refused:
            raise UsageError(f"{', '.join(refused)}: not used with --benchmark, whose rule decides; remove it")
