"""Step values: one pass gives what separate passes give, whatever lies beside it, and plain transformers gives the same."""

import json

import numpy as np
import pytest
import torch

import rewardsmith as rs
from builders import pair, tiny
from rewardsmith.cli import main
from rewardsmith.data.formats.steps import by_steps
from rewardsmith.data.synthetic.arithmetic import arithmetic
from rewardsmith.errors import ContractError, DataError, TrainingError, UsageError
from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.model.conversations import as_solution
from rewardsmith.model.heads import describe_head, new_head
from rewardsmith.model.scorer import Sequences, score
from rewardsmith.records import Message
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.losses import LOSSES
from rewardsmith.train.masks import Dropout
from rewardsmith.train.step import accumulate

SOLUTIONS = [
    *arithmetic(6),
    by_steps((Message("user", "7 + 1 + 1?"),), ["7 + 1 = 8", "8 + 1 = 9"], [1.0, 1.0]),
    by_steps((Message("user", "7 + 1 + 1?"),), ["7 + 1 = 8", "8 + 1 = 7"], [1.0, 0.0]),
]


def process(aggregate="min", **options):
    model = tiny(head_scale=20, **options)
    model.keep_head(new_head(describe_head("process", {"aggregate": aggregate}), 64, seed=0))
    return model


def test_one_pass_gives_what_separate_passes_give():
    model = process()
    together = list(model.score_records(SOLUTIONS))
    for record, found in zip(SOLUTIONS, together, strict=True):
        each = [Sequences("", (ids,)) for ids in model.encode(record).sequences]
        alone = np.concatenate(list(score(model.network, each)))
        np.testing.assert_allclose(found, alone, atol=1e-5, rtol=1e-4)
        assert np.ptp(alone) > 1e-3  # steps differ, so that the comparison says something
    for budget in (1, 60, 10_000):
        for a, b in zip(model.score_records(SOLUTIONS, budget=budget), together, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-4)


def test_padded_rows_give_the_same():
    packed, padded = process(), process()
    padded.network.packed = False
    padded.network.use_attention()
    for a, b in zip(packed.score_records(SOLUTIONS), padded.score_records(SOLUTIONS), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-4)


def test_a_solution_costs_one_pass_over_its_longest_sequence():
    model = process()
    (example,) = encode_examples(SOLUTIONS[:1], model.encoder, share=True, rated=True).examples
    assert example.tree.tokens == len(model.encode(SOLUTIONS[0]).sequences[-1])
    assert example.responses == len(SOLUTIONS[0].responses)


def test_gradients_do_not_depend_on_how_the_step_is_cut():
    model = process()
    made = {
        share: encode_examples(SOLUTIONS, model.encoder, share=share, rated=True).examples for share in (True, False)
    }
    found = []
    for share, budget in ((True, 10_000), (True, 1), (False, 10_000)):
        model.network.zero_grad()
        accumulate(
            model.network,
            made[share],
            LOSSES["step-cross-entropy"],
            dropout=Dropout(0.0, seed=0, epoch=0),
            budget=budget,
        )
        found.append(torch.cat([p.grad.flatten() for p in model.network.parameters() if p.grad is not None]))
    assert found[0].abs().max() > 1e-4
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], atol=1e-5, rtol=1e-4)


def test_aggregates_by_hand():
    values = np.log(np.array([0.9, 0.5, 0.8]) / (1 - np.array([0.9, 0.5, 0.8])))
    assert process("min").head.reward(values) == pytest.approx(0.5)
    assert process("product").head.reward(values) == pytest.approx(0.36)
    assert process("last").head.reward(values) == pytest.approx(0.8)
    with pytest.raises(ContractError, match="expected one of min, product, last"):
        describe_head("process", {"aggregate": "mean"})


def test_a_model_of_steps_and_one_of_responses_refuse_each_others_rows():
    with pytest.raises(ContractError, match="not divided into steps"):
        process().score([[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]])
    with pytest.raises(ContractError, match="no step values"):
        tiny().encode(SOLUTIONS[0])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps") / "run"
    head = {"name": "process", "aggregate": "product"}
    result = rs.train("tiny", "synthetic-steps:80", folder, head=head, max_steps=4, threads=1, device="cpu")
    return folder, result


def test_from_training_to_scored_rows(run, tmp_path, capsys):
    folder, result = run
    stored = json.loads((folder / "model" / "reward.json").read_text())["head"]
    assert stored == {"name": "process", "columns": [], "options": {"aggregate": "product"}}
    assert 0 <= result.summary["eval"]["accuracy"] <= 1
    assert "first wrong step found" in result.to_text()
    rows = [{"prompt": "7 + 1 + 1?", "steps": ["7 + 1 = 8", "8 + 1 = 9"]}, {"prompt": "2?", "steps": ["2"]}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [
        "score",
        str(folder),
        str(tmp_path / "rows.jsonl"),
        "--output",
        str(tmp_path / "s.jsonl"),
        "--device",
        "cpu",
    ]
    assert main(command) == 0
    scored = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [len(row["step_values"]) for row in scored] == [2, 1]
    for row in scored:
        assert row["rewards"] == [pytest.approx(np.prod(row["step_values"]))]
    model = rs.RewardModel.load(folder, device="cpu")
    values = next(model.score_records([by_steps((Message("user", "7 + 1 + 1?"),), rows[0]["steps"], [None, None])]))
    np.testing.assert_allclose(scored[0]["step_values"], sigmoid(values), atol=1e-6)
    np.testing.assert_allclose(model.step_values("7 + 1 + 1?", rows[0]["steps"]), sigmoid(values), atol=1e-6)
    with pytest.raises(DataError, match="step 2 is empty"):
        model.step_values("7 + 1 + 1?", ["7 + 1 = 8", " "])
    with pytest.raises(DataError, match="expected a list of texts"):
        as_solution("7 + 1 + 1?", [7, 1])
    assert main([*command, "--best-of", "--overwrite"]) == 2
    assert "--best-of: not used with a model trained with --head process" in capsys.readouterr().err


def test_evaluate_gives_the_figures_of_steps_and_diagnose_says_that_it_does_not(run, tmp_path, capsys):
    folder, _ = run
    command = ["evaluate", str(folder), "synthetic-steps:30", "--device", "cpu", "--json", "-o", str(tmp_path / "e")]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    figures = found["process"]
    assert figures["n"] == sum(label is not None for record in arithmetic(30) for label in record.ratings["overall"])
    assert figures["first_error"]["erroneous"]["n"] + figures["first_error"]["correct"]["n"] == 30
    assert main(["diagnose", str(folder)]) == 1
    assert "about the steps of solutions" in capsys.readouterr().err
    assert main(["audit", str(folder), "synthetic:20", "-o", str(tmp_path / "audit")]) == 1
    assert "judges the steps of solutions" in capsys.readouterr().err
    assert main(["inspect", "synthetic-steps:3", "--model", str(folder), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["responses"]) == len(next(arithmetic(1)).responses)
    assert main(["evaluate", str(folder), "synthetic:20", "--device", "cpu"]) == 1
    assert "not divided into steps" in capsys.readouterr().err


def test_plain_transformers_gives_the_value_of_the_step_that_a_text_ends_with(run):
    from transformers import AutoModelForSequenceClassification

    folder, _ = run
    model = rs.RewardModel.load(folder, device="cpu")
    plain = AutoModelForSequenceClassification.from_pretrained(folder / "model").eval()
    record = SOLUTIONS[0]
    for ids, value in zip(model.encode(record).sequences, next(model.score_records([record])), strict=True):
        with torch.no_grad():
            assert plain(torch.from_numpy(ids)[None].long()).logits.item() == pytest.approx(value, abs=1e-4)


def test_settings_and_data_that_do_not_fit_are_refused(tmp_path):
    given = {"threads": 1, "device": "cpu", "max_steps": 1}
    with pytest.raises(TrainingError, match="are not; expected prompt, completions and labels"):
        rs.train("tiny", "synthetic:100", tmp_path / "a", head="process", **given)
    with pytest.raises(TrainingError, match="add --head process"):
        rs.train("tiny", "synthetic-steps:100", tmp_path / "b", **given)
    with pytest.raises(UsageError, match="--augment: not used with --head process"):
        rs.train("tiny", "synthetic-steps:100", tmp_path / "c", head="process", augment=("cut",), **given)
    with pytest.raises(UsageError, match=r"--head\.aggregate has no effect with --head scalar"):
        rs.train("tiny", "synthetic:100", tmp_path / "d", head={"name": "scalar", "aggregate": "min"}, **given)
    assert pair("a", "b", "c").by_steps is False
