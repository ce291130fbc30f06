"""A training of some seconds, in processes forked after all imports, so that a fault hits training itself."""

import functools
import hashlib
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import orjson

TRAIN = (
    *("train", "--model", "tiny", "--n-embd", "16", "--n-layer", "1", "--max-length", "256", "--threads", "1"),
    *("--dataset", "synthetic:90", "--batch", "8", "--evals", "4", "--epochs", "2", "--no-report"),
)
LORA = ("--lora.r", "4")


def ready() -> None:
    """Import what training needs, before anything is forked; nothing is computed yet, so there are no threads."""
    from rewardsmith.model.runtime.quiet import quiet_bitsandbytes

    quiet_bitsandbytes()
    import peft  # noqa: F401
    import torch
    from transformers.models.llama import modeling_llama  # noqa: F401

    import rewardsmith.commands.train
    import rewardsmith.model.reward_model
    import rewardsmith.train.loop  # noqa: F401

    torch.set_num_threads(1)


def train(folder: Path, *more: str) -> int:
    """Train, or go on where there is a run already: the command a person would type, but for the word --resume."""
    from rewardsmith.cli import main

    resume = ("--resume",) if (folder / "settings.json").is_file() else ()
    return main([*TRAIN, *more, "--output", str(folder), *resume])


def forked(work: Callable[[], int], log: Path) -> int:
    """The id of a process of its own that does some work and ends with the code that it gives; it writes into `log`."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        code = work()
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def whole_run(folder: Path, log: Path, *more: str) -> Path:
    """A run that meets no fault."""
    if code := ended(forked(functools.partial(train, folder, *more), log)):
        raise RuntimeError(f"exit {code}: {last_line(log)}")
    return folder


def problem_after(folder: Path, whole: Path, log: Path, *more: str) -> str | None:
    """Let a run that met a fault go on to its end; what is wrong with it then."""
    if code := ended(forked(functools.partial(train, folder, *more), log)):
        return f"exit {code}: {last_line(log)}"
    return difference(folder, whole)


def ended(pid: int) -> int:
    """The exit code of a process, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_after(pid: int, seconds: float) -> bool:
    """Kill a process after a while; False where it had ended before."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    ended(pid)
    return True


def fresh(name: str) -> Path:
    """A folder under the system's folder for temporary files, which the caller may fill and delete."""
    return Path(tempfile.mkdtemp(prefix=f"rewardsmith-torture-{name}-"))


def weights_of(folder: Path) -> str:
    """A hash of the finished model's weights; "" where there are none."""
    path = folder / "model" / "model.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def log_of(folder: Path) -> list[dict[str, float]]:
    """The rows of metrics.jsonl without the speed."""
    rows = [orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]
    return [{key: value for key, value in row.items() if key != "pairs_per_second"} for row in rows]


def difference(folder: Path, whole: Path) -> str | None:
    """What differs between a run that met faults and one that met none; None where nothing does."""
    if weights_of(folder) != weights_of(whole):
        return "other weights"
    if log_of(folder) != log_of(whole):
        return "other rows in metrics.jsonl"
    left = [path.name for path in folder.rglob("*") if path.name.endswith((".tmp", ".old", ".half"))]
    return f"leftovers: {', '.join(left)}" if left else None


def last_line(log: Path) -> str:
    """The last line that a process wrote."""
    return (log.read_text(errors="replace").strip().splitlines() or [""])[-1] if log.is_file() else ""
