"""Measurements beside a run, on data whose result is known by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from builders import tiny
from near_pairs import pair
from rewardsmith.commands import evaluate
from rewardsmith.pipelines.diagnose import measurements
from rewardsmith.pipelines.diagnose.bench import CannotMeasure, Workbench
from rewardsmith.pipelines.evaluate.beside_training import beside_training, margins_of, new_words
from rewardsmith.train.fitting.linear import PairFeatures

ROWS = 40


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A saved model, and its evaluation on a file of pairs."""
    place = tmp_path_factory.mktemp("measured")
    tiny(seed=1, max_length=64).save(place / "model")
    rows = [
        {"prompt": f"Is {k} an even number?", "chosen": f"It is {k % 2 == 0}.", "rejected": "No."} for k in range(ROWS)
    ]
    (place / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = {"model": str(place / "model"), "sources": (str(place / "pairs.jsonl"),), "output": place / "out"}
    evaluate.run(evaluate.Config(**asked))
    return place / "out"


def changed(folder, place, new):
    """A copy of an evaluation with other rewards in it."""
    place.mkdir()
    (place / "evaluation.json").write_bytes((folder / "evaluation.json").read_bytes())
    rows = [json.loads(line) for line in (folder / "comparisons.jsonl").read_text().splitlines()]
    for row in rows:
        row |= {name: new(row[name]) for name in ("reward_i", "reward_j")}
    (place / "comparisons.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def test_the_same_model_gives_the_rewards_of_its_evaluation(evaluated):
    found = measurements.rescored(Workbench.of(evaluated))["rescored"]
    assert found["n"] == 2 * ROWS
    assert found["accuracy_before"] == found["accuracy_now"]
    assert (found["correlation"], found["slope"]) == (pytest.approx(1.0), pytest.approx(1.0))
    assert found["largest"] == pytest.approx(0.0, abs=1e-5)


def test_rewards_of_another_scale_are_a_line_through_the_new_ones(evaluated, tmp_path):
    bench = Workbench.of(changed(evaluated, tmp_path / "double", lambda reward: 2 * reward + 1))
    found = measurements.rescored(bench)["rescored"]
    # new = (old - 1) / 2
    assert (found["correlation"], found["slope"]) == (pytest.approx(1.0), pytest.approx(0.5))
    assert found["offset"] == pytest.approx(-0.5)
    assert found["accuracy_before"] == found["accuracy_now"]


def test_rewards_turned_around_are_told_by_accuracy_and_correlation(evaluated, tmp_path):
    bench = Workbench.of(changed(evaluated, tmp_path / "turned", lambda reward: -reward))
    found = measurements.rescored(bench)["rescored"]
    assert found["correlation"] == pytest.approx(-1.0)
    assert found["accuracy_now"] == pytest.approx(1 - found["accuracy_before"])


def test_without_any_evaluated_record_nothing_is_scored_again(evaluated, tmp_path):
    folder = changed(evaluated, tmp_path / "gone", float)
    (folder / "comparisons.jsonl").write_text("")
    with pytest.raises(CannotMeasure, match="none of the evaluated records"):
        measurements.rescored(Workbench.of(folder))


def test_a_fitted_head_finds_the_feature_that_the_models_own_head_does_not_read(monkeypatch):
    rng, size = np.random.default_rng(0), 200

    def features(bench, records, limit):
        at, ones = np.arange(size), np.ones(size)
        x = rng.normal(0, 0.01, (2 * size, 2)).astype(np.float32)
        x[:size, 0] += 1.0  # the preferred text has the first feature, whichever it is
        x[:size, 1] += at % 4 - 1.5  # of the second feature two in four have less
        return PairFeatures(x, at, at + size, ones, ones, at)

    monkeypatch.setattr(measurements, "pair_features_of", features)
    own = SimpleNamespace(weight=torch.tensor([[0.0, 1.0]]))
    bench = SimpleNamespace(
        model=SimpleNamespace(sidecar=SimpleNamespace(heads=1), network=SimpleNamespace(head=own)),
        data=SimpleNamespace(splits=SimpleNamespace(train=())),
        judged=(),
    )
    found = measurements.fitted_head(bench)["head"]
    assert found["pairs"] == size
    assert found["fitted"]["accuracy"] == 1.0
    assert found["own"]["accuracy"] == 0.5
    low, high = found["difference_ci"]
    assert 0.4 < low < 0.5 < high < 0.6


def test_words_of_a_prompt_that_its_other_records_know_are_new_to_other_prompts():
    def about(prompt, line):
        return pair(f"tell of {prompt}", f"{prompt}x {prompt}y", f"{prompt}y {prompt}z", line=line)

    training = [about(f"word{at}", line) for at in range(12) for line in (2 * at, 2 * at + 1)]
    found = new_words([about(f"other{at}", at) for at in range(5)], training)
    # Of the seven words of a record the five that its prompt alone has are unknown, in other training prompts too.
    assert (found["judged"], found["training"]) == pytest.approx((5 / 7, 5 / 7))
    low, high = found["difference_ci"]
    assert low < 0 < high
    assert (
        new_words([about("other", 1)], [about("word", line) for line in range(30)]) is None
    )  # one prompt has no halves


def test_overlap_is_counted_in_records_and_comparisons_with_the_figures_of_the_rest():
    prompt = "Where does the small river behind the old mill end"
    training = [pair(prompt, "In the sea.", "Nowhere.", line=1)]
    judged = [
        pair(prompt, "In the sea.", "Nowhere.", line=1),
        pair(prompt, "In a lake.", "Who knows.", line=2),
        pair("How many lamps does the market square have today", "Nine.", "None.", line=3),
        pair("Which bird sings first in the morning in this country", "The robin.", "A crow.", line=4),
    ]
    rewards = [np.array(values) for values in ([1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [2.0, 1.0])]
    found = beside_training(judged, margins_of(judged, rewards), training, None)
    assert found["records"] == 1
    assert found["overlap"]["records"] == {
        "same_pair": 1,
        "near_pair": 0,
        "same_prompt": 1,
        "near_prompt": 0,
        "new": 2,
    }
    assert found["overlap"]["comparisons"] == found["overlap"]["records"]
    assert (found["overlap"]["new"]["n"], found["overlap"]["new"]["accuracy"]) == (2, 0.5)
    assert found["sample"] is None
