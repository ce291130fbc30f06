"""What an ensemble learns from validation data: its members' scales, and what its rewards mean."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from rewardsmith.errors import DataError
from rewardsmith.evaluate.members.spread import fit_spread
from rewardsmith.pipelines.ensembles.margins import member_margins
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record

if TYPE_CHECKING:
    from rewardsmith.model.ensembles.combination import Combiner, MemberScale
    from rewardsmith.model.reward_model import RewardModel


def fitted_ensemble(
    model: "RewardModel", records: Sequence[Record], combination: "Combiner", progress: Progress = SILENT
) -> "RewardModel":
    """The ensemble with its members on one scale under `combination`, its normaliser, temperature and spread fitted.

    DataError where no record holds a comparison.
    """
    from rewardsmith.model.ensembles.combination import MemberScale
    from rewardsmith.model.ensembles.network import EnsembleNetwork
    from rewardsmith.model.ensembles.opening import under
    from rewardsmith.pipelines.calibrate.reward_scale import with_scale
    from rewardsmith.pipelines.evaluate.evaluation import score_all

    network = model.network
    assert isinstance(network, EnsembleNetwork)
    assert model.members is not None
    raw = under(network, combination, [MemberScale()] * network.members)
    scored = score_all(replace(model, network=raw), records, progress)
    if scored.members is None or not any(record.comparisons for record in scored.records):
        raise DataError("the validation data contains no comparisons, by which the members could be put on one scale")
    scales = scales_of(scored.records, scored.members)
    description = replace(model.members.description.with_scales(scales), combination=combination)
    chosen = replace(model, network=under(network, combination, scales), members=model.members.described(description))
    held = score_all(chosen, records, progress)
    rows = member_margins(held)
    spread = fit_spread(rows.margin, rows.std, rows.preference, weight=rows.weight)
    told = None if spread is None else {"temperature": spread.temperature, "factor": spread.factor}
    assert chosen.members is not None
    return replace(
        chosen,
        sidecar=with_scale(model.sidecar, held),
        members=chosen.members.described(replace(description, spread=told)),
    )


def scales_of(records: Sequence[Record], members: Sequence[Float64[np.ndarray, "K M"]]) -> "list[MemberScale]":
    """Each member's mean reward, and the root of its weighted mean squared margin; DataError where that is 0.

    The latter is the standard deviation of its margins when each comparison is read both ways round, as it may be.
    """
    from rewardsmith.model.ensembles.combination import MemberScale

    centre = np.concatenate(list(members)).mean(axis=0)
    squares, total = np.zeros(len(centre)), 0.0
    for record, values in zip(records, members, strict=True):
        for one in record.comparisons:
            squares += one.weight * (values[one.i] - values[one.j]) ** 2
            total += one.weight
    scale = np.sqrt(squares / total) if total else squares
    if not (scale > 0).all():
        raise DataError(
            f"member {int(np.argmin(scale)) + 1} gives both responses of every validation comparison the same reward, so "
            "its scale is unknown; remove it, or pass other data with --validation"
        )
    return [MemberScale(float(one), float(other)) for one, other in zip(centre, scale, strict=True)]
