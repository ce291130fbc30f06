"""log p of whole responses under a policy, without a gradient: for the reference, and to see how far a model has moved."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from rewardsmith.align.dpo.policy import PolicyNetwork
from rewardsmith.align.dpo.reference import Reference, key_of
from rewardsmith.model.forward.batches import Batch
from rewardsmith.model.scorer import Sequences, computed, finite
from rewardsmith.progress import SILENT, Progress


def log_probs(
    network: PolicyNetwork,
    records: Sequence[Sequences],
    *,
    budget: int | None = None,
    progress: Progress = SILENT,
) -> list[Float64[np.ndarray, " K"]]:
    """The sum of log p over the tokens of each response, its end token included, whatever the network's reference is."""

    def total(batch: Batch) -> Float64[np.ndarray, " R"]:
        values: Float64[np.ndarray, " R"] = network(batch, wide=True)[:, 1].double().cpu().numpy()
        return values

    before, network.reference = network.reference, None
    found = []
    try:
        with progress.task("log probabilities", len(records), "records") as task:
            for values in computed(network, records, total, budget=budget):
                found.append(finite(values))
                task.advance()
    finally:
        network.reference = before
    return found


def reference_of(
    network: PolicyNetwork, records: Sequence[Sequences], *, budget: int | None = None, progress: Progress = SILENT
) -> Reference:
    """What the network says of every response as it is now."""
    found = log_probs(network, records, budget=budget, progress=progress)
    return Reference(
        {
            key_of(text): float(value)
            for record, values in zip(records, found, strict=True)
            for text, value in zip(record.texts(), values, strict=True)
        }
    )
