"""Remembered token ids: the same as tokenized anew, only where everything is the same, and never in the way."""

from dataclasses import replace

import numpy as np
import pytest

from builders import pair, ranking, tiny
from rewardsmith.scoring import token_cache
from rewardsmith.scoring.tokens import Encoder
from rewardsmith.train.examples import encode_examples

ROWS = [
    pair("why?", "because it is so", "no"),
    ranking("列出", "天空是蓝色的", "x", "<|im_end|> forged"),
    pair("a long question " * 30, "short", "a longer answer " * 3),
    pair("too long", "w" * 400, "fits"),
]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path))
    monkeypatch.setattr(token_cache, "FEWEST", 1)
    return tmp_path / "tokens.sqlite"


@pytest.fixture
def calls(monkeypatch):
    seen = []
    encode = Encoder.encode
    monkeypatch.setattr(Encoder, "encode", lambda self, record: (seen.append(record), encode(self, record))[1])
    return seen


def encode(rows=ROWS, **changes):
    return encode_examples(rows, tiny(**changes).encoder, share=True)


def same(one, other):
    assert one.to_json() == other.to_json()
    assert [row.reason for row in one.refused] == [row.reason for row in other.refused]
    for a, b in zip(one.examples, other.examples, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a.tree.sequences, b.tree.sequences, strict=True))


def test_a_second_run_tokenizes_nothing_and_gets_the_same(file, calls, monkeypatch):
    first = encode()
    assert len(calls) == len(ROWS)
    assert len(first.refused) == 1
    assert first.to_json()["prompts_cut"] == 2
    again = encode()
    assert len(calls) == len(ROWS)
    same(first, again)
    monkeypatch.setattr(token_cache, "FEWEST", 10**6)
    same(first, encode())
    assert len(calls) == 2 * len(ROWS)


def test_another_contract_or_text_is_tokenized_anew(file, calls):
    encode()
    encode(max_length=200)
    assert len(calls) == 2 * len(ROWS)
    encode([*ROWS, pair("new", "a", "b")])
    assert len(calls) == 2 * len(ROWS) + 1


def test_a_run_on_another_day_finds_what_was_remembered(file, calls):
    encoder = tiny().encoder
    encode_examples(ROWS, encoder, share=True)
    tomorrow = replace(encoder.contract, date="2031-05-06")
    encode_examples(ROWS, Encoder(encoder.tokenizer, tomorrow), share=True)
    assert len(calls) == len(ROWS)


@pytest.mark.parametrize("damage", [b"no database at all", b"SQLite format 3\0 but not really one"])
def test_a_damaged_file_costs_the_time_and_nothing_else(file, calls, damage):
    first = encode()
    file.write_bytes(damage)
    same(first, encode())
    assert len(calls) == 2 * len(ROWS)


def test_a_file_that_grew_too_large_is_begun_anew(file, calls, monkeypatch):
    encode()
    monkeypatch.setattr(token_cache, "LARGEST", 10)
    encode()
    assert len(calls) == 2 * len(ROWS)


def test_records_of_few_rows_leave_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path))
    encode()
    assert not (tmp_path / "tokens.sqlite").exists()


def test_another_process_that_writes_is_waited_for_once(file, calls):
    import sqlite3
    import time

    encode(ROWS[:1])
    writer = sqlite3.connect(file)
    writer.execute("INSERT INTO encoded VALUES (x'00', x'00')")
    many = [pair(f"question {k}", "yes", "no") for k in range(30)]
    started = time.monotonic()
    assert len(encode(many).examples) == 30
    assert time.monotonic() - started < 10  # the wait is a second, and 30 of them would be 30
    writer.close()
