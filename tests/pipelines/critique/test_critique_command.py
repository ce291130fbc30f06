"""`rewardsmith critique`: a critique of every response that has none, from a model here or behind an API."""

import json

import pytest

from chat_server import completion, serving
from language_models import save_language_model
from rewardsmith.commands import critique
from rewardsmith.critique.given import given_critiques
from rewardsmith.data.loading.load import load
from rewardsmith.errors import DataError, UsageError

ROWS = [
    {"prompt": "What is 2 + 3?", "chosen": "Five {x}.", "rejected": "Six."},
    {
        "prompt": "天空为什么是蓝色的？",
        "chosen": "因为空气散射蓝光。",
        "rejected": "不知道。",
        "chosen_critique": "对。",
    },
]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS) + "{broken\n", encoding="utf-8")
    return str(path)


def ask(model, source, output, **given):
    return critique.run(critique.Config(model=model, source=source, output=output, **given))


def test_an_api_is_asked_about_each_response_and_given_critiques_stay(source, tmp_path):
    with serving(reply=lambda said: completion(f"about {len(said)}")) as server:
        found = ask(server.address, source, tmp_path / "o.jsonl", api_model="m", price_in=1.0)
    asked = [body["messages"][-1]["content"] for body in server.asked]
    assert len(asked) == 3
    assert sum("Five {x}." in text and "user: What is 2 + 3?" in text for text in asked) == 1
    assert sum("不知道。" in text and "优缺点" in text for text in asked) == 1
    assert (found.rows, found.critiques, found.given, found.missing, found.refused) == (2, 3, 1, 0, 1)
    assert found.exit_code == 0
    assert found.cost == pytest.approx(15e-6)
    *records, refused = (tmp_path / "o.jsonl").read_text().splitlines()
    assert "invalid JSON" in json.loads(refused)["refused"]
    (tmp_path / "read.jsonl").write_text("\n".join(records) + "\n")
    for record, plain in zip(load(str(tmp_path / "read.jsonl")).records, load(source).records, strict=True):
        assert record.id == plain.id
        assert record.comparisons == plain.comparisons
        assert all(given_critiques(record))
    chosen = record.comparisons[0].i
    assert given_critiques(record)[chosen] == "对。"


def test_a_failed_request_is_a_missing_critique_and_asked_again(source, tmp_path):
    with serving([400]) as server:
        first = ask(server.address, source, tmp_path / "o.jsonl", api_model="m", concurrency=1, retries=0)
        assert (first.critiques, first.missing, first.exit_code) == (2, 1, 1)
        assert "400" in first.to_text()
        texts = [
            t
            for row in map(json.loads, (tmp_path / "o.jsonl").read_text().splitlines()[:2])
            for t in row["fields"]["critiques"]
        ]
        assert texts.count(None) == 1
        again = ask(server.address, source, tmp_path / "o.jsonl", api_model="m", overwrite=True)
    assert (again.critiques, again.missing, again.counts.kept) == (3, 0, 2)
    assert len(server.asked) == 4


def test_a_model_here_writes_the_same_critiques_again(source, tmp_path):
    model = str(save_language_model(tmp_path / "lm", positions=2048))
    settings = {"max_tokens": 8, "device": "cpu", "temperature": 1.0, "language": "en"}
    for name in ("a", "b"):
        found = ask(model, source, tmp_path / name, **settings)
        assert found.critiques == 3
        assert found.to_json()["truncated"] <= 3
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_has_no_responses_is_refused(tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("one line\n")
    with pytest.raises(DataError, match="contains no responses"):
        ask("http://127.0.0.1:9/v1", str(path), tmp_path / "o.jsonl", api_model="m")
    with pytest.raises(UsageError, match="--api-model is missing"):
        ask("http://127.0.0.1:9/v1", str(path), tmp_path / "o.jsonl")
