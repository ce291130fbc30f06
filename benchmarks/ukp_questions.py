"""Which question behind the argument tells a frozen SmolLM2-135M most about UKP.

    REWARDSMITH_DATA=… python benchmarks/ukp_questions.py

The questions are compared by cross-validation over the 12 training debates (four folds of three debates), where each also
gets its penalty; then every head is fitted to all twelve and judged once on the 4 test debates, which chose nothing. Writes
`benchmarks/results/quality/ukp-questions.json`.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import rewardsmith as rs
from hh_heads import features, told
from quality import RESULTS
from rewardsmith.data.merging import merge_prompts
from rewardsmith.data.splits.splitter import hold_out
from rewardsmith.evaluate.metrics import accuracy, nll
from rewardsmith.files import write_json
from rewardsmith.train.fitting.linear import PENALTIES, PairFeatures, fit_linear, rotate

RESULT = RESULTS / "ukp-questions.json"
LAYERS = (12, 15, 18, 21, 24, 27)
FOLDS = 4
QUESTIONS = (
    None,
    "How good is this answer?",
    "Is this a convincing argument? Judge how clear, relevant and well reasoned it is.",
    "How convincing is this argument?",
)


def cross_validated(known: PairFeatures, debates: np.ndarray) -> tuple[float, float, float]:
    """(penalty, loss, accuracy) of the penalty with the smallest loss on debates left out."""
    spread = known.spread()
    data = rotate(replace(known, features=known.features / spread))[0].differences()
    names = sorted(set(debates))
    fold = np.array([names.index(debate) % FOLDS for debate in debates])
    found = []
    for penalty in PENALTIES[2:8]:
        margin = np.zeros(len(data.x))
        for number in range(FOLDS):
            inside = fold == number
            margin[inside] = data.x[inside] @ fit_linear(data.part(~inside), penalty)
        found.append((nll(margin, data.preference), penalty, accuracy(margin, data.preference)))
    loss, penalty, right = min(found)
    return penalty, loss, right


def main() -> None:
    """Compute or read the features, compare the questions, write the table."""
    if not (folder := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds ukp-convarg/")
    rows = list(rs.load(str(Path(folder) / "ukp-convarg/strict.jsonl.gz")).records)
    topic = {record.prompt_id: str(record.fields["topic"]) for record in rows}
    held = hold_out(topic.values(), 4, fractions=(0.9, 0.0, 0.1)).test
    records = merge_prompts(rows)
    parts = [[r for r in records if (topic[r.prompt_id] in held) == test] for test in (False, True)]
    order = sorted({record.prompt_id for record in parts[0]})  # pair_features numbers prompts so
    results: list[dict[str, Any]] = []
    base = None
    for question in QUESTIONS:
        train, test = (decided(known) for known in features(question, parts, LAYERS))
        penalty, loss, right = cross_validated(train, np.array([topic[order[k]] for k in train.cluster]))
        spread = train.spread()
        rotated, back = rotate(replace(train, features=train.features / spread))
        margin = test.margins(back(fit_linear(rotated.differences(), penalty)) / spread)
        base = margin if base is None else base
        row = told(str(question), margin, base, test.cluster)
        results.append({**row, "penalty": penalty, "cross_validated_loss": loss, "cross_validated_accuracy": right})
        print(json.dumps(results[-1]), flush=True)
        write_json(RESULT, {"layers": LAYERS, "rows": results})


def decided(known: PairFeatures) -> PairFeatures:
    """Without ties."""
    rows = known.preference > 0.5
    return replace(
        known,
        **{name: getattr(known, name)[rows] for name in ("preferred", "other", "preference", "weight", "cluster")},
    )


if __name__ == "__main__":
    main()
