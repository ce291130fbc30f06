"""The program that trains trials: it takes them from a connection, tells every validation pass, and is told whether to stop.

python -m rewardsmith.pipelines.tune.worker FD        # started by rewardsmith.pipelines.tune.crew only
"""

import os
import queue
import signal
import sys
import threading
import time
import traceback
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from rewardsmith.errors import OutputError, RewardsmithError, UsageError, first_line
from rewardsmith.launch.signals import Interrupted
from rewardsmith.pipelines.train.config import Config as TrainConfig
from rewardsmith.pipelines.tune.messages import Done, FailedTrial, Pruned, TrialJob

if TYPE_CHECKING:
    from rewardsmith.train.held_out import ValidationPass, Watch

SECONDS_FOR_OTHER = 60.0
"""How long to wait for a process that still holds the run: one that was left behind is finishing its step."""


class Stopped(Exception):
    """The search stops this trial early."""


def main() -> None:
    """Train until the other end closes."""
    connection = Connection(int(sys.argv[1]))
    jobs: queue.Queue[TrialJob | None] = queue.Queue()
    verdicts: queue.Queue[bool | None] = queue.Queue()
    # In a thread of its own, so that a program that is gone is noticed in the middle of a training.
    threading.Thread(target=receive, args=(connection, jobs, verdicts), daemon=True).start()

    def watch(passed: "ValidationPass") -> None:
        connection.send(passed)
        go_on = verdicts.get()
        if go_on is None:
            raise Interrupted(signal.SIGTERM)
        if not go_on:
            raise Stopped("the search stopped this trial early")

    try:
        while (job := jobs.get()) is not None:
            connection.send(outcome(job, watch))
    except (EOFError, OSError, Interrupted):
        pass  # whoever started this program is gone, or ends it; the run has a checkpoint


def receive(connection: Connection, jobs: "queue.Queue[TrialJob | None]", verdicts: "queue.Queue[bool | None]") -> None:
    """Pass on what comes. Once nothing more can come, the training writes a checkpoint and ends, as on SIGTERM."""
    try:
        while True:
            message = connection.recv()
            if isinstance(message, TrialJob):
                jobs.put(message)
            else:
                verdicts.put(message)
    except (EOFError, OSError):
        jobs.put(None)
        verdicts.put(None)
        os.kill(os.getpid(), signal.SIGTERM)


def outcome(job: TrialJob, watch: "Watch") -> Done | FailedTrial | Pruned:
    """Train one run; whatever goes wrong becomes the answer."""
    import torch

    try:
        return trained(job, watch)
    except Stopped:
        return Pruned()
    except torch.OutOfMemoryError as error:
        return FailedTrial("OutOfMemoryError", f"out of GPU memory: {first_line(error)}")
    except MemoryError:
        return FailedTrial("MemoryError", "out of memory")
    except (RewardsmithError, UsageError, OSError) as error:
        return FailedTrial(type(error).__name__, str(error), error)
    except Exception as error:
        # A bug: its own kind may not survive the way, its traceback has to.
        return FailedTrial(
            type(error).__name__, f"{type(error).__name__}: {first_line(error)}", trace=traceback.format_exc()
        )


def trained(job: TrialJob, watch: "Watch") -> Done:
    """Start the run, or continue it where an earlier process left something to continue."""
    from rewardsmith.pipelines.train.pipeline import train

    config = replace(job.config, device=device_of(job))
    wait_for_other(config)
    left = (config.output / "settings.json").is_file()
    if job.resume and left:
        result = train(replace(config, resume=True, overwrite=False), watch=watch)
    else:
        result = train(replace(config, resume=False, overwrite=left), watch=watch)
    return Done(dict(result.summary), result.verdict_text)


def device_of(job: TrialJob) -> str:
    """The device of the settings; of several GPUs, trials that run at the same time get different ones."""
    import torch

    several = job.config.device in ("auto", "cuda") and torch.cuda.device_count() > 1
    return f"cuda:{job.device % torch.cuda.device_count()}" if several else job.config.device


def wait_for_other(config: TrainConfig) -> None:
    """Wait until no other process writes this run; OutputError where it goes on."""
    from rewardsmith.files import claimed

    ends = time.monotonic() + SECONDS_FOR_OTHER
    while True:
        try:
            with claimed(config.output):
                return
        except OutputError:
            if time.monotonic() > ends:
                raise
        time.sleep(0.5)


if __name__ == "__main__":
    main()
