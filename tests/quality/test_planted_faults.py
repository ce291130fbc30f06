"""Each fault that the generator plants is found, and clean rows are left alone."""

import functools

import pytest

from rewardsmith.data.synthetic.generate import generate
from rewardsmith.quality.row.limits import Limits
from rewardsmith.quality.row.repair import loss_in, repair
from rewardsmith.quality.row.signals import signals_of

EXPECTED = {
    "mojibake": {"damaged_text"},
    "double_mojibake": {"damaged_text"},
    "wide_mojibake": {"damaged_text"},
    "self_reference": {"assistant_boilerplate"},
    "foreign_language": {"other_language"},
    "cut_short": {"too_few_words"},
    "drawn_out": {"too_many_words"},
    "single_votes": {"few_votes"},
    "even_votes": {"label_without_majority"},
    "leaked_markup": {"template_token", "role_tag", "placeholder"},
    "hidden_characters": {"invisible_characters", "control_characters", "replacement_character"},
    "near_identical": {"similar_responses"},
    "repetition": {"repetition"},
    "refusal": {"refusal"},
    "divided_votes": {"low_agreement"},
    "label_conflict": {"label_conflict"},
}
PLANTED = (*EXPECTED, "lost_bytes")
LIMITS = Limits(min_words=3, max_words=250, languages=("en", "zh"))


@functools.cache
def made():
    return generate(1000, seed=5, faults=dict.fromkeys(PLANTED, 0.04))


@functools.cache
def found(index):
    record = made().records[index]
    return {finding.check for finding in signals_of(record).findings(record.place, LIMITS)}


@pytest.mark.parametrize("fault", EXPECTED)
def test_a_planted_fault_is_found(fault):
    rows = made().planted[fault]
    missed = [index for index in rows if not found(index) & EXPECTED[fault]]
    assert len(rows) == 40
    assert missed == []


def test_lost_bytes_are_told_and_complete_ones_come_back():
    rows, clean = made().records, generate(1000, seed=5).records
    assert all(loss_in(rows[index]) for index in made().planted["lost_bytes"])
    for index in (*made().planted["mojibake"], *made().planted["double_mojibake"]):
        assert loss_in(rows[index]) is None
        assert repair(rows[index])[0] == clean[index]


@pytest.mark.parametrize("responses", [2, 4])
def test_at_most_one_clean_row_in_a_hundred_is_called_faulty(responses):
    records = generate(1000, responses_per_prompt=responses, seed=9).records
    alarms = [signals_of(record).findings(record.place, LIMITS) for record in records]
    assert sum(map(bool, alarms)) <= 10
    assert not any(loss_in(record) for record in records)
    assert all(repair(record)[0] is record for record in records)
