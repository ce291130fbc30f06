"""MLflow: a database in the run folder, or the server or database that --track-uri or MLFLOW_TRACKING_URI names."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.launch.redaction import shown
from rewardsmith.track.outcome import Outcome, as_text
from rewardsmith.track.rows import KINDS, MetricsRow, RowKind, last_steps, marker
from rewardsmith.track.trackers import Job, Status

SQLITE = "sqlite:///"
LONGEST_VALUE = 6000  # of a parameter; a tag may be 8000 long, a batch may have 1000 metrics and 100 parameters
MOST_METRICS, MOST_PARAMETERS = 1000, 100
STATES: dict[Status, str] = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # the defaults (120 s, 7 times) would tell of a dead server after an hour
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}


class Mlflow:
    """One MLflow run; a resumed run goes on in it."""

    def __init__(self, job: Job, run_id: str | None, settings: Mapping[str, Any]) -> None:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        uri = job.uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{own_database(job.store.resolve())}"
        self.path = Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None
        self.client = MlflowClient(uri)
        known = run_id if run_id is not None and self._exists(run_id) else None
        if known is None:
            known = self.client.create_run(self._experiment(job.project), run_name=job.run_name).info.run_id
            self._add_settings(known, settings)
        else:
            self.client.update_run(known, status="RUNNING")
        self.run_id: str = known
        self.place = f"{shown(uri)}, experiment {job.project}, run {known}"

    def _exists(self, run_id: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return bool(self.client.get_run(run_id).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # Left to itself, a client of a database puts artifacts under the working directory.
        place = None if self.path is None else self.path.with_name(f"{self.path.stem}-artifacts").resolve().as_uri()
        return str(self.client.create_experiment(name, artifact_location=place))

    def _add_settings(self, run_id: str, settings: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        texts = {name: as_text(value) for name, value in settings.items()}
        params = [Param(name, text) for name, text in texts.items() if len(text) <= LONGEST_VALUE]
        for start in range(0, len(params), MOST_PARAMETERS):
            self.client.log_batch(run_id, params=params[start : start + MOST_PARAMETERS])
        for name, text in texts.items():
            if len(text) > LONGEST_VALUE:
                self.client.log_text(run_id, text, f"settings/{name}.txt")

    def recorded(self) -> Mapping[RowKind, int]:
        """Asked from the database or server."""
        names = [marker(kind) for kind in KINDS]
        return last_steps((name, found.step) for name in names
                          for found in self.client.get_metric_history(self.run_id, name))  # fmt: skip

    def log(self, rows: Sequence[MetricsRow]) -> None:
        """As batches, each written at once or not at all; a row is never cut over two."""
        batch: list[tuple[str, float, int]] = []
        for row in rows:
            if len(batch) + len(row.figures) > MOST_METRICS:
                self._write(batch)
                batch = []
            batch += [(name, value, row.step) for name, value in row.figures.items()]
        self._write(batch)

    def _write(self, batch: Sequence[tuple[str, float, int]]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(self.run_id, metrics=[Metric(name, value, now, step) for name, value, step in batch])

    def conclude(self, outcome: Outcome) -> None:
        """Figures as metrics, the verdict as tags, the report's files as artifacts."""
        self._write([(name, value, outcome.step) for name, value in outcome.figures.items()])
        for name, text in outcome.words.items():
            self.client.set_tag(self.run_id, name, text)
        for file in outcome.files:
            self.client.log_artifact(self.run_id, str(file))

    def close(self, status: Status) -> None:
        """Everything is written already."""
        self.client.set_terminated(self.run_id, STATES[status])


def own_database(folder: Path) -> Path:
    """The database in the run folder, with its tables; made under another name.

    MLflow makes the tables in dozens of steps and cannot go on where it was killed between two of them.
    """
    from mlflow import MlflowClient

    path = folder / "mlflow.db"
    if not path.exists():
        new = folder / "mlflow.db.new"
        new.unlink(missing_ok=True)
        MlflowClient(f"{SQLITE}{new}").search_experiments(max_results=1)
        new.rename(path)
    return path
