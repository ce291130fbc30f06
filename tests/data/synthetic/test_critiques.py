"""Critiques of the built-in data: they follow from prompt and response, and say what the gold reward says."""

import re

import pytest

from rewardsmith.data.loading.load import load
from rewardsmith.data.synthetic.critiques import critiques_of
from rewardsmith.data.synthetic.generate import LOGITS_PER_MATCH, generate
from rewardsmith.errors import DataError, UsageError


@pytest.mark.parametrize(("language", "count"), [("en", r"(\d) of 5 right\.$"), ("zh", r"5项对(\d)项。$")])
def test_the_last_number_is_the_gold_reward(language, count):
    made = generate(150, responses_per_prompt=4, seed=5, language=language)
    for record, gold in zip(made.records, made.gold, strict=True):
        critiques = critiques_of(record)
        assert [int(re.search(count, text)[1]) * LOGITS_PER_MATCH for text in critiques] == list(gold)
        for text in critiques:
            wrong = len(re.findall(r", not |应为", text))
            assert wrong == 5 - int(re.search(count, text)[1])


def test_a_wrong_value_is_named_with_the_one_that_was_asked_for():
    (record,) = generate(1, seed=0, language="en").records
    for answer, text in zip(record.responses, critiques_of(record), strict=True):
        for found, wanted in re.findall(r"\w+: (\w+), not (\w+)\.", text):
            assert found in answer.text
            assert wanted in record.prompt[0].content


def test_the_source_brings_them_in_the_order_of_the_responses():
    plain, critiqued = (load(name).records for name in ("synthetic:30x3", "synthetic:30x3+critiques"))
    for one, other in zip(plain, critiqued, strict=True):
        assert one.id == other.id
        assert "critiques" not in one.fields
        assert tuple(other.fields["critiques"]) == critiques_of(one)


def test_other_texts_and_names_are_refused():
    (record,) = generate(1, seed=0, faults={"refusal": 1.0}).records
    with pytest.raises(DataError, match="not a text of the built-in data"):
        critiques_of(record)
    with pytest.raises(UsageError, match=r"\+critiques"):
        load("synthetic:30+critique")
