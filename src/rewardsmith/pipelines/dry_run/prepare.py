"""What `prepare` would do: the first rows go through it for real, into a temporary folder that is deleted."""

import os
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from rewardsmith.pipelines.dry_run.sampling import files_in, refuse_downloads, row_count, size_of
from rewardsmith.pipelines.dry_run.words import about, duration
from rewardsmith.pipelines.prepare.config import Config
from rewardsmith.pipelines.prepare.pipeline import check_settings, prepare
from rewardsmith.pipelines.prepare.result import Result, counted
from rewardsmith.progress import SILENT

FEW_BYTES = 1 << 20
"""Sources up to this size together are prepared whole."""
FIRST, ROWS = 200, 1000
"""Rows of large sources that are prepared: what the second number takes longer than the first is the time of a row."""


@dataclass(frozen=True)
class PreparePlan:
    """What was found in the first `sample.rows` of about `rows` rows; `seconds` is the estimate for all."""

    rows: int
    exact: bool
    input_bytes: int
    sample: Result
    seconds: float
    workers: int

    def to_json(self) -> dict[str, Any]:
        """`dry_run`, rows, exact, input_bytes, seconds, workers, and `sample`: the result for the rows that were read."""
        sample = {key: value for key, value in asdict(self.sample).items() if key not in ("output", "shortcuts")}
        return {
            "dry_run": True,
            "rows": self.rows,
            "exact": self.exact,
            "input_bytes": self.input_bytes,
            "seconds": self.seconds,
            "workers": self.workers,
            "sample": sample,
        }

    def to_text(self) -> str:
        """What a person reads."""
        seen = self.sample
        lines = ["dry run: nothing was written", *seen.understood]
        lines.append(f"rows in the sources: {about(self.rows, exact=self.exact)} ({self.input_bytes / 1e6:,.1f} MB)")
        if seen.rows < self.rows:
            lines.append(
                f"the figures below are of the first {seen.rows:,} rows; repeats among all rows are found only by a real run"
            )
        lines.append(
            f"rows {seen.rows:,}: kept {seen.kept:,}, quarantined {seen.quarantined:,}, removed {seen.removed:,}"
        )
        if seen.quarantined_by:
            lines.append("quarantined: " + counted(seen.quarantined_by))
        if seen.removed_by:
            lines.append("removed: " + counted(seen.removed_by))
        lines.append("splits: " + counted(seen.splits))
        lines.append(
            f"time: about {duration(self.seconds)} (measured on {seen.rows:,} rows; the rest with {self.workers} processes)"
            if self.workers > 1
            else f"time: about {duration(self.seconds)} (measured on {seen.rows:,} rows)"
        )
        return "\n".join(lines)


def plan_preparation(config: Config) -> PreparePlan:
    """Check the settings, read the first rows, extrapolate; UsageError for sources that would be downloaded."""
    check_settings(config)
    refuse_downloads(config.sources)
    size, rows = size_of(config.sources), sum(map(row_count, files_in(config.sources)))
    most = None if size <= FEW_BYTES else ROWS
    if config.max_rows is not None:
        rows, most = min(rows, config.max_rows), min(most or config.max_rows, config.max_rows)
    first = tried(config, FIRST if most is None else min(most, FIRST))
    found = tried(config, most)
    if most is None or found.result.rows < most:  # there were no more
        return PreparePlan(found.result.rows, True, size, found.result, found.seconds, 1)
    between = max(1, found.result.rows - first.result.rows)
    each = max(0.0, found.seconds - first.seconds) / between
    workers = config.workers or os.cpu_count() or 1
    left = max(0, rows - found.result.rows)
    return PreparePlan(rows, False, size, found.result, found.seconds + left * each / workers, workers)


class Tried(NamedTuple):
    """What came of some rows, and the seconds that they took."""

    result: Result
    seconds: float


def tried(config: Config, rows: int | None) -> Tried:
    """Prepare the first rows in one process, in a temporary folder; labels are not judged, which needs all rows."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out"
        here = replace(config, output=output, max_rows=rows, workers=1, signals=None, label_noise="off", engine="local")
        result = prepare(here, SILENT)
    return Tried(result, time.perf_counter() - started)
