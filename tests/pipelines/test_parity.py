"""Parity: an endpoint that serves the model agrees, and one with a known mistake is told which one it makes."""

import http.server
import json
import math
import threading

import numpy as np
import pytest
from transformers import BertConfig

from builders import from_config, tiny
from reward_server import running
from rewardsmith.commands.parity import Config, run
from rewardsmith.errors import DataError, ServerError, UsageError
from rewardsmith.model.scorer import Sequences, score
from rewardsmith.scoring.templates.rendered import cut_left


@pytest.fixture(scope="module")
def model():
    return tiny(max_length=512, head_scale=20.0)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("parity") / "model"
    model.save(place)
    return place


class Tei(http.server.BaseHTTPRequestHandler):
    """Text Embeddings Inference as far as parity asks it."""

    def log_message(self, *arguments):
        pass

    def answer(self, value, status=200):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        if self.path == "/info":
            self.answer({"max_client_batch_size": 32, "model_id": "m"})
        else:
            self.answer({}, 404)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.answer([[{"score": self.server.reward(text[0]), "label": "LABEL_0"}] for text in body["inputs"]])


def asked(folder, reward):
    """What parity says of an endpoint that gives these rewards to rendered texts."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tei)
    server.reward = reward
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        return run(Config(model=str(folder), url=f"http://127.0.0.1:{server.server_port}"))
    finally:
        server.shutdown()
        server.server_close()


def tokens(model, text):
    return np.array(model.tokenizer(text, add_special_tokens=False)["input_ids"], dtype=np.int32)


def reward_of(model, ids):
    return float(next(iter(score(model.network, [Sequences("x", (np.asarray(ids, dtype=np.int32),))])))[0])


MISTAKES = {
    "sigmoid": lambda model, text: 1 / (1 + math.exp(-reward_of(model, tokens(model, text)))),
    "length 1": lambda model, text: float(np.sign(reward_of(model, tokens(model, text)))),
    "softmax over a single label": lambda model, text: 1.0,
    "last token of the template is missing": lambda model, text: reward_of(model, tokens(model, text)[:-1]),
    "truncated to 256 tokens on the right": lambda model, text: reward_of(model, tokens(model, text)[:256]),
    "truncated to 128 tokens on the left": lambda model, text: reward_of(
        model, cut_left(tokens(model, text), 128, None)
    ),
    "scaled by 2 and shifted by 3": lambda model, text: 2 * reward_of(model, tokens(model, text)) + 3,
    "rounding": lambda model, text: reward_of(model, tokens(model, text)) + 0.01 * math.sin(len(text)),
    "no known cause": lambda model, text: float(hash(text) % 97),
}


@pytest.mark.parametrize("cause", MISTAKES)
def test_a_mistake_is_named(model, folder, cause):
    found = asked(folder, lambda text: MISTAKES[cause](model, text))
    (way,) = found.ways
    assert found.server == "tei"
    assert not way.agrees
    assert cause in way.cause
    assert found.exit_code == 1


def test_two_mistakes_are_named_together(model, folder):
    found = asked(folder, lambda text: 1 / (1 + math.exp(-reward_of(model, tokens(model, text)[:-1]))))
    assert "sigmoid" in found.ways[0].cause
    assert "last token of the template is missing" in found.ways[0].cause


def test_a_second_bos_is_named(tmp_path):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(**sizes, max_position_embeddings=512, initializer_range=0.5)
    encoder = from_config(config, max_length=400)
    encoder.save(tmp_path / "bert")

    def doubled(text):
        ids = tokens(encoder, text)
        return reward_of(encoder, [ids[0], *ids])

    assert "BOS is there twice" in asked(tmp_path / "bert", doubled).ways[0].cause


def test_an_endpoint_that_agrees(model, folder):
    found = asked(folder, lambda text: reward_of(model, tokens(model, text)))
    assert found.exit_code == 0
    assert found.ways[0].n >= 8
    assert "same rewards" in found.to_text()


def test_our_own_server_agrees_in_every_format_that_it_speaks(model, folder):
    with running({"tiny": model}) as server:
        for kind, ways in ((None, 2), ("vllm", 3), ("sglang", 2), ("tei", 1)):
            found = run(Config(model=str(folder), url=server.address, server=kind, served_model="tiny"))
            assert [way.agrees for way in found.ways] == [True] * ways, found.to_text()
            assert found.server == (kind or "rewardsmith")


def test_another_model_on_our_server_is_noticed(folder):
    with running({"other": tiny(max_length=512, seed=5, head_scale=20.0)}) as server:
        found = run(Config(model=str(folder), url=server.address))
    assert not any(way.agrees for way in found.ways)


def test_an_endpoint_that_gives_no_rewards(folder):
    assert asked(folder, lambda text: "x").ways[0].error
    assert asked(folder, lambda text: float("nan")).ways[0].error
    with pytest.raises(ServerError, match="cannot be reached"):
        run(Config(model=str(folder), url="http://127.0.0.1:9"))
    with pytest.raises(UsageError):
        run(Config(model="m", url="localhost:8000"))


def test_a_key_that_cannot_be_sent_is_refused_without_being_quoted(tmp_path):
    key = tmp_path / "key"
    key.write_text("secret-of-the-tests\nX: y", encoding="utf-8")
    with pytest.raises(DataError, match="the key in") as refused:
        run(Config(model="tiny", url="http://127.0.0.1:9", key_file=key))
    assert "secret-of" not in str(refused.value)
    key.write_bytes(b"\xfd" * 32)
    with pytest.raises(UsageError, match="not UTF-8"):
        run(Config(model="tiny", url="http://127.0.0.1:9", key_file=key))
