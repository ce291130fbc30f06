import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.quality.cross_row.minhash import (
    BANDS,
    ROWS,
    WINDOW,
    bands_of,
    candidates,
    jaccard,
    ngrams,
    shingles,
    signature,
    unit_hashes,
    units,
)


def similarity(a, b):
    return jaccard(shingles(a), shingles(b))


def test_units_are_words_and_single_chinese_characters():
    assert units("Hello, World! 你好，GPT-4。") == ["hello", "world", "你", "好", "gpt", "4"]
    assert units("ＡＢＣ") == ["abc"]
    assert units("a < b") != units("a > b")
    assert units("👍 ") == ["👍"] != units("👎")
    assert units("") == [""]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("one two three", "One, two -- three!", 1.0),
        ("a b c d", "a b c e", 2 / 4),  # ab bc cd | ab bc ce
        ("红楼梦好", "红楼梦坏", 2 / 4),
        ("a b c d", "d c b a", 0.0),
        ("yes", "no", 0.0),
        ("👍", "👎", 0.0),
        ("a b a b a b", "a b a", 1.0),  # the sets {ab, ba} are equal
    ],
)
def test_similarities_by_hand(a, b, expected):
    assert similarity(a, b) == expected == similarity(b, a)


def test_runs_of_one_text_are_found_in_another():
    hashes = unit_hashes(units("x a b c y"))
    assert (
        ngrams(hashes, 3)[1] == ngrams(unit_hashes(["a", "b", "c"]), 3)[0] == ngrams(unit_hashes(["a", "b", "c"]), 9)[0]
    )


def test_estimates_agree_with_exact_similarity_and_with_datasketch():
    datasketch = pytest.importorskip("datasketch")
    draw = random.Random(0)
    ours, theirs, exact = [], [], []
    for share in np.linspace(0.05, 0.95, 30):
        both = [str(draw.random()) for _ in range(int(300 * share))]
        sets = [both + [str(draw.random()) for _ in range(300 - len(both))] for _ in range(2)]
        exact.append(len(both) / (600 - len(both)))
        hashed = [np.unique((unit_hashes(one) >> np.uint64(32)).astype(np.uint32)) for one in sets]
        assert jaccard(*hashed) == pytest.approx(exact[-1])
        ours.append(np.mean(signature(hashed[0]) == signature(hashed[1])))
        oracle = [datasketch.MinHash(num_perm=BANDS * ROWS) for _ in sets]
        for one, members in zip(oracle, sets, strict=True):
            one.update_batch([member.encode() for member in members])
        theirs.append(oracle[0].jaccard(oracle[1]))
    # The estimate is a mean of 120 draws: its standard deviation is at most sqrt(0.25 / 120) = 0.046.
    errors, oracle_errors = np.array(ours) - exact, np.array(theirs) - exact
    assert abs(errors.mean()) < 3 * 0.046 / np.sqrt(30)
    assert np.sqrt((errors**2).mean()) < 0.046 * 1.3
    assert np.sqrt((oracle_errors**2).mean()) < 0.046 * 1.3


def test_sets_share_a_band_as_often_as_the_formula_says():
    draw = np.random.default_rng(0)
    for wanted in (0.4, 0.6, 0.8):
        met = 0
        for _ in range(200):
            members = draw.integers(0, 2**32, 400, dtype=np.uint32)
            shared = round(400 * wanted)
            half = (400 - shared) // 2
            sets = (
                np.unique(members[: shared + half]),
                np.unique(np.concatenate([members[:shared], members[shared + half :]])),
            )
            met += bool(np.any(bands_of([[sets[0]]]) == bands_of([[sets[1]]])))
        expected = 1 - (1 - wanted**ROWS) ** BANDS
        assert abs(met / 200 - expected) < 4 * np.sqrt(max(expected * (1 - expected), 0.002) / 200)


def test_candidates_are_the_rows_that_share_a_band_and_crowded_bands_stay_linear():
    bands = np.arange(5 * BANDS, dtype=np.uint32).reshape(5, BANDS)
    bands[4, 3] = bands[1, 3]
    bands[2, 0] = bands[0, 0]
    assert candidates(bands).tolist() == [[0, 2], [1, 4]]
    crowd = np.zeros((300, BANDS), np.uint32)
    assert len(candidates(crowd)) <= 300 * WINDOW


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["a", "b", "c", "好", "坏", "1"]), min_size=1, max_size=12), st.integers(0, 11))
def test_similarity_is_symmetric_within_bounds_and_one_for_the_same_words(words, at):
    text = " ".join(words)
    other = " ".join(words[at:] + words[:at])
    assert similarity(text, f"  {text.upper()} !!") == 1.0
    assert 0 <= similarity(text, other) == similarity(other, text) <= 1

    def plain(found):
        return set(pairwise(found)) or {tuple(found)}

    a, b = plain(units(text)), plain(units(other))
    assert similarity(text, other) == len(a & b) / len(a | b)
