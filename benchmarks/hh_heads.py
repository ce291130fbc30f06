"""What a head on a frozen SmolLM2-135M gains on Anthropic HH: pooling, extra data.

    REWARDSMITH_DATA=… python benchmarks/hh_heads.py

Each arm is `train --freeze-layers -1 --head-start probe` on the same split by prompt (70/10/20): features computed once and
kept, the head fitted, its penalty chosen by cross-validation over the training prompts. Test rewards come from the same
features. Differences are paired with the first arm, with 95 % intervals. Writes `benchmarks/results/quality/hh-heads.json`.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import rewardsmith as rs
from paired_rows import figures
from quality import HH, RESULTS
from rewardsmith.data.loading.mixing import Mix
from rewardsmith.data.splits.sources import Intake, read_records
from rewardsmith.files import write_json
from rewardsmith.model.frozen.feature_cache import fill_store, open_store
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.frozen_cache import features_folder
from rewardsmith.pipelines.train.setup import open_model
from rewardsmith.records import Record
from rewardsmith.terminal import progress_for
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.fitting.linear import PairFeatures, fit_pair_features
from rewardsmith.train.fitting.probe import pair_features

RESULT = RESULTS / "hh-heads.json"
OTHERS = [
    "ultrafeedback-noise/clean.jsonl.gz:0.2",
    "webgpt/comparisons.jsonl.gz:0.2",
    "alpaca-eval/pairs_length_balanced.jsonl.gz:0.1",
]
BUDGET = 4096
LAYER = 18
ARMS = {
    "last token": (("last",), False),
    "mean over the answer": (("mean",), False),
    "last token and mean": (("last", "mean"), False),
    "last token and mean, extra data": (("last", "mean"), True),
}
"""What is read, and whether other data sets are added to training."""
POOLINGS = ("last", "mean")


def features(
    question: str | None, parts: Sequence[Sequence[Record]], layers: tuple[int, ...] = (LAYER,)
) -> list[PairFeatures]:
    """Features of each part, last token and mean beside each other; computed once and kept."""
    config = Config(
        model="smollm2-135m",
        dataset=("none",),
        output=Path("none"),
        freeze_layers=-1,
        head_start="probe",
        read_layers=layers,
        pooling=POOLINGS,
        question=question,
        max_length=HH["max_length"],
    )
    network = (model := open_model(config).model).network
    examples = [encode_examples(records, model.encoder, share=network.packed).examples for records in parts]
    sequences = [example.sequences for part in examples for example in part]
    progress = progress_for(sys.stderr)
    store = open_store(features_folder(), network, sum(len(record.ids) for record in sequences))
    fill_store(store, network, sequences, budget=BUDGET, progress=progress)
    network.cache = store
    return [pair_features(network, part, BUDGET, progress) for part in examples]


def columns(known: PairFeatures, pooling: Sequence[str]) -> PairFeatures:
    """The features of these poolings alone."""
    width = known.features.shape[1] // len(POOLINGS)
    taken = [known.features[:, k * width : (k + 1) * width] for k, way in enumerate(POOLINGS) if way in pooling]
    return replace(known, features=np.concatenate(taken, axis=1))


def together(first: PairFeatures, second: PairFeatures) -> PairFeatures:
    """Two sets of texts and comparisons as one."""
    shift = len(first.features)
    return PairFeatures(
        np.concatenate([first.features, second.features]),
        np.concatenate([first.preferred, second.preferred + shift]),
        np.concatenate([first.other, second.other + shift]),
        np.concatenate([first.preference, second.preference]),
        np.concatenate([first.weight, second.weight]),
        np.concatenate([first.cluster, second.cluster + first.cluster.max() + 1]),
    )


def told(name: str, margin: np.ndarray, base: np.ndarray, prompts: np.ndarray) -> dict[str, Any]:
    """A row of the result: accuracy, and the difference to the base."""
    return {"name": name, "n": len(margin), **figures(margin, base, prompts, minus="minus_first")}


def main() -> None:
    """Fit every arm, write the table."""
    if not (folder := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds hh-rlhf/")
    data, started = Path(folder), time.time()
    with tempfile.TemporaryDirectory() as place:
        rs.prepare([str(data / name) for name in HH["dataset"]], Path(place) / "data", fractions=HH["fractions"])
        parts = [rs.load(str(Path(place) / "data" / f"{split}.jsonl")).records for split in ("train", "test")]
    extra = read_records([str(data / name) for name in OTHERS], Intake(mix=Mix())).records
    known = features(None, [*parts, extra])
    rows, base = [], None
    for name, (pooling, more) in ARMS.items():
        train, test, other = (columns(one, pooling) for one in known)
        weights, penalty = fit_pair_features(together(train, other) if more else train, seed=0)
        margin = test.margins(weights)
        base = margin if base is None else base
        rows.append({**told(name, margin, base, test.cluster), "penalty": penalty})
        print(json.dumps(rows[-1]), flush=True)
        write_json(RESULT, {"layer": LAYER, "rows": rows, "minutes": (time.time() - started) / 60})


if __name__ == "__main__":
    main()
