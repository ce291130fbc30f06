from dataclasses import replace

import pytest

from rewardsmith.quality.row.checks import CHECKS, check, check_document, longer_preferred
from rewardsmith.records import Comparison, Document, Message, Record, Response

FIRST = (Comparison(0, 1),)
B = Message("assistant", "b")


def record(*texts, prompt="question", comparisons=FIRST, line=1, **extra):
    answers = tuple(Response((Message("assistant", text),)) for text in texts)
    return Record((Message("user", prompt),), answers, comparisons, source="f", line=line, **extra)


def found(row):
    return {finding.check for finding in check(row)}


def test_a_clean_record_has_no_finding():
    assert check(record("good answer", "坏答案")) == []


CASES = {
    "damaged_text": record("Ã©tÃ© Ã  la mer", "b"),
    "replacement_character": record("a\ufffd", "b"),
    "control_characters": record("a\x00", "b"),
    "invisible_characters": record("a\u200b", "b"),
    "template_token": record("a<|im_end|>", "b"),
    "placeholder": record("a", "b", prompt="[deleted]"),
    "role_tag": record("a\nHuman: b", "b"),
    "assistant_boilerplate": record("As an AI language model, I like tea.", "b"),
    "empty_prompt": record("a", "b", prompt=" "),
    "role_order": replace(record("a", "b"), prompt=(Message("user", "x"), Message("user", "y"))),
    "identical_responses": record("a", "b", "a"),
    "label_conflict": record("a", "b", ratings={"overall": (1.0, 2.0)}),
    "label_without_majority": record("a", "b", comparisons=(Comparison(0, 1, votes=(2, 2, 1)),)),
    "overall_against_aspects": record("a", "b", ratings={"overall": (10.0, 7.0), "x": (1.0, 4.0), "y": (2.0, 5.0)}),
    "reasoning": replace(record("a", "b"), responses=(Response((Message("assistant", "a", "so"),)), Response((B,)))),
}


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_finds_its_case_and_only_that(name):
    assert found(CASES[name]) == {name}
    assert all(finding.place == "f:1" and finding.detail for finding in check(CASES[name]))


def test_a_conversation_without_any_turn_crashes_no_check():
    assert found(replace(record("a", "b"), prompt=(), responses=(Response(()), Response(())))) >= {"empty_prompt"}


def test_votes_against_the_preferred_response_are_a_conflict():
    assert found(record("a", "b", comparisons=(Comparison(0, 1, votes=(1, 3, 0)),))) == {"label_conflict"}
    assert found(record("a", "b", comparisons=(Comparison(0, 1, 0.75, votes=(3, 1, 0)),))) == set()


def test_documents_get_the_text_checks():
    (finding,) = check_document(Document("Ã©tÃ©", "a.txt", 4))
    assert (finding.check, finding.place) == ("damaged_text", "a.txt:4")


def test_longer_preferred_counts_decided_pairs_of_unequal_length():
    pairs = (Comparison(0, 1), Comparison(1, 2), Comparison(0, 2, 0.5), Comparison(3, 1))
    # lengths in words: 3, 1, 2, 1; the pair (3, 1) is equally long and the tie does not count
    assert longer_preferred(record("one two three", "好", "你好", "yes", comparisons=pairs), (3, 1, 2, 1)) == (1, 2)


def test_equal_ratings_are_no_majority_and_a_chosen_one_of_equals_is_a_conflict():
    assert found(record("a", "b", ratings={"overall": (2.0, 2.0)})) == {"label_without_majority"}
    tie = record("a", "b", comparisons=(Comparison(0, 1, 0.5),), ratings={"overall": (2.0, 2.0)})
    assert found(tie) == set()
    assert found(replace(tie, fields={"chosen_in_a_tie": 1})) == {"label_conflict"}


def test_a_ten_that_was_a_one_is_found_by_its_aspects_alone_or_by_its_siblings():
    low, high = (1.0, 1.0), (4.0, 5.0)
    aspects = {"helpfulness": low, "honesty": (2.0, None), "instruction_following": low, "truthfulness": (None, 1.0)}
    assert found(record("a", "b", ratings={"overall": (10.0, 1.0), **aspects})) == {"overall_against_aspects"}
    good = dict.fromkeys(aspects, high)
    assert found(record("a", "b", ratings={"overall": (10.0, 9.0), **good}, comparisons=())) == {
        "overall_against_aspects"  # every aspect of the other is better
    }
    mixed = {**good, "honesty": (5.0, 4.0)}
    assert found(record("a", "b", ratings={"overall": (10.0, 9.0), **mixed}, comparisons=())) == set()
