"""Where work is done: in processes of this machine, or on Ray."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeVar

from rewardsmith.parallel.processes import in_order, usable_cores

C = TypeVar("C")
P = TypeVar("P")
R = TypeVar("R")

EngineName = Literal["local", "ray"]


@contextlib.contextmanager
def spread(
    function: Callable[[C, P], R], context: C, pieces: Iterable[P], *, engine: EngineName, workers: int | None
) -> Iterator[Iterator[tuple[P, R]]]:
    """Each piece with its result, in their order; inside the block workers are there, after it they are not.

    `workers` processes, by default one per core; on a cluster that runs already it is the cluster that decides.
    """
    count = usable_cores() if workers is None else workers
    if engine == "ray":
        from rewardsmith.parallel.ray_mapping import in_order_on_ray
        from rewardsmith.parallel.ray_session import ray_session

        with ray_session(count) as ray:
            yield in_order_on_ray(ray, function, context, pieces)
        return
    with contextlib.closing(in_order(function, context, pieces, workers=count)) as found:
        yield found
