"""Weights & Biases: offline records in `track/wandb/` that `wandb sync` can send; online only where WANDB_MODE says so."""

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.track.framed import frames
from rewardsmith.track.outcome import Outcome
from rewardsmith.track.rows import MetricsRow, RowKind, last_steps
from rewardsmith.track.trackers import Job, Status

CODES: dict[Status, int] = {"finished": 0, "interrupted": 130, "failed": 1}


class Wandb:
    """One run; each resumed part is a folder of its own with the same id, which `wandb sync` joins."""

    def __init__(self, job: Job, run_id: str | None, settings: Mapping[str, Any]) -> None:
        self.folder = job.store.resolve()
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        for name in ("CACHE", "CONFIG", "DATA", "ARTIFACT"):  # else it writes into the home folder
            os.environ.setdefault(f"WANDB_{name}_DIR", str(self.folder / "wandb-files"))
        import wandb

        self.library = wandb
        mode = os.environ.get("WANDB_MODE", "offline")
        self.run_id = run_id or secrets.token_hex(4)
        self.run = wandb.init(
            mode=mode,  # type: ignore[arg-type]
            dir=str(self.folder),
            project=job.project,
            name=job.run_name,
            id=self.run_id,
            resume="allow" if mode == "online" else None,
            config=dict(settings),
            settings=wandb.Settings(
                console="off",
                disable_git=True,
                save_code=False,
                silent=True,
                x_disable_machine_info=True,
                x_disable_meta=True,
                x_disable_stats=True,
                x_save_requirements=False,
            ),
        )
        self.path: Path | None = Path(self.run.dir).parent
        self.place = f"{self.path} (upload it with wandb sync)" if mode == "offline" else str(self.run.url)

    def recorded(self) -> Mapping[RowKind, int]:
        """From the files of all parts."""
        return last_steps(point for file in self.folder.glob(f"wandb/*run-*-{self.run_id}/*.wandb")
                          for point in points(file))  # fmt: skip

    def log(self, rows: Sequence[MetricsRow]) -> None:
        """Handed to its own process; rows of one step become one."""
        for row in rows:
            self.run.log(dict(row.figures), step=row.step)

    def conclude(self, outcome: Outcome) -> None:
        """Figures and verdict into the summary, the report's files as an artifact."""
        self.run.summary.update({**outcome.figures, **outcome.words})
        artifact = self.library.Artifact(f"report-{self.run_id}", type="report")
        for file in outcome.files:
            artifact.add_file(str(file))
        self.run.log_artifact(artifact)

    def close(self, status: Status) -> None:
        """Wait until its process has written everything."""
        self.run.finish(exit_code=CODES[status])
        self.library.teardown()


def points(file: Path) -> Iterator[tuple[str, int]]:
    """(curve, step) of every point in a record; it is read up to the place where it was cut short."""
    from wandb.proto.wandb_internal_pb2 import Record

    for data in frames(file.read_bytes()):
        record = Record.FromString(data)
        if record.HasField("history"):
            values = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
            for name in values:
                yield name, int(json.loads(values["_step"]))
