"""The measurements themselves: each takes the bench and gives JSON for `measurements.json`, or says why it cannot."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rewardsmith.errors import ContractError, ModelError
from rewardsmith.evaluate.metrics import correctness
from rewardsmith.evaluate.statistics import cluster_index, cluster_intervals, ratio_statistic
from rewardsmith.files import hash_text
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.diagnose.bench import CannotMeasure, Workbench, scored_at_all
from rewardsmith.pipelines.diagnose.groups import groups_by_field
from rewardsmith.pipelines.diagnose.other_templates import under_other_templates
from rewardsmith.pipelines.diagnose.training_labels import training_labels
from rewardsmith.pipelines.evaluate.beside_training import (
    SAMPLE,
    ComparedMargins,
    ends,
    margins_of,
    sample_of,
    spread_over,
)
from rewardsmith.pipelines.evaluate.evaluation import training_beside
from rewardsmith.quality.shortcuts.measure import measure_shortcuts
from rewardsmith.quality.shortcuts.sample import Sample
from rewardsmith.scoring.contract import contract_in_short
from rewardsmith.scoring.trees import Ids

if TYPE_CHECKING:
    from rewardsmith.train.fitting.linear import PairFeatures

RESCORED = 100
"""Records that are scored again: a model that gives other rewards shows it on each."""

OPENED = 50
"""Records that are tokenized by the saved model: one that refuses texts or meets its pad token in them does so in many."""

HEAD_PAIRS = 2_000
"""Training comparisons that a linear head is fitted on."""

HEAD_JUDGED = 1_000
"""Held-out comparisons that it is judged on, beside the model's own head."""

FEWEST_LABELS = 100
"""Held-out labels under which nothing can be said about the share of wrong ones."""

MeasuredJson = Mapping[str, Any]


def data_again(bench: Workbench) -> MeasuredJson:
    """Whether the run's data is still what it was trained on."""
    data = bench.data
    changed = [name for name, same in data.same.items() if same is False]
    known = {record.prompt_id for record in data.splits.validation}
    judged = [] if bench.evaluation.get("split") == "validation" else bench.judged
    seen = sum(record.prompt_id in known for record in judged) / len(judged) if judged else 0.0
    return {"data_changed": list(data.changed), "splits_changed": changed, "validation_in_test": seen}


def contract_again(bench: Workbench) -> MeasuredJson:
    """Whether the model scores under the contract and with the tokenizer that it was trained with."""
    if bench.run is None:
        raise CannotMeasure("the model does not lie in a run folder")
    stored, sidecar = read_object(bench.run / "settings.json"), read_object(bench.model_place / "reward.json")
    contract = sidecar.get("contract")
    if not isinstance(contract, Mapping):
        return {"contract_changed": differs_from_training(bench, stored)}
    changed = []
    if stored.get("contract") and hash_text(json.dumps(contract, sort_keys=True))[:16] != stored["contract"]:
        changed.append("contract")
    if stored.get("tokenizer") and str(contract.get("tokenizer_hash", ""))[:16] != stored["tokenizer"]:
        changed.append("tokenizer")
    return {"contract_changed": changed}


def differs_from_training(bench: Workbench, settings: Mapping[str, Any]) -> list[str]:
    """In what a model that came without its contract, as another program exports it, is read otherwise than in training."""
    trained = read_object(bench.run / "train.json").get("scored_as") if bench.run else None
    now = contract_in_short(bench.model.contract)
    before = {"tokenizer": str(settings.get("tokenizer") or ""), **(trained if isinstance(trained, Mapping) else {})}
    return [name for name, value in now.items() if before.get(name) not in (None, "", value)]


def origin_again(bench: Workbench) -> MeasuredJson:
    """By what the run of the model is known, and where it is, where it is not the folder itself."""
    run = bench.run or bench.twin
    return {"origin": bench.how, **({"run": str(run)} if run is not None and run != bench.folder else {})}


def model_again(bench: Workbench) -> MeasuredJson:
    """Whether the saved model can be opened, and how often its pad token stands in what is scored."""
    try:
        model = bench.model
    except (ModelError, ContractError) as error:
        return {"model_error": str(error)}
    records = sample_of(bench.own.judged)[:OPENED]
    encoded: list[Ids] = []
    refusals: list[str] = []
    for record in records:
        try:
            encoded += model.encode(record).sequences
        except ContractError as error:
            refusals.append(str(error))
    pad = model.contract.pad_token_id
    held = [bool((np.asarray(ids) == pad).any()) for ids in encoded]
    refused = (
        {"refused": len(refusals) / len(records), "refused_before": refused_in(bench.own.evaluation)} if records else {}
    )
    return {
        "pad_in_text": float(np.mean(held)) if held else None,
        **refused,
        **({"refusal": refusals[0]} if refusals else {}),
    }


def refused_in(evaluation: Mapping[str, Any]) -> float:
    """The share of records that the evaluation could not score."""
    refused, scored = (int(evaluation.get(name) or 0) for name in ("not_scorable", "records"))
    return refused / (refused + scored) if refused + scored else 0.0


def rescored(bench: Workbench) -> MeasuredJson:
    """Held-out responses scored by the saved model, beside the rewards that the run's own evaluation holds.

    Where a model is judged on other data, this tells whether it is still the one that the run evaluated.
    """
    return {"rescored": {**scored_again(bench, bench.own), "by": bench.how}}


def reproduced(bench: Workbench) -> MeasuredJson:
    """The same for the rows of the folder itself, where the run's evaluation is another one."""
    return {} if bench.own is bench else {"reproduced": scored_again(bench, bench)}


def scored_again(bench: Workbench, rows_of: Workbench) -> MeasuredJson:
    """Responses of the evaluation in `rows_of` scored by the model of `bench`, beside the rewards that it holds."""
    known = rows_of.rewards
    ids = {record for record, _ in known}
    records = [record for record in rows_of.judged if record.id in ids]
    records = records[:: max(1, len(records) // RESCORED)][:RESCORED]
    if not records:
        raise CannotMeasure("none of the evaluated records is in the data any more")
    scored = scored_at_all(bench.model, records)
    old = [
        np.array([known.get((record.id, k), np.nan) for k in range(len(record.responses))]) for record in scored.records
    ]
    now, before = np.concatenate(list(scored.rewards)).astype(np.float64), np.concatenate(old)
    there = ~np.isnan(before)
    if not there.any():
        raise CannotMeasure("no response was both evaluated and scored again")
    new, then = (margins_of(scored.records, rewards) for rewards in (scored.rewards, old))
    return beside_each_other(now[there], before[there], new, then)


def beside_each_other(now: np.ndarray, before: np.ndarray, new: ComparedMargins, old: ComparedMargins) -> MeasuredJson:
    """The object `rescored`."""
    varied = before.size > 1 and before.std() > 0 and now.std() > 0
    slope, offset = np.polyfit(before, now, 1) if varied else (None, None)
    return {
        "n": int(now.size),
        "correlation": float(np.corrcoef(before, now)[0, 1]) if varied else None,
        "slope": None if slope is None else float(slope),
        "offset": None if offset is None else float(offset),
        "largest": float(np.abs(now - before).max()),
        "spread": float(before.std()),
        "at_ends": float(np.isin(before, (before.min(), before.max())).mean()),
        "accuracy_before": old.figures()["accuracy"],
        "accuracy_now": new.figures()["accuracy"],
    }


def beside(bench: Workbench) -> MeasuredJson:
    """The object `training`, where the evaluation has none."""
    if bench.evaluation.get("training"):
        return {}
    judged = scored_at_all(bench.model, bench.judged)
    return {"training": training_beside(bench.model, judged, bench.data.splits.train)}


def fitted_head(bench: Workbench) -> MeasuredJson:
    """A linear head fitted on the model's features of training comparisons, against the model's own head."""
    from rewardsmith.model.ensembles.network import NetworkEnsemble
    from rewardsmith.train.fitting.linear import fit_pair_features

    if bench.model.sidecar.heads > 1:
        raise CannotMeasure("the model has several heads")
    if isinstance(bench.model.network, NetworkEnsemble):
        raise CannotMeasure("the model is an ensemble of several networks")
    train = pair_features_of(bench, bench.data.splits.train, HEAD_PAIRS)
    held = pair_features_of(bench, bench.judged, HEAD_JUDGED)
    weights, _ = fit_pair_features(train, seed=0)
    own = bench.model.network.head.weight.detach().float().cpu().numpy().astype(np.float64).reshape(-1)
    told = {name: judged_by(held, each) for name, each in (("fitted", weights), ("own", own))}
    difference = paired_difference(held, correctness(held.margins(weights)) - correctness(held.margins(own)))
    figures = {name: each.figures() for name, each in told.items()}
    return {"head": {"pairs": int(train.preferred.size), **figures, "difference_ci": difference}}


def judged_by(held: "PairFeatures", weights: np.ndarray) -> ComparedMargins:
    """Comparisons under a head with these weights."""
    size = held.preferred.size
    return ComparedMargins(held.margins(weights), held.preference, held.weight, held.cluster, np.arange(size))


def paired_difference(held: "PairFeatures", value: np.ndarray) -> list[float] | None:
    """The 95 % interval over prompts of the mean of `value` on decided comparisons."""
    used = (held.preference > 0.5) & (held.weight > 0)
    index, clusters = cluster_index(held.cluster[used])
    if clusters < 2:
        return None
    statistic = {"value": ratio_statistic(value[used], held.weight[used], index=index)}
    return ends(
        cluster_intervals(statistic, clusters=clusters, rng=np.random.default_rng(0), resamples=SAMPLE)["value"]
    )


def pair_features_of(bench: Workbench, records: Sequence[Any], limit: int) -> "PairFeatures":
    """Features of at most `limit` comparisons of the records, evenly from all."""
    from rewardsmith.model.scorer import DEFAULT_BUDGET
    from rewardsmith.train.examples import encode_examples
    from rewardsmith.train.fitting.probe import pair_features

    step = max(1, -(-sum(len(record.comparisons) for record in records) // limit))
    network = bench.model.network
    examples = encode_examples(records[::step], bench.model.encoder, share=network.packed).examples
    if not examples:
        raise CannotMeasure("no comparison of the data can be scored")
    budget = DEFAULT_BUDGET.get(network.device.type, DEFAULT_BUDGET["cpu"])
    return pair_features(network, examples, budget, bench.progress)


def wrong_labels(bench: Workbench) -> MeasuredJson:
    """How many held-out labels are wrong, by the model that did not learn them."""
    from rewardsmith.quality.labels.noise import find_label_noise

    rows = [row for row in bench.rows if (row["preference"] or 1.0) > 0.5 and row["margin"] is not None]
    if len(rows) < FEWEST_LABELS:
        raise CannotMeasure(f"fewer than {FEWEST_LABELS} held-out labels")
    margins = np.array([float(row["margin"]) for row in rows])
    if not margins.any():
        raise CannotMeasure("all margins are 0")
    names: dict[Any, int] = {}
    cluster = np.array([names.setdefault(row["prompt_id"], len(names)) for row in rows], dtype=np.int64)
    found = find_label_noise(margins, cluster=cluster)
    span = [float(found.interval.low), float(found.interval.high)]
    return {
        "wrong_labels": {"n": len(rows), "rate": float(found.model.rate), "rate_ci": span, "shown": found.model.shown}
    }


def simple_rule(bench: Workbench) -> MeasuredJson:
    """How well simple features together predict the training labels, where `prepare` has not measured it."""
    sample = Sample(limit=HEAD_PAIRS)
    for record in bench.data.splits.train:
        sample.add(record)
    found = measure_shortcuts(sample)
    if found.joint is None:
        raise CannotMeasure("no simple feature differs between the responses")
    leading = sorted((one for one in found.features if one.found), key=lambda one: -abs(one.accuracy - 0.5))
    return {
        "rule": {
            "n": found.n,
            "accuracy": float(found.joint.accuracy),
            "accuracy_ci": ends(found.joint.accuracy_ci),
            "features": [one.name for one in leading[:3]],
        }
    }


def rows_again(bench: Workbench) -> MeasuredJson:
    """What the checks of single rows find in the training data, where `prepare` has not looked at it."""
    from rewardsmith.quality.row.limits import Limits
    from rewardsmith.quality.row.signals import signals_of

    if bench.prepared:
        return {}
    records = spread_over(bench.data.splits.train)
    limits, hit, severity = Limits(), Counter[str](), {}
    for record in records:
        found = {one.check: one.severity for one in signals_of(record).findings(record.place, limits)}
        hit.update(found.keys())
        severity.update(found)
    checks = {check: {"rows": count, "severity": severity[check]} for check, count in hit.most_common()}
    return {"rows": {"rows": len(records), "findings": checks}}


Measurement = Callable[[Workbench], MeasuredJson]
MEASUREMENTS: dict[str, Measurement] = {
    "data": data_again,
    "origin": origin_again,
    "contract": contract_again,
    "model": model_again,
    "rescored": rescored,
    "reproduced": reproduced,
    "training": beside,
    "rows": rows_again,
    "rule": simple_rule,
    "labels": training_labels,
    "head": fitted_head,
    "wrong_labels": wrong_labels,
    "groups": groups_by_field,
    "templates": under_other_templates,
}
"""Name → measurement, the cheap ones first."""
