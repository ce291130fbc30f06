"""`rewardsmith pairs`: scored candidates in, preference data out that train and dpo read."""

import json

import pytest

import rewardsmith as rs
from rewardsmith.commands import pairs
from rewardsmith.critique.given import given_critiques
from rewardsmith.data.loading.load import load
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.language.catalogue import say
from rewardsmith.pipelines.pairs.result import UNUSED, PairCounts
from rewardsmith.progress import Silent

CHECKS = """
kind: verifiable
gold: answer
rewards:
  - check: numeric
    weight: 1.0
"""


class Noting(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


def written(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run(source, output, **settings):
    return pairs.run(pairs.Config(source=source, output=output, **settings))


def candidate_row(*texts, **more):
    return {
        "prompt": [{"role": "user", "content": "问题 question"}],
        "responses": [{"messages": [{"role": "assistant", "content": text}]} for text in texts],
        "comparisons": [],
        **more,
    }


def test_rows_of_score_become_pairs_with_their_margin(tmp_path):
    rows = [
        candidate_row("a", "bb", "ccc", rewards=[0.0, 2.0, 1.0], fields={"topic": "x", "finish_reasons": ["stop"] * 3}),
        candidate_row("a", "b", rewards=[1.0, 1.0]),
        candidate_row("a", "b"),
    ]
    result = run(written(tmp_path / "s.jsonl", rows), tmp_path / "p.jsonl")
    (row,) = read(tmp_path / "p.jsonl")
    assert [one["messages"][0]["content"] for one in row["responses"]] == ["a", "bb"]
    assert row["comparisons"] == [{"i": 1, "j": 0, "preference": 1.0, "margin": 2.0}]
    assert row["fields"] == {"topic": "x", "finish_reasons": ["stop", "stop"], "rewards": [0.0, 2.0]}
    found = result.to_json()
    assert (found["rows"], found["prompts"], found["pairs"]) == (3, 1, 1)
    assert found["unused"] == {"no_rewards": 1, "ties": 1}
    assert found["chosen_longer"] == 1.0
    (record,) = load(str(tmp_path / "p.jsonl")).records
    assert record.comparisons[0].margin == 2.0


def test_a_rewards_file_scores_the_candidates(tmp_path):
    (tmp_path / "r.yaml").write_text(CHECKS, encoding="utf-8")
    rows = [candidate_row("The answer is 5.", "The answer is 4.", "Four: 4", fields={"answer": "4"})]
    result = run(
        written(tmp_path / "c.jsonl", rows), tmp_path / "p.jsonl", model=str(tmp_path / "r.yaml"), select="all"
    )
    (row,) = read(tmp_path / "p.jsonl")
    assert sorted((one["i"], one["j"]) for one in row["comparisons"]) == [(1, 0), (2, 0)]
    assert any("numeric" in line for line in result.sentences)


def test_helpful_responses_are_chosen_only_if_safe(tmp_path):
    rows = [candidate_row("a", "b", "c", rewards=[3.0, 2.0, 1.0], reward_cost=[1.0, -1.0, -2.0])]
    run(written(tmp_path / "s.jsonl", rows), tmp_path / "p.jsonl", require=("cost<0",))
    (row,) = read(tmp_path / "p.jsonl")
    assert [one["messages"][0]["content"] for one in row["responses"]] == ["b", "c"]
    with pytest.raises(DataError, match="harmful"):
        run(str(tmp_path / "s.jsonl"), tmp_path / "q.jsonl", require=("harmful<0",))


def test_ratings_of_any_data_and_truncated_responses(tmp_path):
    told = {"finish_reasons": ["length", "stop", "stop"]}
    source = written(tmp_path / "s.jsonl", [candidate_row("x", "y", "z", ratings={"helpful": [9, 5, 1]}, fields=told)])
    run(source, tmp_path / "p.jsonl", column="helpful")
    (row,) = read(tmp_path / "p.jsonl")
    assert [one["messages"][0]["content"] for one in row["responses"]] == ["y", "z"]
    assert row["ratings"] == {"helpful": [5, 1]}
    run(source, tmp_path / "q.jsonl", column="helpful", truncated="keep")
    assert read(tmp_path / "q.jsonl")[0]["responses"][0]["messages"][0]["content"] == "x"


def test_columns_that_are_used_are_not_said_to_be_ignored(tmp_path):
    rows = [candidate_row("a", "b", rewards=[1.0, 2.0], reward_cost=[1.0, -1.0], other=[1, 2])]
    said = Noting()
    pairs.run(
        pairs.Config(source=written(tmp_path / "s.jsonl", rows), output=tmp_path / "p.jsonl", require=("cost<0",)), said
    )
    (line,) = [line for line in said.lines if "native" in line]
    assert line.endswith("used: prompt, responses, comparisons, rewards, reward_cost; ignored: other")


def test_pairs_from_python_are_what_the_command_writes(tmp_path):
    rows = [candidate_row("a", "b", rewards=[0.0, 1.0])]
    rs.pairs(written(tmp_path / "s.jsonl", rows), tmp_path / "p.jsonl")
    assert len(read(tmp_path / "p.jsonl")) == 1


def test_what_cannot_be_is_refused_in_one_line(tmp_path):
    none = written(tmp_path / "n.jsonl", [candidate_row("a", "b")])
    with pytest.raises(DataError, match="pass --model"):
        run(none, tmp_path / "p.jsonl")
    assert not (tmp_path / "p.jsonl").exists()
    (tmp_path / "there.jsonl").write_text("x")
    with pytest.raises(OutputError):
        run(none, tmp_path / "there.jsonl")
    for wrong in ({"require": ("cost",)}, {"margin": -1.0}, {"length_ratio": 0.5}, {"violations": "lose"},
                  {"select": "all", "length_control": 0.1}, {"length_control": 1.0}, {"per_prompt": 0}):  # fmt: skip
        with pytest.raises(UsageError):
            pairs.Config(source=none, output=tmp_path / "x", **wrong)


def test_critiques_follow_the_responses_that_are_kept(tmp_path):
    row = candidate_row("a", "bb", "ccc", rewards=[0.0, 1.0, 2.0], fields={"critiques": ["of a", None, "of ccc"]})
    run(written(tmp_path / "s.jsonl", [row]), tmp_path / "p.jsonl")
    (record,) = load(str(tmp_path / "p.jsonl")).records
    assert given_critiques(record) == ("of a", "of ccc")


def test_what_was_passed_over_is_said_in_chinese():
    counts = PairCounts()
    counts.unused.update(dict.fromkeys(UNUSED, 7))
    for sentence in counts.passed_over():
        told = say(sentence, "zh")
        assert "7" in told
        assert told != sentence
        assert not {"responses", "prompts", "rows", "pairs", "comparisons"} & set(told.split())


def test_no_pair_at_all_tells_why_in_sentences(tmp_path):
    rows = [candidate_row("a", "b", rewards=[1.0, 1.0]), candidate_row("a", "b")]
    with pytest.raises(DataError, match="1 rows have no rewards; 1 comparisons are ties") as caught:
        run(written(tmp_path / "s.jsonl", rows), tmp_path / "p.jsonl")
    assert "平局" in say(str(caught.value), "zh")
    assert "no rewards" not in say(str(caught.value), "zh")
