"""`rewardsmith generate`: rows in, rows with candidates out, also after a kill."""

import json
import time

import pytest

import forked
import rewardsmith as rs
from chat_server import completion, serving
from language_models import save_language_model
from rewardsmith.commands import generate
from rewardsmith.data.loading.load import load
from rewardsmith.errors import DataError, OutputError, UsageError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(save_language_model(tmp_path_factory.mktemp("lm"), sharp=2.0))


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run(model, source, output, **settings):
    return generate.run(generate.Config(model=str(model), source=str(source), output=output, **settings))


def ask(server, source, output, **settings):
    return run(server.address, source, output, **{"api_model": "m", "timeout": 5.0, "retries": 0, **settings})


ROWS = [
    {"question": "What is 2+2?", "answer": "4"},
    {"prompt": "中国的首都是哪里？", "gold": "北京", "tags": ["a"]},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a fruit."}]},
    {"instruction": "Translate", "input": "你好", "system": "Be kind."},
]


def test_rows_get_their_candidates_and_keep_their_other_columns(model, tmp_path):
    result = run(model, write(tmp_path / "p.jsonl", ROWS), tmp_path / "o.jsonl", n=3, max_tokens=8)
    rows = read(tmp_path / "o.jsonl")
    assert [len(row["responses"]) + len(row["fields"].get("unanswered", [])) for row in rows] == [3] * 4
    assert rows[0]["fields"]["answer"] == "4"
    assert rows[1]["fields"]["tags"] == ["a"]
    assert [turn["role"] for turn in rows[2]["prompt"]] == ["system", "user"]
    assert rows[3]["prompt"][0] == {"role": "system", "content": "Be kind."}
    assert rows[3]["prompt"][1]["content"] == "Translate\n你好"
    assert all(len(row["fields"]["finish_reasons"]) == len(row["responses"]) for row in rows)
    assert result.rows == 4
    assert result.counts.tokens == sum(sum(row["fields"]["completion_tokens"]) for row in rows) + sum(
        one["completion_tokens"] for row in rows for one in row["fields"].get("unanswered", [])
    )
    loaded = load(str(tmp_path / "o.jsonl"))
    assert len(loaded.records) == 4
    assert loaded.records[0].fields["answer"] == "4"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.jsonl", "p.jsonl"]


def test_prompts_of_preference_data_and_plain_text(model, tmp_path):
    pairs = write(tmp_path / "pairs.jsonl", [{"prompt": "Hi", "chosen": "Hello", "rejected": "No", "topic": "x"}])
    run(model, pairs, tmp_path / "o.jsonl", max_tokens=4)
    (row,) = read(tmp_path / "o.jsonl")
    assert row["prompt"] == [{"role": "user", "content": "Hi"}]
    assert row["fields"]["topic"] == "x"
    (tmp_path / "lines.txt").write_text("one\ntwo\n", encoding="utf-8")
    run(model, tmp_path / "lines.txt", tmp_path / "t.jsonl", max_tokens=4, system="Short.")
    assert [row["prompt"][1]["content"] for row in read(tmp_path / "t.jsonl")] == ["one", "two"]


def test_bad_rows_are_named_in_their_place(model, tmp_path):
    source = write(tmp_path / "p.jsonl", [{"prompt": "Hi"}, {"nothing": 1}, {"prompt": ""}])
    result = run(model, source, tmp_path / "o.jsonl", max_tokens=4)
    assert (result.rows, result.refused) == (1, 2)
    rows = read(tmp_path / "o.jsonl")
    assert [next(iter(row)) for row in rows] == ["prompt", "refused", "refused"]
    assert f"{source}:2" in rows[1]["refused"]
    with pytest.raises(DataError, match=":2"):
        run(model, source, tmp_path / "s.jsonl", strict=True)
    taken = write(tmp_path / "t.jsonl", [{"prompt": "Hi", "finish_reasons": 1}])
    with pytest.raises(DataError, match="finish_reasons"):
        run(model, taken, tmp_path / "s.jsonl")


def test_an_output_is_not_overwritten_and_only_with_the_flag(model, tmp_path):
    source = write(tmp_path / "p.jsonl", ROWS[:1])
    run(model, source, tmp_path / "o.jsonl", max_tokens=4)
    with pytest.raises(OutputError, match="already exists"):
        run(model, source, tmp_path / "o.jsonl", max_tokens=4)
    with pytest.raises(OutputError, match="contains the input"):
        run(model, source, source, max_tokens=4, overwrite=True)


def test_failed_samples_are_named_and_asked_for_again(tmp_path):
    source = write(tmp_path / "p.jsonl", [{"prompt": "one two"}, {"prompt": "three four"}])
    with serving([500]) as server:
        first = ask(server, source, tmp_path / "o.jsonl", concurrency=1, price_in=1.0, price_out=2.0)
        assert first.exit_code == 1
        assert "500" in first.to_text()
        rows = read(tmp_path / "o.jsonl")
        assert rows[0]["responses"] == []
        assert rows[0]["fields"]["failed"][0]["sample"] == 0
        assert first.cost == pytest.approx((5 * 1 + 2 * 2) / 1e6)
        second = ask(server, source, tmp_path / "o.jsonl", overwrite=True)
    assert (second.exit_code, second.counts.kept, len(server.asked)) == (0, 1, 3)
    assert [row["responses"][0]["messages"][0]["content"] for row in read(tmp_path / "o.jsonl")] == [
        "two one",
        "four three",
    ]
    assert not list(tmp_path.glob("*.sqlite*"))


def test_a_cache_of_the_user_serves_later_runs_with_more_samples(tmp_path):
    source = write(tmp_path / "p.jsonl", [{"prompt": "one two"}])
    with serving() as server:
        ask(server, source, tmp_path / "a.jsonl", n=2, cache=tmp_path / "c.sqlite")
        ask(server, source, tmp_path / "b.jsonl", n=3, cache=tmp_path / "c.sqlite")
        assert len(server.asked) == 3
        ask(server, source, tmp_path / "c.jsonl", n=3, temperature=0.5, cache=tmp_path / "c.sqlite")
        assert len(server.asked) == 6
    (tmp_path / "x.sqlite").write_text("no database, but long enough to be looked at as one" * 20)
    with serving() as server, pytest.raises(OutputError, match="--cache"):
        ask(server, source, tmp_path / "d.jsonl", cache=tmp_path / "x.sqlite")


def test_samples_without_a_response_are_kept_aside(tmp_path):
    source = write(tmp_path / "p.jsonl", [{"prompt": "one two"}])
    with serving(reply=lambda said: completion("<think>one and", finish_reason="length")) as server:
        result = ask(server, source, tmp_path / "o.jsonl")
    (row,) = read(tmp_path / "o.jsonl")
    assert row["fields"]["unanswered"][0]["reasoning_content"] == "one and"
    assert (result.counts.unanswered, result.counts.truncated, result.exit_code) == (1, 1, 0)


SLOW = """
import sys, time
from rewardsmith.generate.local import generator
inner = generator.decode
def slowly(*arguments, **options):
    inner(*arguments, **options)
    time.sleep(0.3)
generator.decode = slowly
from rewardsmith.__main__ import main
sys.argv = ["rewardsmith", *sys.argv[1:]]
sys.exit(main())
"""


def test_a_killed_run_continues_and_gives_the_same_file(model, tmp_path):
    rows = [{"prompt": f"prompt number {k} {'x' * k}"} for k in range(48)]
    source = write(tmp_path / "p.jsonl", rows)
    words = ["generate", model, str(source), "--n", "2", "--max-tokens", "6", "--batch", "8", "--device", "cpu"]
    run(model, source, tmp_path / "whole.jsonl", n=2, max_tokens=6, batch=8, device="cpu")
    process = forked.program(SLOW, [*words, "-o", str(tmp_path / "killed.jsonl")], tmp_path / "log")
    store = tmp_path / "killed.jsonl.candidates.sqlite"
    deadline = time.monotonic() + 60
    while not (store.exists() and kept(store) >= 32) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    before = kept(store)
    assert 32 <= before < 96
    result = run(model, source, tmp_path / "killed.jsonl", n=2, max_tokens=6, batch=8, device="cpu")
    assert result.counts.kept == before
    assert (tmp_path / "killed.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def kept(store):
    import sqlite3

    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as file:
            return file.execute("SELECT COUNT(*) FROM candidates").fetchone()[0]
    except sqlite3.Error:
        return 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"n": 0}, "at least 1"),
        ({"top_p": 0.0}, "top_p"),
        ({"temperature": -1.0}, "temperature"),
        ({"api_model": "x"}, "--api-model applies to an API only"),
        ({"model": "http://h/v1"}, "--api-model is missing"),
        ({"model": "http://h/v1", "api_model": "m", "batch": 4}, "--batch applies to a local model only"),
        ({"model": "http://h/v1", "api_model": "m", "api_key_env": "sk-123"}, "never the key itself"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, said, tmp_path):
    with pytest.raises(UsageError, match=said):
        generate.Config(**{"model": "folder", "source": "x", "output": tmp_path / "o", **settings})


def test_it_is_there_in_python(model):
    rows = rs.generate(model, [{"prompt": "Hi", "gold": "x"}], n=2, max_tokens=4, device="cpu")
    assert rows[0]["fields"]["gold"] == "x"
    assert len(rows[0]["responses"]) + len(rows[0]["fields"].get("unanswered", [])) == 2
