"""The settings of `rewardsmith judge`."""

from dataclasses import dataclass
from pathlib import Path

from rewardsmith.errors import UsageError
from rewardsmith.settings.hardware import DtypeName, check_device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith judge`."""

    judge: str
    """Judge file (YAML, kind: pointwise, pairwise or listwise): which language model is asked what, and how it is read."""
    sources: tuple[str, ...]
    """Preference data, candidates or rankings: files, folders, or synthetic:N."""
    output: Path | None = None
    """Output file in JSON Lines: each record with all judgements; with --label preference data."""
    label: bool = False
    """Write --output as preference data: the judge's preference for each pair of responses, weighted by its certainty."""
    tie: float = 0.0
    """With --label: certainty (2P - 1, P the judge's probability for the better response) up to which a pair is a tie."""
    show: int = 2
    """Number of records whose judgements are printed."""
    max_records: int | None = None
    """Maximum number of records to judge, chosen by content; default: all."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction or chosen=annotations.best."""
    attribute: str = "overall"
    """Attribute to compare with if the data has several, such as helpful or safe."""
    cache: Path | None = None
    """File that keeps all judgements for later runs (default: that of the judge file, else one beside the models)."""
    dtype: DtypeName = "fp32"
    """Local model: precision of the weights: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """Local model: auto, cpu, cuda, cuda:1, mps."""
    strict: bool = False
    """Stop at the first invalid row."""
    overwrite: bool = False
    """Replace --output if it exists."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        if self.label and self.output is None:
            raise UsageError("--label needs --output: a file for the preference data")
        if not 0 <= self.tie < 1:
            raise UsageError(f"--tie {self.tie:g}: expected at least 0 and less than 1")
        if self.tie and not self.label:
            raise UsageError("--tie applies to --label only; add --label, or remove --tie")
        if self.show < 0 or (self.max_records is not None and self.max_records < 1):
            raise UsageError("--show: expected at least 0, and --max-records at least 1")
