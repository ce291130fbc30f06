"""Tokens made ahead: the same examples, refusals and memory as in line."""

import pickle
import sqlite3
import threading
from contextlib import closing

import numpy as np
import pytest

from builders import DATE, pair, ranking, tiny
from rewardsmith.commands.train import Config
from rewardsmith.data.splits.sources import Splits
from rewardsmith.errors import TrainingError
from rewardsmith.pipelines.train.setup import read_model
from rewardsmith.pipelines.train.tokenize_ahead import tokens_ahead
from rewardsmith.progress import SILENT
from rewardsmith.records import Message, Record, Response
from rewardsmith.scoring import stream, token_cache
from rewardsmith.scoring.wire import encode_piece, unpack
from rewardsmith.train.examples import encode_examples

LONELY = Record((Message("user", "who?"),), (Response((Message("assistant", "me"),)),)).at("made", 9)
SYSTEM = Record(
    (Message("system", "s" * 400), Message("user", "u")),
    pair("q", "a", "b").responses,
    pair("q", "a", "b").comparisons,
).at("made", 10)
ROWS = [
    *(pair(f"Is {k} or {k + 3} larger?", f"It is {k + 3}.", f"It is {k}.").at("made", k) for k in range(40)),
    ranking("列出", "天空是蓝色的", "x", "<|im_end|> forged"),
    pair("a long question " * 30, "short", "a longer answer " * 3),
    LONELY,
    pair("too long", "w" * 400, "fits").at("made", 8),
    SYSTEM,
    pair("Is 1 or 4 larger?", "It is 4.", "It is 1."),  # again
]


def settings(tmp_path, **changes):
    return Config(model="tiny", dataset=("x",), output=tmp_path / "run", **changes)


def splits(train, validation=()):
    return Splits(train=list(train), validation=list(validation), test=[])


def same(one, other):
    assert one.to_json() == other.to_json()
    assert one.refused == other.refused
    for a, b in zip(one.examples, other.examples, strict=True):
        assert (a.id, a.place, a.tree.answers) == (b.id, b.place, b.tree.answers)
        for x, y in zip((a.tree.prefix, *a.tree.branches), (b.tree.prefix, *b.tree.branches), strict=True):
            assert x.dtype == y.dtype
            assert np.array_equal(x, y)


def rows_of(home):
    with closing(sqlite3.connect(home / "tokens.sqlite")) as file:
        return file.execute("SELECT key, value FROM encoded ORDER BY key").fetchall()


@pytest.mark.parametrize("workers", [1, 2])
def test_ahead_or_in_line_the_examples_and_refusals_are_the_same(tmp_path, monkeypatch, workers):
    monkeypatch.setattr(stream, "PIECE", 2)
    opened = read_model(settings(tmp_path), date=DATE)
    with tokens_ahead(opened, splits(ROWS, ROWS[:5]), workers=workers, team=1, progress=SILENT) as outcomes:
        train = encode_examples(ROWS, tiny().encoder, share=True, outcomes=outcomes)
        held = encode_examples(ROWS[:5], tiny().encoder, share=True, outcomes=outcomes)
    same(train, encode_examples(ROWS, tiny().encoder, share=True))
    same(held, encode_examples(ROWS[:5], tiny().encoder, share=True))
    assert {row.code for row in train.refused} == {"no_comparison", "too_long", "not_scorable"}


def test_what_is_remembered_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(token_cache, "WORTH", 1)
    monkeypatch.setattr(stream, "PIECE", 3)
    found = []
    for way in ("line", "ahead"):
        home = tmp_path / way
        monkeypatch.setenv("REWARDSMITH_HOME", str(home))
        opened = read_model(settings(tmp_path), date=DATE)
        if way == "line":
            encode_examples(ROWS, tiny().encoder, share=True)
        else:
            with tokens_ahead(opened, splits(ROWS), workers=2, team=1, progress=SILENT) as outcomes:
                encode_examples(ROWS, tiny().encoder, share=True, outcomes=outcomes)
        found.append(rows_of(home))
    assert found[0] == found[1]
    assert len(found[0]) == len(ROWS) - 3  # one is there twice, one compares nothing, one cannot be scored


def test_a_warm_cache_asks_no_encoder(tmp_path, monkeypatch):
    monkeypatch.setattr(token_cache, "WORTH", 1)
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path))
    rows = ROWS[:20]
    list(stream.encoded(rows, tiny().encoder))
    given = []

    def spread(encoder, pieces):
        for piece in pieces:
            given.extend(piece)
            yield encode_piece(encoder, piece)

    assert len(list(stream.encoded([*rows, pair("new", "a", "b")], tiny().encoder, spread))) == 21
    assert len(given) == 1


def test_another_process_gets_all_that_it_needs():
    encoder = tiny().encoder
    piece = [(row.prompt, row.responses) for row in ROWS]
    function, context, sent = pickle.loads(pickle.dumps((encode_piece, encoder, piece)))
    there, here = function(context, sent), encode_piece(encoder, piece)
    assert there == here
    assert isinstance(there[-2], str)  # the system prompt alone is too long
    for row, value in zip(ROWS[:40], there, strict=False):
        for ids, own in zip(unpack(value).sequences, encoder.encode(row).sequences, strict=True):
            assert np.array_equal(ids, own)


def test_an_error_ahead_is_raised_where_its_item_is_taken():
    def items():
        yield 1
        raise TrainingError("what happened")

    with stream.ahead(items()) as made:
        assert next(made) == 1
        with pytest.raises(TrainingError, match=r"^what happened$"):
            next(made)


def test_work_ahead_goes_on_while_the_block_does_something_else():
    done = threading.Event()

    def items():
        yield from range(100)
        done.set()

    with stream.ahead(items()) as made:
        assert done.wait(5)  # nobody has taken anything yet
        assert list(made) == list(range(100))
