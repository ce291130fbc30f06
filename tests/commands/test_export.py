"""`rewardsmith export`: TRL's layout gives the same values, and opens here again with the same rewards."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, BertConfig, LlamaForCausalLM

import foreign
import rewardsmith as rs
from builders import from_config, tiny
from rewardsmith.commands import export
from rewardsmith.errors import ModelError, OutputError
from rewardsmith.model.forward.readout import Readout
from rewardsmith.model.reward_model import RewardModel

TURNS = [{"role": "user", "content": "天空为什么是蓝色的？"}, {"role": "assistant", "content": "Because of 散射。"}]
FROM_TINY = {"base_model": {"name": "tiny", "hub": None, "license": None}}


def saved(folder, model, **training):
    model.save(folder, training=training)
    return folder


def values_in_plain_transformers(folder, ids):
    """TRL's ValueHead without its class: one linear map of the language model's last hidden state."""
    lm = AutoModelForCausalLM.from_pretrained(folder).eval()
    head = load_file(folder / "model.safetensors")
    with torch.no_grad():
        states = lm(torch.tensor(ids[None].astype(np.int64)), output_hidden_states=True).hidden_states[-1][0]
    return (states @ head["v_head.summary.weight"][0] + head["v_head.summary.bias"]).numpy()


@pytest.mark.parametrize("pooling", [None, "last", "mean"])
def test_the_values_are_those_of_the_model(tmp_path, pooling):
    model = tiny(seed=2)
    model.network.offset = 0.5
    readout = None if pooling is None else Readout((2,), (pooling,))
    if readout is not None:
        model.network.read(readout)
        with torch.no_grad():
            model.network.head.weight.normal_(generator=torch.Generator().manual_seed(1))
        model.network.eval()
    model = RewardModel(model.network, model.tokenizer, replace(model.sidecar, readout=readout, offset=0.5))
    result = export.run(export.Config(model=str(saved(tmp_path / "m", model, **FROM_TINY)), output=tmp_path / "critic"))
    assert result.largest_difference < 1e-4
    opening = model.encoder.opening(())
    ids = np.concatenate([opening, np.arange(9, 40, dtype=np.int32)])
    expected = model.values([], ids[len(opening) :])
    np.testing.assert_allclose(
        values_in_plain_transformers(tmp_path / "critic", ids)[len(opening) :], expected, atol=1e-5
    )
    assert ("mean" in result.reward) == (pooling == "mean")
    again = RewardModel.load(tmp_path / "critic", device="cpu")
    assert "v_head.summary of TRL with bias 0.5" in again.understood
    if pooling != "mean":
        np.testing.assert_allclose(again.score([TURNS]), model.score([TURNS]), atol=1e-5)


def test_a_head_that_is_not_tied_comes_from_the_language_model(tmp_path):
    torch.manual_seed(4)
    plain = LlamaForCausalLM(foreign.config()).eval()
    plain.save_pretrained(tmp_path / "lm")
    tokenizer = foreign.save_tokenizer(tmp_path / "lm")
    import datetime

    from rewardsmith.model.inferred import new_contract
    from rewardsmith.model.loading.backbones import open_backbone

    backbone = open_backbone(str(tmp_path / "lm"))
    model = RewardModel.build(backbone, new_contract(backbone, max_length=128, date=datetime.date(2026, 1, 1)))
    folder = saved(tmp_path / "m", model)
    with pytest.raises(
        ModelError, match="give the folder of the language model that training started from with --base"
    ):
        export.run(export.Config(model=str(folder), output=tmp_path / "critic"))
    assert not (tmp_path / "critic").exists()
    export.run(export.Config(model=str(folder), output=tmp_path / "critic", base=tmp_path / "lm"))
    opened = AutoModelForCausalLM.from_pretrained(tmp_path / "critic").eval()
    ids = torch.tensor(tokenizer("some text")["input_ids"])[None]
    with torch.no_grad():
        torch.testing.assert_close(opened(ids).logits, plain(ids).logits)


def test_what_has_no_values_per_token_is_refused(tmp_path):
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    encoder = saved(tmp_path / "encoder", from_config(BertConfig(**small)))
    with pytest.raises(ModelError, match="--to=trl-value-head: this model has no values per token"):
        export.run(export.Config(model=str(encoder), output=tmp_path / "critic", base=encoder))
    model = tiny()
    model.network.read(Readout((1,), ("last",)))
    model = RewardModel(model.network, model.tokenizer, replace(model.sidecar, readout=Readout((1,), ("last",))))
    folder = saved(tmp_path / "first-layer", model, **FROM_TINY)
    with pytest.raises(ModelError, match=r"reads layers 1, but this layout has a head on the last layer \(2\)"):
        export.run(export.Config(model=str(folder), output=tmp_path / "critic"))


def test_an_export_is_replaced_only_where_it_is_one(tmp_path):
    folder = saved(tmp_path / "m", tiny(), **FROM_TINY)
    config = export.Config(model=str(folder), output=tmp_path / "critic")
    export.run(config)
    with pytest.raises(OutputError, match="--overwrite"):
        export.run(config)
    export.run(replace(config, overwrite=True))
    assert json.loads((tmp_path / "critic" / "export.json").read_text())["layout"] == "trl-value-head"
    with pytest.raises(OutputError):
        export.run(replace(config, output=folder, overwrite=True))


def test_a_folder_that_was_changed_is_noticed_by_the_values(tmp_path, monkeypatch):
    from rewardsmith.model.checkpoint import value_head_folder

    monkeypatch.setattr(value_head_folder, "value_head_of", lambda network: {
        "v_head.summary.weight": network.head.weight.detach() * 1.01, "v_head.summary.bias": torch.zeros(1),
    })  # fmt: skip
    folder = saved(tmp_path / "m", tiny(), **FROM_TINY)
    with pytest.raises(ModelError, match="gives other values than this model"):
        export.run(export.Config(model=str(folder), output=tmp_path / "critic"))
    assert not (tmp_path / "critic").exists()


def test_a_value_head_is_trained_like_a_scalar_one_and_only_where_tokens_have_values(tmp_path):
    config = {"max_steps": 2, "report": False, "threads": 1}
    for name in ("scalar", "value"):
        rs.train("tiny", "synthetic:120", tmp_path / name, head=name, **config)
    weights = [
        load_file(tmp_path / name / "model" / "model.safetensors")["score.weight"] for name in ("scalar", "value")
    ]
    assert torch.equal(*weights)
    assert "name: value" in (tmp_path / "value" / "config.yaml").read_text()
    with pytest.raises(ModelError, match=r"--head=value: this model has no values per token, .* last and mean"):
        rs.train("tiny", "synthetic:120", tmp_path / "both", head="value", pooling=("last", "mean"), **config)
