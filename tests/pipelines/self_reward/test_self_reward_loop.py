"""`rewardsmith self-reward`: the loop end to end with a tiny model, its variants, and a kill in every phase."""

import json
import signal

import pytest
import torch
from safetensors.torch import load_file

import forked
from language_models import save_language_model
from rewardsmith.commands import self_reward
from rewardsmith.errors import DataError, ModelError, OutputError, UsageError
from rewardsmith.language.catalogue import say
from rewardsmith.pipelines.self_reward.ledger import stop_after_training, stop_before_training
from rewardsmith.pipelines.self_reward.pipeline import contents, refuse_changes

CHECK = """
kind: verifiable
rewards:
  - check: format
    pattern: '[a-z]'
    weight: 1.0
  - check: length
    max: 9
    weight: 0.5
"""
FAST = {
    "n": 4, "max_tokens": 12, "lr": 1e-3, "batch": 4, "min_pairs": 1, "device": "cpu", "dtype": "fp32",
    "threads": 1, "stop_worse": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that ends its responses now and then."""
    from transformers import AutoModelForCausalLM

    folder = save_language_model(tmp_path_factory.mktemp("lm"), sharp=2.0)
    hf = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        hf.lm_head.weight[hf.config.eos_token_id].mul_(6)
    hf.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rows = [{"prompt": f"What is {a}+{b}? 多少？", "answer": str(a + b)} for a in range(5) for b in range(3)]
    for name, some in (("prompts", rows), ("held", [{"prompt": f"Say {word}!"} for word in "abcdef"])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    (folder / "check.yaml").write_text(CHECK, encoding="utf-8")
    labelled = [{"prompt": "Hi", "chosen": "abc", "rejected": "123"}, {"prompt": "Ho", "chosen": "7", "rejected": "x"}]
    (folder / "labelled.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labelled), encoding="utf-8")
    return folder


def config(model, data, output, **settings):
    check = str(data / "check.yaml")
    given = {"rewards": check, "independent": check, "eval_prompts": str(data / "held.jsonl"), **FAST, **settings}
    return self_reward.Config(model=model, prompts=str(data / "prompts.jsonl"), output=output, **given)


@pytest.fixture(scope="module")
def done(model, data, tmp_path_factory):
    output = tmp_path_factory.mktemp("loop") / "out"
    return self_reward.run(config(model, data, output, labelled=(str(data / "labelled.jsonl"),))), output


def test_the_ledger_has_a_row_for_every_iteration(done):
    result, output = done
    rows = [json.loads(line) for line in (output / "ledger.jsonl").read_bytes().splitlines()]
    assert rows == [json.loads(json.dumps(row)) for row in result.rows]
    assert [row["iteration"] for row in rows] == [1, 2]
    first = rows[0]
    assert first["rewards"]["candidates"] == 4 * first["prompts"]
    assert sum(first["rewards"]["histogram"]["counts"]) == round(
        first["rewards"]["parsable"] * first["rewards"]["candidates"]
    )
    assert first["length"]["drift"] == 1.0
    assert 0 < first["diversity"]["distinct_2"] <= 1
    assert first["pairs"]["pairs"] == first["pairs"]["prompts"] > 0
    assert first["training"]["pairs"] > 0
    measured = first["measured"]
    assert measured["judge"]["accuracy"] == 0.5
    low, high = measured["independent"]["win_rate"]["ci"]
    assert 0 <= low <= measured["independent"]["win_rate"]["value"] <= high <= 1
    assert measured["kl"]["samples"] > 0
    assert result.summary["base"]["independent"]["win_rate"]["value"] == 0.5
    assert result.summary["base"]["kl"] is None


def test_every_model_opens_and_the_last_one_is_kept(done):
    from transformers import AutoModelForCausalLM

    result, output = done
    kept = AutoModelForCausalLM.from_pretrained(output / "model").state_dict()
    last = load_file(output / f"iteration-0{result.summary['chosen']}" / "dpo" / "model" / "model.safetensors")
    assert all(torch.equal(kept[name], value) for name, value in last.items())
    page = (output / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 5
    assert "self-BLEU" in page


def test_what_is_chosen_has_the_higher_reward_and_is_whole(done):
    rows = [json.loads(line) for line in (done[1] / "iteration-01" / "pairs-own.jsonl").read_bytes().splitlines()]
    for row in rows:
        (pair,) = row["comparisons"]
        assert row["fields"]["rewards"][pair["i"]] > row["fields"]["rewards"][pair["j"]]
        assert row["fields"]["finish_reasons"][pair["i"]] == "stop"


def test_cream_smooths_by_the_consistency_of_two_iterations(model, data, tmp_path):
    result = self_reward.run(config(model, data, tmp_path / "out", rewards="self", variant="cream"))
    first, second = result.rows
    assert first["consistency"] is None
    assert first["label_smoothing"] == 0
    assert 0 <= second["consistency"]["value"] <= 1
    assert second["label_smoothing"] == pytest.approx(1 - second["consistency"]["value"])
    if second["consistency"]["value"] <= 0.5:
        assert "chance" in second["stop"]


def test_temporal_rejects_responses_of_the_first_model_only(model, data, tmp_path):
    output = tmp_path / "out"
    self_reward.run(config(model, data, output, variant="temporal"))
    folder = output / "iteration-02"
    assert (folder / "dpo-future" / "dpo.json").is_file()

    def texts(name):
        rows = [json.loads(line) for line in (folder / name).read_bytes().splitlines()]
        return {json.dumps(row["prompt"]): [one["messages"][0]["content"] for one in row["responses"]] for row in rows}

    base, own, future, pairs = map(
        texts, ("scored-base.jsonl", "scored-own.jsonl", "scored-future.jsonl", "pairs-own.jsonl")
    )
    rows = [json.loads(line) for line in (folder / "pairs-own.jsonl").read_bytes().splitlines()]
    assert rows
    for row in rows:
        prompt, (pair,) = json.dumps(row["prompt"]), row["comparisons"]
        assert pairs[prompt][pair["j"]] in base[prompt]
        assert pairs[prompt][pair["i"]] in own[prompt] + future[prompt]


KILLED = """
import os, signal, sys
from pathlib import Path
import rewardsmith.pipelines.self_reward.{module} as module
from rewardsmith.commands import self_reward
real, count = module.{function}, 0
def dying(*given, **named):
    global count
    count += 1
    if count == {at} and {before}:
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*given, **named)
    if count == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
module.{function} = dying
self_reward.run(self_reward.Config(**{settings!r} | {{"output": Path({output!r})}}))
"""
PHASES = [
    ("variants", "generate_source", 1, False), ("variants", "score_file", 2, True), ("variants", "write_pairs", 1, False),
    ("variants", "optimise", 1, False), ("measuring", "generate_source", 2, True), ("measuring", "write_json", 2, True),
    ("pipeline", "write_jsonl", 1, True), ("pipeline", "write_folder", 1, True),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("module", "function", "at", "before"), PHASES)
def test_a_loop_killed_in_any_phase_ends_with_the_same_ledger(
    done, model, data, tmp_path, module, function, at, before
):
    output = tmp_path / "out"
    check = str(data / "check.yaml")
    settings = {
        "model": model, "prompts": str(data / "prompts.jsonl"), "rewards": check, "independent": check,
        "labelled": (str(data / "labelled.jsonl"),), "eval_prompts": str(data / "held.jsonl"), **FAST,
    }  # fmt: skip
    code = KILLED.format(module=module, function=function, at=at, before=before, settings=settings, output=str(output))
    killed = forked.program(code, [], tmp_path / "log")
    assert killed.wait() == -signal.SIGKILL, killed.log.read_text()[-2000:]
    self_reward.run(config(model, data, output, labelled=(str(data / "labelled.jsonl"),), resume=True))
    assert (output / "ledger.jsonl").read_bytes() == (done[1] / "ledger.jsonl").read_bytes()
    one, other = (load_file(place / "model" / "model.safetensors") for place in (output, done[1]))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_cannot_be_is_refused_in_one_line(done, model, data, tmp_path):
    _, output = done
    with pytest.raises(OutputError, match="not empty"):
        self_reward.run(config(model, data, output))
    with pytest.raises(UsageError, match="settings changed: n"):
        self_reward.run(config(model, data, output, labelled=(str(data / "labelled.jsonl"),), n=3, resume=True))
    with pytest.raises(UsageError, match="--rewards self"):
        config(model, data, tmp_path / "x", variant="cream")
    with pytest.raises(DataError, match="distinct prompts"):
        self_reward.run(config(model, data, tmp_path / "y", prompts_per_iteration=50))
    with pytest.raises(UsageError):
        config(model, data, tmp_path / "z", temperature=0.0)


def test_the_loop_stops_where_it_has_nothing_to_learn_or_learns_wrong(model, data, tmp_path):
    asked = config(model, data, tmp_path / "x", min_pairs=3, max_kl=2.0, stop_worse=True)
    told = {"rewards": {"flat": 0.2}}
    assert stop_before_training(asked, told, {"pairs": 3}, None) is None
    assert "collapsed" in stop_before_training(asked, {"rewards": {"flat": 0.99}}, {"pairs": 3}, None)
    assert "min-pairs" in stop_before_training(asked, told, {"pairs": 2}, None)
    assert "chance" in stop_before_training(asked, told, {"pairs": 3}, {"value": 0.5})
    fine = {"win_rate": {"ci": [0.4, 0.6]}, "difference": {"ci": [-0.1, 0.1]}}
    worse = {"win_rate": {"ci": [0.2, 0.4]}, "difference": {"ci": [-0.3, 0.1]}}
    assert stop_after_training(asked, {"kl": {"kl": 1.0}, "independent": fine}) is None
    assert "max-kl" in stop_after_training(asked, {"kl": {"kl": 2.5}, "independent": fine})
    assert "worse" in stop_after_training(asked, {"kl": None, "independent": worse})


@pytest.mark.parametrize("wrong", ["rewards", "independent", "labelled"])
def test_rewards_and_labels_that_cannot_be_opened_are_told_before_anything_is_generated(model, data, tmp_path, wrong):
    broken = tmp_path / "broken.yaml"
    broken.write_text("kind: nothing\n", encoding="utf-8")
    given = {wrong: (str(tmp_path / "missing.jsonl"),) if wrong == "labelled" else str(broken)}
    with pytest.raises((DataError, UsageError)):
        self_reward.run(config(model, data, tmp_path / "out", **given))
    assert not (tmp_path / "out").exists()


def test_a_wrong_model_is_refused_before_a_folder_is_made(data, tmp_path):
    with pytest.raises(ModelError):
        self_reward.run(config(str(tmp_path / "nowhere"), data, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_loop_is_not_resumed_with_an_edited_rewards_file():
    before = {"n": 4, "rewards": "check.yaml", "rewards.sha256": "aaa"}
    with pytest.raises(UsageError, match=r"settings changed: rewards\.sha256: 'aaa' → 'bbb'"):
        refuse_changes(before, {**before, "rewards.sha256": "bbb"})
    refuse_changes({"n": 4}, {"n": 4, "rewards.sha256": "bbb"})  # of a loop that did not keep it


def test_the_content_of_a_rewards_file_is_among_the_settings_that_a_loop_keeps(model, data, tmp_path):
    of = contents(config(model, data, tmp_path / "x"))
    assert set(of) == {"rewards.sha256", "independent.sha256"}
    assert len(set(of.values())) == 1
    copy = tmp_path / "check.yaml"
    copy.write_text((data / "check.yaml").read_text() + "# edited\n")
    assert contents(config(model, data, tmp_path / "x", rewards=str(copy)))["rewards.sha256"] not in of.values()


def test_the_note_on_a_finished_iteration_is_wholly_chinese():
    assert say("iteration 1: 4 pairs; trained", "zh") == "第 1 次迭代：4 个偏好对；已训练"
