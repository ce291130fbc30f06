"""`rewardsmith policy-bench`: runs, page and figures, a MODEL under test, continuing after a kill, and what is refused."""

import json

import pytest

import rewardsmith as rs
from builders import tiny
from rewardsmith.align.policy_gradient import policy as policy_module
from rewardsmith.commands import policy_bench
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.language import display_width, speaking

SMALL = {"steps": 16, "prompts": 4, "responses": 2, "preferences": 40, "seeds": 1}


@pytest.fixture(autouse=True)
def short_reference(monkeypatch):
    monkeypatch.setattr(policy_module, "REFERENCE_STEPS", 30)


def run(output, **settings):
    return policy_bench.run(policy_bench.Config(output=output, **{**SMALL, **settings}))


def test_every_objective_has_its_log_its_figures_and_its_plots(tmp_path):
    result = run(tmp_path / "bench", seeds=2)
    found = json.loads((tmp_path / "bench" / "policy_bench.json").read_text())
    assert set(found["objectives"]) == {"single", "ensemble", "constrained"}
    assert [(one["objective"], one["seed"]) for one in found["runs"]][:4] == [
        ("single", 0), ("ensemble", 0), ("constrained", 0), ("single", 1),
    ]  # fmt: skip
    logs = {path.stem: path.read_text().splitlines() for path in (tmp_path / "bench" / "runs").iterdir()}
    assert {len(lines) for lines in logs.values()} == {16}
    rows = [json.loads(line) for line in logs["constrained-1"]]
    assert all(row["multiplier"] > 0 for row in rows)
    assert json.loads(logs["single-0"][0])["multiplier"] is None
    page = (tmp_path / "bench" / "report.html").read_text()
    assert page.count("<svg") >= 10
    assert "√KL" in page
    assert all(display_width(line) <= 130 for line in result.to_text().splitlines())


def test_runs_that_are_finished_are_kept_and_a_finished_bench_is_not_replaced(tmp_path):
    output = tmp_path / "bench"
    run(output, objective=("single",), seeds=2)
    marker, first = output / "policy_bench.json", (output / "runs" / "single-0.jsonl").read_bytes()
    with pytest.raises(OutputError, match="overwrite"):
        run(output, objective=("single",), seeds=2)
    whole = marker.read_text()
    marker.write_text(json.dumps({**json.loads(whole), "finished": False}))  # as a kill would leave it
    (output / "runs" / "single-1.jsonl").unlink()
    changed = first.replace(b'"gold":', b'"gold": ', 1)
    (output / "runs" / "single-0.jsonl").write_bytes(changed)
    run(output, objective=("single",), seeds=2)
    assert (output / "runs" / "single-0.jsonl").read_bytes() == changed  # not run again
    assert json.loads(marker.read_text())["objectives"] == json.loads(whole)["objectives"]


def test_a_model_is_asked_for_the_texts_of_the_task(tmp_path):
    tiny(n_layer=1).save(tmp_path / "model")
    found = rs.policy_bench(
        tmp_path / "bench", tmp_path / "model", **{**SMALL, "preferences": 300}, language="zh"
    ).to_json()
    assert set(found["objectives"]) == {"single", "constrained"}  # one member: no ensemble
    rows = [json.loads(line) for line in (tmp_path / "bench" / "runs" / "single-0.jsonl").read_text().splitlines()]
    assert rows[0]["agreement"] is None
    assert abs(rows[0]["proxy"]) < 2  # on the scale of the reference policy's responses
    with pytest.raises(UsageError, match="several members"):
        run(tmp_path / "other", model=str(tmp_path / "model"), objective=("ensemble",), preferences=300)


def test_a_reward_that_is_always_the_same_is_refused(tmp_path):
    rewards = tmp_path / "rewards.yaml"
    rewards.write_text("kind: verifiable\nrewards:\n  - check: length\n    max: 100000\n")
    with pytest.raises(DataError, match="same reward"):
        run(tmp_path / "bench", model=str(rewards), preferences=300)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"steps": 4}, "--steps"),
        ({"responses": 1}, "--responses"),
        ({"kl": -1.0}, "--kl"),
        ({"flipped": 2.0}, "--flipped"),
        ({"model": "m", "preferences": 50}, "--preferences"),
        ({"objective": ("single",), "std_weight": 2.0}, "--objective ensemble"),
        ({"objective": ("single", "ensemble"), "cost": "length"}, "--objective constrained"),
        ({"cost_limit": -1.0}, "--cost-limit"),
    ],
)
def test_settings_out_of_range_are_refused(settings, word, tmp_path):
    with pytest.raises(UsageError, match=word):
        policy_bench.Config(output=tmp_path, **settings)


def test_it_speaks_chinese(tmp_path):
    with speaking("zh"):
        result = run(tmp_path / "bench", objective=("single",))
    assert "真值奖励" in (tmp_path / "bench" / "report.html").read_text()
    assert "真值奖励" in rs.say(result.to_text(), lang="zh")
