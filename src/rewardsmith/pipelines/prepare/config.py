"""The settings of `rewardsmith prepare`: the one source of its flags, YAML keys and help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rewardsmith.data.input.renaming import Rename, parse_renames
from rewardsmith.parallel.backends import EngineName
from rewardsmith.quality.row.limits import Limits

NoiseChoice = Literal["off", "report", "soften", "drop", "flip"]


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """Settings about labels as a whole."""

    label_noise: NoiseChoice = "off"
    """How to handle labels of the train split that are probably wrong: off, report, soften (replace by the expected
    label), drop, flip."""

    label_model: str = "auto"
    """Model whose frozen features --label-noise uses: auto (an installed one, if it takes about a minute), off, or a
    name."""

    margins: tuple[str, ...] = ()
    """Rewards of a model for the same rows, as written by rewardsmith score; repeat the flag for several models."""


@dataclass(frozen=True, kw_only=True)
class Config(LabelSettings, Limits):
    """Settings of `prepare`."""

    sources: tuple[str, ...]
    """Files, folders or Hub names (owner/name:config:split) to read; `a.jsonl:0.3` samples 30 % of the records."""

    output: Path
    """Output folder for train.jsonl, validation.jsonl, test.jsonl and the reports."""

    seed: int = 0
    """Random seed of the split and of sampling; the split of a row depends only on the seed and its prompt."""

    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction or chosen=annotations.best."""

    max_per_source: int | None = None
    """Maximum number of records per source, sampled by hash; default: all."""

    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Shares of the prompts for train, validation and test; they sum to 1, and 0 omits a split."""

    split_by: str | None = None
    """Field whose values never appear in more than one split, such as topic, or near-prompt; default: the prompt of
    the conversation."""

    test_groups: int | None = None
    """Number of values of --split-by to hold out as the test split; a share of the remaining values is used for
    validation."""

    max_rows: int | None = None
    """Maximum number of rows to read; default: all."""

    strict: bool = False
    """Stop at the first invalid row instead of quarantining it."""

    overwrite: bool = False
    """Replace the contents of the output folder."""

    dry_run: bool = False
    """Report what would be read and kept, from the first rows of large sources, and write nothing."""

    keep_duplicates: bool = False
    """Keep exact duplicates of earlier rows."""

    remove: tuple[str, ...] = ()
    """Check whose rows are removed, such as refusal or near_duplicate; repeat the flag for several; default: report only."""

    repair: bool = False
    """Repair encoding damage where no bytes were lost; default: report only."""

    signals: Path | None = None
    """Output folder of an earlier run on the same sources; its measurements are reused, for example to try other
    thresholds."""

    near_threshold: float = 0.8
    """Minimum similarity of near-duplicate rows and prompts, 0.7 to 1; 0 disables the search."""

    decontaminate: tuple[str, ...] = ()
    """Benchmark files; rows that contain one of their texts are removed and listed in contamination.jsonl."""

    overlap: float = 0.5
    """Share of the 13-grams (words or Chinese characters) of a benchmark text from which a row is contaminated."""

    workers: int | None = None
    """Number of worker processes; default: one per core, or none for a few thousand rows."""

    engine: EngineName = "local"
    """Where rows are processed: local (this machine), or ray (Ray Data, on the cluster at RAY_ADDRESS)."""

    @property
    def limits(self) -> Limits:
        """The thresholds alone."""
        return Limits(**{name: getattr(self, name) for name in Limits.__dataclass_fields__})

    @property
    def columns(self) -> tuple[Rename, ...]:
        """`map`, parsed; UsageError where it is malformed."""
        return parse_renames(self.map)
