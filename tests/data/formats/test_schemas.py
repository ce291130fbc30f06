"""Rows in the schemas that are out there: recognised, read whole, and refused where they are broken."""

import contextlib
import copy
import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

import schemas as s
from rewardsmith.data.formats import FORMATS, adapt, format_of
from rewardsmith.data.input.fields import ignored
from rewardsmith.data.input.rows import RowError
from rewardsmith.data.loading.load import load

IDS = [f"{name}-{number}" for number, (name, _) in enumerate(s.ROWS)]


def read(row):
    return adapt(format_of(row), row, source="s", line=1)


def texts(record):
    return [response.text for response in record.responses]


def said(record, attribute="overall"):
    """(preferred text, other text, preference) of every comparison about an attribute."""
    named = texts(record)
    return {(named[c.i], named[c.j], c.preference) for c in record.comparisons if c.attribute == attribute}


def prompt(record):
    return [(message.role, message.content) for message in record.prompt]


def code_of(row):
    with pytest.raises(RowError) as caught:
        read(row)
    assert "\n" not in str(caught.value)
    return caught.value.code


def changed(row, **values):
    return copy.deepcopy(row) | values


def test_every_format_has_a_row_of_its_schema_and_is_recognised_by_it():
    assert [format_of(row) for _, row in s.ROWS] == [name for name, _ in s.ROWS]
    assert {name for name, _ in s.ROWS} == set(FORMATS)


def other(value):
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 7
    return {"other": True} if isinstance(value, dict) else f"{value} x" if isinstance(value, str) else []


@pytest.mark.parametrize(("name", "row"), s.ROWS, ids=IDS)
def test_every_column_is_used_or_kept_or_said_to_be_ignored(name, row):
    record = read(row)
    used = FORMATS[name].used_in(row)
    for column in row:
        if column in used and row[column] is not None:
            with contextlib.suppress(RowError):  # read, and refused
                assert adapt(name, row | {column: other(row[column])}, source="s", line=1) != record, column
        elif column not in ignored(row, used) and row[column] is not None:
            assert record.fields[column] == row[column]


@pytest.mark.parametrize(("name", "row"), s.ROWS, ids=IDS)
def test_a_row_that_came_through_arrow_is_the_same_record(name, row):
    assert load(pa.Table.from_pylist([row])).records[0].at("s", 1) == load([row]).records[0].at("s", 1)


def test_stack_exchange_pairs():
    record = read(s.STACK_EXCHANGE)
    assert prompt(record) == [("user", "How do I sort a list?")]
    assert said(record) == {("Call sorted().", "By hand.", 1.0)}
    assert record.fields == {"qid": 17, "date": "2015/02/03"}
    assert code_of(changed(s.STACK_EXCHANGE, response_k="Call sorted().")) == "identical_responses"
    assert code_of(changed(s.STACK_EXCHANGE, question=["a"])) == "wrong_type"


def test_ultrafeedback_keeps_overall_and_every_aspect():
    record = read(s.ULTRAFEEDBACK)
    assert prompt(record) == [("user", "茶为什么会变苦?")]
    assert [response.generator for response in record.responses] == ["m1", "m2", "m3"]
    assert record.ratings == {
        "overall": (6.5, 9.0, 2.0),
        "helpfulness": (4.0, 5.0, 1.0),
        "honesty": (None, 5.0, 2.0),
        "instruction_following": (4.0, 5.0, 1.0),
        "truthfulness": (3.0, 4.0, 2.0),
        "fine-grained_score": (3.75, 4.75, 1.5),
    }
    best, middle, worst = texts(record)[1], texts(record)[0], texts(record)[2]
    assert said(record) == {(best, middle, 1.0), (best, worst, 1.0), (middle, worst, 1.0)}
    assert said(record, "honesty") == {(best, worst, 1.0)}  # N/A is no rating, so nothing is compared with it
    assert {c.margin for c in record.comparisons if c.attribute == "overall"} == {2.5, 7.0, 4.5}


def test_ultrafeedback_traps():
    def spoiled(**values):
        row = copy.deepcopy(s.ULTRAFEEDBACK)
        row["completions"][0] |= values
        return row

    assert code_of(changed(s.ULTRAFEEDBACK, completions=[])) == "empty_response"
    assert code_of(spoiled(response="")) == "empty_response"
    assert code_of(spoiled(response=None)) == "missing_field"
    assert code_of(spoiled(overall_score="9")) == "wrong_type"
    assert code_of(spoiled(annotations={"honesty": s.rated("6")})) == "wrong_type"
    assert code_of(spoiled(annotations="none")) == "wrong_type"
    unrated = read(spoiled(annotations=None, overall_score=None))
    assert unrated.ratings["overall"] == (None, 9.0, 2.0)
    assert len(said(unrated)) == 1


def test_binarized_ultrafeedback_under_all_its_names():
    for row, scores in ((s.H4_BINARIZED, (8.5, 3.0)), (s.ARGILLA_CLEANED, (5.0, 1.25)), (s.ARGILLA_FIRST, (4.5, 2.0))):
        record = read(row)
        (comparison,) = record.comparisons
        assert len(record.prompt) == 1  # the prompt turn that the answers repeat stands there once
        assert all(len(response.messages) == 1 for response in record.responses)
        rated = record.ratings["overall"]
        assert (rated[comparison.i], rated[comparison.j]) == scores
    best = read(s.ARGILLA_CLEANED)
    assert best.responses[best.comparisons[0].i].generator == "m-large"
    assert read(s.ARGILLA_FIRST).responses[read(s.ARGILLA_FIRST).comparisons[0].j].generator is None
    assert code_of(s.ARGILLA_CLEANED | {"score_chosen": 1}) == "two_columns"
    other = [s.user("Another question"), s.assistant("5")]
    assert code_of(changed(s.H4_BINARIZED, rejected=other)) == "prompt_conflict"
    assert code_of(changed(s.ARGILLA_CLEANED, **{"chosen-rating": "5"})) == "wrong_type"


def test_helpsteer_ratings_and_their_turns():
    record = read(s.HELPSTEER2)
    assert prompt(record) == [("user", "Write a haiku."), ("assistant", "About what?"), ("user", "About rain.")]
    assert record.ratings == {
        "helpfulness": (4.0,),
        "correctness": (4.0,),
        "coherence": (4.0,),
        "complexity": (1.0,),
        "verbosity": (0.0,),
    }
    assert code_of(changed(s.HELPSTEER2, helpfulness="4")) == "wrong_type"
    assert code_of(changed(s.HELPSTEER2, prompt="a\n<extra_id_1>Assistant\nb")) == "no_answer"


def test_helpsteer_preferences_have_margins_ties_and_shares():
    record = read(s.HELPSTEER2_PREFERENCE)
    assert said(record) == {("Mars.", "Venus.", 1.0)}
    assert record.comparisons[0].margin == 3
    record = read(s.HELPSTEER3)
    assert prompt(record)[-1] == ("user", "Which planet is red?")
    (comparison,) = record.comparisons
    assert (comparison.i, comparison.preference, comparison.votes, comparison.margin) == (1, 2 / 3, (2, 1, 0), 2.0)
    assert record.fields == {"domain": "general", "language": "english"}
    tie = read(changed(s.HELPSTEER3, overall_preference=0)).comparisons[0]
    assert tie.is_tie
    assert tie.votes == (1, 2, 0)
    against = read(changed(s.HELPSTEER3, overall_preference=-1)).comparisons[0]
    assert (against.i, against.preference, against.votes) == (0, 1.0, (1, 2, 0))
    assert code_of(changed(s.HELPSTEER3, overall_preference=-100)) == "no_judgement"
    assert code_of(changed(s.HELPSTEER3, overall_preference=None)) == "missing_field"


def test_safe_rlhf_helpful_and_safe_are_two_judgements():
    record = read(s.PKU)
    assert said(record, "helpful") == {("Buy this set and do it at night.", "Ask a locksmith.", 1.0)}
    assert said(record, "safe") == {("Ask a locksmith.", "Buy this set and do it at night.", 1.0)}
    assert said(record) == set()
    assert record.ratings == {"safe": (1.0, 0.0)}
    assert record.fields["response_0_harm_category"] == ""
    assert record.fields["response_1_harm_category"] == "Violence; Fraud"
    assert record.fields["response_1_severity_level"] == 2
    single = {name: s.PKU[name] for name in ("prompt", "response_0", "response_1", "better_response_id")}
    assert said(read(single)) == {("Buy this set and do it at night.", "Ask a locksmith.", 1.0)}
    assert code_of(changed(s.PKU, safer_response_id=-1)) == "no_judgement"
    assert code_of(changed(s.PKU, better_response_id=True)) == "no_judgement"
    assert code_of(changed(s.PKU, better_response_id=None, safer_response_id=None)) == "no_judgement"
    assert code_of(changed(s.PKU, is_response_0_safe=1)) == "wrong_type"
    assert code_of(changed(s.PKU, response_1="Ask a locksmith.")) == "identical_responses"
    assert said(read(changed(s.PKU, better_response_id=None)), "helpful") == set()


def test_beavertails_is_a_rating_of_one_response():
    record = read(s.BEAVERTAILS)
    assert (record.ratings, record.comparisons, record.fields) == ({"safe": (1.0,)}, (), {"harm_category": ""})
    assert code_of(changed(s.BEAVERTAILS, is_safe="True")) == "wrong_type"
    assert code_of(changed(s.BEAVERTAILS, category={"Violence": "yes"})) == "wrong_type"


def test_shp_label_decides_and_scores_stay():
    record = read(s.SHP)
    assert said(record) == {("Too much water.", "It is tired.", 1.0)}
    assert record.comparisons[0].margin == 8
    assert record.ratings == {"overall": (12.0, 4.0)}
    assert record.fields["score_ratio"] == 3.0
    against = read(changed(s.SHP, labels=0))
    assert (against.comparisons[0].i, against.comparisons[0].margin) == (1, None)
    for wrong in (2, True, "1", [1]):
        assert code_of(changed(s.SHP, labels=wrong)) == "no_judgement"


def test_nectar_ranks_with_a_dialogue_for_a_prompt():
    record = read(s.NECTAR)
    assert prompt(record) == [("user", "Hi"), ("assistant", "Hello!"), ("user", "Name a river.")]
    assert said(record) == {("The Elbe.", "长江。", 1.0), ("The Elbe.", "Water.", 1.0), ("长江。", "Water.", 0.5)}
    assert {c.margin for c in record.comparisons} == {None}
    assert [response.generator for response in record.responses] == ["m1", "m2", "m3"]
    answers = copy.deepcopy(s.NECTAR["answers"])
    del answers[1]["rank"]
    assert code_of(changed(s.NECTAR, answers=answers)) == "missing_field"
    assert code_of(changed(s.NECTAR, answers=[{"answer": "a", "rank": "1"}])) == "wrong_type"


def test_arena_conversations_that_diverge_and_both_kinds_of_tie():
    record = read(s.ARENA)
    assert prompt(record) == [("user", "Hi")]
    assert [len(response.messages) for response in record.responses] == [3, 3]
    assert record.comparisons[0].i == 1
    assert read(changed(s.ARENA, winner="tie")).fields.get("both_bad") is None
    for winner in ("tie (bothbad)", "both_bad"):
        record = read(changed(s.ARENA, winner=winner))
        assert record.comparisons[0].is_tie
        assert record.fields["both_bad"] is True
    assert prompt(read(s.ARENA_140K)) == [("user", "你好")]
    image = {"type": "image", "text": None, "image": "x.png", "mimeType": "image/png"}
    with_image = [{"role": "user", "content": [image]}, s.assistant("嗯")]
    two_parts = [{"role": "user", "content": [s.part("a"), s.part("b")]}, s.assistant("嗯")]
    for conversation in (with_image, two_parts):
        assert code_of(changed(s.ARENA_140K, conversation_a=conversation)) == "multimodal"
    assert code_of(changed(s.ARENA, winner="model_c")) == "no_judgement"


def test_arena_55k_lists_that_are_written_as_text():
    record = read(s.ARENA_55K)
    assert prompt(record) == [("user", "Hi 😀")]
    assert [response.generator for response in record.responses] == ["m1", "m2"]
    assert record.comparisons[0].i == 1
    assert [m.content for m in record.responses[1].messages] == ["Hello!", "Well?", "Yes."]
    tie = changed(s.ARENA_55K, winner_model_b=0, winner_tie=1)
    assert read(tie).comparisons[0].is_tie
    assert code_of(changed(s.ARENA_55K, winner_tie=1)) == "no_judgement"
    assert code_of(changed(s.ARENA_55K, winner_model_b=0)) == "no_judgement"
    assert code_of(changed(s.ARENA_55K, winner_model_b="1")) == "no_judgement"
    assert code_of(changed(s.ARENA_55K, response_a='["Hm."]')) == "wrong_length"
    assert code_of(changed(s.ARENA_55K, response_a='["Hm.", null]')) == "wrong_type"
    assert code_of(changed(s.ARENA_55K, response_a="Hm.")) == "broken_json"
    assert code_of(changed(s.ARENA_55K, response_a='["Hm.", "\\ud83d"]')) == "lone_surrogate"


def test_kto_labels_become_ratings_of_single_responses():
    for row, rating in ((s.KTO, 1.0), (s.KTO_ALPACA, 0.0), (s.KTO_SHAREGPT, 0.0)):
        record = read(row)
        assert (record.ratings, record.comparisons, len(record.responses)) == ({"overall": (rating,)}, (), 1)
    assert prompt(read(s.KTO_ALPACA)) == [("user", "翻译\nbird")]
    assert prompt(read(s.KTO_SHAREGPT)) == [("user", "Name a bird.")]
    for wrong in (1, "true"):
        assert code_of(changed(s.KTO, label=wrong)) == "wrong_type"
    (missing,) = load([s.KTO, changed(s.KTO, label=None), s.KTO]).quarantined
    assert (missing.line, missing.code) == (2, "missing_field")
    assert format_of(changed(s.KTO_SHAREGPT, label="spam")) == "conversation"  # a label of another kind is a field


def test_llama_factory_and_openrlhf_names():
    record = read(s.SHAREGPT)
    assert [role for role, _ in prompt(record)] == ["system", "user", "assistant", "user"]
    assert said(record) == {("The oak.", "A car.", 1.0)}
    record = read(s.ALPACA)
    assert prompt(record) == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello!"),
        ("user", "Translate.\nBaum"),
    ]
    assert prompt(read(changed(s.ALPACA, input="", history=None)))[-1] == ("user", "Translate.")
    assert prompt(read(s.OPENRLHF)) == [("user", "Name a tree.")]
    ends = s.SHAREGPT["conversations"][:2]
    assert code_of(changed(s.SHAREGPT, conversations=ends)) == "prompt_conflict"
    observed = [{"from": "observation", "value": "{}"}, *s.SHAREGPT["conversations"]]
    assert code_of(changed(s.SHAREGPT, conversations=observed)) == "tool_calls"
    assert code_of(changed(s.SHAREGPT, chosen={"from": "human", "value": "x"})) == "no_answer"
    assert code_of(changed(s.ALPACA, history=[["only one"]])) == "wrong_type"
    # A second name for a prompt is not lost: it stays beside the record.
    assert read(s.OPENRLHF | {"question": "Which?"}).fields == {"question": "Which?"}


def test_lists_of_chosen_and_rejected_answers():
    record = read(s.REWARDBENCH2)
    assert said(record) == {(good, bad, 1.0) for good in ("7", "11") for bad in ("8", "9", "10")}
    assert len(record.responses) == 5
    assert code_of(changed(s.REWARDBENCH2, rejected=[])) == "no_judgement"
    assert code_of(changed(s.REWARDBENCH2, rejected=["7"])) == "identical_responses"
    assert code_of(changed(s.REWARDBENCH2, rejected=["8", " "])) == "empty_response"
    orders = {tuple(texts(read(changed(s.REWARDBENCH2, chosen=[f"{n}"], rejected=["x"])))) for n in range(12)}
    assert {order.index("x") for order in orders} == {0, 1}


def test_pairs_of_indices_say_which_response_is_better():
    row = {"prompt": "p", "responses": ["x", "y", "z"], "pairs": [[2, 0], [1, 0]]}
    assert said(read(row)) == {("z", "x", 1.0), ("y", "x", 1.0)}
    for wrong in ([[0, 3]], [[1, 1]], [[0]], [[0, "1"]], [0, 1]):
        assert code_of(row | {"pairs": wrong}) in ("wrong_ranking", "wrong_type")


def test_arena_55k_and_labels_read_the_same_from_csv(tmp_path):
    import csv

    for name, row in (
        ("arena", s.ARENA_55K),
        ("shp", s.SHP),
        ("kto", {"prompt": "p", "completion": "c", "label": True}),
        ("rated", s.HELPSTEER2),
    ):
        path = tmp_path / f"{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row)
            writer.writeheader()
            writer.writerow(row)
        (record,) = load(path).records
        expected = load([row]).records[0]
        assert (record.prompt, record.responses, record.comparisons) == (
            expected.prompt, expected.responses, expected.comparisons)  # fmt: skip
        assert record.ratings == expected.ratings
    text = tmp_path / "text.csv"
    text.write_text("prompt,chosen,rejected,label\np,a,b,good\n")
    assert load(text).records[0].fields == {"label": "good"}


EXAMPLE = re.compile(r"^```json ([\w-]+)\n(.*?)\n```$", flags=re.MULTILINE | re.DOTALL)
PAGE = (Path(__file__).parents[3] / "docs" / "data-formats.md").read_text(encoding="utf-8")


def test_the_page_has_a_line_and_an_example_of_every_format():
    examples = dict(EXAMPLE.findall(PAGE))
    assert list(examples) == re.findall(r"^\| `([\w-]+)` \| [^|]+\|[^|]+\|[^|]+\|[^|]+\|[^|]+\|$", PAGE, re.MULTILINE)
    assert list(examples) == list(FORMATS)
    for name, text in examples.items():
        row = json.loads(text)
        assert format_of(row) == name
        assert load([row]).quarantined == ()


def test_a_webgpt_question_that_csv_made_text_of_is_no_prompt():
    rows = [
        s.WEBGPT | {"question": text} for text in (str(s.WEBGPT["question"]), json.dumps(s.WEBGPT["question"]), "Why?")
    ]
    loaded = load(rows)
    assert [bad.code for bad in loaded.quarantined] == ["wrong_type"] * 2
    assert [record.prompt[0].content for record in loaded.records] == ["Why?"]


def told(row, rules):
    """A row as the page tells it: its prompt, and each comparison."""
    loaded = load([row], map=rules)
    if loaded.quarantined:
        return f"refused: `{loaded.quarantined[0].code}`"
    (record,) = loaded.records
    said = [spoken(response.messages).removeprefix("assistant: ") for response in record.responses]
    parts = [spoken(record.prompt) or "no prompt"]
    for c in record.comparisons:
        votes = f" ({c.votes[0]} : {c.votes[1]})" if c.votes else ""
        parts.append(f"{said[c.i]} {'=' if c.is_tie else '>'} {said[c.j]}{votes}")
    if not record.comparisons:
        parts += [f"“{text}” is not compared" for text in said]
        parts.append("rated " + ", ".join(f"{value:g}" for value in record.ratings["overall"]))
    return "; ".join(parts).replace("\n", " ⏎ ")


def spoken(turns):
    reasons = [f" (reasoning: {turn.reasoning})" if turn.reasoning else "" for turn in turns]
    return " ⏎ ".join(f"{turn.role}: {turn.content}{why}" for turn, why in zip(turns, reasons, strict=True))


LAYOUT = re.compile(r"^\| (.+?) \| `(\{.*\})` \| (.+) \|$", flags=re.MULTILINE)


def test_every_layout_of_the_page_is_read_as_it_says():
    layouts = LAYOUT.findall(PAGE)
    assert len(layouts) >= 35
    for name, row, expected in layouts:
        rules = re.findall(r"--map (\S+?)`", name)
        assert told(json.loads(row.replace("\\|", "|")), rules) == expected, name
