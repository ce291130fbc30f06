"""Comparisons made from the training records: what each kind says, their marks, and that only training sees them."""

import json

import pytest

from builders import pair, ranking
from rewardsmith.audit.edits.table import EDITS
from rewardsmith.commands import train
from rewardsmith.errors import UsageError
from rewardsmith.pipelines.train.augment import MADE_BY, augmented, first_half

ROWS = [
    pair("Where is Oslo?", "Oslo is in Norway. It lies on a fjord. Ferries go there.", "In Sweden, I think."),
    pair("How hot is tea?", "Tea is served at about eighty degrees. Let it cool.", "It is cold, mostly."),
    pair("北京在哪里？", "北京在中国的北方。它是中国的首都。", "北京在南方。"),
    pair("水的沸点是多少？", "在标准大气压下是一百摄氏度。", "大概是五十度吧，也许。"),
]


def made(kind, rows=ROWS, seed=0):
    return augmented(rows, [kind], weight=0.25, seed=seed)[kind]


@pytest.mark.parametrize("kind", list(MADE_BY))
def test_each_is_marked_weighted_and_the_same_again(kind):
    new = made(kind)
    assert len(new) == 4
    assert [record.fields["synthetic"] for record in new] == [kind] * 4
    assert {c.weight for record in new for c in record.comparisons} == {0.25}
    assert [record.id for record in new] == [record.id for record in made(kind)]
    assert [record.place for record in new] == [record.place for record in ROWS]


def test_the_order_of_the_records_plays_no_part():
    for kind in MADE_BY:
        assert {r.id for r in made(kind)} == {r.id for r in made(kind, rows=ROWS[::-1])}


def test_both_responses_under_another_prompt_in_the_same_language_are_a_tie():
    for source, new in zip(ROWS, made("other-prompt"), strict=True):
        assert new.comparisons[0].is_tie
        assert [r.text for r in new.responses] == [r.text for r in source.responses]
        assert new.prompt_id != source.prompt_id
        assert new.prompt[0].content.isascii() == source.prompt[0].content.isascii()


def test_an_edit_that_keeps_the_meaning_is_a_tie_of_two_texts():
    for source, new in zip(ROWS, made("edit"), strict=True):
        assert new.comparisons[0].is_tie
        one, two = (response.text for response in new.responses)
        assert one == source.responses[0].text != two
        assert any(edit.apply(one) == two for edit in EDITS.values() if edit.family in ("layout", "formatting"))


def test_half_a_response_is_worse_than_all_of_it():
    for source, new in zip(ROWS, made("cut"), strict=True):
        whole, half = (response.text for response in new.responses)
        assert whole == source.responses[0].text
        assert whole.startswith(half)
        assert 0 < len(half) <= len(whole) / 2
        assert not new.comparisons[0].is_tie
    assert first_half("One. Two is longer than one, and goes on. End.") == "One."
    assert first_half("abcdefghijklmnop") == "abcdefgh"
    assert first_half("short") is None


def test_what_was_preferred_elsewhere_is_worse_here():
    for source, new in zip(ROWS, made("other-response"), strict=True):
        assert new.prompt == source.prompt
        assert new.responses[0] == source.responses[0]
        assert new.responses[1].text in {r.responses[0].text for r in ROWS if r is not source}


def test_ties_and_weightless_comparisons_make_nothing_and_one_prompt_has_no_partner():
    tie = pair("q?", "one of them", "another one", preference=0.5)
    weightless = pair("r?", "one of them", "another one", weight=0.0)
    assert [made(kind, rows=[tie, weightless]) for kind in MADE_BY] == [[]] * 4
    alone = [ROWS[0], ranking("Where is Oslo?", "In Norway, it seems.", "On the moon, perhaps.")]
    assert made("other-prompt", rows=alone) == made("other-response", rows=alone) == []


def test_only_training_sees_them_and_the_run_says_how_many(tmp_path):
    small = {"n_layer": 1, "n_embd": 32, "max_steps": 2, "report": False, "threads": 1}
    kinds = ("edit", "other-response")
    plain = train.train(train.Config(model="tiny", dataset=("synthetic:80",), output=tmp_path / "a", **small))
    result = train.train(
        train.Config(model="tiny", dataset=("synthetic:80",), output=tmp_path / "b", augment=kinds, **small)
    )
    counts = result.summary["augmented"]
    lines = (tmp_path / "b" / "data" / "augmented.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["fields"]["synthetic"] for line in lines] == [k for k in kinds for _ in range(counts[k])]
    assert result.summary["records"] == plain.summary["records"] + sum(counts.values())
    told = [json.loads((tmp_path / name / "data" / "data.json").read_text()) for name in "ab"]
    assert told[0]["hashes"] == told[1]["hashes"]
    assert told[0]["records"] == told[1]["records"]


def test_a_weight_of_nothing_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--augment-weight"):
        train.Config(model="tiny", dataset=("synthetic:80",), output=tmp_path, augment_weight=0.0)
