"""`train --noise`: what it writes and refuses."""

import json

import pytest

from rewardsmith.commands import train, verify
from rewardsmith.errors import UsageError
from rewardsmith.pipelines.train.loss import LossSettings
from rewardsmith.pipelines.train.noise import NoiseSettings

SMALL = {"n_layer": 1, "n_embd": 32, "max_steps": 4, "report": False, "threads": 1}


def config(output, **settings):
    return train.Config(**{"model": "tiny", "dataset": ("synthetic:60x3",), "output": output, **SMALL, **settings})


def test_a_run_of_two_models_is_whole_resumed_and_replaced(tmp_path):
    noise = {"name": "crm", "rate": 0.4}
    given = config(tmp_path / "run", noise=NoiseSettings(**noise))
    result = train.train(given)
    assert result.summary["noise"]["method"] == "crm"
    assert verify.run(verify.Config(place=tmp_path / "run")).holds
    again = train.train(config(tmp_path / "run", noise=NoiseSettings(**noise), resume=True))
    assert again.summary["noise"] == result.summary["noise"]
    assert train.train(config(tmp_path / "run", overwrite=True)).summary["noise"] is None
    assert not (tmp_path / "run" / "peer").exists()
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["noise"] is None


@pytest.mark.parametrize(
    ("noise", "settings", "words"),
    [
        ({"name": "none", "rate": 0.2}, {}, "no effect with --noise none"),
        ({"name": "crm", "rate": 1.0}, {}, "expected a number in"),
        ({"name": "crm"}, {"freeze_layers": -1, "head_start": "probe"}, "fitted directly"),
        ({"name": "crm"}, {"parallel": "fsdp"}, "--parallel ddp"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(tmp_path, noise, settings, words):
    with pytest.raises(UsageError, match=words):
        config(tmp_path / "run", noise=NoiseSettings(**noise), **settings)


def test_what_accelerate_was_configured_for_is_refused_like_the_flag(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UsageError, match="--parallel ddp"):
        config(tmp_path / "run", noise=NoiseSettings(name="crm"))


def test_what_cannot_be_filtered_is_refused_before_anything_is_written(tmp_path):
    ranked = config(tmp_path / "a", noise=NoiseSettings(name="crm"), loss=LossSettings(name="plackett-luce"))
    with pytest.raises(UsageError, match="--loss plackett-luce does not use"):
        train.train(ranked)
    train.train(config(tmp_path / "first"))
    own = config(tmp_path / "b", noise=NoiseSettings(name="crm"), model=str(tmp_path / "first"), n_layer=2, n_embd=64)
    with pytest.raises(UsageError, match="trained head"):
        train.train(own)
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()
