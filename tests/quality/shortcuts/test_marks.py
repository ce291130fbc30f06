"""Marks that give labels away, on pairs whose marks are put there by hand."""

import random

import pytest

from rewardsmith.quality.shortcuts.marks import FEWEST, TRAITS, marks_of, nearly_always, phrase_of
from rewardsmith.records import Comparison, Message, Record, Response

WORDS = ["red", "blue", "green", "cold", "warm", "fast", "slow", "round", "flat", "old", "new", "long"]


def pair(number, preferred, other, *, prompt="What is number {}?", turned=False):
    """A pair of a prompt of its own; the sides stand in either order."""
    sides = (other, preferred) if turned else (preferred, other)
    return Record(
        (Message("user", prompt.format(number)),),
        tuple(Response((Message("assistant", text),)) for text in sides),
        (Comparison(int(turned), int(not turned)),),
        line=number + 1,
    )


def pairs(n, preferred="{}", other="{}", **more):
    """Pairs of random words, each side through its own form."""
    rng = random.Random(3)
    said = [" ".join(rng.sample(WORDS, 4)) + "." for _ in range(2 * n)]
    return [
        pair(k, preferred.format(said[2 * k]), other.format(said[2 * k + 1]), turned=k % 2 == 1, **more)
        for k in range(n)
    ]


def test_words_that_stand_on_either_side_by_chance_are_no_marks():
    found = marks_of(pairs(400))
    assert (found.prompts, found.found, found.decided) == (400, (), 0.0)


def test_a_phrase_on_the_preferred_side_is_found_as_a_whole():
    found = marks_of([*pairs(60, preferred="{} (ref. 77)"), *(pair(k, "a b.", "c d.") for k in range(60, 300))])
    (mark,) = [one for one in found.found if one.kind == "text" and "ref" in one.name]
    assert (mark.name, mark.prompts, mark.won) == (". (ref. 77)", 60, 1.0)  # every text before it ends so
    assert mark.wins


def test_the_share_decided_is_that_of_prompts_with_a_mark():
    marked, plain = pairs(50, preferred="{} #7"), pairs(200)[50:]
    assert marks_of([*marked, *plain]).decided == pytest.approx(50 / 200)


def test_a_mark_of_the_rejected_side_has_lost():
    (mark,) = marks_of(pairs(40, other="{} <no output>")).found
    assert (mark.name, mark.won, mark.wins) == (". <no output>", 0.0, False)


def test_exchanging_all_labels_turns_every_mark_round():
    right, turned = (marks_of(pairs(80, **{side: "{} @@"})).found for side in ("preferred", "other"))
    assert [one.won for one in right] == [1 - one.won for one in turned]


def test_a_mark_that_wins_four_times_in_five_is_what_people_agree_on():
    rng = random.Random(1)
    rows = []
    for k, record in enumerate(pairs(300)):
        side = record.comparisons[0].i if rng.random() < 0.8 else record.comparisons[0].j
        texts = [one.text + " @@" * (at == side) for at, one in enumerate(record.responses)]
        rows.append(pair(k, texts[record.comparisons[0].i], texts[record.comparisons[0].j]))
    assert marks_of(rows).found == ()


def test_comparisons_of_one_prompt_count_once():
    """A prompt with 300 comparisons is one case of the mark, however many there are."""
    texts = [f"{word} {at}" + " @@" * (at < 20) for at, word in enumerate(WORDS * 3)]
    record = Record(
        (Message("user", "Which?"),),
        tuple(Response((Message("assistant", text),)) for text in texts),
        tuple(Comparison(i, j) for i in range(20) for j in range(20, 35)),
    )
    assert marks_of([record, *pairs(100)]).found == ()


def test_it_takes_a_number_of_prompts():
    assert marks_of(pairs(FEWEST - 1, preferred="{} @@")).found == ()
    assert marks_of(pairs(FEWEST, preferred="{} @@")).found


def test_chance_among_thousands_of_words_is_no_mark():
    """26 of 26 is beyond the plain interval, and with 10,000 words tried it is still none of chance; 12 of 12 would be."""
    sure = dict.fromkeys(range(26), 1.0)
    assert nearly_always(sure, 4.9)  # the level of 10,000 words
    assert not nearly_always(dict.fromkeys(range(12), 1.0), 4.9)
    # Wilson at 95 %: 12 / (12 + 3.84) = 0.757, under 0.85 by itself


@pytest.mark.parametrize(
    ("name", "prompt", "has", "lacks"),
    [
        (
            "other_language",
            "What do you think of the weather today?",
            "今天天气很好,适合出门散步。",
            "It is fine and I like it.",
        ),
        ("holds_prompt", "Please name the largest city.", "Please name the largest city. Tokyo.", "Tokyo."),
        ("outer_blank", "Why?", "Because. ", "Because."),
        ("odd_blank", "Why?", "Be\u00a0cause.", "Be cause."),
        ("line_break", "Why?", "One\ntwo.", "One two.\n"),
        ("open_end", "Why?", "Because the", "Because."),
        ("escape", "Why?", "\\u4f60\\u597d.", "Hello."),
        ("escape", "Why?", "Tom &amp; Jerry.", "Tom & Jerry."),
        ("markdown", "Why?", "It is **bold**.", "It is bold."),
        ("json", "Why?", '{"a": 1}', "{a}"),
    ],
)
def test_traits(name, prompt, has, lacks):
    assert TRAITS[name](prompt, has)
    assert not TRAITS[name](prompt, lacks)


def test_an_answer_in_another_language_is_found_though_no_word_tells_it():
    """Half of the prompts are in each language, so that every word wins as often as it loses."""
    english = "This is what they have for you and it will be here in the evening."
    chinese = "这是为您准备的东西,今天晚上会送到这里来。"
    rows = []
    for k in range(80):
        prompt, right, wrong = ("What do you have for me, number {}?", english, chinese)
        if k % 2:
            prompt, right, wrong = ("第{}号客人想知道您有什么东西给我?", chinese, english)
        rows.append(pair(k, f"{right} {k}.", f"{wrong} {k}.", prompt=prompt, turned=k % 3 == 0))
    found = marks_of(rows).found
    assert [(one.kind, one.name, one.won) for one in found] == [("trait", "other_language", 0.0)]


def test_a_phrase_grows_only_as_far_as_nearly_all_hold_it():
    rows = [pair(k, f"{word} see note 5{'!' if k % 2 else '?'}", "x") for k, word in enumerate(WORDS)]
    assert phrase_of("note", rows) == " see note 5"
