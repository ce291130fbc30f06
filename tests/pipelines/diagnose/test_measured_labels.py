"""What is measured of training labels, on records whose result is known by hand."""

import json

import numpy as np
import pytest

from builders import tiny
from rewardsmith.commands import evaluate
from rewardsmith.pipelines.diagnose import groups, measurements, training_labels
from rewardsmith.pipelines.diagnose.bench import Workbench
from rewardsmith.pipelines.evaluate.beside_training import margins_of
from rewardsmith.records import Comparison, Message, Record, Response

FIRST = (Comparison(0, 1),)


def record(prompt, *texts, comparisons=FIRST, line=1):
    responses = tuple(Response((Message("assistant", text),)) for text in texts)
    return Record((Message("user", prompt),), responses, comparisons, source="a.jsonl", line=line)


def test_weights_count_as_many_comparisons_as_equal_ones_would():
    """Kish: (1 + 1 + 4 + 4)^2 / (1 + 1 + 16 + 16) = 100 / 34. A tie trains nothing apart."""
    rows = [record("p", "a", "b", comparisons=(Comparison(0, 1, weight=weight),)) for weight in (1.0, 1.0, 4.0, 4.0)]
    tie = record("p", "a", "b", comparisons=(Comparison(0, 1, preference=0.5, weight=9.0),))
    found = training_labels.weights_of([*rows, tie])
    assert found == {"n": 4, "effective": pytest.approx(100 / 34)}
    assert training_labels.weights_of([]) == {"n": 0, "effective": 0.0}


def test_preferences_are_those_of_decided_labels():
    values = (0.5, 0.6, 0.7, 0.8)
    found = training_labels.preferences_of(
        [record("p", "a", "b", comparisons=(Comparison(0, 1, preference=value),)) for value in values]
    )
    assert found["n"] == 3
    assert (found["median"], found["most"]) == (pytest.approx(0.7), pytest.approx(0.78))


def test_validation_is_known_by_a_prompt_with_one_of_its_responses():
    training = [record("one", "a", "b"), record("two", "c", "d")]
    assert training_labels.known_in([record("one", "b", "x"), record("three", "c", "d")], training) == 0.5
    assert training_labels.known_in([], training) == 0.0


def test_the_same_answers_under_other_words_are_one_question():
    answers = "It is the blue one.", "It is the red one."
    asked = [
        "Which one shall we take today?",
        "Hello, which one shall we take?",
        "Good evening and thanks, which one do I take?",
    ]
    other = record("Where does the train to the north leave?", *answers)
    found = training_labels.restated_in([*(record(prompt, *answers) for prompt in asked), other])
    assert found == {"records": 4, "distinct": 2}


def test_short_answers_that_everybody_gives_are_no_sign_of_one_question():
    rows = [record(f"Is the number {k} an even one?", "Yes.", "No.") for k in range(20)]
    assert training_labels.restated_in(rows) == {"records": 20, "distinct": 20}


def test_a_phrase_is_taken_out_of_the_first_response_with_it():
    found = training_labels.beside_itself(record("p", "plain", "good (ref) text"), " (ref)")
    assert [one.text for one in found.responses] == ["good (ref) text", "good text"]
    assert training_labels.beside_itself(record("p", " (ref)", "b"), " (ref)") is None


def test_quarters_keep_equal_values_together():
    assert groups.quarters(np.array([1.0, 2.0, 3.0, 4.0])) == list(groups.QUARTERS)
    assert set(groups.quarters(np.array([5.0, 5.0, 5.0]))) == {"Q1"}


def test_rows_are_grouped_by_where_they_stand_and_how_long_they_ask():
    rows = [record("word " * (1 + k), "a", "b", line=100 - k) for k in range(8)]
    found = groups.unnamed(rows)
    assert found["prompt_length"] == [groups.QUARTERS[k // 2] for k in range(8)]
    assert found["place_in_data"] == found["prompt_length"][::-1]


def test_which_response_was_listed_first_is_told_by_source():
    """90 of 120 prefer the first, and of those the model is right on a third; of the others on all."""
    rows = [
        record(f"p{k}", "a", "b", comparisons=(Comparison(0, 1) if k < 90 else Comparison(1, 0),), line=k + 1)
        for k in range(120)
    ]
    rewards = [np.array([1.0, 0.0]) if k < 30 else np.array([0.0, 1.0]) for k in range(120)]
    (told,) = groups.places_of(rows, margins_of(rows, rewards), trained=True)
    assert (told["source"], told["n"], told["share_first"]) == ("a.jsonl", 120, 0.75)
    assert (told["first"]["accuracy"], told["later"]["accuracy"]) == (pytest.approx(1 / 3), 1.0)


def test_the_rows_of_another_evaluation_are_scored_again_beside_those_of_the_run(tmp_path):
    tiny(seed=1, max_length=64).save(tmp_path / "model")
    rows = [{"prompt": f"Is {k} an even number?", "chosen": f"It is {k}.", "rejected": "No."} for k in range(40)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = {"model": str(tmp_path / "model"), "sources": (str(tmp_path / "pairs.jsonl"),), "output": tmp_path / "out"}
    evaluate.run(evaluate.Config(**asked))
    bench = Workbench.of(tmp_path / "out")
    assert measurements.reproduced(bench) == {}  # without a run these are the only rows, which `rescored` looks at
    found = measurements.scored_again(bench, bench)
    assert found["largest"] == pytest.approx(0.0, abs=1e-5)
    assert 0 < found["at_ends"] < 0.2
