"""What each token adds to the reward in the worst errors: on a model whose rewards are known."""

import json

import numpy as np
import pytest

from builders import tiny
from rewardsmith.commands import evaluate
from rewardsmith.pipelines.diagnose import error_tokens
from rewardsmith.pipelines.diagnose.bench import CannotMeasure, Workbench

ROWS = [
    {"prompt": f"What is {k} plus {k}?", "chosen": f"It is {2 * k}.", "rejected": f"好的，答案是 {k}！"}
    for k in range(30)
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """The evaluation of an untrained model, which is wrong in about every second pair."""
    place = tmp_path_factory.mktemp("tokens")
    tiny(seed=3, max_length=96).save(place / "model")
    (place / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    asked = {"model": str(place / "model"), "sources": (str(place / "pairs.jsonl"),), "output": place / "out"}
    evaluate.run(evaluate.Config(**asked))
    return Workbench.of(place / "out")


def test_the_worst_errors_come_first_with_both_responses_whole(bench):
    found = error_tokens.error_tokens(bench)["error_tokens"]
    wrong = sorted((row for row in bench.rows if row["margin"] < 0), key=lambda row: row["margin"])
    assert [(one["id"], one["i"], one["j"]) for one in found] == [(row["id"], row["i"], row["j"]) for row in wrong]
    texts = {record.id: [response.text for response in record.responses] for record in bench.judged}
    for one in found:
        for side, number in zip(one["sides"], (one["i"], one["j"]), strict=True):
            assert texts[one["id"]][number] in "".join(side["texts"])
            assert len(side["texts"]) == len(side["values"])


def test_what_the_tokens_add_is_the_difference_of_the_rewards(bench):
    """Both responses follow one prompt, whose value cancels: the sums differ by the margin of the evaluation."""
    margins = {(row["id"], row["i"], row["j"]): row["margin"] for row in bench.rows}
    for one in error_tokens.error_tokens(bench)["error_tokens"]:
        preferred, other = (sum(side["values"]) for side in one["sides"])
        assert preferred - other == pytest.approx(margins[one["id"], one["i"], one["j"]], abs=1e-3)


def test_contributions_of_a_head_that_reads_the_last_token_or_the_mean():
    values = np.array([9.0, 1.0, 3.0, 2.0, 6.0])  # at five tokens, the last three the answer's
    assert error_tokens.contributions(values, 3, mean=False).tolist() == [2.0, -1.0, 4.0]
    assert error_tokens.contributions(values, 3, mean=True) == pytest.approx([1.0, 2 / 3, 2.0])
    assert error_tokens.contributions(values, 5, mean=False).sum() == 6.0


def test_tokens_and_time_have_an_end(bench, monkeypatch):
    monkeypatch.setattr(error_tokens, "TOKENS", 60)
    few = error_tokens.error_tokens(bench)["error_tokens"]
    assert 1 <= len(few) <= 2
    assert sum(len(side["texts"]) for one in few for side in one["sides"]) <= 60
    assert error_tokens.error_tokens(Workbench(bench.folder, bench.run, seconds=-1.0))["error_tokens"] == []


def test_a_model_without_values_per_token_says_why(bench, monkeypatch):
    monkeypatch.setattr(bench.model.network, "kind", "encoder")
    with pytest.raises(CannotMeasure, match="encoder"):
        error_tokens.error_tokens(bench)
