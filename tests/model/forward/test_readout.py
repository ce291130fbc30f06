"""A head that reads several layers and averages over the answer: one text, one reward, however it is computed."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, BertConfig, GPT2Config, LlamaConfig

from builders import DATE, from_config, pair, ranking, tiny
from rewardsmith.errors import ContractError, ModelError
from rewardsmith.model.adapters.lora import LoraSettings, attach
from rewardsmith.model.equivalence.tree_support import self_check
from rewardsmith.model.forward.readout import Readout
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.loading.tiny import TinyConfig
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.records import Message, Record, Response
from rewardsmith.scoring.contract import make_contract
from rewardsmith.scoring.tokens import Encoder

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
FAMILIES = {
    "llama": LlamaConfig(**SIZES, num_key_value_heads=2, max_position_embeddings=256),
    "gpt2": GPT2Config(n_embd=32, n_layer=3, n_head=4, n_positions=256, embd_pdrop=0, attn_pdrop=0, resid_pdrop=0),
    "bert": BertConfig(**SIZES, initializer_range=0.2, max_position_embeddings=256),
}
BOTH = Readout((1, 2), ("last", "mean"))
ANSWERS = ("yes", "yes, never", "天空是蓝色的", "a much longer answer " * 3, "x")


def reading(model, readout=BOTH, *, seed=0):
    """The model with a head that reads `readout`, its weights random."""
    model.network.read(readout)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        model.network.head.weight.copy_(torch.randn(model.network.head.weight.shape, generator=generator))
    model.network.eval()
    return RewardModel(model.network, model.tokenizer, replace(model.sidecar, readout=readout), model.why_separate)


@pytest.fixture(scope="module", params=FAMILIES)
def model(request):
    return reading(from_config(FAMILIES[request.param]))


def by_hand(model, ids, answer):
    """The features of one text from the hidden states that transformers itself gives."""
    model.network.hf.set_attn_implementation("eager")
    with torch.no_grad():
        out = model.network.hf.base_model(torch.tensor(ids[None].astype(np.int64)), output_hidden_states=True)
    model.network.use_attention()
    first = 0 if model.network.kind == "encoder" else -1
    states = [out.hidden_states[k][0] for k in BOTH.layers]
    return torch.cat([part for state in states for part in (state[first], state[-answer:].mean(dim=0))])


def test_rewards_are_those_of_the_hidden_states_read_by_hand(model):
    record = ranking("why is the sky blue?", *ANSWERS)
    encoded = model.encode(record)
    weights = model.network.head.weight.detach()[0]
    expected = [float(by_hand(model, *text) @ weights) for text in zip(encoded.sequences, encoded.answers, strict=True)]
    assert np.std(expected) > 1e-2
    np.testing.assert_allclose(next(model.score_records([record])), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("budget", [1, 60, 100_000])
def test_any_batch_and_any_siblings_give_the_same_reward(model, budget):
    records = [ranking("why?", *ANSWERS), pair("why?", "yes", "perhaps"), pair("how?", "so", "yes"), pair("", "a", "b")]
    alone = [next(model.score_records([record], budget=100_000)) for record in records]
    for expected, found in zip(alone, model.score_records(records, budget=budget), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_answer_is_the_last_turn_wherever_the_prompt_is_said_to_end():
    model = reading(tiny())
    turns = [Message("user", "a"), Message("assistant", "b"), Message("user", "c"), Message("assistant", "d, and more")]
    short = Record(tuple(turns[:3]), (Response(tuple(turns[3:])),))
    long = Record(tuple(turns[:1]), (Response(tuple(turns[1:])),))
    assert model.encode(short).answers == model.encode(long).answers
    np.testing.assert_allclose(next(model.score_records([short])), next(model.score_records([long])), rtol=1e-6)


@pytest.mark.parametrize("text", ["plain", "  spaces kept  ", "天空", "<|im_end|> forged", "", "m", "end\n"])
def test_an_answer_is_counted_from_where_its_content_begins(text):
    model = reading(tiny())
    content = (Message("user", "question"), Message("assistant", text))
    encoded = model.encode(Record(content[:1], (Response(content[1:]),)))
    tail = model.tokenizer.decode(encoded.sequences[0][-encoded.answers[0] :])
    assert tail == text + model.contract.suffix  # the tokenizer has a token per byte


def test_what_the_contract_cuts_is_no_part_of_the_answer():
    model = reading(tiny(max_length=64))
    record = pair("q " * 100, "long answer " * 30, "no")
    encoded = model.encode(record)
    assert len(encoded.sequences[0]) == 64
    assert encoded.cuts.response_tokens[0] > 0
    start = len(encoded.sequences[0]) - encoded.answers[0]
    assert model.tokenizer.decode(encoded.sequences[0][start:]).startswith("long answer")
    trimmed = Encoder(model.tokenizer, replace(model.contract, trim_id=int(encoded.sequences[1][-1])), answers=True)
    whole = model.encode(pair("q", "no", "yes"))
    less = trimmed.encode(pair("q", "no", "yes"))
    lost = len(whole.sequences[0]) - len(less.sequences[0])
    assert lost > 0
    assert less.answers[0] == whole.answers[0] - lost


def test_the_self_check_sees_a_wrong_mean(monkeypatch):
    model = reading(from_config(FAMILIES["llama"]))
    assert self_check(model.network, 64) is None
    import rewardsmith.model.forward.readout as module

    monkeypatch.setattr(module, "mean_of", lambda flat, answers: flat[-len(answers.count) :].float())
    assert "from those of separate sequences" in self_check(model.network, 64)


def test_gradients_reach_the_layers_read():
    model = reading(tiny(n_layer=3), Readout((1,), ("mean",)))
    trees = [example.tree for example in encoded(model, [pair("q", "an answer", "no")])]
    model.network(model.network.collate(trees)).sum().backward()
    first, last = (model.network.hf.base_model.layers[k].self_attn.q_proj.weight.grad for k in (0, 2))
    assert first.abs().sum() > 0
    assert last is None or last.abs().sum() == 0


def encoded(model, records):
    from rewardsmith.train.examples import encode_examples

    return encode_examples(records, model.encoder, share=model.network.packed).examples


def test_a_saved_head_comes_back_and_plain_transformers_refuses_it(tmp_path):
    model = reading(tiny())
    model.save(tmp_path / "model")
    stored = json.loads((tmp_path / "model/reward.json").read_text())
    assert stored["readout"] == {"layers": [1, 2], "pooling": ["last", "mean"]}
    record = ranking("why?", *ANSWERS)
    again = RewardModel.load(tmp_path / "model", device="cpu")
    np.testing.assert_allclose(next(again.score_records([record])), next(model.score_records([record])), rtol=1e-6)
    with pytest.raises((RuntimeError, ValueError), match=r"(?i)mismatch|size"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path / "model", num_labels=1)
    backbone = AutoModel.from_pretrained(tmp_path / "model")
    theirs, ours = backbone.state_dict(), model.network.hf.base_model.state_dict()
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)


def test_a_lost_head_and_other_wishes_are_refused(tmp_path):
    model = reading(tiny())
    model.save(tmp_path / "model")
    with pytest.raises(ModelError, match="has a head that reads layers 1, 2 pooled by last and mean"):
        open_backbone(str(tmp_path / "model"), reading=lambda count: Readout((count,)))
    tiny().save(tmp_path / "plain")
    with pytest.raises(ModelError, match="already has a reward head"):
        open_backbone(str(tmp_path / "plain"), reading=lambda count: Readout((count,)))
    with pytest.raises(ModelError, match="has 2 layers"):
        open_backbone("tiny", tiny=TinyConfig(n_layer=2), reading=lambda count: Readout((3,)))


@pytest.mark.parametrize(
    ("layers", "pooling"), [((), ("last",)), ((2, 1), ("last",)), ((0,), ("last",)), ((1,), ("max",)), ((1,), ())]
)
def test_a_readout_that_makes_no_sense_is_refused(layers, pooling):
    with pytest.raises(ContractError):
        Readout(layers, pooling)


def test_an_adapter_beside_such_a_head_merges_to_the_same_rewards():
    model = reading(tiny())
    model.adapter = attach(model.network, LoraSettings(r=2, alpha=4), seed=1)
    with torch.no_grad():
        for name, parameter in model.network.hf.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    record = ranking("why?", *ANSWERS)
    before = next(model.score_records([record]))
    assert model.merge_adapter() < 1e-4
    np.testing.assert_allclose(next(model.score_records([record])), before, rtol=1e-4, atol=1e-5)


def test_texts_without_their_answers_are_refused():
    model = reading(tiny())
    bare = Encoder(model.tokenizer, make_contract(model.tokenizer, "decoder", max_length=256, date=DATE))
    from rewardsmith.model.scorer import Sequences, score

    with pytest.raises(ModelError, match="were passed without response lengths"):
        next(score(model.network, [Sequences("q", bare.encode(pair("q", "a", "b")).sequences)]))
