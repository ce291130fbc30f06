"""Whether the model ranks better under another chat template than under the one that its folder has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rewardsmith.errors import RewardsmithError
from rewardsmith.evaluate.metrics import correctness
from rewardsmith.evaluate.statistics import clustered_mean
from rewardsmith.pipelines.diagnose.bench import CannotMeasure, Workbench, scored_at_all
from rewardsmith.pipelines.evaluate.beside_training import margins_of, sample_of
from rewardsmith.pipelines.evaluate.evaluation import Scored, score_all
from rewardsmith.records import Record
from rewardsmith.scoring.contract import suffix_of
from rewardsmith.scoring.templates.renderer import PLAIN_DECODER, Renderer

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel

RECORDS = 60
"""Held-out records that are scored again under each template."""

OTHERS: dict[str, str] = {
    "plain": PLAIN_DECODER,
    "chatml": (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
        "{% endfor %}"
    ),
}
"""Name → template: the two that models are mostly trained with where nobody chose one."""


def under_other_templates(bench: Workbench) -> Mapping[str, Any]:
    """For each of OTHERS: how far margins move, and the accuracy under it minus that under the model's own template.

    A template that the model's tokenizer cannot write is left out; CannotMeasure where none is left.
    """
    if bench.model.contract.kind != "decoder":
        raise CannotMeasure("an encoder reads one text, which chat templates are not made for")
    records = sample_of(bench.judged, seed=2)[:RECORDS]
    own = scored_at_all(bench.model, records)
    told = []
    for name, template in OTHERS.items():
        try:
            other = under(bench.model, template, own.records)
        except RewardsmithError:
            continue
        if other is not None and len(other.records) == len(own.records):
            told.append({"template": name, **compared(own, other)})
    if not told:
        raise CannotMeasure("no other template fits this model")
    return {"templates": told}


def under(model: "RewardModel", template: str, records: Sequence[Record]) -> Scored | None:
    """The records scored with the template in the place of the model's own; None where it is the same one."""
    before = model.contract
    renderer = Renderer(model.tokenizer, template, kwargs={}, default_system=before.default_system)
    if renderer.template == before.template:
        return None
    contract = replace(
        before, template=renderer.template, template_kwargs={}, suffix=suffix_of(renderer), bare_needs_user=False
    )
    return score_all(replace(model, sidecar=replace(model.sidecar, contract=contract)), records)


def compared(own: Scored, other: Scored) -> dict[str, Any]:
    """The figures of one template."""
    first, second = margins_of(own.records, own.rewards), margins_of(other.records, other.rewards)
    used = (first.weight > 0) & (first.preference > 0.5)
    gain = correctness(second.margin[used]) - correctness(first.margin[used])
    found = clustered_mean(gain, first.weight[used], cluster=first.cluster[used], bounds=(-1.0, 1.0))
    inside = found.interval()
    spread = float(np.std(first.margin[used])) or 1.0
    return {
        "n": int(used.sum()),
        "moved": float(np.abs(second.margin - first.margin)[used].mean()) / spread,
        "difference": float(np.average(gain, weights=first.weight[used])),
        "difference_ci": None if np.isnan(inside.low) else [float(inside.low), float(inside.high)],
    }
