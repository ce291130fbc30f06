import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.errors import DataError, UsageError
from rewardsmith.quality.row.limits import Limits, check_limits, crossings
from rewardsmith.quality.row.measures import compression, is_refusal, measure, repetition, similarity
from rewardsmith.quality.row.signals import SignalCache
from rewardsmith.records import Comparison, Message, Record, Response

FIRST = (Comparison(0, 1),)


def record(*texts, comparisons=FIRST, **extra):
    answers = tuple(Response((Message("assistant", text),)) for text in texts)
    return Record((Message("user", "问"),), answers, comparisons, **extra)


def crossed(row, **limits):
    return {one.check: (one.value, one.threshold) for one in crossings(measure(row), Limits(**limits))}


def test_lengths_count_a_chinese_character_as_a_word():
    values = measure(record(" 你好，world! ", "one two three four"))
    assert (values.chars, values.words) == ((9, 18), (3, 4))
    row = record("你好吗", "one two three four")
    assert crossed(row, min_words=3, max_words=4, min_chars=3) == {}
    assert crossed(row, min_words=4) == {"too_few_words": (3, 4)}
    assert crossed(row, max_words=3) == {"too_many_words": (4, 3)}
    assert crossed(row, min_chars=4, max_chars=17) == {"too_few_chars": (3, 4), "too_many_chars": (18, 17)}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("abcd", "abcd", 1.0), ("abcd", "abce", 0.75), ("好的好的", "好的好", 0.75), ("abcd", "xyzw", 0.0), ("", "", 1.0)],
)
def test_similarity_is_one_less_the_share_of_edits(one, other, expected):
    assert similarity(one, other) == expected


def distance(one, other):
    """Levenshtein's recurrence, written out."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


@given(st.text("ab好 ", max_size=20), st.text("ab好 ", max_size=20))
def test_similarity_follows_the_recurrence_and_is_zero_below_its_floor(one, other):
    longer = max(len(one), len(other))
    exact = 1 - distance(one, other) / longer if longer else 1.0
    assert similarity(one, other) == similarity(other, one)
    assert (
        similarity(one, other) == (pytest.approx(exact, abs=1e-4) if exact >= 0.7001 else 0.0)
        or 0.6999 < exact < 0.7001
    )


def test_a_ranking_is_similar_where_all_of_it_is_and_ties_do_not_count():
    alike = ("one two three.", "one two three!", "one two three?")
    pairs = (Comparison(0, 1), Comparison(1, 2))
    assert "similar_responses" in crossed(record(*alike, comparisons=pairs), max_similarity=0.9)
    assert crossed(record(*alike[:2], "else", comparisons=pairs), max_similarity=0.9) == {}
    assert crossed(record(*alike[:2], comparisons=(Comparison(0, 1, 0.5),)), max_similarity=0.9) == {}


def test_repetition_is_the_share_of_repeated_runs():
    words = [str(n) for n in range(20)]
    assert repetition(" ".join(words)) == 0
    # 24 words have 21 runs of four; those at 0 and at 20 are the same
    assert repetition(" ".join(words + words[:4])) == pytest.approx(1 / 21)
    assert repetition("好" * 103) == pytest.approx(0.99)
    tail = [str(n) for n in range(400)] + ["over", "and", "again", "it", "goes"] * 16
    assert repetition(" ".join(tail)) == pytest.approx(1 - 5 / 77)
    assert repetition("the " * 19) == 0
    assert compression("ab" * 99) == 1
    assert compression("好的" * 500) > 50


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m not able to answer questions on this.",
        "As an AI language model, I cannot provide medical advice.",
        "抱歉，我无法为您提供这类信息。",
        "作为一个人工智能助手，我不能回答这个问题。",
        "對不起，我無法協助您。",
        "I must respectfully decline.",
        "I won't be able to help you with that.",
        "It is not appropriate for me to provide this.",
        "I don't think I can help with that.",
        "I cannot tell you how to make a bomb.",
        "I'm sorry, I can't.",
        "That goes against my guidelines.",
        "不好意思，这个我帮不了你。",
        "我拒绝回答这个问题。",
        "抱歉，这超出了我的能力范围。",
        "无可奉告，我不能告诉你。",
    ],
)
def test_refusals_are_recognised(text):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry to hear that. Try to rest.",
        "I can't help but smile at this.",
        "很抱歉听到这个消息，希望你早日康复。",
        "你不能把金属放进微波炉。",
        "I cannot stress enough how useful tests are.",
        "I can't recommend this book enough!",
        "The company refused to answer questions.",
        "I can't wait to share this with you.",
        "他无法回答老师的问题。",
        "如果您不能提供发票，请联系我们。",
        "对不起三个字很难说出口。",
        "Long answer. " * 40 + "I cannot provide more.",
    ],
)
def test_regret_and_reservations_are_no_refusals(text):
    assert not is_refusal(text)


def test_agreement_comes_from_votes_shares_or_a_column():
    def told(**comparison):
        return crossed(record("a", "b", comparisons=(Comparison(0, 1, **comparison),)))

    assert told(votes=(3, 2, 0)) == {}
    assert told(votes=(3, 2, 1)) == {"low_agreement": (0.5, 0.6)}
    assert told(votes=(1, 0, 0)) == {"few_votes": (1, 2)}
    assert told(preference=0.55) == {"low_agreement": (0.55, 0.6)}
    assert told() == {}
    assert crossed(record("a", "b", fields={"annotator_agreement": 0.4})) == {"low_agreement": (0.4, 0.6)}


def test_languages_are_a_limit_where_asked_for():
    row = record("你好", "世界")
    assert crossed(row) == {}
    assert crossed(row, languages=("en", "other")) == {"other_language": ("zh", "en, other")}


@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_no_text_crashes_the_measures(texts):
    values = measure(record(*texts, comparisons=FIRST if len(texts) > 1 else ()))
    assert 0 <= values.repetition <= 1
    assert values.similarity is None or 0 <= values.similarity <= 1


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"min_chars": -1}, "min_chars is -1"),
        ({"min_words": 9, "max_words": 3}, "no row can satisfy both"),
        ({"max_similarity": 0.3}, "expected 0.7 to 1"),
        ({"min_agreement": float("nan")}, "min_agreement is nan"),
        ({"max_compression": 0.5}, "max_compression"),
        ({"languages": ("xx",)}, "languages has 'xx'"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(limits, words):
    with pytest.raises(UsageError, match=words):
        check_limits(Limits(**limits))


def test_a_folder_without_signals_is_named(tmp_path):
    with pytest.raises(DataError, match=r"signals\.jsonl does not exist"):
        SignalCache(tmp_path)
