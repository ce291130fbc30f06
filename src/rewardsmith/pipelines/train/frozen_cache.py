"""Training on a backbone that is frozen, or whose lower layers are: every text goes through them once, and what they give
stays on disk.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.progress import Progress

if TYPE_CHECKING:
    from rewardsmith.model.forward.network import RewardNetwork
    from rewardsmith.model.frozen.feature_cache import FeatureStore
    from rewardsmith.model.runtime.processes import Team
    from rewardsmith.model.scorer import Sequences
    from rewardsmith.pipelines.train.setup import Start
    from rewardsmith.train.examples import Encoding
    from rewardsmith.train.loop import FitSettings


def done_in_words(s: Mapping[str, Any]) -> str:
    """What was done, from a run's summary."""
    if not s["steps"]:
        return f"fitted the head on {s['pairs']} comparisons of {s['records']} records in {s['seconds']:.0f} s"
    if not s["pairs"]:  # ratings, or steps of solutions
        return f"trained {s['steps']} steps on {s['records']} records in {s['seconds']:.0f} s"
    return (
        f"trained {s['steps']} steps on {s['records']} records ({s['pairs']} comparisons seen) in "
        f"{s['seconds']:.0f} s, {s['pairs_per_second']:.1f} pairs/s"
    )


def heads_in_words(s: Mapping[str, Any]) -> list[str]:
    """How several heads did on held-out comparisons, from a run's summary; nothing for one head."""
    from rewardsmith.train.fitting.bagging import Agreement

    heads = s.get("heads")
    return [] if not heads or "agreement" not in heads else [Agreement(**heads).told()]


def features_folder() -> Path:
    """Where features are kept, beside the models."""
    from rewardsmith.files.places import models_folder

    return models_folder().parent / "features"


def filled(
    network: "RewardNetwork", records: "Sequence[Sequences]", budget: int, progress: Progress
) -> "tuple[FeatureStore, int]":
    """The store with the features of all records, and how many texts had to be computed for it."""
    from rewardsmith.model.frozen.feature_cache import fill_store, open_store

    store = open_store(features_folder(), network, sum(len(record.ids) for record in records))
    return store, fill_store(store, network, records, budget=budget, progress=progress)


@contextlib.contextmanager
def cached_outputs(
    start: "Start", train: "Encoding", validation: "Encoding", settings: "FitSettings", progress: Progress, team: "Team"
) -> Iterator[None]:
    """While it is open, what is frozen is not computed: its outputs come from a store, which is filled first.

    Of several processes the first fills it; the others then find it full, unless it is not on a disk that they share.
    """
    network = start.model.network
    records = [example.sequences for example in (*train.examples, *validation.examples)]
    try:
        if start.kind == "head":
            cache_features(network, records, settings, progress, team)
        elif start.frozen_layers > 0:
            passes = passes_over(settings, len(train.examples))
            cache_states(network, start.frozen_layers, records, settings, passes, progress, team)
        yield
    finally:
        network.cache = network.lower = None


def cache_features(
    network: "RewardNetwork", records: "Sequence[Sequences]", settings: "FitSettings", progress: Progress, team: "Team"
) -> None:
    """Let a network of which only the head learns read features from a store."""
    if not team.leads:
        team.wait()
    store, computed = filled(network, records, settings.tokens_per_microbatch, progress)
    if team.leads:
        team.wait()
    place = f"cached in {store.folder}"
    if store.folder is None:
        place = "cached in memory only" if store.problem is None else f"cached in memory only: {store.problem}"
    progress.note(f"features of {len(store.places)} texts, {computed} of them computed in this run; {place}")
    network.cache = store


def passes_over(settings: "FitSettings", examples: int) -> int:
    """How often the run goes over the training texts; fitting the head is one time more."""
    per_epoch = -(-examples // settings.batch)
    return -(-settings.total(per_epoch) // per_epoch) + (settings.head_start == "probe")


def cache_states(
    network: "RewardNetwork",
    layers: int,
    records: "Sequence[Sequences]",
    settings: "FitSettings",
    passes: int,
    progress: Progress,
    team: "Team",
) -> None:
    """Let a network begin with the outputs of its first layers, from a store; say why not, where that is not done."""
    from rewardsmith.model.frozen.eligibility import NotKept

    if not team.leads:
        team.wait()
    try:
        fill_states(network, layers, records, settings.tokens_per_microbatch, passes, progress)
    except NotKept as why:
        network.cache = network.lower = None
        progress.note(f"the outputs of the {layers} frozen layers are not cached: {why}")
    if team.leads:
        team.wait()


def fill_states(
    network: "RewardNetwork",
    layers: int,
    records: "Sequence[Sequences]",
    budget: int,
    passes: int,
    progress: Progress,
) -> None:
    """Fill the store of a network's first layers, and let the network read it; NotKept where that is not done."""
    from rewardsmith.errors import OutputError
    from rewardsmith.files import explained
    from rewardsmith.model.frozen import eligibility
    from rewardsmith.model.frozen.state_cache import fill

    if any(record.nested for record in records):
        raise eligibility.NotKept("the steps of a solution are computed in one pass, for which there is no cache")
    network.lower = eligibility.below(network, layers)
    sample = records[: eligibility.CHECKED]
    form = eligibility.checked_form(network, sample)
    root = features_folder()
    try:
        with explained(root):
            store, missing = eligibility.open_states(root, network, form, records, budget=budget, passes=passes)
            fill(store, network, missing, budget, progress)
    except OutputError as error:  # another run took the room
        raise eligibility.NotKept(str(error)) from error
    eligibility.check_reading(store, network, sample)
    computed = sum(tree.count for tree in missing)
    progress.note(
        f"outputs of the {layers} frozen layers for {len(store.places)} texts, {computed} of them computed in this "
        f"run; {store.bytes / 1e9:.2f} GB cached in {store.folder}"
    )
    network.cache = store
