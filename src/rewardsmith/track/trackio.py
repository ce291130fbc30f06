"""Trackio: a database in `track/trackio/` (or TRACKIO_DIR), sent nowhere unless Trackio's own variables name a place."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.errors import OutputError
from rewardsmith.track.outcome import Outcome
from rewardsmith.track.rows import MetricsRow, RowKind, last_steps
from rewardsmith.track.trackers import Job, Status


class Trackio:
    """One Trackio run. Runs are resumed by name, so the stored id has to be that of the run found."""

    def __init__(self, job: Job, run_id: str | None, settings: Mapping[str, Any]) -> None:
        folder = Path(os.environ.setdefault("TRACKIO_DIR", str((job.store / "trackio").resolve())))
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        import trackio
        from trackio.sqlite_storage import SQLiteStorage

        self.library, self.storage, self.project = trackio, SQLiteStorage, job.project
        known = (
            None if run_id is None else next((run for run in trackio.Api().runs(job.project) if run.id == run_id), None)
        )
        self.run = trackio.init(
            job.project,
            name=known.name if known else job.run_name,
            resume="must" if known else "never",
            config=dict(settings),
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        if known and self.run.id != run_id:
            raise OutputError(f"another run of the project {job.project} has the name {known.name}; pass --run-name")
        self.run_id: str = self.run.id
        self.path: Path | None = SQLiteStorage.get_project_db_path(job.project)
        self.place = f"{folder}, project {job.project}, run {self.run.name} (TRACKIO_DIR={folder} trackio show)"

    def recorded(self) -> Mapping[RowKind, int]:
        """From its database."""
        rows = self.storage.get_logs(self.project, run_id=self.run_id)
        return last_steps((name, row["step"]) for row in rows for name in row)

    def log(self, rows: Sequence[MetricsRow]) -> None:
        """Handed to its own thread, which writes twice a second."""
        for row in rows:
            self.run.log(dict(row.figures), step=row.step)

    def conclude(self, outcome: Outcome) -> None:
        """Figures at the last step, verdict and report as text, files as an artifact."""
        self.run.log(dict(outcome.figures), step=outcome.step)
        for name, text in {**outcome.words, "report": outcome.report}.items():
            if text:
                self.run.log({name: self.library.Markdown(text)}, step=outcome.step)
        artifact = self.library.Artifact(f"report-{self.run_id}", type="report")
        for file in outcome.files:
            artifact.add_file(str(file))
        self.run.log_artifact(artifact)

    def close(self, status: Status) -> None:
        """Its runs have no state of their own; the end stands in the log as a word."""
        self.run.finish()
