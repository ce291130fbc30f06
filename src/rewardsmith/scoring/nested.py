"""The steps of a solution as token sequences, each of which begins the next one."""

from collections.abc import Sequence

import numpy as np

from rewardsmith.errors import ContractError
from rewardsmith.scoring.trees import Ids


def nested_sequences(opening: Ids, steps: Sequence[Sequence[int]], limit: int) -> tuple[Ids, ...]:
    """The tokens up to the end of each step behind `opening`, where the solution begins.

    ContractError for a solution longer than the limit, since the value of a step depends on all before it, and for a step
    without tokens.
    """
    found: list[Ids] = []
    ids = opening
    for number, step in enumerate(steps, start=1):
        if not step:
            raise ContractError(f"step {number} has no token under this tokenizer; remove it")
        ids = np.concatenate([ids, np.asarray(step, dtype=np.int32)])
        found.append(ids)
    if len(ids) > limit:
        raise ContractError(f"the solution has {len(ids)} tokens with its prompt, more than max_length {limit}")
    return tuple(found)
