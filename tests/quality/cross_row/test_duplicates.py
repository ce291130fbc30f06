import random
from dataclasses import replace

import pytest

from near_pairs import pair, planted, sentence
from rewardsmith.quality.cross_row.duplicates import NearDuplicates
from rewardsmith.records import Comparison

LONG = "please tell me in a few words how one can keep the bread of yesterday fresh for the whole of the coming week"
ONE = "put the bread in a bag of cloth and keep it in a dry and cool place away from the sun and the stove"
TWO = "cut the bread into slices and freeze them and toast as many of them as you want to eat each morning"


def near(rows, threshold=0.8):
    found = NearDuplicates(threshold)
    for row in rows:
        found.add(row)
    found.settle()
    return found


def kept(rows):
    found = near(rows)
    return [row for at, row in enumerate(rows) if found.removal(at, row) is None]


def test_planted_near_duplicates_are_found_in_both_languages_and_nothing_else():
    rows = planted(600, 300)
    found = near(rows)
    pairs = {frozenset((row.place, found.member(at).twin)) for at, row in enumerate(rows) if found.member(at)}
    planted_pairs = {frozenset((rows[n].place, rows[600 + n].place)) for n in range(300)}
    assert pairs == planted_pairs
    assert sum(not found.member(at).kept for at in range(len(rows)) if found.member(at)) == 300


def test_a_removal_names_twin_value_and_threshold():
    rows = [pair(LONG, ONE, TWO, line=1), pair(LONG, ONE, TWO.replace("morning", "day"), line=2)]
    found = near(rows)
    (gone,) = [removed for at, row in enumerate(rows) if (removed := found.removal(at, row))]
    # 21 words give 20 shingles, all different; another word at the end changes one of them: 19 of 21
    assert (gone.check, gone.value, gone.threshold) == ("near_duplicate", pytest.approx(19 / 21), 0.8)
    assert {gone.twin, f"{gone.file}:{gone.line}"} == {"f:1", "f:2"}
    members = [found.member(at) for at in range(2)]
    assert members[0].cluster == members[1].cluster
    assert [member.twin for member in members] == ["f:2", "f:1"]


def test_a_long_common_prompt_makes_no_duplicate_of_other_answers():
    rows = [pair(LONG, "yes", "no", line=1), pair(LONG, "yes", "perhaps", line=2), pair("why", ONE, TWO, line=3)]
    assert kept([*rows, pair("what", ONE, TWO, line=4)]) == [*rows, pair("what", ONE, TWO, line=4)]


def test_opposed_labels_are_a_contradiction_and_no_reason_to_remove():
    rows = [pair(LONG, ONE, TWO, line=1), pair(LONG, TWO.replace("morning", "day"), ONE, line=2)]
    found = near(rows)
    assert kept(rows) == rows
    assert [[finding.check for finding in found.findings(at, row)] for at, row in enumerate(rows)] == [
        ["near_contradiction"],
        ["near_contradiction"],
    ]


def test_the_same_pair_shown_in_the_other_order_is_a_judgement_of_its_own():
    first = pair(LONG, ONE, TWO, line=1, shown_first=0)
    assert kept([first, pair(LONG, ONE, TWO, line=2, shown_first=1)]) != [first]
    turned = replace(pair(LONG, TWO, ONE, line=2), comparisons=(Comparison(1, 0, shown_first=0),))
    assert kept([first, turned]) == [first, turned]
    same = replace(pair(LONG, TWO, ONE, line=2), comparisons=(Comparison(1, 0, shown_first=1),))
    assert len(kept([first, same])) == 1
    ties = [
        pair(LONG, ONE, TWO, 1, preference=0.5, shown_first=0),
        pair(LONG, TWO, ONE, 2, preference=0.5, shown_first=0),
    ]
    assert kept(ties) == ties


def test_what_is_kept_does_not_hang_on_the_order_and_a_second_pass_finds_nothing():
    rows = planted(60, 40) + [pair(LONG, ONE, f"{TWO} {n}", line=200 + n) for n in range(30)]
    left = kept(rows)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert {row.id for row in kept(shuffled)} == {row.id for row in left}
    assert kept(left) == left
    assert len(left) == 61


def test_more_near_duplicates_than_one_bucket_shows_are_thinned_out_to_the_end():
    draw = random.Random(0)
    rows = [pair(LONG, ONE, f"{TWO} {sentence(draw, False, 1)} {n}", line=n + 1) for n in range(150)]
    left = kept(rows)
    assert kept(left) == left
    assert len(left) == 1  # 20 shingles in common, 2 of each own: 20 of 24


def test_exact_copies_share_the_fate_of_the_row_they_repeat():
    rows = [pair(LONG, ONE, TWO, line=1), pair(LONG, ONE, TWO, line=2), pair(LONG, ONE, f"{TWO} x", line=3)]
    found = near(rows)
    assert found.member(0) == found.member(1)
    assert near(rows[:2]).member(0) is None
    assert near([]).places.files == {}
