"""The values of words and tokens are those that their definitions give, by another way of computing them."""

import numpy as np
import pytest

from builders import from_config, tiny
from known_rewards import scorer
from rewardsmith.audit.attribution import attribute, by_occlusion, units_of
from rewardsmith.audit.biases.built_in import conversation
from rewardsmith.errors import DataError
from rewardsmith.model.scorer import Sequences, score

TEXTS = ["It is a fine day.", "今天天气很好，适合散步。", "Code: `x = 1`\n- a\n- b 😀", "word"]


def model_score(model):
    return lambda records: [next(model.score_records([record])) for record in records]


@pytest.mark.parametrize("text", TEXTS)
def test_prefix_values_add_up_to_the_reward_and_cover_the_text(text):
    model = tiny(head_scale=10)
    found = attribute(model, model_score(model), conversation("Hi", text), 0, method="prefix")
    total = found.before + sum(span.value for span in found.spans) + found.template_end
    (reward,) = next(model.score_records([conversation("Hi", text)]))
    assert found.method == "prefix"
    assert total == pytest.approx(reward, abs=1e-4)
    assert found.reward == pytest.approx(reward, abs=1e-4)
    assert "".join(text[span.start : span.end] for span in found.spans) == text


def test_a_prefix_value_is_the_difference_of_two_rewards_of_cut_conversations():
    model = tiny(head_scale=10)
    found = attribute(model, model_score(model), conversation("Hi", "It is."), 0, method="prefix")
    ids = model.encode(conversation("Hi", "It is.")).sequences[0]
    rewards = [float(next(iter(score(model.network, [Sequences("p", (ids[:n],))])))[0]) for n in range(1, len(ids) + 1)]
    steps = np.diff(rewards)
    assert found.reward == pytest.approx(rewards[-1], abs=1e-4)
    values = [span.value for span in found.spans]
    places = [
        k for k in range(len(steps) - len(values) + 1) if np.allclose(steps[k : k + len(values)], values, atol=1e-4)
    ]
    assert len(places) == 1


def test_an_encoder_gets_occlusion():
    from transformers import BertConfig

    model = from_config(BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32))
    found = attribute(model, model_score(model), conversation("Hi", "a b"), 0, method="prefix")
    assert (found.method, found.before) == ("occlusion", None)


def test_occlusion_finds_the_word_that_is_paid_for():
    def reward(prompt, text):
        return 2.0 * ("fine" in text) - 0.5 * ("day" in text)

    found = by_occlusion(scorer(reward), conversation("Hi", "It is a fine day."), 0)
    values = {found.text[span.start : span.end]: span.value for span in found.spans}
    assert values == {"It": 0.0, "is": 0.0, "a": 0.0, "fine": 2.0, "day.": -0.5}
    assert found.to_json()["spans"][3] == {"start": 8, "end": 12, "value": 2.0}


def test_chinese_is_taken_out_by_clauses_and_long_texts_by_sentences():
    text = "今天天气很好，适合散步。"
    assert [text[a:b] for a, b in units_of(text)] == ["今天天气很好，", "适合散步。"]
    long = "One two three four. " * 40
    assert [long[a:b].strip() for a, b in units_of(long)] == ["One two three four."] * 40


def test_an_empty_response_is_refused():
    with pytest.raises(DataError, match="empty"):
        by_occlusion(scorer(lambda p, t: 0.0), conversation("Hi", " "), 0)
