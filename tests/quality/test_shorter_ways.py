"""The shorter ways that most texts take give what the plain definitions give."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.quality.cross_row.minhash import (
    mix,
    pieces,
    shingle_sets,
    shingles,
    signature,
    signatures,
    unit_hashes,
    units,
)
from rewardsmith.quality.row.measures import PIECE, pieces_of
from rewardsmith.quality.text.characters import CJK, WORD, length_in_words
from rewardsmith.quality.text.refusals import CHINESE, ENGLISH, REFUSAL_CHARS, is_refusal

TEXT = st.text(st.sampled_from([*map(chr, range(128)), *"’“”‘–—…é\xa0好的いß我不能ＡＢ１İ\u200b\u3000²Ⅷ"]), max_size=60)
WORDS = st.lists(
    st.sampled_from(
        ["I", "can’t", "cannot", "we", "won't", "help", "refuse to", "answer", "Unable", "抱歉", "不能", "回答"]
    ),
    max_size=9,
).map(" ".join)


@given(TEXT)
def test_words_are_counted_as_the_pattern_counts_them(text):
    assert length_in_words(text) == len(WORD.findall(text)) + len(CJK.findall(text))


@given(TEXT)
def test_units_and_words_are_those_of_the_patterns(text):
    assert pieces(text) == [unit.encode() for unit in units(text)]
    if not text.isascii():
        found = [piece if isinstance(piece, str) else piece.decode() for piece in pieces_of(text)]
        assert found == PIECE.findall(text)


@given(st.one_of(TEXT, WORDS))
def test_refusals_are_those_of_the_pattern(text):
    begin = text[:REFUSAL_CHARS]
    assert is_refusal(text) == any(pattern.search(begin) is not None for pattern in (ENGLISH, CHINESE))


@given(st.lists(TEXT, min_size=1, max_size=5))
def test_shingles_of_many_texts_are_those_of_each(texts):
    found = shingle_sets(texts)
    for at, text in enumerate(texts):
        hashes = unit_hashes(units(text)).tolist()
        runs = [(a * 0x9E3779B97F4A7C15 + b) % 2**64 for a, b in pairwise(hashes)] or hashes
        expected = {number >> 32 for number in mix(np.array(runs, np.uint64)).tolist()}
        assert found[at].tolist() == sorted(expected) == shingles(text).tolist()


def test_signatures_of_many_groups_are_those_of_each():
    draw = np.random.default_rng(0)
    groups = [draw.integers(0, 2**32, size, dtype=np.uint32) for size in (1, 7, 300, 2)]
    begins = np.cumsum([0, *map(len, groups)])[:-1]
    together = signatures(np.concatenate(groups), begins)
    assert all(np.array_equal(one, signature(group)) for one, group in zip(together, groups, strict=True))
