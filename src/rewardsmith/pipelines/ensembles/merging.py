"""Weight averaging of reward models from one backbone (WARM), and whether the average is as good as its members."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from rewardsmith.errors import ModelError, RewardsmithError, UsageError
from rewardsmith.evaluate import metrics
from rewardsmith.evaluate.figures import plain
from rewardsmith.evaluate.statistics import DIFFERENCE, clustered_mean
from rewardsmith.pipelines.ensembles.joining import SplitSources, opened_members
from rewardsmith.pipelines.run_data import data_run_of, read_run_data
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record

if TYPE_CHECKING:
    from torch import Tensor

    from rewardsmith.model.reward_model import RewardModel

FAR = 0.5
"""Distance of two members relative to the length of their weights, above which they hardly come from one backbone."""


@dataclass(frozen=True)
class MergeCheck:
    """The averaged model beside its members on `n` decided held-out comparisons.

    `difference` is its accuracy minus the mean of the members', with a 95 % interval over prompts; `ensemble` the accuracy
    of the mean of the members' rewards, which costs as many forward passes as there are members.
    """

    n: int
    accuracy: float
    members: tuple[float, ...]
    ensemble: float
    difference: float
    ci: tuple[float, float]

    @property
    def known(self) -> str:
        """What the interval says of the average against its members."""
        low, high = self.ci
        if low > 0:
            return "the average is better"
        return "the average is worse" if high < 0 else "no significant difference"

    def to_json(self) -> dict[str, Any]:
        """Plain values; NaN as None."""
        return {
            "n": self.n,
            "accuracy": plain(self.accuracy),
            "members": list(map(plain, self.members)),
            "ensemble_accuracy": plain(self.ensemble),
            "difference": plain(self.difference),
            "difference_ci": list(map(plain, self.ci)),
            "known": self.known,
        }


def merge(
    names: Sequence[str], held: "SplitSources", *, device: str, trust: bool, progress: Progress = SILENT
) -> "Merged":
    """Average the models and measure the average on held-out data, where some is known.

    ModelError where two are not of one shape, ContractError where they do not score the same tokens.
    """
    models = opened_members(names, device=device, trust=trust, progress=progress)
    refuse_unaveraged(models, names)
    validation = held.records("validation", names[0], progress)
    judged = unseen(held.records("test", names[0], progress), names, progress)
    columns = [margins_of(model, judged) for model in models]
    distance = farthest(models)
    if distance > FAR:
        progress.note(
            f"relative distance of the weights of two members: {distance:.2f}; models of one backbone are usually closer, "
            "and the average of others is rarely a good model"
        )
    model = averaged(models)
    if validation:
        model = with_meaning(model, validation)
    check = None if not judged else checked(judged, margins_of(model, judged), np.stack(columns, axis=1))
    return Merged(model, distance, check)


def unseen(records: Sequence[Record], names: Sequence[str], progress: Progress) -> list[Record]:
    """The records whose prompts no member was trained on: runs with other seeds have other splits."""
    trained: set[str] = set()
    for name in names:
        run = data_run_of(name)
        try:
            found = [] if run is None else read_run_data(run).splits.train
        except RewardsmithError as error:
            progress.note(f"overlap with the training data of {name} is not checked: {error}")
            continue
        trained.update(record.prompt_id for record in found)
    kept = [record for record in records if record.prompt_id not in trained]
    if len(kept) < len(records):
        progress.note(
            f"{len(records) - len(kept)} held-out records are not used: a member was trained on their prompts"
        )
    return kept


@dataclass(frozen=True)
class Merged:
    """The averaged model, how far apart its members are, and how it does (None: no held-out data is known)."""

    model: "RewardModel"
    distance: float
    check: MergeCheck | None


def refuse_unaveraged(models: "Sequence[RewardModel]", names: Sequence[str]) -> None:
    """ModelError for models that have no average: ensembles, other shapes, other readouts, columns beside the reward."""
    from rewardsmith.model.ensembles.members import refuse_unlike

    if len(models) < 2:
        raise UsageError(f"merge needs two models or more, got {len(models)}")
    refuse_unlike(models, names)
    for model, name in zip(models, names, strict=True):
        if model.members is not None:
            raise ModelError(f"{name} is an ensemble, which has no weights of one model; pass its members")
        if model.sidecar.head is not None:
            raise ModelError(
                f"{name} has the head {model.sidecar.head.name}, whose columns cannot be averaged; merge models with a "
                "scalar head"
            )
    for model, name in zip(models[1:], names[1:], strict=True):
        if where := other_shape(models[0], model):
            raise ModelError(
                f"{names[0]} and {name} have other shapes ({where}), so their weights cannot be averaged; merge models "
                "trained from one backbone"
            )


def other_shape(one: "RewardModel", other: "RewardModel") -> str:
    """The first weight that has another shape in one of the two, or what their heads read; "" where they are alike."""
    first, second = shapes_of(one), shapes_of(other)
    differing = sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))
    if differing:
        return differing[0]
    return "what the head reads" if one.network.readout != other.network.readout else ""


def shapes_of(model: "RewardModel") -> dict[str, tuple[int, ...]]:
    """The shape of every weight."""
    return {name: tuple(value.shape) for name, value in model.network.hf.state_dict().items()}


def farthest(models: "Sequence[RewardModel]") -> float:
    """The largest distance of a member from the first, relative to the length of the first's weights."""
    first = models[0].network.hf.state_dict()
    length = float(sum(squares(value) for value in first.values())) ** 0.5
    distances = [
        float(sum(squares(value - other[name]) for name, value in first.items())) ** 0.5
        for other in (model.network.hf.state_dict() for model in models[1:])
    ]
    return max(distances) / length if length else 0.0


def squares(values: "Tensor") -> float:
    """The sum of squares, of numbers with a fraction."""
    return float(values.double().pow(2).sum()) if values.is_floating_point() else 0.0


def averaged(models: "Sequence[RewardModel]") -> "RewardModel":
    """The model whose weights are the mean of theirs (Rame et al. 2024, arXiv 2401.12187, section 3.1), summed in float64.

    The models themselves are used up: the first becomes the average.
    """
    import torch

    states = [model.network.hf.state_dict() for model in models]
    mean = {}
    for name, first in states[0].items():
        every = [state[name] for state in states]
        if first.is_floating_point():
            total = sum((value.double() for value in every[1:]), start=first.double())
            mean[name] = (total / len(every)).to(first.dtype)
        elif not all(torch.equal(first, value) for value in every):
            raise ModelError(f"the models have other values of {name}, which has no mean; merge models of one backbone")
    models[0].network.hf.load_state_dict(mean, strict=False)
    offset = float(np.mean([model.network.offset for model in models]))
    models[0].network.offset = offset
    sidecar = replace(
        models[0].sidecar, normalizer=None, calibration=None, probes=(), heads=1, head=None, offset=offset
    )
    return replace(models[0], sidecar=sidecar, head=None, adapter_files=None)


def with_meaning(model: "RewardModel", records: Sequence[Record]) -> "RewardModel":
    """The model with a normaliser and a temperature fitted on validation records."""
    from rewardsmith.pipelines.calibrate.reward_scale import with_scale
    from rewardsmith.pipelines.evaluate.evaluation import score_all

    return replace(model, sidecar=with_scale(model.sidecar, score_all(model, records)))


def margins_of(model: "RewardModel", records: Sequence[Record]) -> Float[np.ndarray, " C"]:
    """The margin of every comparison; none of no records."""
    from rewardsmith.pipelines.evaluate.evaluation import compared, score_all

    scored = score_all(model, records)
    return np.array([row.margin for row in compared(scored.records, scored.rewards)], dtype=np.float64)


def checked(
    records: Sequence[Record], margin: Float[np.ndarray, " C"], members: Float[np.ndarray, "C M"]
) -> MergeCheck:
    """The average beside its members on the decided comparisons that have weight."""
    rows = [(record, one) for record in records for one in record.comparisons]
    weight = np.array([one.weight for _, one in rows], dtype=np.float64)
    preference = np.array([one.preference for _, one in rows], dtype=np.float64)
    prompts: dict[str, int] = {}
    cluster = np.array([prompts.setdefault(record.prompt_id, len(prompts)) for record, _ in rows])
    used = metrics.decided(preference) & (weight > 0)
    margin, members, weight, cluster = margin[used], members[used], weight[used], cluster[used]
    scale = np.sqrt((members**2).mean(axis=0))
    right = metrics.correctness(margin)
    each = np.stack([metrics.correctness(column) for column in members.T], axis=1)
    together = metrics.correctness((members / np.where(scale > 0, scale, 1)).mean(axis=1))
    found = clustered_mean(right - each.mean(axis=1), weight, cluster=cluster, bounds=DIFFERENCE)
    interval = found.interval()
    return MergeCheck(
        n=len(right),
        accuracy=metrics.weighted_mean(right, weight),
        members=tuple(metrics.weighted_mean(column, weight) for column in each.T),
        ensemble=metrics.weighted_mean(together, weight),
        difference=found.value,
        ci=(interval.low, interval.high),
    )
