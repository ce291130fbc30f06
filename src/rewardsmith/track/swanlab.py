"""SwanLab: offline records in `track/swanlab/` that `swanlab sync` can send; online only where SWANLAB_MODE says so."""

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rewardsmith.track.outcome import Outcome
from rewardsmith.track.rows import MetricsRow, RowKind, last_steps
from rewardsmith.track.trackers import Job, Status

STATES: dict[Status, Literal["success", "aborted", "crashed"]] = {
    "finished": "success",
    "interrupted": "aborted",
    "failed": "crashed",
}
NOTHING_OF_THE_MACHINE = ("hardware", "runtime", "requirements", "conda", "git", "swanlab", "monitor")


class Swanlab:
    """One experiment; each resumed part is a folder of its own with the same id, which `swanlab sync` joins."""

    def __init__(self, job: Job, run_id: str | None, settings: Mapping[str, Any]) -> None:
        import swanlab

        self.folder = (job.store / "swanlab").resolve()
        self.folder.mkdir(exist_ok=True)
        self.base = job.folder.resolve()
        self.run_id = run_id or secrets.token_hex(8)
        self.last: dict[str, int] = {}
        self.run = swanlab.init(
            mode=os.environ.get("SWANLAB_MODE", "offline"),  # type: ignore[arg-type]
            log_dir=str(self.folder),
            project=job.project,
            name=job.run_name,
            id=self.run_id,
            resume="allow",
            config=dict(settings),
            settings=swanlab.Settings(
                probe=dict.fromkeys(NOTHING_OF_THE_MACHINE, False),
                terminal={"proxy_type": "none"},
                interactive=False,
            ),
        )
        self.path: Path | None = Path(self.run.dir)
        self.place = f"{self.run.dir} (upload it with swanlab sync)"

    def recorded(self) -> Mapping[RowKind, int]:
        """From the files of all parts."""
        held = [
            point for file in self.folder.glob("run-*/*.swanlab") if self.run_id in file.name for point in points(file)
        ]
        self.last = {}
        for curve, step in held:
            self.last[curve] = max(step, self.last.get(curve, 0))
        return last_steps(held)

    def log(self, rows: Sequence[MetricsRow]) -> None:
        """Curve by curve, so the last row may be half there already. Its errors are only printed; `recorded` tells."""
        for row in rows:
            missing = {name: value for name, value in row.figures.items() if row.step > self.last.get(name, 0)}
            self.run.log(missing, step=row.step)

    def conclude(self, outcome: Outcome) -> None:
        """Figures at the last step, the verdict as text, the report's files beside the record."""
        self.run.log(dict(outcome.figures), step=outcome.step)
        for name, text in outcome.words.items():
            self.run.log_text(key=name, data=text, step=outcome.step)
        for file in outcome.files:
            self.run.save(str(file.resolve()), base_path=str(self.base), policy="now")

    def close(self, status: Status) -> None:
        """Write the file's rest and its last record."""
        self.run.finish(state=STATES[status], error=None if status != "failed" else "training stopped with an error")


def points(file: Path) -> Iterator[tuple[str, int]]:
    """(curve, step) of every scalar in a record; it is read up to the place where it was cut short."""
    from swanlab.proto.swanlab.record.v1.record_pb2 import Record
    from swanlab.sdk.internal.core_python.store import LEVELDBLOG_HEADER_LEN, DataStoreReader

    if file.stat().st_size <= LEVELDBLOG_HEADER_LEN:  # nothing but the header, or that neither
        return
    reader = DataStoreReader()
    reader.open(file)
    for data in reader:
        record = Record()
        record.ParseFromString(data)
        if record.HasField("scalar"):
            yield record.scalar.key, record.scalar.step
    reader.close()
