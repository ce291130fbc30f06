"""`evaluate --benchmark` from the file to the JSON, what it keeps when it is killed, and what it refuses."""

import json
import signal
from pathlib import Path

import pytest

import forked
import rewardsmith as rs
from builders import tiny
from rewardsmith.commands import evaluate as command
from rewardsmith.errors import DataError, UsageError
from rewardsmith.language import speaking
from rewardsmith.pipelines.benchmark import pipeline
from rewardsmith.pipelines.benchmark.catalogue import BENCHMARKS, catalogue
from rewardsmith.settings.fields import attribute_docs

SUBSETS = ("Factuality", "Precise IF", "Math", "Safety", "Focus")
ITEMS = 40


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "m"
    tiny(seed=3, max_length=48, n_layer=1, head_scale=50.0).save(folder)
    return folder


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """40 best-of-4 items of RewardBench 2, one of which is too long, and one row that is damaged."""
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "home"))
    made = [
        {"id": str(k), "subset": SUBSETS[k % 5], "prompt": f"{k} + {k}?", "chosen": [f"It is {2 * k}."],
         "rejected": [f"It is {2 * k + wrong}." for wrong in (1, 2, 3)]}
        for k in range(ITEMS)
    ]  # fmt: skip
    made[7]["chosen"] = ["It is so. " * 40]
    path = tmp_path / "rewardbench-2.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in made) + '{"broken\n')
    return path


def config(model, rows, **changes):
    return command.Config(model=str(model), sources=(str(rows),), benchmark="rewardbench-2", device="cpu", **changes)


def test_the_result_has_score_interval_sections_truncation_and_rule(model, rows, tmp_path):
    result = command.run(config(model, rows, output=tmp_path / "out"))
    found = result.to_json()["benchmark"]
    assert {"name", "score", "ci", "sections", "truncated", "rule"} <= found.keys()
    sections = {section["name"]: section for section in found["sections"]}
    assert set(sections) == set(SUBSETS)
    assert found["score"] == pytest.approx(sum(section["score"] for section in sections.values()) / 5)
    low, high = found["ci"]
    assert low <= found["score"] <= high
    assert found["truncated"]["response"] == 1
    assert (found["items"], found["lost"], result.quarantined) == (ITEMS, 1, 1)
    assert found["missing"] == ["Ties"]
    assert not found["complete"]
    assert found["leaderboard"] == []
    assert found["baselines"]["constant"] == pytest.approx(0.25)
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["benchmark"] == found
    assert result.to_json()["n"] == 3 * ITEMS


def test_the_text_names_the_benchmark_in_both_languages(model, rows):
    result = command.run(config(model, rows))
    assert "rewardbench-2" in result.to_text().splitlines()[0]
    assert "without Ties" in result.to_text()
    with speaking("zh"):
        assert "六个子集的平均" in result.to_text()
        assert "不能与公布的分数相比" in result.to_text()


def test_python_takes_a_benchmark_too(model, rows):
    by_name = rs.evaluate(model, rows, benchmark="rewardbench-2", device="cpu").summary["benchmark"]
    loaded = [json.loads(line) for line in rows.read_text().splitlines()[:ITEMS]]
    in_memory = rs.evaluate(model, loaded, benchmark="rewardbench-2", device="cpu").summary["benchmark"]
    assert in_memory["score"] == by_name["score"]


@pytest.fixture
def scored(monkeypatch):
    """What `score_items` gave, of every run."""
    found, score_items = [], pipeline.score_items
    monkeypatch.setattr(pipeline, "score_items", lambda *given: found.append(score_items(*given)) or found[-1])
    return found


def test_a_second_run_scores_nothing_again_and_gives_the_same(model, rows, scored):
    first, second = (command.run(config(model, rows)).to_json() for _ in range(2))
    assert [each.kept for each in scored] == [0, ITEMS]
    assert second == first


def test_another_model_shares_no_rewards(model, rows, tmp_path):
    first = command.run(config(model, rows)).to_json()["benchmark"]["score"]
    tiny(seed=4, max_length=48, n_layer=1, head_scale=50.0).save(tmp_path / "other")
    other = command.run(config(tmp_path / "other", rows)).to_json()["benchmark"]["score"]
    own = command.run(config(model, rows)).to_json()["benchmark"]["score"]
    assert own == first
    assert other != first


KILLED = """
import os, signal, sys
from rewardsmith.commands import evaluate
from rewardsmith.pipelines.benchmark import pipeline, reward_store
pipeline.WINDOW = 8
keep, kept = reward_store.RewardStore.keep, []
def counted(self, texts, rewards):
    keep(self, texts, rewards)
    kept.append(len(texts))
    if sum(kept) >= 24:
        os.kill(os.getpid(), signal.SIGKILL)
reward_store.RewardStore.keep = counted
evaluate.run(evaluate.Config(model=sys.argv[1], sources=(sys.argv[2],), benchmark="rewardbench-2", device="cpu"))
"""


def test_a_killed_run_goes_on_where_it_was(model, rows, tmp_path, monkeypatch, scored):
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "undisturbed"))
    whole = command.run(config(model, rows)).to_json()
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "killed"))
    killed = forked.program(KILLED, [str(model), str(rows)], tmp_path / "log")
    assert killed.wait() == -signal.SIGKILL, killed.log.read_text()[-600:]
    assert command.run(config(model, rows)).to_json() == whole
    assert scored[-1].kept == 24


def test_a_damaged_store_of_rewards_is_begun_again(model, rows, tmp_path):
    store = tmp_path / "home" / "rewards.sqlite"
    store.parent.mkdir(parents=True)
    store.write_bytes(b"no database at all")
    assert command.run(config(model, rows)).to_json()["benchmark"]["items"] == ITEMS


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"benchmark": "rewardbench-3"}, "unknown benchmark; expected one of rewardbench"),
        ({"benchmark": "rmbench"}, "Did you mean 'rm-bench'?"),
        ({"benchmark": "rmb", "sources": ()}, "download github.com/Zhou-Zoey"),
        ({"benchmark": "rm-bench", "split": "test"}, "--split"),
        ({"benchmark": "rm-bench", "map": ("a=b",)}, "--map"),
        ({"benchmark": "rm-bench", "attribute": "safe"}, "--attribute"),
        ({"sources": ()}, "SOURCES is missing"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(changes, what):
    with pytest.raises(UsageError, match=what):
        command.Config(**{"model": "m", "sources": ("a.jsonl",), **changes})


def test_offline_the_error_says_what_to_download(model, tmp_path, monkeypatch):
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"download huggingface\.co/datasets/allenai/reward-bench-2"):
        command.run(command.Config(model=str(model), benchmark="rewardbench-2", device="cpu"))


def test_every_benchmark_is_described():
    assert set(catalogue()) == set(BENCHMARKS)
    assert all(each.en and each.zh and each.origin and each.download for each in catalogue().values())
    assert all(name in attribute_docs(command.Config)["benchmark"] for name in BENCHMARKS)


def test_the_page_on_benchmarks_names_every_benchmark_and_key(model, rows):
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    found = command.run(config(model, rows)).to_json()["benchmark"]
    assert [name for name in (*BENCHMARKS, *found) if f"`{name}`" not in page] == []


def test_items_that_the_model_was_trained_on_are_counted(rows, tmp_path):
    from rewardsmith.commands import train

    known = [
        {"prompt": f"{k} + {k}?", "chosen": f"It is {2 * k}.", "rejected": f"It is {2 * k + 1}."} for k in range(10)
    ]
    other = [{"prompt": f"Name fruit {k}", "chosen": f"Plum {k}", "rejected": f"Oak {k}"} for k in range(8)]
    for name, made in (("train", known), ("held", other)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    held = (str(tmp_path / "held.jsonl"),)
    sizes = {"n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 48, "threads": 1, "evals": 1}
    settings = train.Config(
        model="tiny",
        dataset=(str(tmp_path / "train.jsonl"),),
        validation=held,
        test=held,
        output=tmp_path / "run",
        report=False,
        **sizes,
    )
    train.run(settings)
    result = command.run(config(tmp_path / "run", rows))
    found = result.summary["training"]["overlap"]["comparisons"]
    # Ten of 40 prompts were trained on, one with another response; so short a prompt alone tells nothing.
    assert (found["same_pair"], found["new"]) == (3 * 9, 3 * (ITEMS - 9))
    assert f"{3 * 9} of {3 * ITEMS} comparisons" in result.to_text()
