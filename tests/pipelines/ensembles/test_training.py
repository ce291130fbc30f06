"""`train --members`: members differ, resume bit by bit, are the models that they would be alone, and open as one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from safetensors.torch import load_file

import rewardsmith as rs
from builders import tiny
from rewardsmith.errors import TrainingError, UsageError
from rewardsmith.pipelines.ensembles.training import seed_of_member, train_members
from rewardsmith.pipelines.train.config import Config, Lora
from rewardsmith.pipelines.train.members import MembersSettings
from rewardsmith.pipelines.train.pipeline import train
from rewardsmith.train import resume

TEXTS = ["A good answer.", "nothing", "The sum of two and two is four."]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder with a tiny backbone that has no head."""
    folder = tmp_path_factory.mktemp("base")
    model = tiny(seed=5, n_layer=1)
    model.network.hf.config._attn_implementation = "sdpa"
    model.network.hf.base_model.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return str(folder)


def config(output, base, *, count=2, kind="lora", **settings):
    return Config(
        model=base,
        dataset=("synthetic:80",),
        output=output,
        members=MembersSettings(name=count, kind=kind),
        lora=Lora(r=2, dropout=0.1) if kind == "lora" else Lora(),
        **{
            "batch": 12,
            "evals": 2,
            "threads": 1,
            "lr": 0.01,
            "tokens_per_microbatch": 2000,
            "report": False,
            **settings,
        },
    )


def weights_of(folder):
    """The bytes of every weight below a folder that is part of the model."""
    files = sorted(Path(folder).rglob("*.safetensors"))
    kept = [path for path in files if "checkpoints" not in path.parts]
    return {
        str(path.relative_to(folder)): {k: v.numpy().tobytes() for k, v in load_file(path).items()} for path in kept
    }


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("kind", ["lora", "runs"])
def test_a_killed_ensemble_goes_on_with_the_same_bits(tmp_path, base, monkeypatch, kind):
    train_members(config(tmp_path / "whole", base, kind=kind))
    calls = []

    def dying(checkpoints, *, keep):
        calls.append(checkpoints)
        if checkpoints.parent.name == "02":
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(resume, "prune", dying)
        with pytest.raises(Killed):
            train_members(config(tmp_path / "again", base, kind=kind))
    before = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "again" / "members" / "01").rglob("*") if path.is_file()
    }
    train_members(config(tmp_path / "again", base, kind=kind, resume=True))
    assert weights_of(tmp_path / "again") == weights_of(tmp_path / "whole")
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())  # the finished member was not touched
    told = orjson.loads((tmp_path / "again" / "members.json").read_bytes())
    assert told["finished"]
    assert {name: part["holds"] for name, part in rs.verify(tmp_path / "again").to_json()["parts"].items()} == {
        "files": True,
        "probes": True,
    }
    with pytest.raises(TrainingError, match="its settings changed"):
        train_members(config(tmp_path / "again", base, kind=kind, resume=True, lr=0.02))


def test_lora_members_on_one_backbone_are_what_they_are_alone(tmp_path, base):
    train_members(config(tmp_path / "together", base, bootstrap=True))
    model = rs.RewardModel.load(tmp_path / "together")
    scales = model.members.description.scales
    unit = np.mean([one.scale for one in scales])
    found = model.score_with_columns(TEXTS).columns
    adapters = []
    for number in (1, 2):
        seeds = {"seed": seed_of_member(0, number), "split_seed": 0}
        train(replace(config(tmp_path / f"alone{number}", base, bootstrap=True), members=MembersSettings(), **seeds))
        own = rs.RewardModel.load(tmp_path / f"alone{number}").score(TEXTS)
        scale = scales[number - 1]
        np.testing.assert_allclose(
            found[f"member_{number}"], (own - scale.centre) / scale.scale * unit, rtol=1e-3, atol=1e-4
        )
        kept = load_file(tmp_path / f"alone{number}" / "model" / "adapter" / "adapter_model.safetensors")
        same = load_file(
            tmp_path / "together" / "model" / "members" / f"0{number}" / "adapter" / "adapter_model.safetensors"
        )
        assert {k: v.numpy().tobytes() for k, v in kept.items()} == {k: v.numpy().tobytes() for k, v in same.items()}
        adapters.append(kept)
    assert any((adapters[0][name] != adapters[1][name]).any() for name in adapters[0])


def test_all_lora_members_are_trained_on_the_same_synthetic_comparisons_and_keep_them(tmp_path, base):
    train_members(config(tmp_path / "run", base, augment=("cut",)))
    kept = [tmp_path / "run" / "members" / name for name in ("01", "02")]
    made = [(folder / "data" / "augmented.jsonl").read_bytes() for folder in kept]
    told = [json.loads((folder / "train.json").read_text()) for folder in kept]
    assert made[0] == made[1]
    assert [each["augmented"] for each in told] == [{"cut": made[0].count(b"\n")}] * 2
    assert all(each["scored_as"] for each in told)


def test_an_ensemble_of_lora_sets_is_scored_evaluated_and_joined_under_another_rule(tmp_path, base):
    from rewardsmith.commands import ensemble as command
    from rewardsmith.commands import evaluate
    from rewardsmith.pipelines.ensembles.combine import CombineSettings

    result = train_members(config(tmp_path / "e", base, report=True))
    assert "trained an ensemble of 2 members (lora)" in result.to_text()
    assert "members" in result.to_text()
    summary = evaluate.run(evaluate.Config(model=str(tmp_path / "e"), sources=("synthetic:30",))).summary
    assert len(summary["disagreement"]["members"]) == 2
    least = CombineSettings(name="min")
    command.run(command.Config(members=(str(tmp_path / "e"),), output=tmp_path / "least", combine=least))
    model = rs.RewardModel.load(tmp_path / "least")
    assert model.members.description.combination.rule == "min"
    found = model.score_with_columns(TEXTS)
    lowest = np.minimum(found.columns["member_1"], found.columns["member_2"])
    np.testing.assert_allclose(found.rewards, lowest, rtol=1e-6)


def test_heads_learn_by_steps_and_their_mean_is_the_plain_model(tmp_path, base):
    from transformers import AutoModelForSequenceClassification

    train(config(tmp_path / "h", base, count=3, kind="heads"))
    model = rs.RewardModel.load(tmp_path / "h")
    found = model.score_with_columns(TEXTS)
    members = np.stack([found.columns[f"member_{number}"] for number in (1, 2, 3)])
    np.testing.assert_allclose(members.mean(axis=0), found.rewards, rtol=1e-5, atol=1e-6)
    assert found.columns["std"].min() > 0
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "h" / "model")
    stored = json.loads((tmp_path / "h" / "model" / "reward.json").read_text())["probes"]
    import torch

    for probe in stored:
        with torch.no_grad():
            assert plain(input_ids=torch.tensor([probe["ids"]])).logits.item() == pytest.approx(
                probe["reward"], abs=1e-4
            )


def test_members_that_cannot_be_are_refused_before_anything_is_written(tmp_path, base):
    for settings, message in (
        ({"kind": "lora", "lora": Lora()}, "needs a rank"),
        ({"kind": "heads", "head": "odin"}, "takes scalar heads"),
        ({"kind": "heads", "loss": "uncertainty"}, "trains an ensemble of heads itself"),
        ({"kind": "runs", "push_to_hub": "a/b"}, "uploads a single model"),
        ({"name": 65}, "expected 1 to 64"),
        ({"name": 1, "kind": "runs"}, "needs the number of members"),
    ):
        members = {"name": settings.pop("name", 2), "kind": settings.pop("kind", None)}
        with pytest.raises(UsageError, match=message):
            rs.train(base, "synthetic:80", tmp_path / "o", members=members, **settings)
    with pytest.raises(UsageError, match="learn from losses on comparisons"):
        rs.train(base, "synthetic:80", tmp_path / "o", members={"name": 2, "kind": "heads"}, loss="plackett-luce")
    assert not (tmp_path / "o").exists()


def test_seeds_of_members_are_their_own():
    seeds = [seed_of_member(seed, number) for seed in range(20) for number in range(1, 20)]
    assert len(set(seeds)) == len(seeds)
    assert seed_of_member(0, 1) == 954033363  # a run of before has to find its members again
