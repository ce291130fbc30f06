"""The stages of `train --head cloud`: what they learn, that they resume exactly, and what they refuse."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

import forked
import rewardsmith as rs
from builders import pair, tiny
from rewardsmith.critique.turns import with_critiques
from rewardsmith.data.loading.load import load
from rewardsmith.errors import TrainingError, UsageError
from rewardsmith.model.language_head.weights import attach_language_head
from rewardsmith.pipelines.critique.settings import LM_WEIGHT, CritiqueTraining
from rewardsmith.pipelines.critique.training import CRITIQUES_ALONE, critique_loss
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.losses import choose
from rewardsmith.train.losses.text import TextTerm
from rewardsmith.train.masks import Dropout
from rewardsmith.train.step import accumulate

RIGHT, WRONG = "Well done.", "No, wrong."
FAST = {
    "threads": 1,
    "n_layer": 1,
    "n_embd": 32,
    "n_head": 2,
    "max_length": 320,
    "lr": 5e-3,
    "batch": 8,
    "device": "cpu",
}
CRITIQUE = {"tokens": 16, "sft_epochs": 3}
WORDS = [
    *("--threads", "1", "--n-layer", "1", "--n-embd", "32", "--n-head", "2", "--max-length", "320", "--lr", "5e-3"),
    *("--batch", "8", "--device", "cpu", "--head", "cloud", "--critique.tokens", "16", "--critique.sft-epochs", "3"),
    *("--epochs", "2", "--no-report", "--evals", "2"),
]


def rows(count):
    """Pairs where the response that says yes is right, which the critiques say too."""
    return [
        {
            "prompt": f"Is {k} a number?",
            "chosen": f"Yes, {k} is.",
            "rejected": f"Never {k}.",
            "chosen_critique": RIGHT,
            "rejected_critique": WRONG,
        }
        for k in range(count)
    ]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(90)))
    return str(path)


@pytest.fixture(scope="module")
def trained(source, tmp_path_factory):
    run = tmp_path_factory.mktemp("cloud") / "run"
    settings = {**FAST, "epochs": 3, "critique": {**CRITIQUE, "sft_epochs": 12}}
    rs.train("tiny", source, run, head="cloud", **settings)
    return run


def test_both_stages_learn_and_the_model_is_used_like_any_other(trained, source, tmp_path):
    told = json.loads((trained / "train.json").read_text())
    assert told["critiques"]["lm_weight"] == LM_WEIGHT == 1.25
    assert told["critiques"]["stage_1"]["validation_loss_per_token"] < 0.5
    written = (trained / "critique" / "critiques.jsonl").read_text().splitlines()
    assert told["critiques"]["written"] | {"seconds": 0} == {
        "critiques": 2 * len(written),
        "truncated": 0,
        "seconds": 0,
    }
    assert told["critiques"]["stage_2"]["records"] == told["records"] < len(written) < 90
    assert told["eval"]["accuracy"] > 0.9
    assert rs.verify(trained).holds
    found = rs.score(str(trained), source, tmp_path / "out.jsonl", device="cpu")
    assert found.to_json()["critiques"] == 180
    row = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert row["critiques"] == [[RIGHT], [WRONG]]
    assert row["rewards"][0] > row["rewards"][1]
    summary = rs.evaluate(str(trained), source, device="cpu").summary
    assert summary["accuracy"] > 0.9
    assert summary["critiques"]["critiques"] == 180
    assert summary["contract"] == "critiqued"


@pytest.mark.slow
def test_a_resumed_run_is_the_run_that_was_not_stopped(source, tmp_path):
    """Killed in stage 1, while critiques are written, and in stage 2: the same files in the end."""
    whole = run_of(tmp_path / "whole", source)
    killed = tmp_path / "killed"
    for marker in ("critique/checkpoints/step-*", "critique/critiques.jsonl", "checkpoints/step-*"):
        process = started(killed, source, tmp_path / "log", resume=killed.exists())
        deadline = time.monotonic() + 90
        while not list(killed.glob(marker)) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    assert not (killed / "train.json").exists()
    run_of(killed, source, resume=True)
    assert (killed / "critique/critiques.jsonl").read_bytes() == (whole / "critique/critiques.jsonl").read_bytes()
    for part in ("language_model/model.safetensors", "heads/cloud.safetensors"):
        assert (killed / "model" / part).read_bytes() == (whole / "model" / part).read_bytes(), part


def started(run, source, log, *, resume):
    words = ["train", "--model", "tiny", "--dataset", source, "--output", str(run), *WORDS, *["--resume"] * resume]
    return forked.command(words, log)


def run_of(run, source, *, resume=False):
    settings = {**FAST, "epochs": 2, "evals": 2, "report": False, "critique": CRITIQUE}
    rs.train("tiny", source, run, head="cloud", resume=resume, **settings)
    return run


def test_critiques_of_an_interrupted_stretch_are_written_again(trained, source):
    from rewardsmith.pipelines.critique.written import STRETCH, kept

    path = trained / "critique" / "critiques.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    by_id = {record.id: record for record in load(source).records}
    records = [by_id[json.loads(line)["id"]] for line in lines]
    torn = path.with_name("torn.jsonl")
    torn.write_bytes(b"".join(lines[: STRETCH + 5]) + lines[STRETCH + 5][:-9])
    assert len(kept(torn, records)) == STRETCH
    torn.write_bytes(b"".join(lines))
    assert len(kept(torn, records)) == len(records)
    with pytest.raises(TrainingError, match="other records"):
        kept(torn, records[::-1])
    torn.unlink()


def joint(lm=LM_WEIGHT):
    """A tiny model with examples that end with critiques, and the loss of stage 2."""
    model = tiny(max_length=320, head_scale=20.0)
    attach_language_head(model.network, None, learns=True)
    records = [
        with_critiques(pair(f"Is {k} one?", "Yes.", "No, it is not.", preference=p), [["Good."], ["Bad, sadly."]], "en")
        for k, p in enumerate((1.0, 0.75, 0.5))
    ]
    examples = encode_examples(records, model.answering, share=True).examples
    return model, examples, replace(choose("bradley-terry"), text=TextTerm(critique=lm))


def test_the_joint_loss_is_that_of_rewards_plus_the_weighted_mean_over_the_critiques_tokens():
    model, examples, loss = joint()
    figures = accumulate(model.network, examples, loss, dropout=Dropout(0.0, 0, 0), budget=4096)
    expected = []
    for example in examples:
        logs, tokens = 0.0, 0
        for ids, answer in zip(example.tree.sequences, example.tree.answers, strict=True):
            assert answer == (len("Good.") if answer < 10 else len("Bad, sadly.")) + 2  # the end of the turn counts
            with torch.no_grad():
                model.network.hf.set_attn_implementation("eager")
                states = model.network.hf.model(torch.from_numpy(ids.astype(np.int64))[None]).last_hidden_state[0]
                found = (states @ model.network.hf.get_input_embeddings().weight.T).log_softmax(dim=1)
                model.network.use_attention()
            logs += sum(found[at - 1, int(ids[at])].item() for at in range(len(ids) - answer, len(ids)))
            tokens += answer
        expected.append(-LM_WEIGHT * logs / tokens)
    assert figures.text_loss == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_gradient_of_the_joint_loss_is_its_slope():
    """Finite differences along the gradient, of the loss as a plain forward pass computes it."""
    model, examples, loss = joint()
    parameters = [p for p in model.network.parameters() if p.requires_grad]

    def value():
        with torch.no_grad():
            figures = accumulate_value(model.network, examples, loss)
        return figures

    accumulate(model.network, examples, loss, dropout=Dropout(0.0, 0, 0), budget=4096)
    slopes = [p.grad.clone() if p.grad is not None else torch.zeros_like(p) for p in parameters]
    norm = torch.sqrt(sum((slope**2).sum() for slope in slopes))
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            for p, slope in zip(parameters, slopes, strict=True):
                p.add_(slope, alpha=sign * 1e-3 / float(norm))
        ends.append(value())
        with torch.no_grad():
            for p, slope in zip(parameters, slopes, strict=True):
                p.sub_(slope, alpha=sign * 1e-3 / float(norm))
    assert (ends[0] - ends[1]) / 2e-3 == pytest.approx(float(norm), rel=0.02)
    assert all(float(slope.abs().sum()) > 0 for slope in slopes)


def accumulate_value(network, examples, loss):
    """The loss of a step, from one forward pass."""
    from rewardsmith.train.coupled import mean_of, outputs_of
    from rewardsmith.train.engines.engine import Engine
    from rewardsmith.train.labels import labels_of

    labels = labels_of(examples, network.device, loss.unit)
    outputs = outputs_of(network, examples, Dropout(0.0, 0, 0), Engine(network), loss)
    return float(mean_of(loss.whole(*loss.parts(outputs, labels)), labels).double())


def test_no_cut_of_the_step_changes_the_gradient():
    grads = []
    for budget in (64, 100_000):
        model, examples, loss = joint()
        accumulate(model.network, examples, loss, dropout=Dropout(0.0, 0, 0), budget=budget)
        grads.append(torch.cat([p.grad.flatten() for p in model.network.parameters() if p.grad is not None]))
    torch.testing.assert_close(grads[0], grads[1], atol=1e-6, rtol=1e-4)


def test_stage_1_is_the_critiques_alone():
    model, examples, _ = joint()
    model.network.head.weight.requires_grad_(False)
    figures = accumulate(model.network, examples, CRITIQUES_ALONE, dropout=Dropout(0.0, 0, 0), budget=4096)
    assert figures.loss == 0
    tokens = np.array([sum(example.tree.answers) for example in examples])
    assert len(set(tokens)) == 1  # so that the mean over comparisons is that over tokens
    assert critique_loss(model.network, examples, 4096) == pytest.approx(figures.text_loss, rel=1e-5)
    assert critique_loss(model.network, [], 4096) is None


def test_an_adapter_may_learn_behind_the_critiques_of_the_data(source, tmp_path):
    rs.train(
        "tiny", source, tmp_path / "run", head="cloud", **FAST, report=False, max_steps=2,
        critique={**CRITIQUE, "source": "given"}, lora={"r": 2},
    )  # fmt: skip
    assert rs.verify(tmp_path / "run").holds  # the adapter is in the weights
    assert not (tmp_path / "run/critique/critiques.jsonl").exists()
    assert json.loads((tmp_path / "run/train.json").read_text())["critiques"]["source"] == "given"


def test_without_critiques_stage_1_is_refused_before_anything_is_written_or_skipped(source, tmp_path):
    plain = tmp_path / "plain.jsonl"
    plain.write_text(
        "".join(json.dumps({k: row[k] for k in ("prompt", "chosen", "rejected")}) + "\n" for row in rows(60))
    )
    with pytest.raises(TrainingError, match="chosen_critique"):
        rs.train("tiny", str(plain), tmp_path / "run", head="cloud", **FAST, critique=CRITIQUE)
    assert not (tmp_path / "run").exists()
    settings = {**FAST, "critique": {"tokens": 4, "sft_epochs": 0}, "max_steps": 1, "report": False}
    rs.train("tiny", str(plain), tmp_path / "run", head="cloud", **settings)
    assert "stage_1" not in json.loads((tmp_path / "run/train.json").read_text())["critiques"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"critique": {"tokens": 0}}, "--critique.tokens 0"),
        ({"critique": {"sft_lr": 0.0}}, "--critique.sft-lr"),
        ({"critique": {"samples": 2, "sampling_temperature": 0.0}}, "all the same"),
        ({"critique": {"sft_epochs": 0, "source": "given"}}, "skips stage 1"),
        ({"critique": {"sampling_temperature": 200.0}}, "0 to 100"),
        ({"head": "scalar", "critique": {"tokens": 9}}, "needs --head cloud"),
        ({"noise": "crm"}, "--noise"),
        ({"freeze_layers": 1}, "--freeze-layers"),
        ({"loss": {"name": "bradley-terry", "lm": 0.1}}, "--critique.lm-weight"),
        ({"loss": "contrastive"}, "--loss contrastive"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given, said, source, tmp_path):
    with pytest.raises(UsageError, match=said):
        rs.train("tiny", source, tmp_path / "run", **{"head": "cloud", **given})


def test_the_defaults_are_those_of_the_paper():
    assert CritiqueTraining().lm_weight == 1.25
    assert CritiqueTraining().source == "self"
