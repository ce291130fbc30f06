"""`prepare` on every file of the real data, where that is there: counts as its description says."""

import json
import os
from pathlib import Path

import pytest

from rewardsmith.commands.prepare import Config, run

FOLDER = Path(os.environ.get("REWARDSMITH_DATA", "nowhere"))
# rows, quarantined, records of which nothing is compared
EXPECTED = {
    "alpaca-eval/null_model.jsonl.gz": (300, 0, 300),
    "alpaca-eval/pairs_length_balanced.jsonl.gz": (2839, 0, 0),
    "alpaca-eval/pairs_raw.jsonl.gz": (3476, 0, 0),
    "hh-rlhf/harmless-base.jsonl.gz": (2312, 4, 0),
    "hh-rlhf/helpful.jsonl.gz": (2352, 4, 0),
    "order-swapped-verdicts/gpt4.jsonl.gz": (1120, 2, 0),
    "ultrafeedback-noise/clean.jsonl.gz": (1000, 6, 0),
    "ultrafeedback-noise/label_flip_20.jsonl.gz": (1000, 6, 0),
    "webgpt/comparisons.jsonl.gz": (901, 0, 0),
    "zeroeval-gsm8k/best_of_n.jsonl.gz": (120, 0, 0),
    "benchmark-samples/judgebench-claude.jsonl": (8, 0, 0),
    "benchmark-samples/judgebench-gpt.jsonl": (8, 0, 0),
    "benchmark-samples/llmbar-llmbar-adversarial-gptinst.json": (6, 0, 0),
    "benchmark-samples/llmbar-llmbar-adversarial-gptout.json": (6, 0, 0),
    "benchmark-samples/llmbar-llmbar-adversarial-manual.json": (6, 0, 0),
    "benchmark-samples/llmbar-llmbar-adversarial-neighbor.json": (6, 0, 0),
    "benchmark-samples/llmbar-llmbar-natural.json": (6, 0, 0),
    "benchmark-samples/rm-bench-chat_filtered.json": (8, 0, 0),
    "benchmark-samples/rm-bench-code_filtered.json": (8, 0, 0),
    "benchmark-samples/rm-bench-safety-refuse_filtered.json": (8, 0, 0),
    "benchmark-samples/rm-bench-safety-response_filtered.json": (8, 0, 0),
}
LONG = {"ukp-convarg/strict.jsonl.gz", "ultrafeedback-noise/label_flip_20.truth.jsonl.gz"}
"""What `tests/data/loading/test_loading.py` reads in less time, and the truth of another file, no preference data."""


def source_of(name):
    if not FOLDER.is_dir():
        pytest.skip("REWARDSMITH_DATA is not set")
    return FOLDER / name


@pytest.mark.real_data
@pytest.mark.parametrize("name", EXPECTED)
def test_every_row_of_a_real_file_is_accounted_for(name, tmp_path):
    rows, quarantined, unjudged = EXPECTED[name]
    limit = 300
    result = run(
        Config(
            sources=(str(source_of(name)),),
            output=tmp_path / "out",
            fractions=(1, 0, 0),
            near_threshold=0,
            max_rows=limit,
        )
    )
    assert result.rows == min(rows, limit)
    assert result.quarantined <= quarantined
    assert result.kept + result.quarantined + result.removed == result.rows
    with (tmp_path / "out/train.jsonl").open() as file:
        judged = [bool(json.loads(line)["comparisons"]) for line in file]
    assert judged.count(False) == unjudged


@pytest.mark.real_data
def test_no_real_file_is_left_out():
    there = {
        str(path.relative_to(FOLDER)) for path in source_of("").rglob("*") if path.suffix in (".gz", ".json", ".jsonl")
    }
    assert there == {*EXPECTED, *LONG}


@pytest.mark.real_data
def test_labels_of_judgebench_and_llmbar_are_read_as_they_stand(tmp_path):
    from rewardsmith.data.loading.load import load

    for name in EXPECTED:
        if "judgebench" not in name and "llmbar" not in name:
            continue
        text = source_of(name).read_text(encoding="utf-8")
        raw = json.loads(text) if name.endswith(".json") else [json.loads(line) for line in text.splitlines()]
        for row, record in zip(raw, load(source_of(name)).records, strict=True):
            sides = ("response_A", "response_B") if "response_A" in row else ("output_1", "output_2")
            first = row["label"] in ("A>B", 1)
            (comparison,) = record.comparisons
            assert record.responses[comparison.i].text == row[sides[0] if first else sides[1]]
