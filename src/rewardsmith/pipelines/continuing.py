"""Folders that a killed run left unfinished, and that the same command continues."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rewardsmith.files import check_output, prepare_output, refuse_inside, write_json
from rewardsmith.files.kinds import Kind
from rewardsmith.files.reading import read_object
from rewardsmith.progress import Progress


def begin_or_continue(
    output: Path, kind: Kind, started: Mapping[str, Any], inputs: Iterable[str], *, overwrite: bool, progress: Progress
) -> None:
    """Make the folder with a marker that says `started`; one that an interrupted run with the same ones left stays.

    OutputError where something else is there and may not be replaced.
    """
    assert kind.marker is not None
    refuse_inside(output, inputs)
    if kind.recognises(output):
        before = read_object(output / kind.marker)
        if not before.get("finished") and {name: before.get(name) for name in started} == started:
            progress.note("continuing the run that was interrupted in this folder")
            return
    check_output(output, kind, overwrite=overwrite)
    prepare_output(output, kind, overwrite=overwrite)
    write_json(output / kind.marker, {**started, "finished": False})


@contextlib.contextmanager
def nothing_left(output: Path, kind: Kind) -> Iterator[None]:
    """Where the block fails before anything was made, remove the marker that the folder holds alone: a folder that says only
    that a run began would have to be replaced by the next one.
    """
    try:
        yield
    except BaseException:
        assert kind.marker is not None
        if [path.name for path in output.iterdir()] == [kind.marker]:
            (output / kind.marker).unlink()
        raise
