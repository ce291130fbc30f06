"""An adapter that brings tokens gets the rows it was trained with, as peft gives them."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import foreign
from foreign import CONVERSATIONS
from rewardsmith.errors import ModelError
from rewardsmith.model.loading.value_heads import Choice
from rewardsmith.model.reward_model import RewardModel

peft = pytest.importorskip("peft")

TEXTS = [
    *CONVERSATIONS,
    [{"role": "user", "content": "a zebra?"}, {"role": "assistant", "content": "zebra zebra 斑马"}],
]
ADAPTERS = {
    "embedding saved": {"modules_to_save": ["embed_tokens", "score"]},
    "embedding beside": {},
    "rows replaced": {"trainable_token_indices": [260, 261]},
    "embedding adapted": {"target_modules": ["q_proj", "embed_tokens"]},
    "with the language model's head": {"modules_to_save": ["embed_tokens", "lm_head", "score"]},
}


def adapt(tmp_path, *, tokens=("zebra", "斑马"), rows=None, beside=False, **settings):
    """A classifier whose tokenizer got two more tokens, trained with an adapter; its rewards by peft itself."""
    hf, tokenizer = foreign.classifier(tmp_path / "base")
    tokenizer.add_tokens(list(tokens))
    hf.resize_token_embeddings(rows or len(tokenizer), mean_resizing=False)
    if "lm_head" in settings.get("modules_to_save", ()):
        hf.lm_head = torch.nn.Linear(32, rows or len(tokenizer), bias=False)
    adapted = peft.get_peft_model(
        hf, peft.LoraConfig(task_type="SEQ_CLS", r=2, **{"target_modules": ["q_proj"], **settings})
    ).eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if any(part in name for part in ("lora_B", "embedding_B", "modules_to_save", "tokens_delta")):
                parameter.normal_(std=0.3)
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=beside)
    tokenizer.save_pretrained(tmp_path / "adapter")
    return foreign.rewards_of(lambda ids: adapted(input_ids=ids).logits[0, 0], tokenizer, TEXTS)


def load(tmp_path):
    return RewardModel.load(tmp_path / "adapter", device="cpu", choice=Choice(base=str(tmp_path / "base")))


@pytest.mark.parametrize("case", ADAPTERS)
def test_an_adapter_with_more_tokens_gives_the_rewards_of_peft(case, tmp_path):
    beside = case in ("embedding beside", "embedding adapted")
    expected = adapt(tmp_path, beside=beside, **ADAPTERS[case])
    model = load(tmp_path)
    assert model.network.hf.get_input_embeddings().num_embeddings == 262
    np.testing.assert_allclose(model.score(TEXTS), expected, atol=1e-5)
    assert abs(expected[0] - expected[2]) > 1e-3
    model.save(tmp_path / "saved")
    np.testing.assert_allclose(RewardModel.load(tmp_path / "saved", device="cpu").score(TEXTS), expected, atol=1e-5)


def test_an_embedding_with_padded_rows_keeps_them(tmp_path):
    expected = adapt(tmp_path, rows=272, modules_to_save=["embed_tokens", "score"])
    model = load(tmp_path)
    assert model.network.hf.get_input_embeddings().num_embeddings == 272
    np.testing.assert_allclose(model.score(TEXTS), expected, atol=1e-5)


def test_tokens_that_nobody_has_a_row_for_are_refused(tmp_path):
    adapt(tmp_path, beside=False)
    with pytest.raises(ModelError, match=r"adds 2 tokens \(260 'zebra', 261 '斑马'\), but neither"):
        load(tmp_path)
    adapt(tmp_path / "one", trainable_token_indices=[260])
    with pytest.raises(ModelError, match=r"adds 1 tokens \(261 '斑马'\)"):
        load(tmp_path / "one")


def test_what_an_adapter_says_it_saves_must_be_there(tmp_path):
    adapt(tmp_path, modules_to_save=["embed_tokens", "score"])
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    weights = load_file(path)
    save_file({name: w for name, w in weights.items() if "score" not in name}, path)
    with pytest.raises(ModelError, match=r"lacks base_model.model.score.weight; check that the copy is complete"):
        load(tmp_path)


def test_a_weight_of_the_adapter_that_is_no_number_is_named(tmp_path):
    adapt(tmp_path, trainable_token_indices=[260, 261])
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if "lora_A" in name)
    weights[name][0, 0] = float("nan")
    save_file(weights, path)
    with pytest.raises(ModelError, match=r"q_proj.lora_A.weight has 1 NaN or infinite values"):
        load(tmp_path)


def test_other_kinds_of_adapters_are_refused(tmp_path):
    adapt(tmp_path, trainable_token_indices=[260, 261])
    foreign.change_json(tmp_path / "adapter" / "adapter_config.json", peft_type="IA3")
    with pytest.raises(ModelError, match=r"an adapter of type IA3, but only LoRA adapters are supported"):
        load(tmp_path)
