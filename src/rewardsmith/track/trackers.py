"""Which trackers there are, what each needs to be installed, and what each of them can do."""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from rewardsmith.errors import MissingExtraError, UsageError
from rewardsmith.launch.installation import install_command
from rewardsmith.launch.redaction import holds_secret, shown
from rewardsmith.settings.values import nearest
from rewardsmith.track.outcome import Outcome
from rewardsmith.track.rows import MetricsRow, RowKind

Name = Literal["tensorboard", "mlflow", "wandb", "trackio", "swanlab"]
Status = Literal["finished", "interrupted", "failed"]
PROJECT = "rewardsmith"


@dataclass(frozen=True)
class TrackerEntry:
    """Where a tracker's class is, and the modules that its extra (of the same name) installs."""

    target: str
    modules: tuple[str, ...]


TRACKERS: dict[str, TrackerEntry] = {
    "tensorboard": TrackerEntry("rewardsmith.track.tensorboard:TensorBoard", ("tensorboard",)),
    "mlflow": TrackerEntry("rewardsmith.track.mlflow:Mlflow", ("mlflow", "sqlalchemy", "alembic")),
    "wandb": TrackerEntry("rewardsmith.track.wandb:Wandb", ("wandb",)),
    "trackio": TrackerEntry("rewardsmith.track.trackio:Trackio", ("trackio",)),
    "swanlab": TrackerEntry("rewardsmith.track.swanlab:Swanlab", ("swanlab",)),
}


@dataclass(frozen=True)
class Job:
    """One tracker's part in one run; a project or name that was not given is empty until `named` fills it in."""

    tracker: str
    folder: Path
    project: str
    run_name: str
    uri: str | None

    @property
    def store(self) -> Path:
        """`track/` in the run folder: all that a tracker writes on this disk."""
        return self.folder / "track"

    @property
    def state(self) -> Path:
        """Which record belongs to the run, and how it ended."""
        return self.store / f"{self.tracker}.json"

    @property
    def log(self) -> Path:
        """What the tracker's library had to say."""
        return self.store / f"{self.tracker}.log"

    def named(self, before: Mapping[str, Any]) -> "Job":
        """With the names of the record that goes on, `before` being its state, or with the given or usual ones."""
        return replace(
            self,
            project=before.get("project") or self.project or PROJECT,
            run_name=before.get("run_name") or self.run_name or self.folder.resolve().name,
        )

    def to_json(self) -> dict[str, Any]:
        """For the journey to the tracker's process."""
        return {**asdict(self), "folder": str(self.folder.resolve())}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Job":
        """The same job at the other end."""
        return Job(**{**value, "folder": Path(value["folder"])})


class Tracker(Protocol):
    """A record that is open. Constructed with (job, run_id, settings): `run_id` is None for a new record.

    Every method may raise anything; the run does not notice. `run_id` names the record, `place` is where it lies in
    words, and `path` is a file or folder without which it is lost (None for a server).
    """

    run_id: str
    place: str
    path: Path | None

    def recorded(self) -> Mapping[RowKind, int]:
        """The last step of each kind of row that the record really holds, read back from it."""

    def log(self, rows: Sequence[MetricsRow]) -> None:
        """Add rows, in order."""

    def conclude(self, outcome: Outcome) -> None:
        """Add the final evaluation, the verdict and the report."""

    def close(self, status: Status) -> None:
        """Write all that is still held back, and mark how the run ended."""


def open_tracker(job: Job, run_id: str | None, settings: Mapping[str, Any]) -> Tracker:
    """Import the tracker's library and open the record `run_id`, or a new one."""
    module, _, name = TRACKERS[job.tracker].target.partition(":")
    return cast(Tracker, getattr(importlib.import_module(module), name)(job, run_id, settings))


def check_settings(names: Sequence[str], *, project: str | None, run_name: str | None, uri: str | None) -> None:
    """UsageError for trackers that do not exist or stand there twice, and for settings that no tracker would read."""
    for name in names:
        if name not in TRACKERS:
            raise UsageError(f"--track {name}: expected one of {', '.join(TRACKERS)}.{nearest(name, TRACKERS)}")
    if len(set(names)) < len(names):
        raise UsageError(f"--track {' '.join(names)}: each tracker may be given only once")
    if uri is not None:
        check_uri(uri, names)
    for flag, value in (("--track-project", project), ("--run-name", run_name)):
        if value is None:
            continue
        if not names:
            raise UsageError(f"{flag} {value}: no tracker uses it; add --track {next(iter(TRACKERS))}")
        if not value.strip():
            raise UsageError(f"{flag} {value!r}: expected a name")


def check_uri(uri: str, names: Sequence[str]) -> None:
    """UsageError for an address that holds a secret, or that none of the trackers reads."""
    if holds_secret(uri):
        raise UsageError(
            f"--track-uri {shown(uri)}: it may contain a password or token, and settings are stored in files; put the "
            "whole address in MLFLOW_TRACKING_URI, or the secret in MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_TOKEN"
        )
    if "mlflow" not in names:
        raise UsageError(f"--track-uri {uri}: only mlflow uses it; add --track mlflow")


def require(names: Sequence[str]) -> None:
    """MissingExtraError, naming the extra, where a tracker's packages are not installed; nothing is imported."""
    for name in names:
        missing = [module for module in TRACKERS[name].modules if importlib.util.find_spec(module) is None]
        if missing:
            raise MissingExtraError(
                f"--track {name} needs {', '.join(missing)}, not installed; install it with: {install_command(name)}"
            )
