"""One function over many pieces of work with Ray Data; the results come in the order of the pieces.

Pieces go to Ray in waves, so that neither they nor their results have to fit into memory; Ray spreads each wave over the
cluster, and does again what was under way on a machine that is lost.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from rewardsmith.errors import WorkerError
from rewardsmith.parallel.worker import outcome

C = TypeVar("C")
P = TypeVar("P")
R = TypeVar("R")

WAVE = 256
"""Pieces of one wave. Each wave costs Ray Data about a second to begin."""


@dataclass(frozen=True, slots=True)
class Boxed:
    """A value as it is: what Arrow has a type for, Ray Data would turn into that (a tuple into a list)."""

    value: Any


Shared = tuple[Callable[[Any, Any], Any], Any]
held: dict[str, Shared] = {}
"""In a process of Ray: what it works with, so that it is fetched once and not for each piece."""


def in_order_on_ray(
    ray: Any, function: Callable[[C, P], R], context: C, pieces: Iterable[P], *, wave: int = WAVE, gpus: int = 0
) -> Iterator[tuple[P, R]]:
    """Each piece with `function(context, piece)`, in the order of the pieces; see `processes.in_order`.

    `ray` is a module that is connected (see `ray_session`); each worker has `gpus` GPUs of its own. WorkerError where Ray
    gives a piece up.
    """
    shared = ray.put((function, context))
    options = ray.data.DataContext.get_current().execution_options
    options.preserve_order = True
    waiting = iter(pieces)
    while batch := list(islice(waiting, wave)):
        found = run_wave(ray, shared, batch, gpus)
        for piece, result in zip(batch, found, strict=True):
            if isinstance(result, BaseException):
                raise result
            yield piece, result


def run_wave(ray: Any, shared: Any, batch: list[Any], gpus: int) -> Iterator[Any]:
    """The results of one wave, in order; an error stands in its place among them."""
    rows = [{"piece": Boxed(piece)} for piece in batch]
    try:
        data = ray.data.from_items(rows, override_num_blocks=len(rows))
        done = data.map(work, fn_args=(shared,), num_gpus=gpus or None)
        yield from (row["result"].value for row in done.iter_rows())
    except ray.exceptions.RayError as error:
        cause = " ".join(str(error).split())[:300]
        raise WorkerError(f"Ray failed: {type(error).__name__}: {cause}; check the nodes of the cluster") from error


def work(row: dict[str, Any], shared: Any) -> dict[str, Any]:
    """One piece, in a process of Ray."""
    import ray

    name = shared.hex()
    if name not in held:
        held.clear()
        held[name] = ray.get(shared)
    function, context = held[name]
    return {"result": Boxed(outcome(function, context, row["piece"].value))}
