"""`rewardsmith dpo`: pairs in, a language model out that transformers opens; resumed after a kill with the same bits."""

import json
import signal
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import forked
import rewardsmith as rs
from language_models import save_language_model
from rewardsmith.commands import dpo
from rewardsmith.errors import OutputError, TrainingError, UsageError
from rewardsmith.pipelines.dpo.data import load_pairs
from rewardsmith.progress import SILENT

PAIRS = [
    {"prompt": f"Question {k}: what is {k}+{k}?", "chosen": f"It is {2 * k}.", "rejected": "我不知道，对不起。"}
    for k in range(24)
]
FAST = {"lr": 1e-3, "batch": 4, "kl_tokens": 8, "device": "cpu", "dtype": "fp32", "threads": 1}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(save_language_model(tmp_path_factory.mktemp("lm"), sharp=2.0))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return written(tmp_path_factory.mktemp("data") / "pairs.jsonl", PAIRS)


def written(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def run(model, pairs, output, **settings):
    return dpo.run(dpo.Config(model=model, pairs=(pairs,), output=output, **{**FAST, **settings}))


@pytest.fixture(scope="module")
def done(model, pairs, tmp_path_factory):
    output = tmp_path_factory.mktemp("run") / "out"
    return run(model, pairs, output, validation_share=0.2, epochs=2).summary, output


def test_the_model_learns_what_was_preferred_and_opens_elsewhere(done, model):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    summary, output = done
    found = summary["eval"]
    assert found["accuracy"] == 1.0
    assert found["n"] + summary["records"] == len(PAIRS)
    low, high = found["margin_ci"]
    assert low < found["margin"] < high
    gain = [found[f"log_prob_{side}"] - found[f"reference_log_prob_{side}"] for side in ("chosen", "rejected")]
    assert gain[0] > gain[1]
    assert found["reward_chosen"] == pytest.approx(0.1 * gain[0], rel=1e-3)
    trained, start = (AutoModelForCausalLM.from_pretrained(place) for place in (output / "model", model))
    assert type(trained) is type(start)
    assert trained.state_dict().keys() == start.state_dict().keys()
    ids = AutoTokenizer.from_pretrained(output / "model")("Question", return_tensors="pt")
    assert trained.generate(**ids, max_new_tokens=3, do_sample=False).shape[1] > ids["input_ids"].shape[1]


def test_the_run_tells_what_happened(done):
    summary, output = done
    rows = [json.loads(line) for line in (output / "metrics.jsonl").read_bytes().splitlines()]
    last = [row for row in rows if "eval_log_prob_chosen" in row][-1]
    assert last["eval_log_prob_chosen"] == pytest.approx(summary["eval"]["log_prob_chosen"], rel=1e-2)
    assert summary["kl"]["samples"] > 0
    assert summary["kl"]["tokens"] <= 25 * summary["kl"]["samples"]  # bytes that are no text become three
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "KL" in page
    assert page.count("<svg") == 5
    assert json.loads((output / "dpo.json").read_bytes())["finished"]


def test_the_model_can_be_generated_from(done, tmp_path):
    prompts = written(tmp_path / "p.jsonl", [{"prompt": "Question 1: what is 1+1?"}])
    rows = rs.generate(str(done[1]), prompts, max_tokens=4, device="cpu")
    assert len(rows) == 1


def test_an_adapter_is_merged_and_kept_beside(model, pairs, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    summary = run(model, pairs, tmp_path / "out", lora=dpo_lora(4), kl_prompts=0, validation_share=0.0).summary
    assert summary["trainable_parameters"] < summary["parameters"] / 2
    assert summary["eval"] is None
    assert summary["kl"] is None
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "model")
    again = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(model), tmp_path / "out" / "model" / "adapter"
    )
    ids = torch.tensor([[5, 9, 20, 31]])
    assert torch.allclose(merged(ids).logits, again(ids).logits, atol=1e-4)
    assert not torch.allclose(merged(ids).logits, AutoModelForCausalLM.from_pretrained(model)(ids).logits, atol=1e-4)


def dpo_lora(rank):
    from rewardsmith.pipelines.train.config import Lora

    return Lora(r=rank)


KILLED = """
import os, signal, sys
from pathlib import Path
from rewardsmith.align.dpo.fit import PolicyFit
from rewardsmith.commands import dpo
record = PolicyFit._record
def dying(self, *given):
    record(self, *given)
    if self.state.step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
PolicyFit._record = dying
model, pairs, output = sys.argv[1:]
dpo.run(dpo.Config(model=model, pairs=(pairs,), output=Path(output), epochs=2, validation_share=0.2, lr=1e-3, batch=4,
                   kl_tokens=8, device="cpu", dtype="fp32", threads=1))
"""


def test_prompts_behind_one_example_are_trained_on_wherever_their_opening_falls(tmp_path):
    shown = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    rows = [{**row, "prompt": [*shown, {"role": "user", "content": row["prompt"]}]} for row in PAIRS]
    source, notes = written(tmp_path / "pairs.jsonl", rows), []
    found = []
    for seed in range(12):
        config = dpo.Config(model="any", pairs=(source,), output=tmp_path, validation_share=0.5, seed=seed)
        data = load_pairs(config, SimpleNamespace(note=notes.append, task=SILENT.task))
        found.append((len(data.train), len(data.validation)))
    assert set(found) == {(len(PAIRS), 0)}
    assert any("none of the 24 records is set aside" in note for note in notes)


def test_a_killed_run_goes_on_with_the_same_bits(done, model, pairs, tmp_path):
    summary, output = done
    killed = tmp_path / "out"
    assert forked.program(KILLED, [model, pairs, str(killed)], tmp_path / "log").wait() == -signal.SIGKILL
    reference = (killed / "reference.safetensors").stat().st_mtime_ns
    again = run(model, pairs, killed, validation_share=0.2, epochs=2, resume=True).summary
    assert (killed / "reference.safetensors").stat().st_mtime_ns == reference
    assert 0 < again["resumed_from"] < 7
    one, other = (load_file(place / "model" / "model.safetensors") for place in (output, killed))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert again["eval"] == summary["eval"]
    assert again["kl"] == summary["kl"]


def test_what_cannot_be_is_refused_in_one_line(done, model, pairs, tmp_path):
    with pytest.raises(OutputError, match="not empty"):
        run(model, pairs, done[1])
    with pytest.raises(TrainingError, match=r"settings or data changed: .*beta"):
        run(model, pairs, done[1], validation_share=0.2, epochs=2, beta=0.2, resume=True)
    ties = written(tmp_path / "t.jsonl", [{"prompt": "a", "responses": ["x", "y"], "scores": [1, 1]}])
    with pytest.raises(TrainingError, match="no response is preferred"):
        run(model, ties, tmp_path / "ties", validation_share=0.0)
    for wrong in ({"beta": 0}, {"label_smoothing": 0.5}, {"loss": "ipo", "label_smoothing": 0.1}, {"loss": "robust"},
                  {"validation_share": 1.0}, {"lr": 0.0}, {"batch": 0}):  # fmt: skip
        with pytest.raises(UsageError):
            dpo.Config(model=model, pairs=(pairs,), output=tmp_path / "x", **wrong)
