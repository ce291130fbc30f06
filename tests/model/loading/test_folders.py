"""A folder that cannot be used ends in one line that says why; a pickle is never opened."""

import json
import shutil

import pytest

import foreign
from rewardsmith.errors import ContractError, ModelError
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.loading.locating import locate
from rewardsmith.model.reward_model import RewardModel


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "model"
    foreign.classifier(folder)
    return folder


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def no_tokenizer(folder):
    for path in [*folder.glob("tokenizer*"), *folder.glob("chat_template*")]:
        path.unlink()


def no_config(folder):
    (folder / "config.json").unlink()


def bad_config(folder):
    (folder / "config.json").write_text("{")


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def gguf(folder):
    no_config(folder)
    no_weights(folder)
    (folder / "model.Q4_0.gguf").write_bytes(b"GGUF")


def cut_off(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def empty_weights(folder):
    (folder / "model.safetensors").write_bytes(b"")


def noise(folder):
    (folder / "model.safetensors").write_bytes(bytes(range(255, 0, -1)) * 9)


def lfs(folder):
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n")


def shard_missing(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def more_layers(folder):
    foreign.change_config(folder, num_hidden_layers=4)


def other_width(folder):
    foreign.change_config(folder, intermediate_size=80)


def unknown_family(folder):
    foreign.change_config(folder, model_type="nosuch")


def adapter_too(folder):
    (folder / "adapter_config.json").write_text("{}")


def bad_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{")


def only_checkpoints(folder):
    shutil.rmtree(folder)
    (folder / "checkpoints").mkdir(parents=True)


def adapter_without_weights(folder):
    no_weights(folder)
    (folder / "adapter_config.json").write_text("{}")


BROKEN = {
    no_weights: r"has a config.json but no weights \(model.safetensors\); the copy or download is incomplete",
    no_tokenizer: r"has no tokenizer .* copy the tokenizer of its base model",
    no_config: r"has no config.json; expected a Hugging Face model folder",
    bad_config: r"config.json cannot be read as JSON",
    pickled: r"only pytorch_model.bin, a pickle file, which can execute code .* never opened here",
    gguf: r"contains a GGUF file",
    cut_off: r"model.safetensors is truncated: \d+ of \d+ bytes",
    empty_weights: r"is not a complete safetensors file \(0 bytes\)",
    noise: r"is not a complete safetensors file",
    lfs: r"is a Git LFS pointer.*git lfs pull",
    shard_missing: r"lacks model-00002-of-00002.safetensors \(1 of 2 weight files are missing\)",
    more_layers: r"lacks weights \(model.layers.2",
    other_width: r"has the shape \[32, 64\], which does not match config.json",
    unknown_family: r"cannot open the model in .*nosuch",
    adapter_too: r"contains a complete model and a LoRA adapter",
    bad_tokenizer: r"cannot open the model in",
    only_checkpoints: r"is a run whose training has not finished; continue it with: rewardsmith train --resume",
    adapter_without_weights: r"has an adapter_config.json but no adapter_model.safetensors",
}


@pytest.mark.parametrize("damage", BROKEN, ids=lambda damage: damage.__name__)
def test_a_folder_that_cannot_be_used_says_why_in_one_line(damage, whole, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    damage(folder)
    with pytest.raises(ModelError, match=BROKEN[damage]) as caught:
        RewardModel.load(folder, device="cpu")
    assert "\n" not in str(caught.value)


def test_the_folder_itself_is_in_order(whole):
    assert RewardModel.load(whole, device="cpu").contract.inferred


def test_a_file_in_place_of_a_folder_is_refused(whole):
    with pytest.raises(ModelError, match="is a file; pass the folder"):
        open_backbone(str(whole / "model.safetensors"))


def test_a_language_model_has_no_reward(tmp_path):
    foreign.language_model()[0].save_pretrained(tmp_path)
    foreign.save_tokenizer(tmp_path)
    with pytest.raises(ContractError, match="has no reward head; train it first"):
        RewardModel.load(tmp_path, device="cpu")


def test_a_pickled_value_head_is_not_opened(tmp_path):
    foreign.llama_factory(tmp_path)
    (tmp_path / "value_head.safetensors").rename(tmp_path / "value_head.bin")
    with pytest.raises(ModelError, match=r"no value_head.safetensors; only value_head.bin, a pickle"):
        RewardModel.load(tmp_path, device="cpu")


def test_a_folder_that_is_not_there_is_answered_with_the_one_that_was_probably_meant(tmp_path):
    (tmp_path / "runs" / "first").mkdir(parents=True)
    with pytest.raises(ModelError, match=r"no such folder .*frist'; did you mean .*/runs/first\?"):
        locate(str(tmp_path / "runs" / "frist"))
