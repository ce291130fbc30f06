import pytest

from near_pairs import pair
from rewardsmith.quality.cross_row.contamination import Benchmark, BenchmarkOrigin
from rewardsmith.records import Message, Record, Response

# 20 words: 8 runs of 13
ENGLISH = "the quick brown fox jumps over the lazy dog while seven old owls watch from a tall oak in silence"
WORDS = ENGLISH.split()
CHINESE = "从前有座山山里有座庙庙里有个老和尚在讲故事"  # 21 characters: 9 runs of 13


def hits(text, benchmark, **settings):
    return list(Benchmark([(BenchmarkOrigin("b:1", "prompt[0]"), benchmark)], **settings).hits(pair(text, "x", "y")))


def test_a_text_within_another_is_found_with_both_places_and_a_shared_run():
    (hit,) = hits(f"Question: {ENGLISH.upper()}, right?", ENGLISH)
    assert (hit.part, hit.origin, hit.found, hit.runs, hit.overlap) == ("prompt[0]", ("b:1", "prompt[0]"), 8, 8, 1.0)
    assert hit.shared == " ".join(WORDS[:13])
    (hit,) = hits(f"请问：{CHINESE}？", CHINESE)
    assert (hit.found, hit.runs) == (9, 9)


@pytest.mark.parametrize(("words", "found"), [(12, None), (15, None), (16, 4), (20, 8)])
def test_the_share_of_runs_counts_and_its_limit_belongs_to_it(words, found):
    # n words hold n - 12 runs of the 8; half of them is 4
    result = hits(" ".join(WORDS[:words]) + " and then something else", ENGLISH)
    assert [hit.found for hit in result] == ([] if found is None else [found])


def test_one_shared_phrase_is_enough_only_where_it_was_asked_for():
    text = " ".join(WORDS[:13])
    assert hits(text, ENGLISH) == []
    assert [hit.found for hit in hits(text, ENGLISH, overlap=0.01)] == [1]


def test_short_texts_count_as_one_run_and_very_short_ones_not_at_all():
    nine = " ".join(WORDS[:9])
    assert [(hit.found, hit.runs, hit.shared) for hit in hits(f"so {nine} it is", nine)] == [(1, 1, nine)]
    assert hits(nine.replace("fox", "cat"), nine) == []
    assert hits(" ".join(WORDS[:8]), " ".join(WORDS[:7])) == []
    assert Benchmark([(BenchmarkOrigin("b:1", "x"), "too short")]).skipped == 1


def test_repeated_runs_count_once():
    (hit,) = hits(f"{ENGLISH} {ENGLISH}", ENGLISH)
    assert hit.found == hit.runs == 8


def test_a_text_in_several_places_and_several_texts_in_one_row_are_all_listed():
    texts = [
        (BenchmarkOrigin("b:1", "p"), ENGLISH),
        (BenchmarkOrigin("b:2", "p"), ENGLISH + "!"),
        (BenchmarkOrigin("c:1", "p"), CHINESE),
    ]
    found = list(Benchmark(texts).hits(pair(f"{ENGLISH} {CHINESE}", "x", ENGLISH)))
    assert [(hit.part, hit.origin.place, hit.also) for hit in found] == [
        ("prompt[0]", "b:1", ("b:2",)),
        ("prompt[0]", "c:1", ()),
        ("responses[1]", "b:1", ("b:2",)),
    ]


def test_a_short_prompt_of_a_benchmark_is_found_where_it_is_the_whole_last_turn():
    found = Benchmark(
        [(BenchmarkOrigin("b:1", "q"), "What is the capital of France?"), (BenchmarkOrigin("b:2", "q"), "Who is it?")]
    )
    assert (len(found), found.skipped) == (1, 1)

    def places(*turns, answer="x"):
        prompt = tuple(Message(role, text) for role, text in zip(("user", "assistant", "user"), turns, strict=False))
        row = Record(prompt, (Response((Message("assistant", answer),)),), ())
        return [(hit.part, hit.origin.place, hit.overlap) for hit in found.hits(row)]

    assert places("what is the capital of france") == [("prompt[0]", "b:1", 1.0)]
    assert places("Hi", "Hi", "What is the capital of France?") == [("prompt[2]", "b:1", 1.0)]
    assert places("Please tell me what is the capital of France") == []
    assert places("Who is it?", answer="What is the capital of France?") == []
