"""Code that a model brings or asks for is run where a flag says so, never passed over in silence; few bits are refused."""

from pathlib import Path

import pytest

import foreign
from builders import tiny
from foreign import CONVERSATIONS
from rewardsmith.commands import evaluate, import_, score, train
from rewardsmith.errors import ModelError
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.progress import Silent

ROOT = Path(__file__).parents[2]
MAPS = {
    "its class": {"AutoModelForSequenceClassification": "modeling.Custom"},
    "another class": {"AutoModel": "modeling.Custom", "AutoConfig": "configuration.Custom"},
    "a class elsewhere": {"AutoModelForCausalLM": "org/repo--modeling.Custom"},
    "its config": {"AutoConfig": "configuration.Custom"},
}
BOMB = "raise SystemExit('code of the model was run')"


def change(folder, name, **keys):
    foreign.change_json(folder / name, **keys)


def with_code(folder):
    for name in ("modeling.py", "configuration.py", "tokenization.py"):
        (folder / name).write_text(BOMB)


@pytest.mark.parametrize("case", MAPS)
def test_a_reward_model_of_its_own_code_is_not_opened_as_another_class(case, tmp_path):
    foreign.classifier(tmp_path)
    with_code(tmp_path)
    change(tmp_path, "config.json", auto_map=MAPS[case])
    for opening in (lambda: RewardModel.load(tmp_path, device="cpu"), lambda: open_backbone(str(tmp_path))):
        with pytest.raises(
            ModelError, match=r"refers to its own code \(auto_map: Auto\w+.*which is not executed.*--trust-remote-code"
        ):
            opening()


def test_the_tokenizers_own_code_counts_as_well(tmp_path):
    foreign.classifier(tmp_path)
    with_code(tmp_path)
    change(tmp_path, "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization.Custom", None]})
    with pytest.raises(ModelError, match=r"auto_map: AutoTokenizer\), which is not executed"):
        RewardModel.load(tmp_path, device="cpu")


def test_a_backbone_for_a_new_head_says_which_code_is_not_run_and_is_saved_without_it(tmp_path):
    foreign.language_model()[0].save_pretrained(tmp_path / "lm")
    foreign.save_tokenizer(tmp_path / "lm")
    with_code(tmp_path / "lm")
    change(tmp_path / "lm", "config.json", auto_map=MAPS["another class"])
    change(tmp_path / "lm", "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization.Custom", None]})
    settings = {"dataset": ("synthetic:60",), "report": False, "threads": 1, "device": "cpu", "max_steps": 1}
    noted = Noted()
    train.run(train.Config(model=str(tmp_path / "lm"), output=tmp_path / "run", **settings), noted)
    words = "its own code (auto_map: AutoConfig, AutoModel, AutoTokenizer), which is not executed"
    assert any(words in note for note in noted.notes)
    saved = tmp_path / "run" / "model"
    assert "auto_map" not in (saved / "config.json").read_text()
    assert "auto_map" not in (saved / "tokenizer_config.json").read_text()
    RewardModel.load(saved, device="cpu")


def test_code_that_the_flag_allows_but_that_is_no_classifier_is_not_passed_over(tmp_path):
    foreign.classifier(tmp_path)
    change(tmp_path, "config.json", auto_map={"AutoModelForCausalLM": "modeling.Custom"})
    with pytest.raises(ModelError, match=r"auto_map: AutoModelForCausalLM\) but not .*; remove auto_map"):
        RewardModel.load(tmp_path, device="cpu", trust_remote_code=True)


def test_the_flag_runs_the_models_own_classifier(tmp_path):
    foreign.classifier(tmp_path / "model")
    folder = tmp_path / "model"
    (folder / "modeling.py").write_text(
        "import torch\n"
        "from transformers import LlamaForSequenceClassification\n"
        "class Custom(LlamaForSequenceClassification):\n"
        "    def __init__(self, config):\n"
        "        super().__init__(config)\n"
        "        self.score_norm = torch.nn.Identity()\n"
    )
    change(folder, "config.json", auto_map=MAPS["its class"])
    model = RewardModel.load(folder, device="cpu", trust_remote_code=True)
    assert hasattr(model.network.hf, "score_norm")


def test_a_family_that_only_its_own_code_knows_says_so(tmp_path):
    foreign.classifier(tmp_path)
    change(tmp_path, "config.json", model_type="nosuch", auto_map=MAPS["another class"])
    with pytest.raises(
        ModelError, match=r"has the model type 'nosuch', which transformers does not support.*--trust-remote-code"
    ):
        RewardModel.load(tmp_path, device="cpu")


@pytest.mark.parametrize("key", ["_attn_implementation", "attn_implementation"])
@pytest.mark.parametrize("kernel", ["some-org/some-kernel", "some-org/some-kernel@main:forward", "flash_attention_2"])
def test_an_attention_kernel_that_the_config_names_is_not_fetched(key, kernel, tmp_path, monkeypatch):
    from transformers import modeling_utils

    def fetched(*arguments, **settings):
        raise AssertionError("a kernel was asked for")

    monkeypatch.setattr(modeling_utils, "lazy_import_flash_attention", fetched)
    hf, tokenizer = foreign.classifier(tmp_path)
    expected = foreign.rewards_by(lambda ids: hf(input_ids=ids).logits[0, 0], tokenizer)
    change(tmp_path, "config.json", **{key: kernel})
    model = RewardModel.load(tmp_path, device="cpu")
    assert model.score(CONVERSATIONS) == pytest.approx(expected, abs=1e-5)
    assert f"config.json selects the attention '{kernel}'" in model.notes[0]
    assert model.remarks()[1] == model.notes[0]
    with pytest.raises((ModelError, AssertionError)):  # what the flag allows, transformers tries
        RewardModel.load(tmp_path, device="cpu", trust_remote_code=True)


QUANTISED = {
    "bitsandbytes, 4 bits": {"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False},
    "bitsandbytes, 8 bits": {"load_in_8bit": True},
    "gptq, 4 bits": {"quant_method": "gptq", "bits": 4},
    "awq, 4 bits": {"quant_method": "awq", "bits": 4},
    "fp8": {"quant_method": "fp8"},
    "compressed-tensors": {"quant_method": "compressed-tensors", "format": "pack-quantized"},
}


def commands(folder, out):
    settings = {"device": "cpu"}
    yield lambda: RewardModel.load(folder, device="cpu")
    yield lambda: score.run(score.Config(model=str(folder), source="synthetic:2", output=out / "x.jsonl", **settings))
    yield lambda: evaluate.run(evaluate.Config(model=str(folder), sources=("synthetic:2",), **settings))
    yield lambda: import_.run(import_.Config(model=str(folder), output=out / "imported"))
    yield lambda: train.run(train.Config(model=str(folder), dataset=("synthetic:60",), output=out / "run", **settings))


@pytest.mark.parametrize("words", QUANTISED)
def test_weights_of_few_bits_are_refused_at_once_everywhere(words, tmp_path):
    foreign.classifier(tmp_path / "model")
    change(tmp_path / "model", "config.json", quantization_config=QUANTISED[words])
    for command in commands(tmp_path / "model", tmp_path):
        with pytest.raises(ModelError, match=rf"is quantised \({words}\).*dequantise it with"):
            command()


def test_a_real_folder_in_four_bits_is_refused_and_so_are_its_weights_without_their_config(tmp_path):
    pytest.importorskip("bitsandbytes")
    from transformers import AutoModelForSequenceClassification, BitsAndBytesConfig

    foreign.classifier(tmp_path / "plain")
    hf = AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "plain", quantization_config=BitsAndBytesConfig(load_in_4bit=True), device_map="cpu"
    )
    hf.save_pretrained(tmp_path / "model")
    tokenizer = foreign.save_tokenizer(tmp_path / "model")
    with pytest.raises(ModelError, match=r"is quantised \(bitsandbytes, 4 bits\)"):
        RewardModel.load(tmp_path / "model", device="cpu")
    few = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model", device_map="cpu").eval()
    # With gradients: else bitsandbytes packs, on some CPUs, in blocks for which these layers are too small.
    expected = [float(few(input_ids=foreign.ids_of(tokenizer, turns)).logits[0, 0]) for turns in CONVERSATIONS]
    section = (ROOT / "docs" / "models.md").read_text("utf-8").partition("## Quantised folders")[2]
    recipe = section.split("```")[1].replace('"auto"', '"cpu"')
    exec(recipe, {"folder": tmp_path / "model", "new_folder": tmp_path / "plain"})
    dequantised = RewardModel.load(tmp_path / "plain", device="cpu").score(CONVERSATIONS)
    assert dequantised == pytest.approx(expected, abs=1e-4)
    change(tmp_path / "model", "config.json", quantization_config=None)
    with pytest.raises(ModelError, match=r"as integers \(U8\)"):
        open_backbone(str(tmp_path / "model"))


@pytest.mark.parametrize("key", ["transformers_weights", "fusion_config"])
def test_a_config_that_names_weights_elsewhere_is_refused(key, tmp_path):
    foreign.classifier(tmp_path)
    change(tmp_path, "config.json", **{key: "other.safetensors"})
    with pytest.raises(ModelError, match=f"has the key '{key}'"):
        RewardModel.load(tmp_path, device="cpu")


def test_a_folder_of_ours_asks_for_nothing(tmp_path):
    tiny().save(tmp_path / "model")
    assert RewardModel.load(tmp_path / "model", device="cpu").remarks() == []


class Noted(Silent):
    """A progress that keeps its notes."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)
