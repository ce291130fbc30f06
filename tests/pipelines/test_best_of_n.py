"""`rewardsmith best-of-n`: which responses are chosen, what is written of them, and what is refused."""

import json
from itertools import pairwise

import numpy as np
import pytest

import rewardsmith as rs
from language_models import save_language_model
from rewardsmith.cli import main
from rewardsmith.commands import best_of_n
from rewardsmith.data.loading.load import load
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.language import speaking
from rewardsmith.pipelines.best_of_n.selection import ranked, statistical_rejection, undesirable_of

REWARDS = """\
kind: verifiable
gold: answer
rewards:
  - check: numeric
    weight: 1.0
"""


@pytest.fixture
def rewards(tmp_path):
    """A rewards file: 1 for a response whose last number is the gold answer."""
    path = tmp_path / "rewards.yaml"
    path.write_text(REWARDS)
    return path


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def candidates(tmp_path):
    rows = [
        {"prompt": "1+1?", "responses": ["It is 3.", "It is 2.", "It is 4."], "answer": "2"},
        {"prompt": "六加六？", "responses": ["是 12。", "是 13。", "是 12。"], "answer": "12"},
        {"prompt": "5+5?", "responses": ["It is 10."], "answer": "10"},
    ]
    return write(tmp_path / "candidates.jsonl", rows)


def run(model, source, output, **settings):
    return best_of_n.run(best_of_n.Config(model=str(model), source=str(source), output=output, **settings))


def test_the_highest_reward_is_chosen_and_rows_for_sft_and_kto_are_written(tmp_path, rewards):
    result = run(rewards, candidates(tmp_path), tmp_path / "best").to_json()
    chosen = read(tmp_path / "best" / "chosen.jsonl")
    assert [row["responses"][0]["messages"][0]["content"] for row in chosen] == ["It is 2.", "是 12。"]
    assert [row["fields"]["best_of_n"] for row in chosen] == [
        {"rewards": [1.0], "candidates": 3},
        {"rewards": [1.0], "candidates": 2},
    ]
    assert chosen[0]["fields"]["answer"] == "2"
    sft = read(tmp_path / "best" / "sft.jsonl")
    assert [turn["role"] for turn in sft[1]["messages"]] == ["user", "assistant"]
    kto = read(tmp_path / "best" / "kto.jsonl")
    assert [(row["completion"][0]["content"], row["label"]) for row in kto] == [
        ("It is 2.", True),
        ("It is 4.", False),
        ("是 12。", True),
        ("是 13。", False),
    ]
    assert (result["prompts"], result["chosen"], result["without_choice"]) == (2, 2, 1)
    assert result["left_out"]["repeated"] == 1
    assert len(load(str(tmp_path / "best" / "chosen.jsonl")).records) == 2


def test_rows_of_one_prompt_are_candidates_of_each_other(tmp_path, rewards):
    rows = [{"prompt": "1+1?", "response": f"It is {n}.", "answer": "2"} for n in (1, 2, 3)]
    run(rewards, write(tmp_path / "c.jsonl", rows), tmp_path / "best")
    (chosen,) = read(tmp_path / "best" / "chosen.jsonl")
    assert chosen["responses"][0]["messages"][0]["content"] == "It is 2."
    assert chosen["fields"]["best_of_n"]["candidates"] == 3


def test_only_the_first_n_are_looked_at_and_the_others_are_counted(tmp_path, rewards):
    rows = [{"prompt": "1+1?", "responses": ["It is 3.", "It is 4.", "It is 2."], "answer": "2"}]
    result = run(rewards, write(tmp_path / "c.jsonl", rows), tmp_path / "best", n=2)
    assert result.to_json()["left_out"]["beyond_n"] == 1
    assert read(tmp_path / "best" / "kto.jsonl")[0]["reward"] == 0.0
    assert len(read(tmp_path / "best" / "kto.jsonl")) == 1  # both rewards are the same: none is undesirable


def test_a_threshold_takes_all_that_reach_it_or_none(tmp_path, rewards):
    given = {"method": "threshold", "threshold": 0.5}
    result = run(rewards, candidates(tmp_path), tmp_path / "best", **given).to_json()
    assert result["chosen"] == 2
    with pytest.raises(UsageError, match="belong together"):
        best_of_n.Config(model="m", source="s", output=tmp_path, threshold=0.5)
    with pytest.raises(UsageError, match="belong together"):
        best_of_n.Config(model="m", source="s", output=tmp_path, method="threshold")


def test_no_gain_is_told_where_nothing_was_chosen_and_no_interval_of_one_prompt(tmp_path, rewards):
    rows = [{"prompt": "1+1?", "responses": ["It is 3.", "It is 2."], "answer": "2"}]
    none = run(rewards, candidates(tmp_path), tmp_path / "none", method="threshold", threshold=9.0)
    one = run(rewards, write(tmp_path / "one.jsonl", rows), tmp_path / "one")
    for result in (none, one):
        assert "nan" not in result.to_text()
    assert "+0.500" in one.to_text()


def test_the_curve_is_that_of_the_estimator_and_gold_stands_beside_it(tmp_path):
    from builders import tiny

    tiny(n_layer=1).save(tmp_path / "model")
    made = generate(20, responses_per_prompt=6, seed=3)
    rows = [
        {"prompt": r.prompt[-1].content, "responses": [a.text for a in r.responses], "scores": list(g)}
        for r, g in zip(made.records, made.gold, strict=True)
    ]
    found = run(tmp_path / "model", write(tmp_path / "c.jsonl", rows), tmp_path / "best").to_json()
    scored = [row["rewards"] for row in read(tmp_path / "best" / "scored.jsonl")]
    assert [point["n"] for point in found["curve"]] == [1, 2, 3, 4, 6]
    assert found["curve"][0]["reward"] == pytest.approx(np.mean(scored))
    assert found["curve"][-1]["reward"] == pytest.approx(np.mean([max(values) for values in scored]))
    assert found["curve"][1]["kl"] == pytest.approx(np.log(2) - 0.5)
    assert found["gain"]["value"] == pytest.approx(np.mean([max(values) - np.mean(values) for values in scored]))
    assert all(a["reward"] < b["reward"] for a, b in pairwise(found["curve"]))
    assert found["gold"]["curve"][0]["gold"] == pytest.approx(np.mean(made.gold))


def test_prompts_are_given_to_a_generator_first_and_a_second_run_generates_nothing(tmp_path):
    from builders import tiny

    tiny(n_layer=1).save(tmp_path / "model")
    save_language_model(tmp_path / "lm", sharp=2.0)
    prompts = write(tmp_path / "p.jsonl", [{"prompt": "Name a fruit."}, {"prompt": "说一种水果。"}])
    settings = {"generator": str(tmp_path / "lm"), "n": 3, "max_tokens": 6}
    found = run(tmp_path / "model", prompts, tmp_path / "best", **settings).to_json()
    assert found["prompts"] == 2
    first = (tmp_path / "best" / "candidates.jsonl").read_bytes()
    marker = tmp_path / "best" / "best_of_n.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "finished": False}))  # as a kill would leave it
    run(tmp_path / "model", prompts, tmp_path / "best", **settings)
    assert (tmp_path / "best" / "candidates.jsonl").read_bytes() == first


def test_a_finished_result_is_replaced_only_where_asked_for(tmp_path, rewards):
    source = candidates(tmp_path)
    run(rewards, source, tmp_path / "best")
    with pytest.raises(OutputError, match="overwrite"):
        run(rewards, source, tmp_path / "best")
    run(rewards, source, tmp_path / "best", overwrite=True, keep=2)
    assert len(read(tmp_path / "best" / "sft.jsonl")) == 4


def test_single_responses_are_refused_with_what_to_do(tmp_path, rewards):
    rows = [{"prompt": "1+1?", "responses": ["It is 2."], "answer": "2"}]
    with pytest.raises(DataError, match="--generator"):
        run(rewards, write(tmp_path / "c.jsonl", rows), tmp_path / "best")


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"n": 1}, "--n"),
        ({"keep": 0}, "--keep"),
        ({"beta": 0.0}, "--beta"),
        ({"beta": 0.1}, "--method rso"),
        ({"method": "threshold", "threshold": 1.0, "keep": 2}, "--keep"),
        ({"method": "threshold", "threshold": float("nan")}, "--threshold"),
        ({"max_tokens": 9}, "--max-tokens"),
        ({"generator": "lm"}, "--n"),
        ({"generator": "lm", "n": 4, "temperature": -1.0}, "temperature"),
    ],
)
def test_settings_out_of_range_are_refused(settings, word, tmp_path):
    with pytest.raises(UsageError, match=word):
        best_of_n.Config(model="m", source="s", output=tmp_path, **settings)


def test_statistical_rejection_follows_its_formula():
    rewards = np.array([0.0, 1.0])
    rng = np.random.default_rng(0)
    first = [statistical_rejection(rewards, 1, beta=1.0, rng=rng) == {0} for _ in range(4000)]
    # a pass takes response 0, which is asked first, with exp(-1), else response 1, whose probability is 1
    assert np.mean(first) == pytest.approx(np.exp(-1), abs=0.03)
    assert statistical_rejection(rewards, 5, beta=1.0, rng=rng) == {0, 1}
    assert all(statistical_rejection(rewards, 1, beta=1e-3, rng=rng) == {1} for _ in range(20))


def test_undesirable_responses_are_the_lowest_and_never_equal_a_chosen_one():
    rewards = np.array([2.0, 1.0, 1.0, 0.0])
    assert ranked(rewards) == [0, 1, 2, 3]
    assert undesirable_of(rewards, [0]) == [3]
    assert undesirable_of(rewards, [0, 1]) == [3]
    assert undesirable_of(rewards, []) == []


def test_python_does_the_same(tmp_path, rewards):
    rows = [{"prompt": "1+1?", "responses": ["It is 3.", "It is 2."], "answer": "2"}]
    found = rs.best_of_n(rewards, rows, tmp_path / "best")
    assert found.to_json()["chosen"] == 1


def test_the_command_speaks_both_languages(tmp_path, rewards, capsys):
    source = candidates(tmp_path)
    for language, word in (("en", "chose 2 of 5"), ("zh", "选出了 2 条")):
        with speaking(language):
            code = main(["best-of-n", str(rewards), str(source), "-o", str(tmp_path / language), "--lang", language])
        assert code == 0
        assert word in capsys.readouterr().out


def test_a_run_that_fails_before_anything_is_made_leaves_no_folder(tmp_path, rewards):
    with pytest.raises(DataError):
        run(rewards, write(tmp_path / "empty.jsonl", []), tmp_path / "best")
    assert not (tmp_path / "best").exists()
