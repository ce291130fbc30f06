"""Judgements of several annotators are votes: joined with their count, never duplicates, never contradictions."""

import json
import os
from collections import Counter
from itertools import permutations
from pathlib import Path

import pytest

from rewardsmith.commands.prepare import Config, run

ANNOTATOR = [
    "annotator",
    "judge",
    "annotator_id",
    "rater",
    "worker_id",
    "workerId",
    "judge_model",
    "labeler",
    "Evaluator",
]


def pair(better, worse, **fields):
    return {"prompt": "p", "chosen": better, "rejected": worse, **fields}


def prepared(tmp_path, rows, **settings):
    """The result, the native rows of the one split, the checks that found something, and the ledger of the removed."""
    path, out = tmp_path / "a.jsonl", tmp_path / "out"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run(Config(sources=(str(path),), output=out, fractions=(1, 0, 0), overwrite=True, **settings))
    lines = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    findings = {each["check"] for each in json.loads((out / "quality.json").read_text())["findings"]}
    removed = [json.loads(line)["check"] for line in (out / "removed.jsonl").read_text().splitlines()]
    assert result.kept + result.quarantined + result.removed == result.rows == len(rows)
    assert result.records + result.joined == result.kept
    return result, lines, findings, removed


def only(row):
    """(preferred text, preference, votes) of a row's one comparison."""
    (comparison,) = row["comparisons"]
    texts = [response["messages"][0]["content"] for response in row["responses"]]
    return texts[comparison["i"]], comparison["preference"], comparison.get("votes")


@pytest.mark.parametrize("name", ANNOTATOR)
def test_two_to_one_is_two_thirds_whatever_the_order(name, tmp_path):
    rows = [pair("a", "b", **{name: 1}), pair("a", "b", **{name: 2}), pair("b", "a", **{name: 3})]
    for order in list(permutations(rows))[::2]:
        result, (row,), findings, removed = prepared(tmp_path, order)
        assert only(row) == ("a", 2 / 3, [2, 1, 0])
        assert (result.joined, removed, findings & {"contradiction", "duplicate", "preference_cycle"}) == (2, [], set())
        assert "fields" not in row  # the annotator of one of them


def test_an_id_alone_is_a_duplicate_and_so_is_the_same_annotator_twice(tmp_path):
    assert prepared(tmp_path, [pair("a", "b", id=1), pair("a", "b", id=2)])[3] == ["duplicate"]
    assert prepared(tmp_path, [pair("a", "b", judge="x", id=1), pair("a", "b", judge="x", id=2)])[3] == ["duplicate"]
    result, (row,), _, removed = prepared(
        tmp_path, [pair("a", "b", judge=1), pair("a", "b", judge=2), pair("a", "b", judge=1)]
    )
    assert (only(row), result.joined, removed) == (("a", 1.0, [2, 0, 0]), 1, ["duplicate"])


def test_even_votes_are_a_tie_and_undecided_ones_count_half(tmp_path):
    assert only(prepared(tmp_path, [pair("a", "b", judge=1), pair("b", "a", judge=2)])[1][0])[1:] == (0.5, [1, 1, 0])
    listed = {"prompt": "p", "responses": ["a", "b"]}
    rows = [listed | {"scores": scores, "rater": n} for n, scores in enumerate(([1, 1], [1, 1]))]
    assert prepared(tmp_path, rows)[1][0]["comparisons"] == [{"i": 0, "j": 1, "preference": 0.5, "votes": [0, 0, 2]}]


def test_rankings_of_several_annotators_are_votes_on_each_pair(tmp_path):
    rows = [
        {"prompt": "p", "responses": ["a", "b", "c"], "ranking": [0, 1, 2], "annotator": 1},
        {"prompt": "p", "responses": ["c", "a", "b"], "ranking": [1, 0, 2], "annotator": 2},
    ]
    _, (row,), _, _ = prepared(tmp_path, rows)
    assert [(c["i"], c["j"], c["votes"]) for c in row["comparisons"]] == [
        (0, 1, [2, 0, 0]),
        (0, 2, [2, 0, 0]),
        (1, 2, [1, 1, 0]),
    ]


def test_other_ratings_or_orders_are_no_votes_and_no_duplicates(tmp_path):
    rows = [
        {"prompt": "p", "responses": ["a", "b"], "scores": scores, "judge": scores[0]} for scores in ([2, 1], [3, 1])
    ]
    assert prepared(tmp_path, rows)[0].records == 2
    shown = {"prompt": "p", "judge": "x"}
    swapped = [
        shown | {"responses": order, "verdict": "1", "judge": n} for n, order in enumerate((["a", "b"], ["b", "a"]))
    ]
    _, lines, findings, _ = prepared(tmp_path, swapped)
    assert (len(lines), "order_changes_verdict" in findings) == (2, True)
    same = [shown | {"responses": ["a", "b"], "verdict": side, "judge": n} for n, side in enumerate("112")]
    (row,) = prepared(tmp_path, same)[1]
    assert row["comparisons"] == [{"i": 0, "j": 1, "preference": 2 / 3, "shown_first": 0, "votes": [2, 1, 0]}]


def test_joined_votes_go_where_their_record_goes(tmp_path):
    rows = [pair("a", "b", judge=1), pair("b", "a", judge=3), pair("c", "d", prompt="q")]
    result, lines, _, removed = prepared(tmp_path, rows, remove=("low_agreement",))
    assert (len(lines), removed, result.removed) == (1, ["low_agreement"] * 2, 2)


def test_votes_against_another_row_still_contradict_it(tmp_path):
    rows = [pair("a", "b", judge=1), pair("b", "a", judge=2), pair("b", "a", judge=3), pair("a", "b")]
    _, lines, findings, _ = prepared(tmp_path, rows)
    assert (len(lines), "contradiction" in findings) == (2, True)


@pytest.mark.real_data
def test_no_real_file_without_annotators_has_votes(tmp_path):
    folder = os.environ.get("REWARDSMITH_DATA")
    if not folder:
        pytest.skip("REWARDSMITH_DATA is not set")
    source = Path(folder) / "order-swapped-verdicts/gpt4.jsonl.gz"
    result = run(Config(sources=(str(source),), output=tmp_path / "out", fractions=(1, 0, 0), near_threshold=0))
    assert Counter(joined=result.joined, rows=result.rows) == Counter(joined=0, rows=1120)
