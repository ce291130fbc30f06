import tracemalloc

import pytest

import schemas as s
from builders import pair
from rewardsmith.data.loading import joining
from rewardsmith.data.loading.load import iterate, iterate_rows, load
from rewardsmith.data.merging import merge_prompts
from rewardsmith.errors import DataError
from rewardsmith.records import Joined, Quarantined, Record


def question(qid, *pairs, text="How?"):
    return [s.stack_exchange(qid, text, better, worse) for better, worse in pairs]


def said(record):
    named = [response.text for response in record.responses]
    return [(named[c.i], named[c.j]) for c in record.comparisons]


def test_the_pairs_of_one_question_become_one_ranking_over_distinct_responses():
    rows = [*question(1, ("a", "b"), ("a", "c"), ("b", "c")), *question(2, ("x", "y"), text="Why?")]
    loaded = load(rows)
    first, second = loaded.records
    assert sorted(response.text for response in first.responses) == ["a", "b", "c"]
    assert said(first) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert first.fields == {"qid": 1, "date": "2015/02/03"}
    assert (first.line, second.line) == (1, 4)
    assert said(second) == [("x", "y")]
    assert (loaded.rows, loaded.joined) == (4, 2)


def test_joined_rows_follow_their_record_and_name_it():
    items = list(iterate(question(1, ("a", "b"), ("a", "c"))))
    assert [type(item) for item in items] == [Record, Joined]
    assert items[1] == Joined("rows", 2, "rows:1", excerpt="c")


def test_a_question_that_comes_back_later_is_another_record_which_training_can_merge():
    rows = [*question(1, ("a", "b")), *question(2, ("x", "y"), text="Why?"), *question(1, ("a", "c"))]
    records = load(rows).records
    assert [said(record) for record in records] == [[("a", "b")], [("x", "y")], [("a", "c")]]
    merged = merge_prompts(records)
    assert [said(record) for record in merged] == [[("a", "b"), ("a", "c")], [("x", "y")]]


def test_what_is_stated_twice_in_one_question_counts_once_and_contradictions_stay():
    (record,) = load(question(1, ("a", "b"), ("a", "b"), ("b", "a"))).records
    assert said(record) == [("a", "b"), ("b", "a")]


def test_a_bad_row_does_not_end_a_question():
    rows = [*question(1, ("a", "b")), *question(1, ("a", "")), *question(1, ("c", "b"))]
    loaded = load(rows)
    assert [(bad.line, bad.code) for bad in loaded.quarantined] == [(2, "empty_response")]
    assert [said(record) for record in loaded.records] == [[("a", "b"), ("c", "b")]]
    assert loaded.joined == 1


def test_rows_of_one_number_with_another_text_are_another_question():
    assert len(load([*question(1, ("a", "b")), *question(1, ("a", "c"), text="Who?")]).records) == 2
    without = [
        {name: value for name, value in row.items() if name != "qid"} for row in question(1, ("a", "b"), ("a", "c"))
    ]
    assert len(load(without).records) == 2  # no qid, nothing to join by


def test_sibling_responses_are_compared_by_each_attribute():
    rows = [
        s.HELPSTEER2 | {"response": "one", "helpfulness": 4, "verbosity": 1},
        s.HELPSTEER2 | {"response": "two", "helpfulness": 1, "verbosity": 1},
        s.HELPSTEER2 | {"prompt": "Alone.", "response": "three"},
    ]
    loaded = load(rows)
    both, alone = loaded.records
    assert both.ratings["helpfulness"] == (4.0, 1.0)
    found = {c.attribute: (c.i, c.preference, c.margin) for c in both.comparisons}
    assert found["helpfulness"] == (0, 1.0, 3.0)
    assert found["verbosity"] == (0, 0.5, None)
    assert set(found) == {"helpfulness", "correctness", "coherence", "complexity", "verbosity"}
    assert alone.comparisons == ()
    assert loaded.joined == 1


def test_safe_and_unsafe_answers_to_one_prompt_are_compared():
    rows = [s.BEAVERTAILS, s.BEAVERTAILS | {"response": "Here is how.", "is_safe": False, "category": s.HARMS}]
    (record,) = load(rows).records
    assert said(record) == [("Do not.", "Here is how.")]
    assert record.comparisons[0].attribute == "safe"
    assert record.fields == {}  # harms that differ belong to one response, not to the record


def test_one_response_rated_in_two_ways_is_quarantined_and_the_same_way_is_joined():
    rows = [s.HELPSTEER2, s.HELPSTEER2, s.HELPSTEER2 | {"helpfulness": 0}]
    loaded = load(rows)
    assert [(bad.line, bad.code) for bad in loaded.quarantined] == [(3, "rating_conflict")]
    assert "rows:1" in loaded.quarantined[0].reason
    assert (len(loaded.records), len(loaded.records[0].responses), loaded.joined) == (1, 1, 1)
    with pytest.raises(DataError, match="has a different rating"):
        load(rows, strict=True)


def test_a_record_holds_no_more_rows_than_the_bound(monkeypatch):
    monkeypatch.setattr(joining, "MAX_JOINED", 3)
    loaded = load(question(1, *((f"a{n}", "b") for n in range(7))))
    assert [len(record.comparisons) for record in loaded.records] == [3, 3, 1]
    assert (loaded.rows, loaded.joined) == (7, 4)


def test_row_by_row_nothing_is_joined():
    reads = list(iterate_rows(question(1, ("a", "b"), ("a", "c"))))
    assert [type(read.item) for read in reads] == [Record, Record]
    assert [read.row["response_k"] for read in reads] == ["b", "c"]


def test_records_and_rows_without_a_group_pass_through_unchanged():
    records = [pair("q", "a", "b"), pair("q", "a", "b")]
    assert load(records).records == tuple(records)
    bad = Quarantined("f", 1, "code", "why", "")
    assert list(joining.join_adjacent([(None, bad), (None, records[0])])) == [bad, records[0]]


def test_memory_does_not_grow_with_the_file():
    def rows(count):
        for n in range(count):
            yield s.stack_exchange(n // 5, f"q{n // 5}", f"{n} " + "x" * 2000, f"{n} " + "y" * 2000)

    def peak(count):
        tracemalloc.start()
        records = sum(isinstance(item, Record) for item in iterate(rows(count)))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert records == count // 5
        return used

    peak(400)
    assert peak(6000) < 1.2 * peak(400)
