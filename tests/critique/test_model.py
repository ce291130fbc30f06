"""A critiqued model: its critiques, the reward behind them, its folder, and what it is compared with outside."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

import rewardsmith as rs
from builders import pair, tiny
from rewardsmith.critique.critic import Critique, CritiqueSettings, ends_of
from rewardsmith.critique.model import CritiqueModel
from rewardsmith.critique.turns import with_critiques
from rewardsmith.errors import ContractError, DataError, ModelError, UsageError
from rewardsmith.generate.local.model import open_language_model
from rewardsmith.model.language_head.weights import attach_language_head
from rewardsmith.records import Message

RECORDS = [
    pair("What is two plus three?", "It is five, of course.", "No idea."),
    pair("二加三等于几？", "等于五。", "我不知道，请你自己算一算。"),
    pair("Name a fruit", "Pear", "A pear, which grows on trees and is eaten raw or cooked."),
]


def critiqued(*, samples=1, tokens=24, max_length=512, **given):
    model = tiny(max_length=max_length, head_scale=30.0)
    attach_language_head(model.network, None, learns=False)
    return CritiqueModel(model, CritiqueSettings(samples=samples, tokens=tokens, **given))


def texts_of(found):
    return [[[critique.text for critique in each] for each in one.critiques] for one in found]


@pytest.mark.parametrize("samples", [1, 3])
def test_the_same_text_gets_the_same_critiques_and_reward_whatever_stands_beside_it(samples):
    model = critiqued(samples=samples, temperature=1.0)
    together = list(model.critiqued(RECORDS))
    alone = [next(model.critiqued([record])) for record in RECORDS]
    turned = list(replace(model, batch=3).critiqued(RECORDS[::-1]))[::-1]
    assert texts_of(together) == texts_of(alone) == texts_of(turned)
    for one, two, three in zip(together, alone, turned, strict=True):
        np.testing.assert_allclose(one.rewards, two.rewards, atol=1e-5)
        np.testing.assert_allclose(one.rewards, three.rewards, atol=1e-5)
    assert len({text for each in texts_of(together) for some in each for text in some}) > 3


def test_the_reward_is_the_mean_over_the_critiques_and_the_spread_is_theirs():
    model = critiqued(samples=4)
    (one,) = model.critiqued(RECORDS[:1])
    behind = with_critiques(RECORDS[0], texts_of([one])[0], "auto")
    every = next(model.inner.score_records([behind])).reshape(2, 4)
    np.testing.assert_allclose(one.rewards, every.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(one.spread, every.std(axis=1, ddof=1), atol=1e-6)
    assert (one.spread > 0).all()
    assert model.columns == ("std",)
    assert critiqued().columns == ()


def test_critiques_that_reach_the_limit_are_counted():
    (one,) = critiqued(tokens=3).critiqued(RECORDS[:1])
    assert one.truncated == 2
    model = critiqued(tokens=200, max_length=1024, temperature=1.0)
    found = list(model.critiqued(RECORDS))
    assert sum(each.truncated for each in found) < 6
    assert all("<|im" not in text for each in texts_of(found) for some in each for text in some)


def test_greedy_critiques_are_those_of_transformers(tmp_path):
    model = critiqued(tokens=16)
    model.save(tmp_path / "m")
    inner = tmp_path / "m" / "language_model"
    language, tokenizer = AutoModelForCausalLM.from_pretrained(inner), AutoTokenizer.from_pretrained(inner)
    critic = model.critic()
    conversation, ids = critic.opening(RECORDS[0], 0)
    assert tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in conversation], add_generation_prompt=True, tokenize=False
    ) == tokenizer.decode(ids)
    never = [[index] for index in (0, 1, 2)]  # control tokens that no text contains
    made = language.generate(torch.tensor([ids]), max_new_tokens=16, do_sample=False, bad_words_ids=never)[
        0, len(ids) :
    ]
    (one,) = model.critiqued(RECORDS[:1])
    assert one.critiques[0][0].text == tokenizer.decode(made, skip_special_tokens=True).rstrip("\ufffd").strip()


def test_given_the_critique_transformers_computes_the_same_reward(tmp_path):
    model = critiqued()
    model.save(tmp_path / "m")
    inner = tmp_path / "m" / "language_model"
    language, tokenizer = AutoModelForCausalLM.from_pretrained(inner), AutoTokenizer.from_pretrained(inner)
    weight = model.inner.network.head.weight.detach()[0]
    written = [((Critique("It is right.", False),), (Critique("这个回答是错的。", False),))]
    (one,) = model.given(RECORDS[:1], written)
    behind = with_critiques(RECORDS[0], [["It is right."], ["这个回答是错的。"]], "auto")
    for reward, conversation in zip(one.rewards, behind.conversations, strict=True):
        turns = [{"role": m.role, "content": m.content} for m in conversation]
        ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)["input_ids"]
        with torch.no_grad():
            last = language(ids, output_hidden_states=True).hidden_states[-1][0, -1]
        assert float(last @ weight) == pytest.approx(reward, rel=1e-4)


def test_a_saved_model_gives_the_same_critiques_and_rewards(tmp_path):
    model = critiqued(samples=2, language="zh", seed=7)
    before = list(model.critiqued(RECORDS))
    model.save(tmp_path / "m", training={"base_model": {"name": "tiny"}})
    again = CritiqueModel.load(tmp_path / "m")
    after = list(again.critiqued(RECORDS))
    assert again.settings == model.settings
    assert texts_of(after) == texts_of(before)
    np.testing.assert_array_equal([one.rewards for one in after], [one.rewards for one in before])
    again.save(tmp_path / "m", overwrite=True)
    assert CritiqueModel.load(tmp_path / "m").inner.sidecar.training == {"base_model": {"name": "tiny"}}


def test_nobody_takes_the_folder_for_a_scalar_model_and_its_language_model_opens(tmp_path):
    critiqued().save(tmp_path / "m")
    with pytest.raises(ValueError, match="rewardsmith_cloud"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path / "m")
    with pytest.raises(ModelError, match=r"writes critiques.*language_model"):
        rs.RewardModel.load(tmp_path / "m")
    opened = open_language_model(str(tmp_path / "m" / "language_model"))
    assert opened.hf.config.tie_word_embeddings
    with pytest.raises(ModelError, match=r"cloud\.json"):
        CritiqueModel.load(tmp_path / "m" / "language_model")


@pytest.mark.parametrize("part", ["heads/cloud.safetensors", "language_model/model.safetensors"])
def test_a_damaged_part_is_refused(tmp_path, part):
    critiqued().save(tmp_path / "m")
    path = tmp_path / "m" / part
    path.write_bytes(path.read_bytes()[:-8] + b"\0\0\xc0\x7f" * 2)
    with pytest.raises(ModelError, match="damaged"):
        CritiqueModel.load(tmp_path / "m")


def test_another_head_is_found_by_the_probes(tmp_path):
    from safetensors.torch import load_file, save_file

    critiqued().save(tmp_path / "m")
    path = tmp_path / "m" / "heads" / "cloud.safetensors"
    save_file({"weight": load_file(path)["weight"] * 1.5}, path)
    (tmp_path / "m" / "manifest.json").unlink()
    with pytest.raises(ContractError, match="probe 0 has reward"):
        CritiqueModel.load(tmp_path / "m")
    assert CritiqueModel.load(tmp_path / "m", allow_mismatch=True).mismatch
    save_file({"weight": torch.zeros(1, 3)}, path)
    with pytest.raises(ContractError, match="another width"):
        CritiqueModel.load(tmp_path / "m")


def test_settings_that_are_damaged_are_refused(tmp_path):
    critiqued().save(tmp_path / "m")
    (tmp_path / "m" / "manifest.json").unlink()
    path = tmp_path / "m" / "cloud.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "version": 9}))
    with pytest.raises(ContractError, match="version 9"):
        CritiqueModel.load(tmp_path / "m")
    path.write_text(json.dumps({**value, "critique": {"tokens": "many"}}))
    with pytest.raises(DataError):
        CritiqueModel.load(tmp_path / "m")


def test_a_model_is_used_like_any_other():
    model = critiqued()
    conversations = [
        [Message("user", "What is two plus three?"), Message("assistant", text)] for text in ("Five.", "Six.")
    ]
    rewards = model.score(conversations)
    assert rewards.shape == (2,)
    ranked = model.rank("What is two plus three?", ["Five.", "Six."])
    assert dict(ranked) == {k: pytest.approx(reward, abs=1e-5) for k, reward in enumerate(rewards)}
    assert [reward for _, reward in ranked] == sorted(rewards, reverse=True)
    found = model.score_with_critiques(conversations)
    assert [reward for reward, _ in found] == rewards.tolist()
    assert all(len(critiques) == 1 for _, critiques in found)
    with pytest.raises(DataError, match="no responses"):
        model.rank("What?", [])


def test_what_leaves_no_room_or_no_choice_is_refused():
    with pytest.raises(UsageError, match="all the same"):
        CritiqueSettings(samples=2, temperature=0.0)
    with pytest.raises(UsageError, match=r"leave 2 of 256"):
        critiqued(tokens=254, max_length=256).critic()
    model = critiqued()
    with pytest.raises(ModelError, match="no end token"):
        ends_of(model.inner.tokenizer, replace(model.contract, suffix="\n"))
    with pytest.raises(ModelError, match="no language-model head"):
        CritiqueModel(tiny(), CritiqueSettings()).critic()


def test_a_long_prompt_leaves_room_for_the_critique():
    model = critiqued(tokens=40, max_length=256)
    record = pair("word " * 200 + "?", "yes", "no")
    (one,) = model.critiqued([record])
    _, ids = model.critic().opening(record, 0)
    assert len(ids) <= 256 - 40
    assert one.encoded.cuts.prompts == 2
    assert max(map(len, one.encoded.sequences)) <= 256
