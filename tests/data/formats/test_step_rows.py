"""Rows of solutions by steps: what each published layout becomes, and what is refused."""

import pytest

from rewardsmith.data.formats import adapt, format_of
from rewardsmith.data.formats.native import from_row, to_row
from rewardsmith.data.input.rows import RowError
from rewardsmith.errors import DataError
from rewardsmith.records import Message, Record, Response

TRL = {"prompt": "1 + 1 + 1?", "completions": ["1 + 1 = 2.", "2 + 1 = 4."], "labels": [True, False]}
SHEPHERD = {
    "input": "What is 1 + 1 + 1? Step 1: 1 + 1 = 2. ки\nStep 2: 2 + 1 = 4. The answer is: 4 ки",
    "label": "What is 1 + 1 + 1? Step 1: 1 + 1 = 2. +\nStep 2: 2 + 1 = 4. The answer is: 4 -",
    "task": "GSM8K",
}
PRM800K = {
    "labeler": "x",
    "question": {"problem": "三加四等于几?", "ground_truth_answer": "7"},
    "label": {
        "steps": [
            {
                "completions": [{"text": "先想。", "rating": 0}, {"text": "不对。", "rating": -1}],
                "chosen_completion": 0,
            },
            {"completions": [], "human_completion": {"text": "3 + 4 = 7。", "rating": None}, "chosen_completion": None},
            {
                "completions": [{"text": "答 8。", "rating": -1}, {"text": "答 7。", "rating": 1}],
                "chosen_completion": None,
            },
            {"completions": [{"text": "never reached", "rating": 1}], "chosen_completion": 0},
        ],
        "finish_reason": "found_error",
    },
}
BENCH = {"id": "math-3", "generator": "m", "problem": "p", "steps": ["a", "b", "c", "d"], "label": 1}


def read(row):
    return adapt(format_of(row), row, source="f", line=1)


def test_trl_rows_are_the_solution_up_to_each_step():
    record = read(TRL)
    assert record.by_steps
    assert [answer.text for answer in record.responses] == ["1 + 1 = 2.", "1 + 1 = 2.\n\n2 + 1 = 4."]
    assert record.steps == ("1 + 1 = 2.", "\n\n2 + 1 = 4.")
    assert record.ratings == {"overall": (1.0, 0.0)}
    assert record.comparisons == ()
    waiting = read({"prompt": "q", "steps": ["a", "b"]})
    assert waiting.by_steps
    assert not waiting.ratings
    assert read({"prompt": "q", "completions": ["a", "b"], "labels": [0.25, None]}).ratings == {"overall": (0.25, None)}


def test_math_shepherd_takes_its_labels_from_the_places_of_the_marks():
    record = read(SHEPHERD)
    assert record.prompt == (Message("user", "What is 1 + 1 + 1?"),)
    assert [step.strip() for step in record.steps] == ["Step 1: 1 + 1 = 2.", "Step 2: 2 + 1 = 4. The answer is: 4"]
    assert record.ratings == {"overall": (1.0, 0.0)}
    assert record.fields["task"] == "GSM8K"


def test_prm800k_follows_what_the_solution_went_on_with():
    record = read(PRM800K)
    assert [step.strip() for step in record.steps] == ["先想。", "3 + 4 = 7。", "答 8。"]
    assert record.ratings == {"overall": (1.0, None, 0.0)}


def test_processbench_knows_nothing_behind_the_first_wrong_step():
    assert read(BENCH).ratings == {"overall": (1.0, 0.0, None, None)}
    assert read({**BENCH, "label": -1}).ratings == {"overall": (1.0,) * 4}
    assert read({**BENCH, "label": 0}).ratings == {"overall": (0.0, None, None, None)}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({**TRL, "labels": [True]}, "wrong_length"),
        ({**TRL, "labels": [True, 2]}, "wrong_label"),
        ({**TRL, "labels": [True, "no"]}, "wrong_label"),
        ({**TRL, "completions": ["a", " "]}, "empty_step"),
        ({**TRL, "completions": [], "labels": []}, "no_steps"),
        ({**SHEPHERD, "label": SHEPHERD["label"].replace("+\n", "?\n")}, "wrong_label"),
        ({**SHEPHERD, "input": SHEPHERD["input"] + " more"}, "wrong_label"),
        ({name: SHEPHERD[name] + " more" for name in ("input", "label")}, "no_steps"),
        ({**BENCH, "label": 4}, "wrong_label"),
        ({**BENCH, "label": True}, "wrong_label"),
    ],
)
def test_rows_that_contradict_themselves_are_refused(row, code):
    with pytest.raises(RowError) as caught:
        read(row)
    assert caught.value.code == code


def test_a_native_row_gives_back_the_record():
    record = read(TRL)
    assert from_row(to_row(record)) == record
    plain = Record(record.prompt, record.responses, ratings=record.ratings)
    assert plain.id != record.id  # its tokens are others
    with pytest.raises(RowError, match="expected true or false"):
        from_row({**to_row(record), "by_steps": 1})


def test_a_record_by_steps_has_to_be_one_solution():
    def made(*texts, labels=()):
        answers = tuple(Response((Message("assistant", text),)) for text in texts)
        return Record((), answers, ratings={"overall": labels} if labels else {}, by_steps=True)

    assert made("a", "a b").steps == ("a", " b")
    for texts in (("a", "b"), ("a b", "a"), ("a", "a "), ("a", "a")):
        with pytest.raises(DataError, match="step 2 does not continue step 1"):
            made(*texts)
    with pytest.raises(DataError, match="label of step 2 is 3"):
        made("a", "a b", labels=(1.0, 3.0))
