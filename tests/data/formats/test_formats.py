import pytest

from rewardsmith.data.formats import adapt, format_of
from rewardsmith.data.input.rows import RowError
from rewardsmith.records import Comparison, Message

U, A = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}
B = {"role": "assistant", "content": "no"}


def read(row):
    return adapt(format_of(row), row, source="s", line=1)


def said(record):
    """(prompt contents, preferred text, other text) of a pair."""
    (comparison,) = record.comparisons
    texts = [response.text for response in record.responses]
    return [message.content for message in record.prompt], texts[comparison.i], texts[comparison.j]


PAIRS = [
    {"prompt": "hi", "chosen": "yo", "rejected": "no"},
    {"prompt": [U], "chosen": [A], "rejected": [B]},
    {"prompt": "hi", "chosen": [A], "rejected": "no"},
    {"prompt": "hi", "chosen": [U, A], "rejected": [U, B]},
    {"chosen": [U, A], "rejected": [U, B]},
    {"chosen": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}], "rejected": [U, B]},
    {"chosen": "\n\nHuman: hi\n\nAssistant: yo", "rejected": "\n\nHuman: hi\n\nAssistant: no"},
    {"prompt": "\n\nHuman: hi\n\nAssistant:", "chosen": "yo", "rejected": "no"},
    {"question": "hi", "response_j": "yo", "response_k": "no"},
    {"conversation_a": [U, B], "conversation_b": [U, A], "winner": "model_b", "model_a": "m", "model_b": "n"},
    {"prompt": "hi", "response1": "no", "response2": "yo", "overall_preference": 2},
    {"prompt": "hi", "response_1": "yo", "response_2": "no", "preference_strength": -1},
    {"question": {"full_text": "hi"}, "answer_0": "no", "answer_1": "yo", "score_0": -0.5, "score_1": 0.5},
    {"prompt": "hi", "responses": ["no", "yo"], "verdict": "2"},
    {"prompt": "hi", "responses": ["no", "yo"], "scores": [1, 2]},
    {"prompt": "hi", "responses": ["no", "yo"], "ranks": [2, 1]},
    {"prompt": "hi", "responses": ["no", "yo"], "ranking": [1, 0]},
    {"prompt": "hi", "responses": ["no", "yo"], "chosen": "yo", "rejected": "no", "scores": [5, 1]},
    {"prompt": "hi", "responses": ["no", "yo"], "votes": {"a2": 3, "a1": 1}},
]


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: format_of(row))
def test_every_format_says_that_yo_beats_no(row):
    assert said(read(row)) == (["hi"], "yo", "no")


def test_the_index_of_a_response_does_not_tell_the_label():
    rows = [{"prompt": f"p{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(200)]
    first = sum(read(row).comparisons[0].i == 0 for row in rows)
    assert 70 < first < 130
    swapped = [{**row, "chosen": row["rejected"], "rejected": row["chosen"]} for row in rows]
    for row, other in zip(rows, swapped, strict=True):
        assert read(row).responses == read(other).responses
        assert read(row).comparisons[0].i == read(other).comparisons[0].j


def test_listed_responses_keep_their_order_models_and_fields():
    row = {"prompt": "p", "responses": ["x", "y", "z"], "scores": [1, 3, 1], "models": ["a", "b", "c"], "topic": "t"}
    record = read(row | {"extra": [1], "nothing": None, "n": 2})
    assert [response.text for response in record.responses] == ["x", "y", "z"]
    assert [response.generator for response in record.responses] == ["a", "b", "c"]
    assert record.comparisons == (
        Comparison(1, 0, margin=2.0),
        Comparison(0, 2, 0.5),
        Comparison(1, 2, margin=2.0),
    )
    assert record.ratings == {"overall": (1.0, 3.0, 1.0)}
    assert record.fields == {"topic": "t", "n": 2}


def test_a_missing_score_leaves_its_response_uncompared():
    record = read({"prompt": "p", "responses": ["x", "y", "z"], "scores": [1, None, 0]})
    assert record.comparisons == (Comparison(0, 2, margin=1.0),)


def test_attributes_are_compared_one_by_one():
    record = read({"prompt": "p", "responses": ["x", "y"], "ratings": {"safe": [1, 0], "helpful": [0, 1]}})
    assert {(c.attribute, c.i) for c in record.comparisons} == {("safe", 0), ("helpful", 1)}


@pytest.mark.parametrize(
    ("votes", "chosen", "i", "preference"),
    [
        ({"a1": 3, "a2": 1}, None, 0, 0.75),
        ({"a1": 1, "a2": 2, "equal": 1}, None, 1, 0.625),  # (2 + 1/2) / 4
        ({"a1": 2, "a2": 2}, None, 0, 0.5),
        ({"a2": 5}, "y", 1, 1.0),
        ({"a1": 3, "a2": 2}, "y", 1, 1.0),  # chosen decides against the majority
        ({"a1": 2, "a2": 2}, "y", 1, 1.0),
    ],
)
def test_votes_are_a_share_and_chosen_decides_the_direction(votes, chosen, i, preference):
    record = read({"prompt": "p", "responses": ["x", "y"], "votes": votes, "chosen": chosen})
    (comparison,) = record.comparisons
    assert (comparison.i, comparison.preference) == (i, preference)
    counts = (votes.get("a1", 0), votes.get("a2", 0))
    assert comparison.votes == (*(counts if i == 0 else counts[::-1]), votes.get("equal", 0))


def test_null_chosen_with_equal_scores_is_a_tie():
    record = read({"prompt": "p", "responses": ["x", "y"], "scores": [1, 1], "chosen": None, "rejected": None})
    assert [c.is_tie for c in record.comparisons] == [True]


def test_chosen_beats_all_even_the_better_scored():
    record = read({"prompt": "p", "responses": ["x", "y", "z"], "scores": [1, 2, 3], "chosen": "x"})
    assert {(c.i, c.j) for c in record.comparisons} == {(0, 1), (0, 2), (2, 1)}


def test_dialogues_that_diverge_early_keep_several_messages():
    start = "\n\nHuman: a\n\nAssistant: b"
    row = {"chosen": f"{start}\n\nHuman: c\n\nAssistant: d", "rejected": f"{start} other"}
    record = read(row)
    assert record.prompt == (Message("user", "a"),)
    assert sorted(len(response.messages) for response in record.responses) == [1, 3]


def test_a_system_column_comes_first_and_margin_stays():
    record = read({"system": "s", "prompt": "p", "chosen": "a", "rejected": "b", "margin": 0.25})
    assert record.prompt == (Message("system", "s"), Message("user", "p"))
    assert record.comparisons[0].margin == 0.25


def test_scores_of_a_pair_follow_the_responses():
    record = read({"prompt": "p", "chosen": "a", "rejected": "b", "score_chosen": 9, "score_rejected": 4})
    assert record.ratings["overall"][record.comparisons[0].i] == 9


def pair(**changes):
    return {"prompt": "p", "chosen": "a", "rejected": "b"} | changes


REFUSED = [
    (pair(chosen=None), "missing_field"),
    (pair(chosen=5), "wrong_type"),
    (pair(chosen=["c"]), "wrong_type"),
    (pair(prompt=True), "wrong_type"),
    (pair(margin="2"), "wrong_type"),
    (pair(margin=True), "wrong_type"),
    (pair(chosen=""), "empty_response"),
    (pair(rejected=" \n"), "empty_response"),
    (pair(chosen=[]), "empty_response"),
    (pair(chosen="b"), "identical_responses"),
    (pair(chosen=[{"role": "teacher", "content": "x"}]), "unknown_role"),
    (pair(chosen=[{"role": "assistant", "content": None}]), "missing_field"),
    (pair(chosen=[{"role": "assistant", "content": "x", "tool_calls": [{}]}]), "tool_calls"),
    (pair(chosen=[{"role": "tool", "content": "x"}]), "tool_calls"),
    (pair(prompt=[{"role": "user", "content": [{"type": "image"}]}]), "multimodal"),
    (pair(images=["x.png"]), "multimodal"),
    (pair(tools=[{}]), "tool_calls"),
    (pair(chosen=[A, U]), "no_answer"),
    (pair(chosen=[U, A]), "prompt_conflict"),
    (pair(system="s", prompt=[{"role": "system", "content": "t"}, U]), "system_conflict"),
    (pair(models=["one"]), "wrong_length"),
    ({"chosen": "a", "rejected": [A]}, "wrong_type"),
    ({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "b"}, "not_a_dialogue"),
    ({"chosen": "\n\nHuman: a\n\nAssistant:", "rejected": "\n\nHuman: a\n\nAssistant: b"}, "empty_response"),
    ({"chosen": [], "rejected": [A]}, "empty_response"),
    ({"responses": []}, "empty_response"),
    ({"responses": "ab"}, "wrong_type"),
    ({"responses": ["a", "a"], "scores": [1, 2]}, "identical_responses"),
    ({"responses": ["a", "b"], "scores": [1]}, "wrong_length"),
    ({"responses": ["a", "b"], "scores": ["1", "2"]}, "wrong_type"),
    ({"responses": ["a", "b"], "ranking": [1, 2]}, "wrong_ranking"),
    ({"responses": ["a", "b"], "chosen": "c"}, "chosen_not_listed"),
    ({"responses": ["a", "b"], "chosen": "a", "rejected": "a"}, "identical_responses"),
    ({"responses": ["a", "b"], "rejected": "a"}, "missing_field"),
    ({"responses": ["a", "b"], "votes": {"a1": -1}}, "wrong_type"),
    ({"responses": ["a", "b"], "votes": {"a3": 1}}, "unknown_votes"),
    ({"responses": ["a", "b"], "votes": {}}, "no_judgement"),
    ({"responses": ["a", "b"], "verdict": "?"}, "no_judgement"),
    ({"responses": ["a", "b", "c"], "verdict": "1"}, "wrong_length"),
    ({"prompt": [], "responses": [], "comparisons": []}, "invalid_record"),
]


@pytest.mark.parametrize(("row", "code"), REFUSED)
def test_rows_that_do_not_fit_are_refused_with_a_code(row, code):
    with pytest.raises(RowError) as caught:
        read(row)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


def test_a_row_without_a_prompt_in_a_file_of_prompts_is_refused():
    with pytest.raises(RowError) as caught:
        adapt("pair", {"chosen": "a", "rejected": "b"}, source="s", line=1)
    assert caught.value.code == "missing_field"


def test_a_conversation_that_goes_on_is_compared_with_its_own_beginning():
    record = read({"chosen": [U, A, U, B], "rejected": [U, A]})
    assert [message.content for message in record.prompt] == ["hi"]
    assert sorted(len(response.messages) for response in record.responses) == [1, 3]
    with pytest.raises(RowError) as caught:
        read({"chosen": [U, A], "rejected": [U, A]})
    assert caught.value.code == "identical_responses"
