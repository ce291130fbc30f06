"""A reward that is nothing but the length, on real preferences: the verdict has to find it out."""

import gzip
import json
import os
from pathlib import Path

import pytest

from rewardsmith.diagnose.reading import facts_from_folder
from rewardsmith.diagnose.verdict import judge


def length_as_reward(path):
    with gzip.open(path, "rt", encoding="utf-8") as handle:
        for line, text in enumerate(handle, start=1):
            row = json.loads(text)
            lengths = [len(row[name]) for name in ("chosen", "rejected")]
            if min(lengths) and lengths[0] != lengths[1]:
                rewards = [length / 500 for length in lengths]
                yield {
                    "source": path.name,
                    "line": line,
                    "preference": 1.0,
                    "margin": rewards[0] - rewards[1],
                    **dict(zip(("reward_i", "reward_j"), rewards, strict=True)),
                    **dict(zip(("length_i", "length_j"), lengths, strict=True)),
                    "prompt": row["prompt"],
                    "text_i": row["chosen"],
                    "text_j": row["rejected"],
                }


@pytest.mark.real_data
def test_a_reward_that_is_the_length_is_no_reward(tmp_path):
    folder = os.environ.get("REWARDSMITH_DATA")
    if not folder:
        pytest.skip("REWARDSMITH_DATA is not set")
    rows = list(length_as_reward(Path(folder) / "hh-rlhf" / "helpful.jsonl.gz"))
    accuracy = sum(row["margin"] > 0 for row in rows) / len(rows)
    same = {"accuracy": accuracy, "difference": 0.0, "difference_ci": [0.0, 0.0]}
    evaluation = {"n": len(rows), "accuracy": accuracy, "split": "test", "baselines": {"longer": same}}
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    (tmp_path / "comparisons.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    verdict = judge(facts_from_folder(tmp_path))
    assert (verdict.label, verdict.ready) == ("shortcut", False)
    assert {"length_shortcut", "learned"} <= {finding.id for finding in verdict.findings}
