import json

import pytest

from rewardsmith.data.input.renaming import parse_renames
from rewardsmith.data.loading.load import load
from rewardsmith.errors import DataError, UsageError

ROW = {"ask": "p", "good": "a", "bad": {"texts": ["b", "c"]}, "topic": "t"}
MAP = ("prompt=ask", "chosen=good", "rejected=bad.texts.0")


def test_columns_get_other_names_also_from_inside_objects_and_lists():
    (record,) = load([ROW], map=MAP).records
    named = {response.text for response in record.responses}
    assert (record.prompt[0].content, named, record.fields) == ("p", {"a", "b"}, {"topic": "t"})
    assert load([ROW], map={"prompt": "ask", "chosen": "good", "rejected": "bad.texts.0"}).records == (record,)


def test_what_was_looked_into_is_named_as_ignored():
    (sentence,) = load([ROW], map=MAP).understood
    assert sentence.endswith("kept as fields: topic; ignored: bad")


def test_a_column_whose_name_holds_a_dot_is_meant_before_an_object():
    row = {"a.b": "p", "a": {"b": "no"}, "chosen": "x", "rejected": "y"}
    assert load([row], map=["prompt=a.b"]).records[0].prompt[0].content == "p"


def test_two_columns_can_change_places():
    row = {"prompt": "p", "chosen": "worse", "rejected": "better"}
    (record,) = load([row], map=["chosen=rejected", "rejected=chosen"]).records
    assert record.responses[record.comparisons[0].i].text == "better"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("prompt=asked", r"no column 'asked'; the columns are ask, good, bad, topic"),
        ("prompt=bad.words", r"no column 'bad\.words'"),
        ("prompt=bad.texts.5", r"no column 'bad\.texts\.5'"),
        ("topic=ask", r"the column 'topic' exists already.*rename it too"),
    ],
)
def test_columns_that_are_not_there_and_names_that_are_taken_stop_the_reading(given, words):
    with pytest.raises(DataError, match=words) as caught:
        load([ROW], map=[given])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", ["prompt", "=ask", "prompt=", ["prompt=a", "prompt=b"]])
def test_what_is_no_name_for_a_column_is_refused(given):
    with pytest.raises(UsageError, match="--map"):
        parse_renames(given)


def test_later_rows_that_lack_the_column_or_have_the_name_are_quarantined(tmp_path):
    rows = [ROW] * 150 + [{**ROW, "prompt": "taken"}, {name: ROW[name] for name in ("good", "bad")}, ROW]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = load(path, map=MAP)
    assert [(bad.line, bad.code) for bad in loaded.quarantined] == [(151, "column_taken"), (152, "missing_field")]
    assert len(loaded.records) == 151


def test_csv_cells_under_a_new_name_are_read_as_what_they_become(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('ask,answers,points\np,"[""a"", ""b""]","[1, 2]"\n')
    (record,) = load(path, map=["prompt=ask", "responses=answers", "scores=points"]).records
    assert record.ratings == {"overall": (1.0, 2.0)}


@pytest.mark.parametrize(("wrong", "meant"), [("promt", "prompt"), ("choosen", "chosen"), ("rejeted", "rejected")])
def test_a_misspelt_name_is_refused_with_the_one_that_was_meant(wrong, meant):
    with pytest.raises(UsageError, match=f"unknown name '{wrong}'. Did you mean '{meant}'"):
        parse_renames((f"{wrong}=q",))


@pytest.mark.parametrize("name", ["topic", "prompts", "response_a", "reject", "source", "orig_instruction", "Prompt"])
def test_other_names_are_columns_of_their_own(name):
    assert parse_renames((f"{name}=q",))[0].target == name
