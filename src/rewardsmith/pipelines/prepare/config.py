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
    """What to do with labels of train that are probably wrong: off, report, soften (expected label), drop, flip."""

    margins: tuple[str, ...] = ()
    """Rewards of a model for the same rows, as rewardsmith score writes them; repeat it for several models."""


@dataclass(frozen=True, kw_only=True)
class Config(LabelSettings, Limits):
    """Settings of `prepare`."""

    sources: tuple[str, ...]
    """Files, folders or hub names (owner/name:config:split) to read; `a.jsonl:0.3` takes three records in ten."""

    output: Path
    """Folder to write train.jsonl, validation.jsonl, test.jsonl and the reports into."""

    seed: int = 0
    """Seed of the split and of what is taken; a row's side depends on it and on the row's prompt only."""

    map: tuple[str, ...] = ()
    """Columns under other names, as in prompt=instruction or chosen=annotations.best."""

    max_per_source: int | None = None
    """Take no more than this many records of each source, chosen by hash; default: all."""

    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Shares of prompts for train, validation and test; they add up to 1, and 0 leaves a split out."""

    split_by: str | None = None
    """Field whose values are kept on one side, such as topic, or near-prompt; default: the conversation's opening."""

    test_groups: int | None = None
    """Hold out this many values of --split-by as the test split, and a share of the rest for validation."""

    max_rows: int | None = None
    """Read no more than this many rows; default: all."""

    strict: bool = False
    """Stop at the first bad row, instead of putting it into quarantine."""

    overwrite: bool = False
    """Replace what the output folder holds."""

    keep_duplicates: bool = False
    """Keep rows that repeat an earlier row exactly."""

    remove: tuple[str, ...] = ()
    """A check whose rows are removed, as in refusal or near_duplicate; repeat it for several; default: report only."""

    repair: bool = False
    """Undo encoding damage where nothing was lost; default: report only."""

    signals: Path | None = None
    """Folder of an earlier run over the same sources whose measured values are taken over, to try other thresholds."""

    near_threshold: float = 0.8
    """Similarity from which rows and prompts are near-duplicates, 0.7 to 1; 0 does not look for them."""

    decontaminate: tuple[str, ...] = ()
    """Benchmark files; rows that hold one of their texts are taken out and listed in contamination.jsonl."""

    overlap: float = 0.5
    """Share of a benchmark text's runs of 13 words (or Chinese characters) that makes a row contaminated."""

    workers: int | None = None
    """Processes that look at rows; default: one per core, and none for a few thousand rows."""

    engine: EngineName = "local"
    """Where rows are looked at: local (this machine), or ray (Ray Data, a cluster that RAY_ADDRESS names)."""

    @property
    def limits(self) -> Limits:
        """The thresholds alone."""
        return Limits(**{name: getattr(self, name) for name in Limits.__dataclass_fields__})

    @property
    def columns(self) -> tuple[Rename, ...]:
        """`map`, parsed; UsageError where it is malformed."""
        return parse_renames(self.map)
