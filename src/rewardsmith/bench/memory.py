"""How much memory training takes, measured in a process of its own, which nothing has used before."""

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rewardsmith.bench.documented import Size
from rewardsmith.errors import WorkerError
from rewardsmith.launch.children import environment, python

STEPS = 3
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Memory:
    """MB of one training process: `libraries` before the model is made, `peak` while it trains, and on a CUDA device.

    None where the system does not tell. Peak minus libraries is what model, optimizer and activations take.
    """

    libraries_mb: float | None
    peak_mb: float | None
    device_mb: float | None


def training_memory(size: Size, *, batch: int, device: str, dtype: str, threads: int | None) -> Memory:
    """Train a few steps of `batch` pairs in a fresh process and return what it took; WorkerError where it dies."""
    words = {"size": asdict(size), "batch": batch, "device": device, "dtype": dtype, "threads": threads}
    command = python("rewardsmith.bench.memory", json.dumps(words))
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, process_group=0)
    if done.returncode:
        cause = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise WorkerError(f"the process that measures memory exited early: {cause}")
    return Memory(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """The program of that process."""
    words = json.loads(sys.argv[1])
    with contextlib.redirect_stdout(sys.stderr):
        found = measure(Size(**words.pop("size")), **words)
    os.write(1, json.dumps(asdict(found)).encode() + b"\n")  # a pipe to who measures


def measure(size: Size, *, batch: int, device: str, dtype: str, threads: int | None) -> Memory:
    """What `training_memory` returns, for this process; only true where the process is new."""
    import torch

    from rewardsmith.bench.workload import Trainer, build

    if threads:
        torch.set_num_threads(threads)
    libraries = resident_mb("VmRSS")
    with contextlib.suppress(OSError):  # Linux: forget the peak of the imports
        CLEAR.write_text("5")
    trainer = Trainer.of(build(size, device=device, dtype=dtype), batch)
    job = trainer.step(batch)
    for _ in range(STEPS):
        job()
    on_cuda = trainer.model.network.device.type == "cuda"
    return Memory(
        libraries_mb=libraries,
        peak_mb=resident_mb("VmHWM") or largest_mb(),
        device_mb=torch.cuda.max_memory_allocated() / 1e6 if on_cuda else None,
    )


def resident_mb(name: str) -> float | None:
    """A line of Linux' /proc/self/status in MB (VmRSS: now, VmHWM: at most); None elsewhere."""
    if not STATUS.is_file():
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB$", STATUS.read_text(), flags=re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else None


def largest_mb() -> float | None:
    """The largest resident size of this process where there is no /proc (macOS); None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    main()
