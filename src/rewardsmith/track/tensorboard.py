"""TensorBoard: event files in `track/tensorboard/NAME/`; no network."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.track.outcome import Outcome, as_text
from rewardsmith.track.rows import KINDS, MetricsRow, RowKind, last_steps, marker
from rewardsmith.track.trackers import Job, Status


class TensorBoard:
    """A folder of event files; a resumed run adds a file, and readers join them. Files cannot be attached."""

    def __init__(self, job: Job, run_id: str | None, settings: Mapping[str, Any]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.run_id = run_id or re.sub(r"[^\w.-]+", "_", job.run_name)
        self.path = job.store / "tensorboard" / self.run_id
        self.place = f"{self.path.parent} (tensorboard --logdir {self.path.parent})"
        self.summary = Summary
        is_new = not self.path.is_dir()
        self.writer = EventFileWriter(str(self.path))
        if is_new:
            self._add_settings(settings)

    def recorded(self) -> Mapping[RowKind, int]:
        """From all event files of the folder, a last event that was cut short left out."""
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(
            str(self.path), size_guidance={"scalars": 1}
        ).Reload()  # the one that is kept: the last
        names = [marker(kind) for kind in KINDS if marker(kind) in found.Tags()["scalars"]]
        return last_steps((name, found.Scalars(name)[-1].step) for name in names)

    def log(self, rows: Sequence[MetricsRow]) -> None:
        """One event per row, then to the disk."""
        for row in rows:
            self._add_scalars(row.figures, row.step)
        self.writer.flush()

    def conclude(self, outcome: Outcome) -> None:
        """Figures as scalars at the last step; verdict and report as text."""
        self._add_scalars(outcome.figures, outcome.step)
        for name, text in {**outcome.words, "report": outcome.report}.items():
            if text:
                self._add_text(name, text, outcome.step)
        self.writer.flush()

    def close(self, status: Status) -> None:
        """The hyper-parameter page shows how the run ended."""
        from tensorboard.plugins.hparams import metadata
        from tensorboard.plugins.hparams.api_pb2 import Status as Shown
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

        shown = Shown.STATUS_SUCCESS if status == "finished" else Shown.STATUS_FAILURE
        ended = HParamsPluginData(session_end_info=SessionEndInfo(status=shown, end_time_secs=time.time()))
        value = self.summary.Value(
            tag=metadata.SESSION_END_INFO_TAG,
            metadata=metadata.create_summary_metadata(ended),
            tensor=metadata.NULL_TENSOR,
        )
        self._add(self.summary(value=[value]), 0)
        self.writer.close()

    def _add(self, summary: Any, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self.writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def _add_scalars(self, figures: Mapping[str, float], step: int) -> None:
        values = [self.summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._add(self.summary(value=values), step)

    def _add_text(self, name: str, text: str, step: int) -> None:
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING
        from tensorboard.plugins.text.metadata import create_summary_metadata

        tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()])
        metadata = create_summary_metadata(display_name=name, description="")
        self._add(self.summary(value=[self.summary.Value(tag=f"{name}/text", metadata=metadata, tensor=tensor)]), step)

    def _add_settings(self, settings: Mapping[str, Any]) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        plain = {name: value if isinstance(value, bool | int | float) else as_text(value)
                 for name, value in settings.items()}  # fmt: skip
        self._add(hparams_pb(plain, trial_id=self.run_id), 0)
        table = ["| setting | value |", "|---|---|", *(f"| {name} | {as_text(v)} |" for name, v in settings.items())]
        self._add_text("settings", "\n".join(table), 0)
