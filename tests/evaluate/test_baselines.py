import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from rewardsmith.errors import DataError
from rewardsmith.evaluate.baselines import (
    Lengths,
    TextPairs,
    by_length,
    constant,
    fit_linear,
    fitted_in_words,
    grams,
    longer,
    sampled,
    tfidf,
)
from rewardsmith.evaluate.folds import fold_count, folds_of_clusters
from rewardsmith.evaluate.metrics import accuracy

POLITE = ["please see the steps below", "thanks, the steps are below", "see below, please and thanks"]
RUDE = ["find it yourself, lazy person", "that is a lazy question", "go away and find it"]


def pairs(n):
    return [POLITE[k % 3] for k in range(n)], [RUDE[(k // 3) % 3] for k in range(n)]


def test_longer_and_constant():
    found = longer(np.array([3, 5, 2]), np.array([1, 5, 4]))
    assert found.margin.tolist() == [2.0, 0.0, -2.0]
    assert constant(3).margin.tolist() == [0.0, 0.0, 0.0]


def test_unsigned_lengths_do_not_wrap_round():
    assert longer(np.array([1], dtype=np.uint16), np.array([3], dtype=np.uint16)).margin.tolist() == [-2.0]


def lengths(difference, *, weight=None, cluster=None):
    difference = np.array(difference, dtype=float)
    size = difference.size
    return Lengths(
        difference,
        np.ones(size) if weight is None else np.array(weight, dtype=float),
        np.arange(size) if cluster is None else cluster,
    )


def test_length_goes_in_the_direction_that_validation_shows():
    shorter, longer_wins = lengths([-3.0] * 30 + [2.0] * 10), lengths([3.0] * 30 + [-2.0] * 10)
    judged = lengths([-5.0, 4.0, 0.0])
    found = by_length(judged, validation=shorter)
    assert (found.margin.tolist(), found.direction, found.name) == ([5.0, -4.0, 0.0], "shorter", "longer")
    assert found.fitted_on == "validation, 40 comparisons"
    assert by_length(judged, validation=longer_wins).margin.tolist() == [-5.0, 4.0, 0.0]


def test_weights_decide_the_direction_of_length():
    shorter = lengths([-3.0] * 30 + [2.0] * 10, weight=[0.1] * 30 + [1.0] * 10)
    assert by_length(lengths([1.0]), validation=shorter).direction == "longer"


def test_without_validation_or_with_little_length_is_judged_on_prompts_that_it_was_not_fitted_on():
    judged = lengths([-1.0] * 20 + [1.0] * 4)
    for validation in (None, lengths([5.0] * 9)):
        found = by_length(judged, validation=validation)
        assert accuracy(found.margin, np.ones(24)) == pytest.approx(20 / 24)
        assert (found.direction, found.fitted_on) == ("shorter", "5-fold by prompt")
    # Two prompts that contradict each other: each is judged by the other, and wrongly.
    split = by_length(lengths([1.0, -1.0]))
    assert accuracy(split.margin, np.ones(2)) == 0.0


def test_one_prompt_gives_length_no_direction_but_its_usual_one():
    found = by_length(lengths([-1.0, -2.0], cluster=np.zeros(2, dtype=int)))
    assert (found.margin.tolist(), found.direction, fitted_in_words(found.fitted_on)) == ([-1.0, -2.0], "longer", "")


def test_what_was_fitted_on_the_judged_set_says_so():
    assert "evaluated set itself" in fitted_in_words("5-fold by prompt, at most 10 comparisons each")
    assert "itself" not in fitted_in_words("training split, 300 comparisons")
    assert fitted_in_words("not fitted (too few prompts)").startswith("not fitted")


def test_a_fit_follows_the_weights_and_not_their_unit():
    difference, weight = np.array([[1.0], [-1.0], [1.0]]), np.array([1.0, 3.0, 1.0])
    found = fit_linear(difference, weight)
    assert found[0] < 0 < fit_linear(difference, np.ones(3))[0]
    assert fit_linear(difference, 1000 * weight) == pytest.approx(found)


def test_tfidf_follows_the_weights_of_its_training_texts():
    good, bad = ["yes please"] * 12 + ["no way"] * 8, ["no way"] * 12 + ["yes please"] * 8
    light = np.array([0.1] * 12 + [1.0] * 8)
    judged = {"cluster": np.arange(1)}
    plain, weighted = TextPairs(good, bad), TextPairs(good, bad, light)
    assert tfidf(["yes please"], ["no way"], training=plain, **judged).margin[0] > 0
    assert tfidf(["yes please"], ["no way"], training=weighted, **judged).margin[0] < 0
    folded = tfidf(good, bad, cluster=np.arange(20), weight=light)
    assert accuracy(folded.margin, np.ones(20), weight=light) > 0.5 > accuracy(folded.margin, np.ones(20))


def test_words_give_one_and_two_grams():
    assert grams("The cat, SAT") == ["the", "cat", "the cat", "sat", "cat sat"]


def test_chinese_gives_two_to_four_grams_and_does_not_join_words():
    assert grams("你好世界") == ["你好", "好世", "世界", "你好世", "好世界", "你好世界"]
    assert grams("use 猫 now") == ["use", "猫", "now"]
    assert grams("。！") == []


@given(st.text())
def test_any_text_has_grams(text):
    assert all(gram.strip() for gram in grams(text))


def test_tfidf_learns_words_and_judges_prompts_it_has_not_seen():
    good, bad = pairs(45)
    found = tfidf(good, bad, cluster=np.arange(45) // 3)
    assert found.fitted_on == "5-fold by prompt"
    assert accuracy(found.margin, np.ones(45)) > 0.95


def test_tfidf_learns_from_chinese():
    good = [f"好的，步骤如下，第{k}步" for k in range(30)]
    bad = [f"不知道，自己去查，第{k}次" for k in range(30)]
    found = tfidf(good, bad, cluster=np.arange(30))
    assert accuracy(found.margin, np.ones(30)) == 1.0


def test_swapping_the_sides_negates_the_margins():
    good, bad = pairs(30)
    training = TextPairs(*pairs(30))
    there = tfidf(good, bad, cluster=np.arange(30), training=training)
    back = tfidf(bad, good, cluster=np.arange(30), training=training)
    assert there.margin == pytest.approx(-back.margin)
    assert there.fitted_on == "training split, 30 comparisons"


def test_the_fit_is_scikit_learns_own_pipeline():
    training, (good, bad) = TextPairs(*pairs(24)), pairs(9)
    vectors = TfidfVectorizer(analyzer=grams, min_df=2, sublinear_tf=True)
    vectors.fit([*training.preferred, *training.other])
    features = (vectors.transform(training.preferred) - vectors.transform(training.other)).toarray()
    model = LogisticRegression(fit_intercept=False, tol=1e-8)
    model.fit(np.concatenate([features, -features]), np.repeat([1, 0], 24), np.full(48, 0.5))
    oracle = (vectors.transform(good) - vectors.transform(bad)) @ model.coef_[0]
    found = tfidf(good, bad, cluster=np.arange(9), training=training)
    assert found.margin == pytest.approx(oracle, rel=1e-2)


def test_labels_without_a_pattern_are_a_coin():
    rng = np.random.default_rng(0)
    words = [" ".join(rng.choice(list("abcdefghijklmnopqrst"), 12)) for _ in range(800)]
    found = tfidf(words[:400], words[400:], cluster=np.arange(400))
    # The standard error of 1/2 at n = 400 is 0.025.
    assert abs(accuracy(found.margin, np.ones(400)) - 0.5) < 0.09


def test_what_cannot_be_fitted_is_nan_and_says_why():
    one_prompt = tfidf(["a b"], ["c d"], cluster=np.array([0]))
    assert np.isnan(one_prompt.margin).all()
    assert one_prompt.fitted_on == "not fitted (too few prompts)"
    no_words = tfidf(["!", "?"] * 5, [".", ","] * 5, cluster=np.arange(10))
    assert np.isnan(no_words.margin).all()
    one_row = tfidf(["a b"], ["c d"], cluster=np.array([0]), training=TextPairs(["a"], ["b"]))
    assert np.isnan(one_row.margin).all()
    assert tfidf([], [], cluster=np.zeros(0, dtype=int)).margin.size == 0


def test_a_large_training_split_is_sampled_whatever_its_order_and_says_so():
    texts = TextPairs([f"good {k}" for k in range(50)], [f"bad {k}" for k in range(50)])
    backwards = TextPairs(texts.preferred[::-1], texts.other[::-1])
    chosen = sampled(texts, np.arange(50), seed=1, limit=10)
    assert (np.sort(49 - sampled(backwards, np.arange(50), seed=1, limit=10)) == chosen).all()
    assert (sampled(texts, np.arange(50), seed=2, limit=10) != chosen).any()
    found = tfidf(["good"], ["bad"], cluster=np.array([0]), training=texts, limit=10)
    assert found.fitted_on == "training split, 10 of 50 comparisons"
    folded = tfidf(texts.preferred, texts.other, cluster=np.arange(50), limit=10)
    assert folded.fitted_on == "5-fold by prompt, at most 10 comparisons each"


def test_lone_surrogates_do_not_stop_the_sampling():
    assert sampled(TextPairs(["\ud800", "b"], ["c", "d"]), np.arange(2), seed=0, limit=1).size == 1


def test_uneven_training_texts_are_refused():
    with pytest.raises(DataError, match="2 preferred texts, but 1 other"):
        TextPairs(["a", "b"], ["c"])


@given(st.lists(st.integers(-5, 40), min_size=1, max_size=60), st.integers(0, 9))
def test_folds_keep_prompts_whole_and_even(numbers, seed):
    cluster = np.array(numbers)
    folds = fold_count(cluster)
    fold = folds_of_clusters(cluster, seed=seed, folds=folds)
    sizes = np.bincount([fold[cluster == name][0] for name in np.unique(cluster)], minlength=folds)
    assert all(np.unique(fold[cluster == name]).size == 1 for name in np.unique(cluster))
    assert sizes.max() - sizes.min() <= 1
    assert (folds_of_clusters(cluster[::-1], seed=seed, folds=folds)[::-1] == fold).all()


def test_folds_are_the_same_in_every_process():
    # SHA-256 of "0:0" to "0:7" sorts the prompts 7, 4, 3, 2, 6, 0, 5, 1; they are dealt to the folds 0, 1, 2, 3, 4, 0, …
    assert folds_of_clusters(np.arange(8), seed=0).tolist() == [0, 2, 3, 2, 1, 1, 4, 0]


@pytest.mark.real_data
def test_tfidf_on_real_preferences_reaches_its_known_accuracy():
    folder = os.environ.get("REWARDSMITH_DATA")
    if not folder:
        pytest.skip("REWARDSMITH_DATA is not set; it names the folder of real preference data")
    with gzip.open(Path(folder) / "ultrafeedback-noise" / "clean.jsonl.gz", "rt", encoding="utf-8") as handle:
        rows = [json.loads(line) for line in handle]
    last = [[row[side] if isinstance(row[side], str) else row[side][-1]["content"] for row in rows]
            for side in ("chosen", "rejected")]  # fmt: skip
    found = tfidf(*last, cluster=np.arange(len(rows)))
    # 0.565 on one split of 200; the standard error at n = 1,000 is 0.016.
    assert 0.51 <= accuracy(found.margin, np.ones(len(rows))) <= 0.63
