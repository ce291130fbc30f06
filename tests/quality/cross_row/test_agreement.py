import itertools
import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from near_pairs import pair
from rewardsmith.data.loading.load import iterate
from rewardsmith.language import say
from rewardsmith.quality.cross_row.agreement import CYCLE, Judgements, OrderEffect
from rewardsmith.quality.cross_row.cycles import USUAL_WRONG
from rewardsmith.records import Comparison, Message, Record, Response


def looked(rows, counted=None):
    found = Judgements()
    for row in rows:
        found.add(row)
    found.settle(np.ones(len(rows), bool) if counted is None else np.array(counted))
    return found


def prefer(*pairs, prompt="p"):
    return [pair(prompt, better, worse, line=line) for line, (better, worse) in enumerate(pairs, 1)]


def test_a_circle_names_the_rows_that_form_it():
    rows = prefer("ab", "bc", "ca", "ad", "ae")
    found = looked(rows)
    assert found.circles == {0: (0, 1, 2), 1: (1, 2, 0), 2: (2, 0, 1)}
    (finding,) = found.findings(1, rows[1])
    assert finding.detail.endswith("form a cycle: f:2 > f:3 > f:1")
    assert found.findings(3, rows[3]) == []


def ranked(*order, prompt="p", line=1, swapped=()):
    """A record whose responses are all compared: an earlier one of `order` wins, but for the pairs `swapped`."""
    pairs = [(a, b) if (a, b) not in swapped else (b, a) for a, b in itertools.combinations(order, 2)]
    responses = tuple(Response((Message("assistant", f"{number}"),)) for number in range(len(order)))
    comparisons = tuple(Comparison(a, b, 1.0) for a, b in pairs)
    return Record((Message("user", prompt),), responses, comparisons).at("f", line)


def test_a_circle_inside_one_record_names_its_responses():
    row = ranked(0, 2, 1, swapped=[(0, 1)])
    (finding,) = looked([row]).findings(0, row)
    assert finding.detail == "its responses form a preference cycle: 0 > 2 > 1 > 0"
    assert say(finding.detail, "zh") == "其回复的偏好构成循环：0 > 2 > 1 > 0"


def test_as_few_circles_as_wrong_labels_give_are_a_note():
    # four responses have 4 triples; swapping first and third makes one of them circular: 1 of 4 rows x 4
    circular = ranked(0, 1, 2, 3, swapped=[(0, 2)])
    rows = [circular, *(ranked(0, 1, 2, 3, prompt=f"p{at}", line=at) for at in range(2, 12))]
    found = looked(rows)
    assert (found.triples.all, found.triples.circular) == (44, 1)
    assert [one.severity for one in found.findings(0, circular)] == ["info"]
    all_circular = [ranked(0, 1, 2, prompt=f"p{at}", line=at, swapped=[(0, 2)]) for at in range(12)]
    found = looked(all_circular)
    assert found.triples == (12, 12)
    assert [one.severity for one in found.findings(3, all_circular[3])] == ["warning"]


def test_the_share_of_circular_triples_by_wrong_labels_alone():
    rng, circular = np.random.default_rng(0), 0
    for at in range(4000):
        wrong = [pair for pair in ((0, 1), (0, 2), (1, 2)) if rng.random() < USUAL_WRONG]
        circular += looked([ranked(0, 1, 2, prompt=f"p{at}", swapped=wrong)]).triples.circular
    assert circular / 4000 == pytest.approx(USUAL_WRONG * (1 - USUAL_WRONG), abs=0.015)


def test_the_shortest_circle_through_a_row_is_told():
    found = looked(prefer("ab", "bc", "cd", "da", "ca"))
    assert found.circles[0] == (0, 1, 4)
    assert found.circles[3] == (3, 0, 1, 2)


def test_two_opposed_rows_are_no_circle_and_a_majority_decides():
    assert looked(prefer("ab", "ba")).circles == {}
    assert looked(prefer("ab", "bc", "ca", "ac")).circles == {}  # a and c are even
    found = looked(prefer("ab", "bc", "ca", "ac", "ca"))
    assert sorted(found.circles) == [0, 1, 2, 4]


def test_of_rows_that_contradict_each_other_the_fewer_are_told_and_of_as_many_each():
    assert looked(prefer("ab", "ba", "cd")).contradicted == {0: 1, 1: 0}
    assert looked(prefer("ab", "ba", "ab")).contradicted == {1: 0}
    rows = [*prefer("ab"), pair("p", "b", "a", preference=0.5), pair("p", "b", "a", attribute="safe")]
    assert looked([*rows, *prefer("ba", prompt="q")]).contradicted == {}
    rows = prefer("ab", "ba")
    (finding,) = looked(rows).findings(0, rows[0])
    assert (finding.check, finding.detail.startswith("f:2 ")) == ("contradiction", True)


def test_rows_against_a_circle_belong_to_it_as_they_could_form_another():
    rows = prefer("ab", "bc", "ca", "ab", "bc", "ca", "ba", "cb", "ac", "ad")
    found = looked(rows)
    assert (sorted(found.circles), found.beside) == ([0, 1, 2, 3, 4, 5], {6: 0, 7: 1, 8: 2})
    assert "contradicts f:1" in str(found.findings(6, rows[6]))
    left = [row for at, row in enumerate(rows) if not any(f.check == CYCLE for f in found.findings(at, row))]
    assert looked(left).circles == {}


def test_circles_stay_within_prompt_and_attribute_and_ties_count_nothing():
    rows = [
        *prefer("ab", "bc"),
        *prefer("ca", prompt="q"),
        pair("p", "c", "a", attribute="safe"),
        pair("p", "c", "a", preference=0.5),
    ]
    assert looked(rows).circles == {}
    assert looked(prefer("ab", "bc", "ca"), [True, True, False]).circles == {}


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda e: e[0] != e[1]), max_size=14))
def test_circles_are_those_that_a_search_over_all_paths_finds(edges):
    found = looked([pair("p", str(a), str(b), line=1) for a, b in edges]).circles
    lead = {(a, b): edges.count((a, b)) - edges.count((b, a)) for a, b in edges}
    net = {edge for edge, more in lead.items() if more > 0}
    shortest = {}
    for size in range(3, 7):
        for nodes in itertools.permutations(range(6), size):
            steps = list(zip(nodes, (*nodes[1:], nodes[0]), strict=True))
            if set(steps) <= net:
                shortest.setdefault(steps[0], size)
    assert {row: len(circle) for row, circle in found.items()} == {
        row: shortest[edge] for row, edge in enumerate(edges) if edge in shortest
    }
    assert all(circle[0] == row for row, circle in found.items())


def test_verdicts_that_hang_on_the_order():
    rows = [
        *(pair("p", "a", "b", 1, shown_first=0), pair("p", "b", "a", 2, shown_first=0)),  # always the first
        *(pair("p", "c", "d", 3, shown_first=0), pair("p", "c", "d", 4, shown_first=1)),  # always c
        *(pair("p", "e", "f", 5, shown_first=0), pair("p", "e", "f", 6, preference=0.5, shown_first=1)),  # once a tie
        *(pair("p", "g", "h", 7, preference=0.5, shown_first=0), pair("p", "h", "g", 8, preference=0.5, shown_first=0)),
        *(pair("p", "i", "j", 9, shown_first=0), pair("p", "j", "i", 10)),  # the order is not told
    ]
    found = looked(rows)
    # pairs ab, cd, ef, gh in both orders; ab and ef changed; decided: 2 + 2 + 1, first won: 2 + 1 + 1
    assert found.order == OrderEffect(pairs=4, changed=2, first_wins=4, decided=5)
    assert found.turned == {0: 1, 1: 0, 4: 5, 5: 4}
    assert found.findings(5, rows[5])[0].detail.startswith("f:5 has the same two responses")


def test_no_rows_and_no_comparisons_are_fine():
    assert looked([]).order == OrderEffect(0, 0, 0, 0)


def real(name):
    folder = os.environ.get("REWARDSMITH_DATA")
    if not folder:
        pytest.skip("REWARDSMITH_DATA is not set")
    return [item for item in iterate(str(Path(folder) / name)) if isinstance(item, Record)]


@pytest.mark.real_data
def test_verdicts_of_gpt4_change_with_the_order_in_two_of_five_pairs():
    order = looked(real("order-swapped-verdicts/gpt4.jsonl.gz")).order
    # 560 pairs in the file, of which two have a verdict "?" and so only one order
    assert (order.pairs, order.changed) == (558, 226)


@pytest.mark.real_data
def test_crowd_preferences_go_round_in_circles_whatever_their_order():
    rows = real("ukp-convarg/strict.jsonl.gz")
    found = looked(rows)
    assert found.circles
    for row, circle in found.circles.items():
        assert circle[0] == row
        steps = [
            (rows[at].responses[rows[at].comparisons[0].i], rows[at].responses[rows[at].comparisons[0].j])
            for at in circle
        ]
        assert all(here[1] == there[0] for here, there in zip(steps, steps[1:] + steps[:1], strict=True))
    lines = {rows[at].line for at in found.circles}
    same = [row for row in rows if row.prompt in {rows[at].prompt for at in found.circles}]
    shuffled = random.Random(0).sample(same, len(same))
    assert {shuffled[at].line for at in looked(shuffled).circles} == lines
