"""The token budget: tried where that pays, remembered, and without a trace in what is learned."""

import dataclasses
import datetime

import pytest
import torch

from builders import pair, tiny
from rewardsmith.errors import ModelError
from rewardsmith.files import write_json
from rewardsmith.pipelines.train import setup
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.pipeline import as_before
from rewardsmith.progress import SILENT
from rewardsmith.train import budget
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.optimizer import offload_activations


@pytest.fixture
def model():
    return tiny()


@pytest.fixture
def examples(model):
    rows = [pair(f"question {k}", "a good answer " * (1 + k % 5), "a bad one") for k in range(40)]
    return encode_examples(rows, model.encoder, share=model.network.packed).examples


@pytest.fixture
def eager(monkeypatch, tmp_path):
    """Calibrate small models on short steps too, and keep the result here."""
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path))
    monkeypatch.setattr(budget, "WORTH", 1)
    monkeypatch.setattr(budget, "CANDIDATES", {"cpu": (64, 256, 512, 100_000)})
    return tmp_path / "budgets.json"


def test_a_small_model_or_a_short_run_takes_the_default(model, examples, monkeypatch):
    monkeypatch.setattr(budget, "calibrate", lambda *_: pytest.fail("calibrated"))
    assert budget.find_budget(model.network, examples, batch=8, steps=10_000).tokens == 4096
    monkeypatch.setattr(budget, "WORTH", 1)
    monkeypatch.setattr(budget, "CANDIDATES", {"cpu": (64, 256, 512, 100_000)})
    assert budget.find_budget(model.network, examples, batch=8, steps=10).tokens == 4096
    monkeypatch.setenv("WORLD_SIZE", "2")  # all processes have to cut alike
    assert budget.find_budget(model.network, examples, batch=8, steps=10_000).tokens == 4096


def test_what_was_found_is_used_again(model, examples, eager, monkeypatch):
    first = budget.find_budget(model.network, examples, batch=8, steps=10_000)
    assert set(first.tried) == {64, 256, 512, 100_000}
    assert first.tokens in first.tried
    assert f"micro-batches of {first.tokens} tokens" in first.told
    monkeypatch.setattr(budget, "calibrate", lambda *_: pytest.fail("calibrated again"))
    again = budget.find_budget(model.network, examples, batch=8, steps=10_000)
    assert (again.tokens, again.told) == (first.tokens, "")
    eager.write_text("{broken")
    assert budget.remembered(eager) == {}


def test_other_circumstances_are_another_key(model):
    key = budget.key_of(model.network)
    model.network.autocast = torch.bfloat16
    assert budget.key_of(model.network) != key


def test_candidates_end_with_the_first_that_holds_a_step():
    assert budget.cuts("cpu", 1024) == [1024]
    assert budget.cuts("cpu", 1025) == [1024, 2048]
    assert budget.cuts("cpu", 10**6) == [1024, 2048, 4096, 8192]


def test_the_smallest_of_the_fast_ones_is_taken():
    assert budget.fastest({1024: 900.0, 2048: 980.0, 4096: 1000.0, 8192: 990.0}) == 2048


def test_a_calibration_leaves_weights_gradients_and_random_numbers_alone(model, examples):
    weights = [p.detach().clone() for p in model.network.hf.parameters()]
    model.network.eval()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    budget.calibrate(model.network, examples[:8])
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(p, before) for p, before in zip(model.network.hf.parameters(), weights, strict=True))
    assert all(p.grad is None for p in model.network.hf.parameters())
    assert not model.network.training


def test_memory_that_runs_out_ends_the_search(model, examples, monkeypatch):
    def seconds(network, step, tokens):
        if tokens > 2048:
            raise torch.OutOfMemoryError("no room")
        return 1.0

    monkeypatch.setattr(budget, "seconds_of", seconds)
    monkeypatch.setattr(budget, "DEFAULT_BUDGET", {"cpu": 1})
    monkeypatch.setattr(budget, "cuts", lambda *_: [1024, 2048, 4096])
    assert budget.calibrate(model.network, examples[:8]).tokens == 1024


def test_the_flag_wins_and_resume_takes_what_was_stored(model, examples, eager, tmp_path):
    config = Config(model="tiny", dataset=("x",), output=tmp_path / "run", tokens_per_microbatch=777)
    start = setup.Start(model, "tiny", "random", (), datetime.date(2026, 1, 1))
    assert setup.microbatch_tokens(config, start, examples, SILENT) == 777
    (tmp_path / "run").mkdir()
    write_json(tmp_path / "run" / "settings.json", {"tokens_per_microbatch": 512, "dtype": "fp32"})
    resumed = as_before(dataclasses.replace(config, tokens_per_microbatch=None, resume=True))
    assert resumed.tokens_per_microbatch == 512


def test_activations_on_the_host_change_nothing(model, examples):
    with pytest.raises(ModelError, match="this run uses the CPU"):
        offload_activations(model.network)
    gradients, moved, saved = [], [], torch.autograd.graph.save_on_cpu
    for model.network.offload in (False, True):
        model.network.train()
        model.network.zero_grad()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.autograd.graph, "save_on_cpu", lambda **given: (moved.append(given), saved(**given))[1])
            model.network(model.network.collate([examples[0].tree])).sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.network.hf.parameters()]))
    assert moved == [{"pin_memory": False}]
    assert torch.equal(*gradients)
