"""A reward in which a gate weighs attributes by the prompt: by hand, however it is computed, saved, refused by others."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import rewardsmith as rs
from builders import pair, ranking, tiny
from rewardsmith.cli import main
from rewardsmith.errors import ModelError, TrainingError, UsageError
from rewardsmith.model.forward.readout import Readout
from rewardsmith.model.heads import attach_outputs, describe_head, new_head
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import detach
from rewardsmith.model.reward_model import RewardModel

PLAN = AttributePlan(("fit", "tone", "words"), rated={"fit": (2.5, 1.5)})
FORK = ranking("Which is larger, 2 or 5?", "It is 5.", "It is 5, I think.", "2", "不知道。")
OTHER = ranking("你好？", "你好！", "It is 5.")


def gated(*, penalize="words", seed=0):
    """The tiny model with a gate whose weights differ much from prompt to prompt."""
    model = tiny(seed=seed)
    readout = Readout((2,), ("last", "prompt"))
    model.network.read(readout)
    model = RewardModel(model.network, model.tokenizer, replace(model.sidecar, readout=readout), model.why_separate)
    info = describe_head("gated", {"hidden": 16, **({"penalize": penalize} if penalize else {})}, PLAN)
    attach_outputs(model.network, "multi-objective", info, seed=3)
    head = detach(model.network)
    with torch.no_grad():
        head.weight.mul_(10)
        head.gate[-1].weight.mul_(300)
        head.penalty.copy_(torch.tensor([0.5, 0.0, 1.0]))
    model.keep_head(head)
    return model


def hidden_states(model, ids):
    """The last layer's states of one text, as transformers itself gives them."""
    model.network.hf.set_attn_implementation("eager")
    with torch.no_grad():
        found = model.network.hf.base_model(torch.tensor(ids[None].astype(np.int64))).last_hidden_state[0]
    model.network.use_attention()
    return found


def test_the_reward_is_that_of_the_formula_from_states_read_by_hand():
    model = gated()
    head = model.head
    encoded = model.encode(FORK)
    for ids, count, reward in zip(encoded.sequences, encoded.answers, next(model.score_records([FORK])), strict=True):
        states = hidden_states(model, ids)
        hidden, last = states[len(ids) - count - 1], states[-1]
        for layer in head.gate[:3]:
            hidden = torch.relu(F.linear(hidden, layer.weight, layer.bias))
        g = torch.softmax(F.linear(hidden, head.gate[3].weight, head.gate[3].bias) / 10, dim=0)
        o = head.weight @ last
        expected = g[0] * (o[0] - 0.5 * o[2]) + g[1] * o[1] + g[2] * (o[2] - o[2])
        assert reward == pytest.approx(float(expected.detach()), abs=1e-4)


def test_the_gate_sees_the_prompt_alone():
    model = gated(penalize=None)
    head = model.head
    found = []
    for record in (FORK, OTHER):
        encoded = model.encode(record)
        states = [
            hidden_states(model, ids)[len(ids) - n - 1]
            for ids, n in zip(encoded.sequences, encoded.answers, strict=True)
        ]
        found.append(head.coefficients(torch.stack(states)))
    assert torch.allclose(found[0], found[0][:1].expand_as(found[0]), atol=1e-5)
    assert (found[0][0] - found[1][0]).abs().max() > 0.01
    torch.testing.assert_close(found[0].sum(dim=1), torch.ones(4))


@pytest.mark.parametrize("way", ["alone", "padded", "one by one", "small budget"])
def test_the_reward_is_the_same_however_it_is_computed(way):
    together, model = list(gated().score_records([FORK, OTHER])), gated()
    if way == "padded":
        model.network.packed = False
        model.network.use_attention()
    if way == "one by one":
        model.network.packed = model.network.padded = False
        model.network.use_attention()
    if way == "alone":
        parts = [replace(r, responses=(each,), comparisons=()) for r in (FORK, OTHER) for each in r.responses]
        again = np.concatenate(list(model.score_records(parts)))
    else:
        again = np.concatenate(list(model.score_records([FORK, OTHER], budget=1 if way == "small budget" else None)))
    np.testing.assert_allclose(again, np.concatenate(together), atol=1e-4)
    assert np.ptp(np.concatenate(together)) > 0.01


def test_an_answer_without_a_prompt_has_the_first_token_for_its_prompt():
    from rewardsmith.model.forward.batches import answer_in, answer_on_path

    assert answer_in(range(10, 15), 2) == (12, range(13, 15))
    assert answer_in(range(10, 15), 5) == (10, range(10, 15))
    assert answer_on_path(range(4), range(9, 12), 2) == (9, range(10, 12))
    assert answer_on_path(range(4), range(9, 12), 3) == (3, [9, 10, 11])
    assert answer_on_path(range(4), range(9, 12), 5) == (1, [2, 3, 9, 10, 11])
    assert answer_on_path(range(0), range(9, 12), 3) == (9, range(9, 12))


def test_gradients_of_the_gate_are_those_of_finite_differences():
    head = new_head(describe_head("gated", {"hidden": 4, "penalize": "words"}, PLAN), 12, seed=0).double().eval()
    with torch.no_grad():
        head.penalty.copy_(torch.tensor([0.5, 0.2, 1.0]))
    prompts = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(head.coefficients, (prompts,), atol=1e-6)


def test_a_saved_model_has_the_same_rewards_and_plain_transformers_refuses_it(tmp_path):
    from transformers import AutoModelForSequenceClassification

    model = gated()
    before = np.concatenate(list(model.score_records([FORK, OTHER])))
    model.save(tmp_path / "m")
    again = rs.RewardModel.load(tmp_path / "m", device="cpu")
    np.testing.assert_allclose(np.concatenate(list(again.score_records([FORK, OTHER]))), before, atol=1e-6)
    assert json.loads((tmp_path / "m" / "config.json").read_text())["architectures"] == ["RewardsmithGatedModel"]
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path / "m")


def rows(count):
    """Pairs of which the longer is right where the prompt says so, else the polite one; both attributes are rated."""
    made = []
    for k in range(count):
        long, polite = 1 + k % 3, (k // 3) % 2
        texts = ("Please. " * polite + "word " * long, "Please. " * (1 - polite) + "word " * (4 - long))
        ratings = {"words": [float(long), float(4 - long)], "polite": [float(polite), float(1 - polite)]}
        which = "words" if k % 2 and long != 2 else "polite"
        first = ratings[which][0] > ratings[which][1]
        made.append(
            {
                "prompt": [{"role": "user", "content": f"{which} {k}?"}],
                "responses": [{"messages": [{"role": "assistant", "content": text}]} for text in texts],
                "comparisons": [{"i": 0 if first else 1, "j": 1 if first else 0}],
                "ratings": {**ratings, "polite": [value + 0.25 * (k % 5 == 0) for value in ratings["polite"]]},
            }
        )
    return made


FAST = {"threads": 1, "n_layer": 1, "lr": 5e-3, "report": False, "device": "cpu"}


def test_a_run_learns_attributes_then_the_gate_and_goes_on(tmp_path):
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows(240)))
    head = {"name": "gated", "hidden": 16, "gate_steps": 60, "penalize": "words"}
    rs.train("tiny", str(data), tmp_path / "run", head=head, epochs=2, **FAST)
    stored = json.loads((tmp_path / "run" / "model" / "reward.json").read_text())
    assert stored["readout"]["pooling"] == ["last", "prompt"]
    assert stored["head"]["options"]["penalize"] == "words"
    assert rs.verify(tmp_path / "run").holds
    model = rs.RewardModel.load(tmp_path / "run")
    assert model.head.penalty[model.head.penalized] == 1
    assert float((model.head.gain - 1).abs()) > 1e-4  # it has learned
    rs.train(
        "tiny", str(data), tmp_path / "run", head=head, epochs=2, resume=True, **FAST
    )  # only the gate is fitted again
    for name, value in rs.RewardModel.load(tmp_path / "run").head.tensors().items():
        assert torch.equal(value, model.head.tensors()[name])
    rs.train(str(tmp_path / "run"), str(data), tmp_path / "more", head=head, max_steps=1, **{**FAST, "n_layer": 2})
    again = rs.RewardModel.load(tmp_path / "more")
    assert (again.head.weight - model.head.weight).norm() < 0.5 * model.head.weight.norm()


def test_ratings_and_comparisons_may_be_of_different_records(tmp_path, capsys):
    made = [{**row, "comparisons": []} if k < 120 else {**row, "ratings": {}} for k, row in enumerate(rows(200))]
    made = [{name: value for name, value in row.items() if value != {}} for row in made]
    (tmp_path / "mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    command = [
        "train",
        "--model",
        "tiny",
        "--dataset",
        str(tmp_path / "mixed.jsonl"),
        "--output",
        str(tmp_path / "run"),
    ]
    command += ["--head", "gated", "--head.hidden", "8", "--head.gate-steps", "5", "--n-layer", "1", "--threads", "1"]
    assert main([*command, "--no-report", "--device", "cpu", "--epochs", "1", "--batch", "16", "--json"]) == 0
    told = capsys.readouterr()
    summary = json.loads(told.out)
    waiting = int(re.search(r"(\d+) training records compare responses without judging", told.err)[1])
    assert f"gate fitted on {waiting} training comparisons" in told.err
    assert summary["steps"] == -(-(summary["records"] - waiting) // 16)


def test_what_a_gate_cannot_learn_from_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--pooling: not used with --head gated"):
        rs.train("tiny", "synthetic:60", tmp_path / "a", head="gated", pooling=["mean"], **FAST)
    data = tmp_path / "few.jsonl"
    few = [{**row, "comparisons": row["comparisons"] if k < 9 else []} for k, row in enumerate(rows(60))]
    data.write_text("".join(json.dumps(row) + "\n" for row in few))
    with pytest.raises(TrainingError, match="the gate learns from comparisons of 'overall'"):
        rs.train("tiny", str(data), tmp_path / "b", head="gated", **FAST)
    with pytest.raises(UsageError, match=r"--head\.penalize word: .* fit, tone, words\. Did you mean"):
        describe_head("gated", {"penalize": "word"}, PLAN)
    assert pair("a", "b", "c").ratings == {}
    with pytest.raises(ModelError, match="pools by last and prompt"):
        gated().values("Which?", [1, 2])
