"""Every family of transformers gives its own rewards: in trees where that is exact, as separate sequences elsewhere."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer

from builders import from_config
from families import DECODERS, ENCODERS, FAMILIES, GROUPED, SEPARATE, SHARED, WINDOWED, build
from rewardsmith.errors import ModelError
from rewardsmith.model.equivalence.path_check import check_path
from rewardsmith.model.equivalence.tree_support import self_check
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.loading.generic_classifier import ensure_classifier
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.model.scorer import Sequences, score

BRANCHES = (60, 9, 1, 25)
PREFIX = 60  # tokens; all lengths lie beyond the windows


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param, build(request.param)


def texts():
    rng = np.random.default_rng(0)
    prefix = rng.integers(5, 200, PREFIX)
    return tuple(np.concatenate([prefix, rng.integers(5, 200, n)]).astype(np.int32) for n in BRANCHES)


def plain(model, sequences):
    """The class's own forward, one text at a time, with its eager attention."""
    hf = model.network.hf
    hf.set_attn_implementation("eager")
    with torch.no_grad():
        rewards = [hf(input_ids=torch.tensor(ids[None].astype(np.int64))).logits.item() for ids in sequences]
    model.network.use_attention()
    return np.array(rewards)


def ours(model, groups):
    return np.concatenate(list(score(model.network, [Sequences("same prompt", group) for group in groups])))


def test_together_alone_and_in_plain_transformers_the_rewards_are_the_same(family):
    _, model = family
    sequences = texts()
    expected = plain(model, sequences)
    tolerance = 1e-5 * max(1.0, np.abs(expected).max())
    assert np.ptp(expected) > 20 * tolerance
    np.testing.assert_allclose(ours(model, [sequences]), expected, atol=tolerance, rtol=0)
    alone = np.concatenate([ours(model, [(ids,)]) for ids in sequences])
    np.testing.assert_allclose(alone, expected, atol=tolerance, rtol=0)


def test_who_shares_prefixes_and_why_not_the_others(family):
    name, model = family
    if name in SHARED:
        assert model.network.packed
        assert model.why_separate is None
    else:
        assert not model.network.packed
        words = {**dict.fromkeys(ENCODERS, "encoder"), "xlnet": "padding", "fnet": "padding"}
        expected = words.get(name) or ("window" if name.endswith("-window") else "attention")
        assert expected in model.why_separate


@pytest.mark.parametrize("name", [*(f"{name}-window" for name in WINDOWED), *SEPARATE])
def test_the_self_check_alone_would_keep_these_out_of_trees(name):
    assert self_check(build(name).network, 128) is not None


@pytest.mark.parametrize("name", FAMILIES)
def test_one_layer_of_a_saved_model_can_be_kept(name, tmp_path):
    model = build(name, scale=1.0)
    model.save(tmp_path / "model")
    backbone = open_backbone(str(tmp_path / "model"), layers=1)
    assert not backbone.head_is_new
    cut = RewardModel.build(backbone, model.contract, device="cpu")
    assert size(cut) < 0.8 * size(model)
    assert np.isfinite(cut.score(["hello", "天空"])).all()


def size(model):
    return sum(p.numel() for name, p in model.network.hf.named_parameters() if "embed" not in name)


def test_more_layers_than_there_are_and_models_that_do_not_count_them_are_refused(tmp_path):
    config = AutoConfig.for_model("funnel", d_model=32, n_head=4, d_head=8, d_inner=64, block_sizes=[1, 1])
    from_config(config).save(tmp_path / "model")
    with pytest.raises(ModelError, match="not supported for funnel"):
        open_backbone(str(tmp_path / "model"), layers=1)


@pytest.mark.parametrize("name", ["granite", "mamba", "falcon_h1"])
def test_a_family_without_a_classifier_opens_elsewhere_as_backbone_and_score(name, tmp_path):
    from safetensors.torch import load_file

    model = build(name)
    model.save(tmp_path / "model")
    turns = [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "so"}]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    backbone = AutoModel.from_pretrained(tmp_path / "model").eval()
    head = load_file(tmp_path / "model" / "model.safetensors")["score.weight"]
    ids = tokenizer.apply_chat_template(turns, return_dict=True, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        reward = (backbone(ids).last_hidden_state[0, -1] @ head[0]).item()
    again = RewardModel.load(tmp_path / "model", device="cpu").score([turns])[0]
    assert abs(again - reward) <= 1e-5 * max(1, abs(reward))
    assert abs(model.score([turns])[0] - reward) <= 1e-5 * max(1, abs(reward))


def test_encoder_decoders_and_models_without_text_are_refused_by_name():
    with pytest.raises(ModelError, match="'t5' is an encoder-decoder"):
        ensure_classifier(AutoConfig.for_model("t5"))
    with pytest.raises(ModelError, match="neither a sequence classifier nor a causal language model for 'vit'"):
        ensure_classifier(AutoConfig.for_model("vit"))


def test_a_window_that_is_never_reached_does_not_hinder_sharing():
    window = SHARED["mistral"]["sliding_window"]
    assert build("mistral", max_length=window).network.packed
    longer = build("mistral", max_length=window + 1)
    assert not longer.network.packed
    assert "shorter than max_length 129" in longer.why_separate


def test_long_rotary_positions_keep_texts_apart():
    """Phi-3's longrope changes the frequencies of a whole batch as soon as one of its texts is long."""
    scaling = {
        "rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0] * 4, "long_factor": [4.0] * 4,
    }  # fmt: skip
    rope = {"rope_parameters": scaling, "original_max_position_embeddings": 64}
    config = AutoConfig.for_model("phi3", **{**GROUPED, **rope, "pad_token_id": 0})
    model = from_config(config, max_length=128)
    with torch.no_grad():
        for layer in model.network.hf.model.layers:
            layer.self_attn.qkv_proj.weight.mul_(20)
        model.network.head.weight.mul_(20)
    assert "rotary embeddings change for texts longer than 64 tokens" in model.why_separate
    short, long = texts()[2][:40], texts()[0]
    expected = plain(model, (short, long))
    np.testing.assert_allclose(ours(model, [(short, long)]), expected, atol=1e-5)
    model.network.padded = True
    assert abs(ours(model, [(short, long)])[0] - expected[0]) > 1e-4


def test_a_class_that_scales_its_rewards_is_refused(monkeypatch):
    model = build("llama")
    own = model.network.hf.forward
    model.network.packed = False
    model.network.use_attention()

    def doubled(*arguments, **settings):
        output = own(*arguments, **settings)
        output.logits = output.logits * 2
        return output

    monkeypatch.setattr(model.network.hf, "forward", doubled)
    with pytest.raises(ModelError, match="pools or scales its rewards in a non-standard way"):
        check_path(model.network)


def test_the_matrix_covers_what_it_claims():
    assert len({kind for kind, _ in DECODERS.values()}) >= 30
    assert len(ENCODERS) >= 7
