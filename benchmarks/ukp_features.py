"""How much of UKP a frozen SmolLM2-135M knows already: linear heads on the hidden states of its layers.

    REWARDSMITH_DATA=… python benchmarks/ukp_features.py --cache FOLDER

Features as in `hh_features.py`. The heads are compared by cross-validation over the 12 training debates (four folds of
three debates), where each also gets its strength of regularisation; then every head is fitted to all twelve and judged once
on the 4 test debates, which chose nothing. Differences are paired; intervals are t-intervals over the 8 test prompts.
Writes `benchmarks/results/quality/ukp-features.json`.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

import rewardsmith as rs
from hh_features import EVERY, STRENGTHS, features, head, open_backbone
from paired_rows import figures
from rewardsmith.data.merging import merge_prompts
from rewardsmith.data.splits.splitter import hold_out
from rewardsmith.files import write_json
from rewardsmith.terminal import progress_for
from rewardsmith.train.examples import encode_examples

RESULT = Path(__file__).parent / "results" / "quality" / "ukp-features.json"
FOLDS = 4
WEAKEST = (1e-6, 3e-6, *STRENGTHS)
MIDDLE = slice(3, 9)  # layers 12, 15, … 27


def main() -> None:
    """Compute or read the features, compare the heads, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    arguments = parser.parse_args()
    if not (folder := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds ukp-convarg/")
    records = list(rs.load(str(Path(folder) / "ukp-convarg/strict.jsonl.gz")).records)
    model = open_backbone("smollm2-135m")
    examples = encode_examples(merge_prompts(records), model.encoder, share=True).examples
    path = arguments.cache / "ukp.npz"
    if not path.is_file():
        found = features(model, examples, list(range(EVERY, 31, EVERY)), progress_for(sys.stderr))
        arguments.cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, sizes=[len(values) for values in found], flat=np.concatenate(found))
    with np.load(path) as stored:
        found = np.split(stored["flat"].astype(np.float32), np.cumsum(stored["sizes"])[:-1])
    topic = {record.prompt_id: str(record.fields["topic"]) for record in records}
    test = hold_out(topic.values(), 4, fractions=(0.9, 0.0, 0.1)).test
    differences, lengths, debates, prompts = [], [], [], []
    for record, example, values in zip(merge_prompts(records), examples, found, strict=True):
        words = np.array([len(response.text.split()) for response in record.responses], dtype=float)
        decided = example.preference > 0.5
        i, j = example.preferred[decided], example.other[decided]
        differences.append(values[i] - values[j])
        lengths.append(words[i] - words[j])
        debates += [topic[example.prompt_id]] * len(i)
        prompts += [int(example.prompt_id[:12], 16)] * len(i)
    x, held = np.concatenate(differences), np.array([debate in test for debate in debates])
    write_json(RESULT, {"rows": explore(x, np.concatenate(lengths), np.array(debates), np.array(prompts), held)})


def explore(
    x: np.ndarray, words: np.ndarray, debates: np.ndarray, prompts: np.ndarray, held: np.ndarray
) -> list[dict[str, Any]]:
    """Every head's cross-validated and test accuracy; the base of the differences is last layer, last token."""
    views = {
        "last layer, last token": x[:, -1, 0],
        "layer 18, last token": x[:, 5, 0],
        "layer 18, mean": x[:, 5, 1],
        "layer 18, last token and mean": x[:, 5].reshape(len(x), -1),
        "layers 12 to 27, last token": x[:, MIDDLE, 0].reshape(len(x), -1),
        "layers 12 to 27, mean": x[:, MIDDLE, 1].reshape(len(x), -1),
        "layers 12 to 27, last token and mean": x[:, MIDDLE].reshape(len(x), -1),
    }
    rows, base = [told("longer wins (words)", None, None, words[held], words[held], prompts[held])], None
    for name, view in views.items():
        strength, accuracy = chosen(view[~held], debates[~held])
        scale = view[~held].std(0) + 1e-6
        margin = (view[held] / scale) @ head(view[~held] / scale, strength)
        base = margin if base is None else base
        rows.append(told(name, strength, accuracy, margin, base, prompts[held]))
    return rows


def chosen(x: np.ndarray, debates: np.ndarray) -> tuple[float, float]:
    """(strength, accuracy) of the best cross-validation over debates."""
    names = sorted(set(debates))
    fold = np.array([names.index(debate) % FOLDS for debate in debates])
    found = []
    for strength in WEAKEST:
        right = np.zeros(len(x))
        for number in range(FOLDS):
            inside = fold == number
            scale = x[~inside].std(0) + 1e-6
            right[inside] = (x[inside] / scale) @ head(x[~inside] / scale, strength) > 0
        found.append((float(right.mean()), strength))
    accuracy, strength = max(found)
    return strength, accuracy


def told(
    name: str, strength: float | None, cross: float | None, margin: np.ndarray, base: np.ndarray, prompts: np.ndarray
) -> dict[str, Any]:
    """A row of the result."""
    row = {
        "name": name,
        "strength": strength,
        "cross_validated": cross,
        "n": len(margin),
        **figures(margin, base, prompts, minus="minus_last_layer"),
    }
    print(json.dumps(row), flush=True)
    return row


if __name__ == "__main__":
    main()
