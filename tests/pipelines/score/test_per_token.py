"""`score --per-token`: what a row gets, that its rewards stay the same, and who is refused."""

import numpy as np
import orjson
import pytest
from transformers import BertConfig

import rewardsmith as rs
from builders import from_config, tiny
from rewardsmith.errors import DataError, ModelError

ROWS = [
    {"prompt": "天空为什么是蓝色的？", "chosen": "散射。", "rejected": "Because."},
    {"prompt": "Name a fruit", "responses": ["Pear", "An apple", "No"]},
    {"prompt": "cut", "chosen": "a" * 400, "rejected": "b"},
    {"prompt": "no answer", "chosen": None, "rejected": "x"},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "m"
    tiny(seed=6).save(folder)
    return folder


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in ROWS))
    return path


def test_each_response_gets_its_tokens_with_values_in_the_order_of_the_row(model, source):
    plain, told = rs.score(model, str(source)), rs.score(model, str(source), per_token=True)
    for before, row in zip(plain, told, strict=True):
        tokens = row.pop("per_token", None)
        assert row == before
        if "error" in row:
            assert tokens is None
            continue
        assert len(tokens) == len(row["rewards"])
        for reward, one in zip(row["rewards"], tokens, strict=True):
            assert len(one["ids"]) == len(one["texts"]) == len(one["values"]) > 0
            assert reward == pytest.approx(one["values"][-1], abs=1e-6)
    assert "".join(rs.score(model, str(source), per_token=True)[0]["per_token"][0]["texts"]) == "散射。<|im_end|>\n"


def test_a_wrong_order_or_a_taken_column_is_seen(model, tmp_path):
    rows = [{"prompt": "q", "chosen": "good", "rejected": "bad"}]
    one = rs.score(model, rows, per_token=True)[0]["per_token"]
    assert ["".join(each["texts"]).split("<")[0] for each in one] == ["good", "bad"]
    with pytest.raises(DataError, match="already has a column 'per_token'"):
        rs.score(model, [{**rows[0], "per_token": 1}], per_token=True)


def test_several_heads_keep_their_spread(tmp_path):
    model = tiny(seed=7)
    weight = model.network.head.weight.detach().numpy()
    model.keep_heads(np.concatenate([weight - 0.1, weight + 0.1]))
    row = rs.score(model, ROWS[:1], per_token=True)[0]
    assert row["reward_std"] == pytest.approx(rs.score(model, ROWS[:1])[0]["reward_std"])
    assert row["per_token"][0]["values"][-1] == pytest.approx(row["rewards"][0], abs=1e-6)


def test_an_encoder_is_refused_before_anything_is_written(tmp_path, source):
    model = from_config(BertConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4))
    with pytest.raises(
        ModelError, match="--per-token: this model has no values per token, because the model is an enc"
    ):
        rs.score(model, str(source), tmp_path / "out.jsonl", per_token=True)
    assert not (tmp_path / "out.jsonl").exists()
