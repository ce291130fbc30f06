"""Training of a head on a frozen backbone: every text goes through the backbone once, and its features stay on disk."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.progress import Progress

if TYPE_CHECKING:
    from rewardsmith.commands.train_inputs import Start
    from rewardsmith.train.examples import Encoding


def done_in_words(s: Mapping[str, Any]) -> str:
    """What was done, from a run's summary."""
    if not s["steps"]:
        return f"fitted the head to {s['pairs']} comparisons of {s['records']} records in {s['seconds']:.0f} s"
    return (
        f"trained {s['steps']} steps on {s['records']} records ({s['pairs']} comparisons seen) in "
        f"{s['seconds']:.0f} s, {s['pairs_per_second']:.1f} pairs/s"
    )


def features_folder() -> Path:
    """Where features are kept, beside the models."""
    from rewardsmith.model.backbones import models_folder

    return models_folder().parent / "features"


@contextlib.contextmanager
def known_features(
    start: "Start", train: "Encoding", validation: "Encoding", budget: int, progress: Progress
) -> Iterator[None]:
    """While it is open, a network of which only the head learns reads features from a store, which is filled first."""
    from rewardsmith.model.feature_store import fill_store, open_store

    if start.kind != "head":
        yield
        return
    network = start.model.network
    records = [example.sequences for example in (*train.examples, *validation.examples)]
    store = open_store(features_folder(), network, sum(len(record.ids) for record in records))
    computed = fill_store(store, network, records, budget=budget, progress=progress)
    place = "kept in memory only" if store.folder is None else f"kept in {store.folder}"
    progress.note(f"features of {len(store.places)} texts known, {computed} of them computed now; {place}")
    network.known = lambda trees: store.batch(trees, network.device)
    try:
        yield
    finally:
        network.known = None
