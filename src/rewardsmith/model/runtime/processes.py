"""The processes that work together on one run: what each computes of it, and how they share what came out.

Every process holds the same records and goes through the same steps, so that all know who computes what without asking.
A `Team` of one, `ALONE`, does nothing; code that works with a team needs no other case for it.
"""

import contextlib
import datetime
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from rewardsmith import launch
from rewardsmith.errors import TrainingError, UsageError, first_line
from rewardsmith.launch.signals import heeded

T = TypeVar("T")
PATIENCE = datetime.timedelta(hours=1)  # the first process may judge and write while the others wait
FAREWELL_SECONDS = 10.0  # the launcher ends all processes as soon as one has ended: time to tell what happened
BROKEN = re.compile(r"Connection (closed|reset)|gloo|NCCL|Broken.pipe")
LOST = (
    "another process of this run exited or is unreachable; finished work is kept; run the same command with --resume "
    "to continue"
)


@dataclass(frozen=True)
class Team:
    """This process, number `rank` of `size`."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and judges."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> list[T]:
        """This process's part of the work; all get equally many, some of them one that another has too."""
        if self.size == 1 or not items:
            return list(items)
        own = list(items[self.rank :: self.size])
        return own if len(own) == -(-len(items) // self.size) else [*own, items[0]]

    def gather(self, value: T) -> list[T]:
        """What every process has, by rank."""
        if self.size == 1:
            return [value]
        every: list[Any] = [None] * self.size
        dist.all_gather_object(every, value)
        return every

    def merge(self, known: Mapping[bytes, T]) -> dict[bytes, T]:
        """The entries of all processes."""
        merged: dict[bytes, T] = {}
        for part in self.gather(known):
            merged.update(part)
        return merged

    def from_lead(self, make: Callable[[], T]) -> T:
        """What the first process makes, in all of them."""
        if self.size == 1:
            return make()
        box: list[Any] = [make() if self.leads else None]
        dist.broadcast_object_list(box, src=0)
        made: T = box[0]
        return made

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            self.gather(None)

    def agree(self, facts: Mapping[str, Any]) -> None:
        """TrainingError where a process begins with other facts than the first; it may read other files."""
        for rank, other in enumerate(self.gather(dict(facts))):
            differing = [key for key in facts if other.get(key) != facts[key]]
            if differing:
                raise TrainingError(
                    f"process {rank} and process {self.rank} start differently ({', '.join(differing)}); all processes "
                    "need the same model, data and settings"
                )


ALONE = Team()


@contextlib.contextmanager
def joined(device: str) -> Iterator[tuple[Team, str]]:
    """Meet the processes of this launch while the block runs; yields the team and the device that this one takes.

    Where the block fails, the first process to fail tells why and the others keep silent (`launch.speaks`).
    """
    here = launch.place()
    if here is None:
        yield ALONE, device
        return
    chosen = device_of(here, device)
    store, _, _ = next(rendezvous("env://", timeout=PATIENCE))
    backend = "cpu:gloo,cuda:nccl" if chosen == "cuda" else "gloo"
    group = PrefixStore("group", store)
    dist.init_process_group(backend, store=group, rank=here.rank, world_size=here.size, timeout=PATIENCE)
    try:
        yield Team(here.rank, here.size), chosen
    except BaseException as error:
        lost = is_lost(error)
        farewell(here, PrefixStore("end", store), lost=lost)
        if lost:
            raise TrainingError(f"{LOST} ({short_cause(error)})") from error
        raise
    dist.destroy_process_group()


def device_of(here: launch.Place, device: str) -> str:
    """The device of this process: with `auto`, a GPU of its own where there are GPUs, else the CPU."""
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if device not in ("auto", "cuda"):
        raise UsageError(f"--device {device}: each process needs its own GPU; use auto, cuda or cpu")
    count = torch.cuda.device_count()
    if here.local >= count:
        raise UsageError(
            f"process {here.local} of this machine has no GPU of its own among {count} GPUs; start {count}"
        )
    torch.cuda.set_device(here.local)
    return "cuda"


def farewell(here: launch.Place, store: Store, *, lost: bool) -> None:
    """Decide who tells what happened, let go of the others, and give all of them the time to come to an end."""
    if threading.current_thread() is threading.main_thread():
        for number in heeded():  # the launcher's; it kills what has not ended after a while
            signal.signal(number, signal.SIG_IGN)
    try:
        launch.let_speak(store.add("failed", 1) == 1)
        with contextlib.suppress(Exception):
            dist.destroy_process_group()  # only now do those who wait for this process notice
        ends = time.monotonic() + (0 if lost else FAREWELL_SECONDS)
        while store.add("failed", 0) < here.size and time.monotonic() < ends:
            time.sleep(0.02)
    except RuntimeError:  # the store was kept by a process that is gone
        launch.let_speak(True)


def short_cause(error: BaseException) -> str:
    """What the network library said, without its source file and its guesses."""
    return re.sub(r"^\[\S+\] ", "", first_line(error)).split(". ")[0][:120]


def is_lost(error: BaseException) -> bool:
    """Whether this is how the end of another process shows itself in this one."""
    if isinstance(error, dist.DistError):
        return True
    return type(error) is RuntimeError and BROKEN.search(str(error)) is not None
