"""`score` with a rewards file in the place of a model."""

import gzip
import json
import os
from pathlib import Path

import pytest

import rewardsmith as rs
from builders import tiny
from rewardsmith.commands import evaluate, score
from rewardsmith.errors import DataError, UsageError
from rewardsmith.pipelines.score.reading import columns_read_by

NUMERIC = "kind: verifiable\ngold: answer\nrewards:\n  - check: numeric\n"


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def run(tmp_path, rewards, rows, **settings):
    (tmp_path / "rewards.yaml").write_text(rewards, encoding="utf-8")
    source = write(tmp_path / "rows.jsonl", rows)
    output = tmp_path / "out.jsonl"
    config = score.Config(model=str(tmp_path / "rewards.yaml"), source=str(source), output=output, **settings)
    result = score.run(config)
    return result, [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


ROWS = [
    {"prompt": "2+2?", "responses": ["4", "答案是五"], "answer": "4"},
    {"prompt": "1+1?", "responses": ["3", "no idea"], "answer": "#### 2"},
]


def test_each_row_gets_its_rewards_and_the_value_of_each_check(tmp_path):
    result, rows = run(tmp_path, NUMERIC, ROWS, best_of=True)
    assert [row["rewards"] for row in rows] == [[1.0, 0.0], [0.0, 0.0]]
    assert [row["reward_numeric"] for row in rows] == [[1.0, 0.0], [0.0, 0.0]]
    assert [row["best"] for row in rows] == [0, 0]
    assert (result.rows, result.responses, result.exit_code) == (2, 4, 0)
    told = result.to_json()
    assert told["means"] == {"numeric": 0.25}
    assert told["problems"] == [{"check": "numeric", "problem": "unparsable", "count": 1}]
    assert "1 responses contain nothing" in result.to_text()


def test_the_order_of_a_preference_pair_is_that_of_the_row(tmp_path):
    pairs = [{"prompt": f"{k}+0?", "chosen": f"It is {k}", "rejected": "It is 99", "answer": k} for k in range(8)]
    _, rows = run(tmp_path, NUMERIC, pairs)
    assert all(row["rewards"] == [1.0, 0.0] for row in rows)


def test_a_bad_gold_answer_is_named_and_never_rewarded(tmp_path):
    rows = [*ROWS, {"prompt": "?", "responses": ["many"], "answer": "many"}, {"prompt": "?", "responses": ["x"]}]
    result, written = run(tmp_path, NUMERIC, rows)
    assert (result.exit_code, result.not_scored, result.to_json()["bad_gold"]) == (1, 2, 2)
    assert "rows.jsonl:3" in written[2]["error"]
    assert "many" in written[2]["error"]
    assert "rewards" not in written[2]
    assert "rewards" not in written[3]
    with pytest.raises(DataError, match=r"rows\.jsonl:3"):
        run(tmp_path, NUMERIC, rows, strict=True, overwrite=True)


def test_what_generate_writes_is_understood(tmp_path):
    row = {
        "prompt": [{"role": "user", "content": "2+2?"}],
        "responses": [
            {"messages": [{"role": "assistant", "content": "4", "reasoning_content": "not 5"}]},
            {"messages": [{"role": "assistant", "content": "4"}]},
        ],
        "comparisons": [],
        "fields": {"answer": "4", "finish_reasons": ["stop", "length"]},
    }
    result, (scored,) = run(tmp_path, NUMERIC, [row])
    assert scored["rewards"] == [1.0, 0.0]
    assert result.to_json()["truncated"] == 1


def test_a_learned_reward_beside_the_checks(tmp_path):
    model = tiny()
    model.save(tmp_path / "model")
    rewards = (
        f"{NUMERIC}    weight: 10\n  - model: {tmp_path / 'model'}\n    name: learned\n    weight: 0.5\nfailed: -99\n"
    )
    _, (row, _) = run(tmp_path, rewards, ROWS)
    learned = model.score(
        [[{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": text}] for text in ("4", "答案是五")]
    )
    assert row["reward_learned"] == pytest.approx(list(learned), abs=1e-5)
    assert row["rewards"] == pytest.approx([10 + learned[0] / 2, learned[1] / 2], abs=1e-5)


def test_settings_of_a_model_and_taken_columns_are_refused(tmp_path):
    with pytest.raises(UsageError, match="--per-token has no effect on"):
        run(tmp_path, NUMERIC, ROWS, per_token=True)
    with pytest.raises(DataError, match="reward_numeric"):
        run(tmp_path, NUMERIC, [{**ROWS[0], "reward_numeric": 1}])


def test_it_is_there_in_python(tmp_path):
    (tmp_path / "rewards.yaml").write_text(NUMERIC, encoding="utf-8")
    rows = rs.score(str(tmp_path / "rewards.yaml"), ROWS)
    assert [row["rewards"] for row in rows] == [[1.0, 0.0], [0.0, 0.0]]
    made = rs.VerifiableReward.load(tmp_path / "rewards.yaml")
    assert made(prompts=["2+2?"], completions=["4"], answer=["4"]) == [1.0]


def test_evaluate_says_how_well_the_checks_agree_with_labels(tmp_path):
    (tmp_path / "rewards.yaml").write_text(NUMERIC, encoding="utf-8")
    rows = [
        {"prompt": f"{k}+1?", "chosen": f"{k + 1}", "rejected": f"{k}" if k else "one", "answer": k + 1}
        for k in range(12)
    ]
    rows[3] |= {"chosen": rows[3]["rejected"], "rejected": rows[3]["chosen"]}
    rows.append(
        {"prompt": "5+5?", "chosen": "10", "rejected": "ten is 10", "answer": 10}
    )  # the check sees no difference
    source = write(tmp_path / "pairs.jsonl", rows)
    result = evaluate.run(evaluate.Config(model=str(tmp_path / "rewards.yaml"), sources=(str(source),)))
    assert result.summary["n"] == 13
    assert result.summary["accuracy"] == pytest.approx(11.5 / 13)
    assert result.summary["contract"] == "verifiable"
    assert result.summary["checks"]["problems"] == [{"check": "numeric", "problem": "unparsable", "count": 1}]
    bad = write(tmp_path / "bad.jsonl", [{"prompt": "?", "chosen": "a", "rejected": "b", "answer": "none"}])
    with pytest.raises(DataError, match=r"bad\.jsonl:1"):
        evaluate.run(evaluate.Config(model=str(tmp_path / "rewards.yaml"), sources=(str(bad),)))
    config = evaluate.Config(model=str(tmp_path / "rewards.yaml"), sources=(str(source),), calibrated=True)
    with pytest.raises(UsageError, match="--calibrated"):
        evaluate.run(config)


@pytest.mark.real_data
def test_the_verdicts_on_gsm8k_are_those_of_its_authors(tmp_path):
    folder = os.environ.get("REWARDSMITH_DATA")
    if not folder:
        pytest.skip("REWARDSMITH_DATA is not set")
    source = Path(folder) / "zeroeval-gsm8k" / "best_of_n.jsonl.gz"
    (tmp_path / "rewards.yaml").write_text(NUMERIC, encoding="utf-8")
    score.run(score.Config(model=str(tmp_path / "rewards.yaml"), source=str(source), output=tmp_path / "o.jsonl"))
    with gzip.open(source, "rt", encoding="utf-8") as file:
        given = [label for line in file for label in json.loads(line)["scores"]]
    ours = [value for line in (tmp_path / "o.jsonl").read_text().splitlines() for value in json.loads(line)["rewards"]]
    assert len(given) == len(ours) > 5000
    differing = [(a, b) for a, b in zip(given, ours, strict=True) if a != b]
    # Of the eight, five are right and were counted as wrong since they are not in the JSON that the prompt asks for.
    assert len(differing) <= 8


def test_columns_that_checks_read_are_known(tmp_path):
    path = tmp_path / "rewards.yaml"
    path.write_text(
        "kind: verifiable\ngold: tests\nrewards:\n  - check: code\n  - check: instructions\n", encoding="utf-8"
    )
    assert columns_read_by(str(path)) == {"tests", "test_setup_code", "entry_point", "instruction_id_list", "kwargs"}
    assert columns_read_by("tiny") == set()
