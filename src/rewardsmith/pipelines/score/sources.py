"""Scoring with a rewards file or a judge in the place of a model: rows → the same rows with their rewards."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from rewardsmith.data.loading.load import source_order
from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import DataError, UsageError
from rewardsmith.files import check_output_file, claimed, refuse_inside, write_rows
from rewardsmith.pipelines.ensembles.combine import CombineSettings
from rewardsmith.pipelines.score.config import Config
from rewardsmith.pipelines.score.counts import RowCounts
from rewardsmith.pipelines.score.parts import OPTIONS
from rewardsmith.pipelines.score.pipeline import Result, highest, score_source
from rewardsmith.pipelines.score.reading import fail, refuse_taken, row_of, windows, without_response
from rewardsmith.progress import Progress
from rewardsmith.records import Quarantined, Record
from rewardsmith.rewards.critiqued import CritiquedRewards
from rewardsmith.rewards.opening import kind_of, open_rewards
from rewardsmith.rewards.source import RewardSource, ScoredResponses

if TYPE_CHECKING:
    from rewardsmith.data.loading.understanding import Read
    from rewardsmith.pipelines.score.calibrated import CalibratedFields

NEEDS_A_MODEL: Mapping[str, Any] = {
    "per_token": False,
    "combine": CombineSettings(),
    "calibrated": False,
    "engine": "local",
    "tokens_per_batch": None,
}
"""Settings that need a plain reward model, with their defaults; --calibrated works for one with critiques too."""
FAILS = ("bad_gold",)
"""What of the counts makes the command end with `exit_code` 1."""


@dataclass(frozen=True)
class SourceResult(Result):
    """What `score` counts, and beside it what the source counted (`found`), also in `sentences`.

    `contract` is the kind of the source. Rows without a usable gold answer have an `error`, and `exit_code` is then 1.
    """

    found: Mapping[str, Any] = field(default_factory=dict)
    sentences: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """1 where a gold answer is unusable."""
        return int(any(self.found.get(name) for name in FAILS))

    def to_json(self) -> dict[str, Any]:
        """The fields by name, what the source counted beside them."""
        own = {name: value for name, value in super().to_json().items() if name not in ("found", "sentences")}
        return {**own, **self.found}

    def to_text(self) -> str:
        """How many responses, and what was counted."""
        lines = [f"scored {self.responses} responses of {self.rows} rows → {self.output}", *self.sentences]
        if self.not_scored:
            lines.append(f"{self.not_scored} rows could not be scored and have an `error`")
        return "\n".join(lines)


def scored_by_any(config: Config, progress: Progress) -> Result:
    """Score a source of rows with whatever stands in the place of MODEL."""
    return (score_source if kind_of(config.model) == "model" else scored_by_source)(config, progress)


def scored_by_source(config: Config, progress: Progress) -> SourceResult:
    """Score a source of rows with a rewards file or a judge; the output appears whole or not at all."""
    with claimed(config.output):
        refuse_inside(config.output, [config.model, *input_files([config.source])])
        check_output_file(config.output, overwrite=config.overwrite)
        for name, default in NEEDS_A_MODEL.items():
            if getattr(config, name) != default and not (name == "calibrated" and kind_of(config.model) == "critiqued"):
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(f"{flag} has no effect on {named(config.model)}; remove it")
        source = opened_source(config)
        for remark in source.remarks():
            progress.note(remark)
        calibrated = calibrated_fields(config, source)
        try:
            return written(config, source, calibrated, progress)
        finally:
            source.close()


def named(model: str) -> str:
    """What stands in the place of MODEL, for a sentence."""
    what = {"critiqued": "a model that writes critiques", "verifiable": "a rewards file", "judge": "a judge file"}
    return f"{model}, {what[kind_of(model)]}"


def opened_source(config: Config) -> RewardSource:
    """What the settings name; relative places in a file are those of the current folder."""
    return open_rewards(
        config.model,
        device=config.device,
        dtype=config.dtype,
        allow_mismatch=config.allow_mismatch,
        trust_remote_code=config.trust_remote_code,
    )


def calibrated_fields(config: Config, source: RewardSource) -> "CalibratedFields | None":
    """What `--calibrated` adds to a row; ModelError where the model has no calibration."""
    if not config.calibrated or not isinstance(source, CritiquedRewards):
        return None
    from rewardsmith.pipelines.score.calibrated import CalibratedFields

    return CalibratedFields(source.model.inner, config.model)


def written(
    config: Config, source: RewardSource, calibrated: "CalibratedFields | None", progress: Progress
) -> SourceResult:
    """Write the output, window by window."""
    counts = RowCounts()

    def rows() -> Iterator[dict[str, Any]]:
        for window in windows(config, progress.note):
            yield from scored_window(config, source, window, counts, calibrated, progress)

    made = rows()
    first = next(made, None)
    if first is None:
        raise DataError(f"{config.source} contains nothing to score")
    write_rows(config.output, (orjson.dumps(row, option=OPTIONS) for row in chain([first], made)))
    return SourceResult(
        counts.rows,
        counts.responses,
        counts.not_scored,
        str(config.output),
        source.kind,
        counts.left_out,
        found=source.counted(),
        sentences=source.lines(),
    )


def scored_window(
    config: Config,
    source: RewardSource,
    window: "Sequence[Read]",
    counts: RowCounts,
    calibrated: "CalibratedFields | None",
    progress: Progress,
) -> Iterator[dict[str, Any]]:
    """Some rows with their rewards, or with an error in their place."""
    rows = [row_of(read) for read in window]
    usable = [(row, read.item) for row, read in zip(rows, window, strict=True) if isinstance(read.item, Record)]
    found = iter(source.score([item for _, item in usable], rows=[dict(row) for row, _ in usable], progress=progress))
    for row, read in zip(rows, window, strict=True):
        counts.rows += 1
        if isinstance(read.item, Record):
            counts.left_out.read(1, ())
            write(config, row, read, next(found), counts, calibrated)
        else:
            refused = unread(read)
            counts.left_out.read(1, [refused])
            fail(row, f"{refused.file}:{refused.line}", refused.reason, counts)
        yield row


def write(
    config: Config,
    row: dict[str, Any],
    read: "Read",
    found: ScoredResponses,
    counts: RowCounts,
    calibrated: "CalibratedFields | None" = None,
) -> None:
    """Give a row its rewards (null for a response without one) and what else is known, or its error."""
    record: Any = read.item
    if found.error:
        if config.strict:
            raise DataError(f"{record.place}: {found.error}")
        fail(row, record.place, found.error, counts)
        return
    order = source_order(record, hashed_order=read.hashed_order)
    written = {**rewards_of(found.rewards[order], best_of=config.best_of), **found.facts}
    written |= {name: [values[index] for index in order] for name, values in found.parts.items()}
    if calibrated is not None:
        written |= calibrated.of(record, found.rewards, list(order))
    refuse_taken(row, record.place, written)
    row |= written
    counts.responses += int(np.isfinite(found.rewards).sum())


def rewards_of(values: np.ndarray, *, best_of: bool) -> dict[str, Any]:
    """The fields with the rewards, null where there is none, and with the index of the highest."""
    known = np.isfinite(values)
    written: dict[str, Any] = {
        "rewards": [float(value) if there else None for value, there in zip(values, known, strict=True)]
    }
    if best_of:
        written["best"] = highest(np.where(known, values, -np.inf).tolist()) if known.any() else None
    return written


def unread(read: "Read") -> Quarantined:
    """A row that cannot be scored."""
    return read.item if isinstance(read.item, Quarantined) else without_response(read.item)
