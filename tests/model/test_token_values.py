"""Values per token: by hand from the hidden states, the same in trees, rows and batches, and what has none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import BertConfig, GPT2Config, LlamaConfig

from builders import from_config, pair, ranking, tiny
from rewardsmith.errors import DataError, ModelError
from rewardsmith.model.forward.readout import Readout
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.model.scorer import Sequences, score, sequences_of
from rewardsmith.model.token_values import token_values, why_no_values

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
RECORDS = [
    ranking("why is the sky blue?", "because of 散射", "because it is so", "no", "it scatters " * 4),
    pair("q", "a", "bb"),
]


def reading(model, readout):
    """The model with a head over `readout`, its weights random."""
    model.network.read(readout)
    with torch.no_grad():
        model.network.head.weight.normal_(generator=torch.Generator().manual_seed(1))
    model.network.eval()
    return RewardModel(model.network, model.tokenizer, replace(model.sidecar, readout=readout), model.why_separate)


def found(model, records=RECORDS, *, budget=None):
    sequences = [sequences_of(record, model.answering.encode(record)) for record in records]
    return sequences, list(token_values(model.network, sequences, budget=budget))


@pytest.fixture(scope="module")
def model():
    return tiny(seed=4)


def test_a_value_is_the_head_on_the_hidden_state_with_the_offset(model):
    model.network.offset = 0.25
    try:
        sequences, values = found(model)
        hf = model.network.hf
        hf.set_attn_implementation("eager")
        for record, each in zip(sequences, values, strict=True):
            for ids, one in zip(record.ids, each, strict=True):
                with torch.no_grad():
                    hidden = hf.model(torch.from_numpy(ids.astype(np.int64))[None]).last_hidden_state[0]
                expected = (hidden @ hf.score.weight[0] + 0.25).detach().numpy()
                np.testing.assert_allclose(one.values, expected, atol=1e-5, rtol=0)
                assert one.reward == pytest.approx(one.values[-1], abs=1e-6)
    finally:
        model.network.offset = 0.0
        model.network.use_attention()


def test_a_token_has_the_reward_of_the_conversation_that_ends_there(model):
    sequences, values = found(model)
    ids, all_values = sequences[0].ids[1], values[0][1].values
    for end in (len(ids) - 9, len(ids) - 4, len(ids)):
        (alone,) = next(score(model.network, [Sequences("cut", (ids[:end],))]))
        assert all_values[end - 1] == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("budget", [1, 60, 100_000])
def test_batches_and_shared_prefixes_change_no_value(model, budget):
    _, whole = found(model)
    _, parts = found(model, budget=budget)
    model.network.packed = False
    model.network.use_attention()
    try:
        _, rows = found(model)
    finally:
        model.network.packed = True
        model.network.use_attention()
    for other in (parts, rows):
        for a, b in zip((o for r in whole for o in r), (o for r in other for o in r), strict=True):
            np.testing.assert_allclose(a.values, b.values, atol=2e-5, rtol=0)
            assert a.reward == pytest.approx(b.reward, abs=2e-5)


def test_rewards_are_those_of_scoring(model):
    _, values = found(model)
    for rewards, each in zip(model.score_records(RECORDS), values, strict=True):
        assert [one.reward for one in each] == rewards.tolist()


@pytest.mark.parametrize("layers", [(2,), (1, 2)])
def test_where_the_mean_is_pooled_the_reward_is_the_mean_of_the_answers_values(layers):
    model = reading(tiny(seed=5), Readout(layers, ("mean",)))
    sequences, values = found(model)
    for record, each in zip(sequences, values, strict=True):
        for answer, one in zip(record.answers, each, strict=True):
            assert one.reward == pytest.approx(one.values[-answer:].mean(), abs=1e-5)
            assert len(one.values) > answer


def test_a_critic_gives_the_values_at_and_before_each_token(model):
    record = pair("why?", "because", "no")
    _, ((chosen, _),) = found(model, [record])
    ids = model.encode(record).sequences[0]
    opening = model.encoder.opening(record.prompt)
    assert ids[: len(opening)].tolist() == opening.tolist()
    response = ids[len(opening) :]
    at = model.values("why?", response.tolist())
    before = model.values("why?", torch.from_numpy(response.astype(np.int64)), before=True)
    np.testing.assert_allclose(at, chosen.values[len(opening) :], atol=1e-5)
    np.testing.assert_allclose(before, chosen.values[len(opening) - 1 : -1], atol=1e-5)


def test_ids_that_do_not_fit_are_refused_and_training_mode_stays(model):
    for wrong, told in [
        ([], "at least one token id"), ([[1, 2]], "one-dimensional"), ([1.5], "float64"), ([4, 999], "expected 0 to 259"),
        ([5] * 300, r"more than max_length 256"),
    ]:  # fmt: skip
        with pytest.raises(DataError, match=told):
            model.values("why?", wrong)
    model.network.train()
    model.values("why?", [7])
    assert model.network.training
    model.network.eval()


@pytest.mark.parametrize(
    "config", [LlamaConfig(**SIZES, num_key_value_heads=2), GPT2Config(n_embd=32, n_layer=2, n_head=4)]
)
def test_every_decoder_has_values(config):
    model = from_config(config)
    _, values = found(model)
    np.testing.assert_allclose([o.reward for o in values[0]], next(model.score_records(RECORDS)), atol=1e-6)


def test_encoders_and_heads_with_two_poolings_have_none():
    encoder = from_config(BertConfig(**SIZES))
    assert "encoder" in why_no_values(encoder.network)
    with pytest.raises(ModelError, match="values: this model has no values per token, because the model is an encoder"):
        encoder.values("why?", [5])
    both = reading(tiny(), Readout((2,), ("last", "mean")))
    with pytest.raises(ModelError, match="pools by last and mean"):
        both.values("why?", [5])
