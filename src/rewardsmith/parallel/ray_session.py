"""Ray, started and stopped so that it neither talks to the outside nor into our output.

    with ray_session(workers=2) as ray:
        ...

Started on this machine unless `RAY_ADDRESS` names a cluster; a cluster that runs already is joined, and left at the end.
"""

import contextlib
import importlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rewardsmith.errors import MissingExtraError, WorkerError
from rewardsmith.launch.installation import install_command
from rewardsmith.launch.signals import kept

OBJECT_STORE_BYTES = 256 << 20
"""Memory for what travels between processes on this machine; Ray spills to the disk what does not fit."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "RAY_worker_niceness": "0",  # 15 by default, which on a busy machine means never
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Read by Ray when it is imported: no usage report, no bars and no log lines beside our own, and workers
that get as much of the processor as this process."""


@contextlib.contextmanager
def ray_session(workers: int, *, object_store_bytes: int = OBJECT_STORE_BYTES) -> Iterator[Any]:
    """The module `ray`, connected; `workers` CPUs where it is started here. Stopped at the end, whatever happens.

    A session that the calling program has begun is used and left as it is. MissingExtraError without the package,
    WorkerError where it does not start.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    # Not in Ray's usual /tmp/ray: what it writes down is removed with the session, and two users cannot meet.
    folder = Path(tempfile.mkdtemp(prefix="rs-ray-"))
    try:
        start(ray, workers, object_store_bytes, folder)
        yield ray
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def import_ray() -> Any:
    """The module `ray` with `ray.data` in it, told to be quiet before its first import."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ImportError as error:
        raise MissingExtraError(
            f"--engine ray needs the package ray; install it with: {install_command('ray')}"
        ) from error
    return ray


def start(ray: Any, workers: int, object_store_bytes: int, folder: Path) -> None:
    """Join the cluster that RAY_ADDRESS names, or start Ray on this machine."""
    address = os.environ.get("RAY_ADDRESS")
    here = {
        "num_cpus": workers,
        "object_store_memory": object_store_bytes,
        "include_dashboard": False,
        "_temp_dir": str(folder),
    }
    try:
        # Ray lets its workers look for modules in the current folder, where those of somebody's data may lie; and it
        # takes SIGTERM for itself.
        with contextlib.chdir(folder), kept():
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **({} if address else here),
            )
    except (OSError, RuntimeError, ValueError) as error:
        where = f"connect to the cluster at {address}" if address else "start locally"
        cause = " ".join(str(error).split())[:300] or type(error).__name__
        raise WorkerError(f"Ray could not {where}: {cause}; check RAY_ADDRESS, or remove --engine ray") from error
