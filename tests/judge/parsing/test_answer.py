"""The grammar of answers: what is stated is read, what is not is a problem with a name, and nothing is invented."""

import random
import re
import unicodedata

import pytest

from rewardsmith.generate.candidates import Candidate
from rewardsmith.judge.parsing.answer import choice_in, ranking_in, score_in

TEN = (1, 10)


def score(text, *, ends=TEN, finish="stop"):
    return score_in(Candidate(text, finish), ends)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Rating: 8", 8),
        ("It is fine.\n**Rating:** 8/10", 8),
        ("Rating (1-10): 8", 8),
        ("[[8]]", 8),
        ("Rating: 8 out of 10.", 8),
        ("Rating: 8 because it has 3 errors", 8),
        ("Rating:\n8", 8),
        ("The answer is helpful. Rating: 8", 8),
        ("Score = 7.5", 7.5),
        ("8", 8),
        ("8\nIt answers the question.", 8),
        ("Rating: 8\nAs said, rating: 8", 8),
        ("评分：8分", 8),
        ("综合评分为９。", 9),
        ("得分：八分", 8),
        ("评分为十", 10),
    ],
)
def test_a_stated_score_is_read(text, value):
    found = score(text)
    assert (found.verdict, found.problem) == (value, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("I would give it 8 points.", "unparsable"),
        ("Rating: excellent", "unparsable"),
        ("the score is between 1 and 10", "unparsable"),
        ("评分：十分之八", "unparsable"),
        ("评分：一般", "unparsable"),
        ("1. The response is good.\n2. It is long.", "unparsable"),
        ("Rating: 11", "out_of_range"),
        ("Rating: 0", "out_of_range"),
        ("Rating: -3", "out_of_range"),
        ("评分：二十", "out_of_range"),
        ("Rating: 7-8", "several"),
        ("Rating: 7 or 8", "several"),
        ("评分：7～8分", "several"),
        ("Rating: 8, 9", "several"),
        ("Rating: 1\nRating: 2", "several"),
        ("3\nrambling\n4", "several"),
        ("Score: 8/5", "other_scale"),
        ("Score: 80/100", "other_scale"),
        ("Rating: 80%", "malformed"),
        ("Rating: 8.5.1", "malformed"),
        ("Rating: 1e3", "malformed"),
        ("Rating: 8k", "malformed"),
    ],
)
def test_what_is_no_score_is_a_problem_with_a_name(text, problem):
    found = score(text)
    assert (found.verdict, found.problem) == (None, problem)


def test_full_width_digits_and_chinese_numerals_are_told():
    assert score("评分：８").form == "full_width"
    assert score("评分：八").form == "chinese"
    assert score("评分：8").form == ""


def test_a_verdict_cut_off_at_the_limit_does_not_count():
    assert score("so\nRating: 1", finish="length").problem == "truncated"  # it may have become 10
    assert score("so", finish="length").problem == "truncated"
    assert score("Rating: 1\nThe response is short and goes on for so", finish="length").verdict == 1


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Verdict: A", "A"),
        ("[[B]]", "B"),
        ("[[C]]", "tie"),
        ("Verdict: a tie", "tie"),
        ("结论：回答 B 更好", "B"),
        ("结论：平局", "tie"),
        ("Verdict: Response A is better.", "A"),
        ("Winner: B.\nIt is longer.", "B"),
        ("Answer: Ｂ", "B"),
        ("A", "A"),
        ("Verdict: A and B", None),
        ("Verdict: A or B", None),
        ("Verdict: A, B", None),
        ("Verdict: A is not better", None),
        ("Verdict: A is better or worse", None),
        ("A is good", None),
        ("Verdict: Apples", None),
    ],
)
def test_choices(text, label):
    assert choice_in(Candidate(text, "stop"), "AB", ties=True).verdict == label


def test_labels_in_words():
    labels = ("Yes", "No")
    assert choice_in(Candidate("Answer: yes", "stop"), labels, ties=False).verdict == "Yes"
    assert choice_in(Candidate("Answer: Yes and No", "stop"), labels, ties=False).verdict is None
    assert choice_in(Candidate("Answer: Yes\nAnswer: No", "stop"), labels, ties=False).problem == "several"
    assert choice_in(Candidate("结论：不是", "stop"), ("是", "否"), ties=False).verdict is None


def test_rankings_name_every_response_once():
    assert ranking_in(Candidate("Ranking: B > A > C", "stop"), "ABC").verdict == (1, 0, 2)
    assert ranking_in(Candidate("排名：Ａ ＞ Ｃ ＝ Ｂ。", "stop"), "ABC").verdict == (0, 1, 1)
    assert ranking_in(Candidate("Ranking: B > A", "stop"), "ABC").problem == "incomplete"
    assert ranking_in(Candidate("Ranking: B > A > D", "stop"), "ABC").problem == "incomplete"
    assert ranking_in(Candidate("Ranking: B > A > A", "stop"), "ABC").problem == "incomplete"


# What hostile answers are made of: marks, numbers of all writings, and what may confuse a reader.
PIECES = (
    *(
        "Rating: ",
        "Score:",
        "评分：",
        "得分为",
        "[[",
        "]]",
        "**",
        "\n",
        " ",
        "。",
        ".",
        ",",
        "/10",
        "/5",
        " out of 10",
        "%",
        "分",
    ),
    *(
        *map(str, range(13)),
        "7.5",
        "-3",
        "1e9",
        "９",
        "１０",
        "八",
        "十",
        "十分之八",
        "³",
        "½",
        "Ⅷ",
        "٣",
        "𝟗",
        "८",
        "⑧",
        "٫",
        "०",
    ),
    *(
        "eight",
        "or",
        " to ",
        "-",
        "–",
        "~",
        "至",
        "<think>",
        "</think>",
        "{8}",
        "\\boxed{8}",
        "N",
        "\u200b",
        "\ufeff",
        "\x00",
    ),
    *(
        "(1-10)",
        "is",
        "between 1 and 10",
        "Rating: N",
        "`",
        "_",
        "A",
        "B > A",
        "\r",
        "\ud7ff",
        "🙂",
        "9" * 30,
        "=" * 40,
        "((" * 20,
    ),
)
CHINESE = dict(zip("一二三四五六七八九十", map(float, range(1, 11)), strict=True))
STATED = re.compile(
    r"(?:[:=为]|\bis\b|\[\[|^|\n)\s*(\d{1,9}(?:\.\d{1,9})?(?![\d])|[一二三四五六七八九十](?![一二三四五六七八九十百]))",
    re.I,
)


def stated_in(text):
    """All numbers right behind a colon, an equals sign, is, 为 or [[, or at the beginning of a line: a plain reading."""
    plain = re.sub(r"[*_`]", "", unicodedata.normalize("NFKC", text).replace("\r", "\n"))
    return {CHINESE[each] if each in CHINESE else float(each) for each in STATED.findall(plain)}


def test_ten_thousand_hostile_answers_crash_nothing_and_invent_no_score():
    draw = random.Random(7)
    read = 0
    for _ in range(10_000):
        text = draw.choice(("", PIECES[draw.randrange(5)])) + "".join(draw.choices(PIECES, k=draw.randint(1, 14)))
        finish = draw.choice(("stop", "length"))
        found = score(text, finish=finish)
        assert (found.verdict is None) == bool(found.problem), text
        if found.verdict is None:
            continue
        read += 1
        assert 1 <= found.verdict <= 10, text
        assert found.verdict in stated_in(text), text
        choice_in(Candidate(text, finish), "AB", ties=True)
        ranking_in(Candidate(text, finish), "ABC")
    assert 300 < read < 5_000  # neither everything nor nothing


def test_a_score_that_stands_nowhere_as_stated_is_never_read():
    """Without a marker, brackets, or a line of its own no number counts, whatever else is said."""
    draw = random.Random(11)
    words = (
        "the",
        "response",
        "gives",
        "7",
        "reasons",
        "and",
        "2",
        "errors",
        "of",
        "10",
        "八",
        "points",
        "which",
        "is",
        "good",
    )
    for _ in range(3_000):
        text = "It " + " ".join(draw.choice(words) for _ in range(draw.randint(2, 20)))
        if re.search(r"points is", text):
            continue
        assert score(text).verdict is None, text


def test_very_long_answers_take_no_time():
    for text in (
        "Rating: " * 20_000,
        "9" * 200_000,
        "(" * 100_000 + "Rating: 8",
        "[[" * 50_000,
        "Rating: 8\n" * 20_000,
    ):
        score(text)
        choice_in(Candidate(text, "stop"), "AB", ties=True)
        ranking_in(Candidate("A > " * 20_000, "stop"), "ABC")
