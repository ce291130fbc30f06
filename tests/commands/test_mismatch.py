"""A model that is no longer the one that was saved leaves its mark on everything that is measured with it."""

import json

import pytest
from safetensors.torch import load_file, save_file

from builders import tiny
from rewardsmith.commands import card, diagnose, evaluate, score
from rewardsmith.diagnose.reading import facts_from_mapping
from rewardsmith.diagnose.verdict import judge
from rewardsmith.errors import ContractError, DataError
from rewardsmith.model.reward_model import RewardModel

WORDS = "the weights or a library changed"


@pytest.fixture
def model(tmp_path):
    tiny(head_scale=20).save(tmp_path / "model")
    return tmp_path / "model"


def change(model):
    weights = load_file(model / "model.safetensors")
    weights["score.weight"] = weights["score.weight"] * 1.5
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})


def forget_files(model):
    """As in a folder of an older version: only the probes tell."""
    (model / "manifest.json").unlink()


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def scored(model, output, **settings):
    config = score.Config(model=str(model), source="synthetic:6", output=output, device="cpu", **settings)
    return score.run(config)


def evaluated(model, output, **settings):
    config = evaluate.Config(model=str(model), sources=("synthetic:40",), output=output, device="cpu", **settings)
    return evaluate.run(config)


def test_a_loaded_model_says_in_what_it_differs(model):
    assert RewardModel.load(model, device="cpu", allow_mismatch=True).mismatch == ""
    change(model)
    opened = RewardModel.load(model, device="cpu", allow_mismatch=True)
    assert opened.mismatch.startswith("model.safetensors: changed since it was written; probe 0 has reward")
    forget_files(model)
    opened = RewardModel.load(model, device="cpu", allow_mismatch=True)
    assert opened.mismatch.startswith("probe 0 has reward")
    assert opened.remarks() == [f"{opened.mismatch}; its rewards are not those of the saved model"]
    with pytest.raises(ContractError, match=r"library changed; pass --allow-mismatch to score anyway"):
        RewardModel.load(model, device="cpu")


def test_scored_rows_and_the_result_say_it(model, tmp_path):
    whole = scored(model, tmp_path / "whole.jsonl", allow_mismatch=True)
    assert whole.to_json()["mismatch"] == ""
    assert all("mismatch" not in row for row in rows_of(tmp_path / "whole.jsonl"))
    change(model)
    result = scored(model, tmp_path / "changed.jsonl", allow_mismatch=True)
    assert WORDS in result.to_json()["mismatch"]
    assert "these are not the rewards of the saved model" in result.to_text()
    rows = rows_of(tmp_path / "changed.jsonl")
    assert all(row["mismatch"] is True for row in rows if "rewards" in row)
    assert any("rewards" in row for row in rows)
    (tmp_path / "taken.jsonl").write_text('{"prompt": "a", "chosen": "b", "rejected": "c", "mismatch": 1}\n')
    with pytest.raises(DataError, match="already has a column 'mismatch'"):
        score.run(
            score.Config(
                model=str(model), source=str(tmp_path / "taken.jsonl"), output=tmp_path / "x.jsonl", device="cpu",
                allow_mismatch=True,
            )
        )  # fmt: skip


def test_evaluation_verdict_and_card_say_it(model, tmp_path):
    evaluated(model, tmp_path / "whole", allow_mismatch=True)
    assert json.loads((tmp_path / "whole" / "evaluation.json").read_text())["mismatch"] is None
    change(model)
    forget_files(model)
    evaluated(model, tmp_path / "changed", allow_mismatch=True)
    assert WORDS in json.loads((tmp_path / "changed" / "evaluation.json").read_text())["mismatch"]
    judged = {name: diagnose.run(diagnose.Config(run=tmp_path / name)) for name in ("whole", "changed")}
    found = {name: [finding["id"] for finding in result.findings] for name, result in judged.items()}
    assert "other_model" not in found["whole"]
    assert "other_model" in found["changed"]
    assert judged["changed"].ready is not True
    assert "--allow-mismatch" in (tmp_path / "changed" / "report.md").read_text()
    card.run(card.Config(run=model, evaluation=tmp_path / "changed"))
    assert "evaluated model differs from the model that was saved" in (model / "README.md").read_text()
    card.run(card.Config(run=model, evaluation=tmp_path / "whole"))
    assert "evaluated model differs" not in (model / "README.md").read_text()


def test_a_good_accuracy_of_another_model_judges_nothing():
    figures = {"split": "test", "n": 3000, "accuracy": 0.8, "baselines": {"constant": 0.5}}
    whole, other = (judge(facts_from_mapping({**figures, "mismatch": reason})) for reason in (None, f"x: {WORDS}"))
    assert whole.ready is None  # overlap with the training data is not known
    assert whole.label == "good"
    assert other.label == "cannot_judge"
    assert other.ready is False
    assert "the model that was saved" in other.headline.en
