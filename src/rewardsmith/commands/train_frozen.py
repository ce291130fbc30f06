"""Training of a head on a frozen backbone: every text goes through the backbone once, and its features stay on disk."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.progress import Progress

if TYPE_CHECKING:
    from rewardsmith.commands.train_inputs import Start
    from rewardsmith.model.feature_store import FeatureStore
    from rewardsmith.model.network import RewardNetwork
    from rewardsmith.model.scorer import Sequences
    from rewardsmith.model.team import Team
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


def filled(
    network: "RewardNetwork", records: "Sequence[Sequences]", budget: int, progress: Progress
) -> "tuple[FeatureStore, int]":
    """The store with the features of all records, and how many texts had to be computed for it."""
    from rewardsmith.model.feature_store import fill_store, open_store

    store = open_store(features_folder(), network, sum(len(record.ids) for record in records))
    return store, fill_store(store, network, records, budget=budget, progress=progress)


@contextlib.contextmanager
def known_features(
    start: "Start", train: "Encoding", validation: "Encoding", budget: int, progress: Progress, team: "Team"
) -> Iterator[None]:
    """While it is open, a network of which only the head learns reads features from a store, which is filled first.

    Of several processes the first fills it; the others then find it full, unless it is not on a disk that they share.
    """
    if start.kind != "head":
        yield
        return
    network = start.model.network
    records = [example.sequences for example in (*train.examples, *validation.examples)]
    if not team.leads:
        team.wait()
    store, computed = filled(network, records, budget, progress)
    if team.leads:
        team.wait()
    place = "kept in memory only" if store.folder is None else f"kept in {store.folder}"
    progress.note(f"features of {len(store.places)} texts known, {computed} of them computed now; {place}")
    network.known = lambda trees: store.batch(trees, network.device)
    try:
        yield
    finally:
        network.known = None
