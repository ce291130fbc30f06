"""Weights that the opened class does not know change every reward: they are refused by name, but for those of no use."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

import foreign
from builders import tiny
from families import FAMILIES
from foreign import CONVERSATIONS
from rewardsmith.errors import ModelError
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.loading.tiny import byte_tokenizer
from rewardsmith.model.reward_model import RewardModel

WIDTH = foreign.SIZES["hidden_size"]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier") / "model"
    hf, tokenizer = foreign.classifier(folder)
    return folder, foreign.rewards_by(lambda ids: hf(input_ids=ids).logits[0, 0], tokenizer)


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm") / "model"
    foreign.language_model()[0].save_pretrained(folder)
    foreign.save_tokenizer(folder)
    return folder


def copy_with(folder, target, added, *, without=(), file="model.safetensors"):
    shutil.copytree(folder, target)
    kept = load_file(target / "model.safetensors") if file == "model.safetensors" else {}
    weights = {name: value for name, value in kept.items() if name not in without} | added
    save_file(weights, target / file, metadata={"format": "pt"})
    return target


def biases(*, prefix="model."):
    names = [f"{prefix}layers.0.self_attn.{part}_proj.bias" for part in "qkv"]
    return {name: torch.ones(WIDTH if ".q_" in name else WIDTH // 2) for name in names}


CHANGING = {
    "biases that the config denies": biases(),
    "biases under a bare name": biases(prefix=""),
    "a norm before the head": {"score_norm.weight": torch.ones(WIDTH)},
    "a scale of FP8": {"model.layers.0.mlp.up_proj.weight_scale_inv": torch.ones(1, 1)},
    "a second head": {"v_head.summary.weight": torch.ones(1, WIDTH)},
    "a layer more than the config has": {"model.layers.2.self_attn.q_proj.weight": torch.ones(WIDTH, WIDTH)},
    "a pooler of a decoder": {"pooler.dense.weight": torch.ones(WIDTH, WIDTH)},
    "a mask's name with the shape of a bias": {"model.layers.0.attn.bias": torch.ones(WIDTH)},
}


@pytest.mark.parametrize("case", CHANGING)
def test_a_weight_that_the_class_does_not_know_is_refused_by_name(case, classifier, tmp_path):
    folder = copy_with(classifier[0], tmp_path / "model", CHANGING[case])
    for opening in (lambda: RewardModel.load(folder, device="cpu"), lambda: open_backbone(str(folder))):
        with pytest.raises(
            ModelError, match=r"has \d+ weights that LlamaForSequenceClassification does not use \("
        ) as caught:
            opening()
        assert next(iter(CHANGING[case])).removeprefix("model.") in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "head",
    [
        {"score.0.weight": torch.ones(WIDTH, WIDTH), "score.2.weight": torch.ones(1, WIDTH)},
        {"v_head.dense.weight": torch.ones(WIDTH, WIDTH), "v_head.summary.weight": torch.ones(1, WIDTH)},
        {"v_head.dense.weight": torch.ones(WIDTH, WIDTH), "v_head.out.weight": torch.ones(2, WIDTH)},
    ],
    ids=["numbered", "named", "two outputs"],
)
@pytest.mark.parametrize("file", ["model.safetensors", "value_head.safetensors"])
def test_of_a_head_of_two_layers_the_last_is_not_used_alone(head, file, language_model, tmp_path):
    folder = copy_with(language_model, tmp_path / "model", head, file=file)
    for opening in (lambda: RewardModel.load(folder, device="cpu"), lambda: open_backbone(str(folder))):
        with pytest.raises(ModelError, match=r"does not use .*(score.0|v_head.dense).weight"):
            opening()


USELESS = {
    "lm_head.weight": torch.ones(260, WIDTH),
    "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4),
    "model.layers.1.self_attn.attn.bias": torch.ones(1, 1, 8, 8),
    "position_ids": torch.arange(8),
    "mtp.layers.0.mlp.up_proj.weight": torch.ones(4, 4),
    "model.vision_tower.layers.0.weight": torch.ones(4, 4),
    "mean": torch.ones(1),
}


def test_weights_of_no_use_change_nothing(classifier, tmp_path):
    folder = copy_with(classifier[0], tmp_path / "model", USELESS)
    np.testing.assert_allclose(RewardModel.load(folder, device="cpu").score(CONVERSATIONS), classifier[1], atol=1e-5)


def test_layers_that_predict_ahead_are_as_many_as_the_config_says(classifier, tmp_path):
    names = [f"model.layers.{layer}.eh_proj.weight" for layer in (2, 3)]
    folder = copy_with(classifier[0], tmp_path / "model", {name: torch.ones(4, 4) for name in names})
    foreign.change_config(folder, num_nextn_predict_layers=2)
    np.testing.assert_allclose(RewardModel.load(folder, device="cpu").score(CONVERSATIONS), classifier[1], atol=1e-5)
    foreign.change_config(folder, num_nextn_predict_layers=1)
    with pytest.raises(ModelError, match=r"does not use \(model.layers.3.eh_proj.weight\)"):
        RewardModel.load(folder, device="cpu")


def test_layers_that_are_cut_off_on_purpose_are_left_out_and_no_others(classifier, tmp_path):
    folder = copy_with(classifier[0], tmp_path / "model", biases())
    with pytest.raises(ModelError, match=r"self_attn.k_proj.bias, .*q_proj.bias, .*v_proj.bias\)"):
        open_backbone(str(folder), layers=1)
    assert open_backbone(str(classifier[0]), layers=1).hf.config.num_hidden_layers == 1
    folder = copy_with(classifier[0], tmp_path / "deeper", {"model.layers.2.mlp.up_proj.weight": torch.ones(64, WIDTH)})
    with pytest.raises(ModelError, match=r"model.layers.2.mlp.up_proj.weight"):
        open_backbone(str(folder), layers=1)


def test_sharded_folders_are_looked_at_alike(classifier, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(classifier[0], folder)
    weights = load_file(folder / "model.safetensors") | {"score_norm.weight": torch.ones(WIDTH)}
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    for number, part in enumerate((names[::2], names[1::2])):
        save_file({n: weights[n] for n in part}, folder / f"part-{number}.safetensors", metadata={"format": "pt"})
    index = {n: f"part-{number}.safetensors" for number, part in enumerate((names[::2], names[1::2])) for n in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    with pytest.raises(ModelError, match=r"does not use \(score_norm.weight\)"):
        RewardModel.load(folder, device="cpu")
    (folder / "part-0.safetensors").rename(folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"part-0\.safetensors"):
        RewardModel.load(folder, device="cpu")


def test_weights_that_lie_there_twice_are_not_chosen_between(classifier, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(classifier[0], folder)
    shutil.copyfile(folder / "model.safetensors", folder / "part.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "part.safetensors"}}))
    with pytest.raises(
        ModelError, match=r"contains its weights twice \(model.safetensors and model.safetensors.index.json\)"
    ):
        RewardModel.load(folder, device="cpu")
    (folder / "model.safetensors").rename(folder / "shard-00000-model-00001-of-00001.safetensors")
    with pytest.raises(ModelError, match="contains its weights twice"):
        RewardModel.load(folder, device="cpu")


def test_a_trained_model_that_lacks_a_part_before_its_head_is_refused(tmp_path):
    from transformers import RobertaConfig, RobertaForSequenceClassification

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = RobertaConfig(vocab_size=300, num_labels=1, pad_token_id=0, **sizes)
    RobertaForSequenceClassification(config).save_pretrained(tmp_path / "whole")
    foreign.save_tokenizer(tmp_path / "whole")
    open_backbone(str(tmp_path / "whole"))
    folder = copy_with(tmp_path / "whole", tmp_path / "model", {}, without=("classifier.dense.weight",))
    for opening in (lambda: RewardModel.load(folder, device="cpu"), lambda: open_backbone(str(folder))):
        with pytest.raises(ModelError, match=r"lacks weights \(classifier.dense.weight"):
            opening()
    folder = copy_with(tmp_path / "whole", tmp_path / "biasless", {}, without=("classifier.out_proj.bias",))
    with pytest.raises(ModelError, match=r"lacks classifier.out_proj.bias"):
        open_backbone(str(folder))


def test_a_model_with_a_contract_that_has_lost_its_head_is_never_given_another(tmp_path):
    tiny().save(tmp_path / "model")
    folder = copy_with(tmp_path / "model", tmp_path / "headless", {}, without=("score.weight",))
    (folder / "manifest.json").unlink()  # as in a folder of an older version
    for opening in (
        lambda: RewardModel.load(folder, device="cpu"),
        lambda: RewardModel.load(folder, device="cpu", allow_mismatch=True),
        lambda: open_backbone(str(folder)),
    ):
        with pytest.raises(ModelError, match=r"has a reward.json but no reward head \(score.weight\)"):
            opening()


def plain_models():
    for name, (kind, sizes) in FAMILIES.items():
        for auto in (AutoModelForCausalLM, AutoModelForMaskedLM):
            if type(AutoConfig.for_model(kind, **sizes)) in auto._model_mapping:
                yield pytest.param(name, auto, id=f"{name}-{auto.__name__}")


@pytest.mark.parametrize(("name", "auto"), list(plain_models()))
def test_a_language_model_of_every_family_opens_for_a_new_head(name, auto, tmp_path):
    kind, sizes = FAMILIES[name]
    config = AutoConfig.for_model(kind, **sizes)
    tokenizer = byte_tokenizer()
    config.vocab_size, config.pad_token_id = len(tokenizer), 0
    auto.from_config(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert open_backbone(str(tmp_path)).head_is_new
