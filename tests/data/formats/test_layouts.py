"""How the layouts of other tools and benchmarks are read, with the traps of each."""

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import schemas_of_benchmarks as b
from rewardsmith.commands.prepare import Config, run
from rewardsmith.data.loading.load import load
from schemas_of_benchmarks import assistant, user

PAIR = {"prompt": "p", "chosen": "a", "rejected": "b"}
OAK = (["The oak."], ["A car."])
SYSTEM = {"role": "system", "content": "Be brief."}


def read(*rows, **options):
    """The records of rows, all of which have to be usable."""
    loaded = load(list(rows), **options)
    assert loaded.quarantined == ()
    return loaded.records


def codes(*rows, **options):
    return [bad.code for bad in load(list(rows), **options).quarantined]


def said(record):
    """(preferred, other, preference) of each comparison, by text."""
    texts = [response.text for response in record.responses]
    return {(texts[c.i], texts[c.j], c.preference) for c in record.comparisons}


def prompt(record):
    return [(turn.role, turn.content) for turn in record.prompt]


@pytest.mark.parametrize(
    "null", ["responses", "question", "conversation_a", "messages", "completions", "kto_tag", "targets"]
)
def test_a_column_that_is_null_everywhere_decides_nothing(null, tmp_path):
    rows = [PAIR | {null: None, "scores": None}] * 3
    assert {frozenset(said(record)) for record in read(*rows)} == {frozenset({("a", "b", 1.0)})}
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert len(load(tmp_path / "a.parquet").records) == 3


def test_each_row_of_two_tables_that_were_joined_is_read_as_what_it_is(tmp_path):
    empty = dict.fromkeys(("prompt", "chosen", "rejected", "responses", "scores"))
    listed = empty | {"prompt": "q", "responses": ["x", "y"], "scores": [0, 1]}
    lacking = empty | {"prompt": "q", "chosen": "x"}
    rows = [empty | PAIR, listed, empty | PAIR, lacking, *[empty | PAIR] * 200, listed | {"prompt": "late"}]
    loaded = load(rows)
    assert [(bad.line, bad.code) for bad in loaded.quarantined] == [(4, "missing_field")]
    assert said(loaded.records[1]) == said(loaded.records[-1]) == {("y", "x", 1.0)}
    assert "2 of the first" not in loaded.understood[0]
    assert "1 of the first 100 rows are responses" in loaded.understood[0]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run(Config(sources=(str(path),), output=tmp_path / "out", fractions=(1, 0, 0), keep_duplicates=True))
    assert (result.kept, result.quarantined) == (204, 1)


def test_a_prompt_that_only_later_rows_have_is_not_lost():
    no_prompt = {"prompt": None, "chosen": "a", "rejected": "b"}
    records = read(*[no_prompt] * 3, PAIR)
    assert [prompt(record) for record in records] == [[], [], [], [("user", "p")]]
    assert codes(*[PAIR] * 3, no_prompt) == ["missing_field"]  # while most have one, a row without it lacks something


WRITTEN = [json.dumps, str, lambda turns: json.dumps({"messages": turns}), lambda turns: str({"conversations": turns})]


@pytest.mark.parametrize("write", WRITTEN)
def test_messages_that_stand_as_text_are_messages(write, tmp_path):
    turns = {
        "prompt": [user("it's “x”")],
        "chosen": [assistant("yo\n1")],
        "rejected": [user("it's “x”"), assistant("no")],
    }
    (as_lists,) = read(turns)
    row = {name: write(value) for name, value in turns.items()}
    assert read(row) == (as_lists,)
    assert read({"chosen": write([user("q"), assistant("a")]), "rejected": write([user("q"), assistant("b")])})
    assert prompt(read({"messages": write([user("q"), assistant("a")])})[0]) == [("user", "q")]
    import csv

    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    assert said(load(tmp_path / "a.csv").records[0]) == {("yo\n1", "no", 1.0)}


def test_a_text_that_begins_as_messages_and_is_none_is_refused_and_other_json_is_words():
    numpy = "[{'role': 'user', 'content': 'x'}\n {'role': 'assistant', 'content': 'y'}]"
    cut = json.dumps([assistant("a long answer")])[:-9]
    for text in (numpy, cut, f"array({numpy}, dtype=object)"):
        assert codes(PAIR | {"chosen": text}, PAIR, PAIR) == ["wrong_type"]
    for words in ('[{"name": "Ann"}]', '{"role": "cook"}', "[1, 2]", "[{'a': 1", '{"content": "broken', "(a) yes"):
        assert said(read(PAIR | {"chosen": words})[0]) == {(words, "b", 1.0)}


def test_reasoning_is_kept_and_tells_two_answers_apart():
    thinking = [{"type": "thinking", "thinking": "r2", "signature": "s"}, {"type": "text", "text": "same"}]
    row = PAIR | {"chosen": [assistant("same") | {"reasoning_content": "r1"}], "rejected": [assistant(thinking)]}
    (record,) = read(row)
    assert {turn.reasoning for response in record.responses for turn in response.messages} == {"r1", "r2"}
    assert len(record.comparisons) == 1
    assert read(*[row | {"rejected": [assistant("same") | {"thinking": "r2"}]}]) == (record,)
    assert codes(PAIR | {"chosen": [assistant("x") | {"thinking": 5}]}) == ["wrong_type"]
    assert codes(PAIR | {"chosen": [assistant("x") | {"thinking": "r", "reasoning": "s"}]}) == ["two_columns"]
    assert read(PAIR | {"chosen": [assistant("a") | {"thinking": "", "reasoning": None}]}) == read(PAIR)


def test_a_prompt_as_text_is_found_among_the_turns_that_both_answers_repeat():
    def row(first, second):
        return {"prompt": "hi", "chosen": [*first, assistant("a")], "rejected": [*second, assistant("b")]}

    behind = [SYSTEM, user("hi")]
    assert prompt(read(row(behind, behind))[0]) == [("system", "Be brief."), ("user", "hi")]
    longer = [*behind, assistant("yes?"), user("go on")]
    (record,) = read(row(longer, longer))
    assert [role for role, _ in prompt(record)] == ["system", "user", "assistant", "user"]
    assert said(record) == {("a", "b", 1.0)}
    other = [{"role": "system", "content": "Be long."}, user("hi")]
    assert (
        codes(row(behind, other), row(behind, [user("hi")]), row([SYSTEM, user("ho")], [SYSTEM, user("ho")]))
        == ["prompt_conflict"] * 3
    )


def test_ms_swift_rows_are_pairs_and_never_a_conversation_to_be_scored():
    for row in (b.MS_SWIFT, b.MS_SWIFT_MESSAGES, b.MS_SWIFT_QUERY):
        assert said(read(row)[0]) == {("The oak.", "A car.", 1.0)}
    as_list = b.MS_SWIFT | {"rejected_response": [assistant("A car.")], "rejected_messages": None, "tools": "[]"}
    assert read(as_list)[0].comparisons == read(b.MS_SWIFT)[0].comparisons
    assert codes(b.MS_SWIFT, b.MS_SWIFT | {"rejected_response": None}) == ["missing_field"]
    assert codes(b.MS_SWIFT | {"messages": [user("Name a tree.")]}) == ["no_answer"]
    assert codes(b.MS_SWIFT | {"rejected_response": "The oak."}) == ["identical_responses"]
    spoken = {"messages": [user("hi")], "chosen": "a", "rejected": "b"}
    assert prompt(read(spoken)[0]) == [("user", "hi")]  # not a pair without a prompt


@pytest.mark.parametrize("tools", ["[]", "null", "{}", " [ ] ", "", [], {}, None])
def test_tools_that_are_none_are_no_tool_use(tools):
    assert len(read(PAIR | {"tools": tools, "images": tools})) == 1
    assert codes(PAIR | {"tools": '[{"type": "function"}]'}, PAIR | {"images": '["x.png"]'}) == [
        "tool_calls",
        "multimodal",
    ]


def test_nemo_torchtune_distilabel_and_lists_of_outputs():
    assert said(read(b.NEMO)[0]) == said(read(b.TORCHTUNE)[0]) == {("The oak.", "A car.", 1.0)}
    assert said(read(b.DISTILABEL)[0]) == said(read(b.DISTILABEL_DPO)[0]) == {("The oak.", "A car.", 1.0)}
    assert prompt(read(b.DISTILABEL)[0]) == prompt(read(b.DISTILABEL_DPO)[0])  # with its system prompt
    assert said(read(b.OUTPUT_PAIR)[0]) == {("tree", "car", 1.0)}
    tied = [*b.NEMO["completions"], {"rank": 1, "completion": "A cat."}]
    assert ("A car.", "A cat.", 0.5) in said(read(b.NEMO | {"completions": tied})[0])
    assert codes(b.NEMO | {"completions": [{"completion": "x"}, {"rank": 1, "completion": "y"}]}) == ["missing_field"]
    assert codes(b.OUTPUT_PAIR | {"output": ["a", "b", "c"]}) == ["wrong_length"]
    assert read(b.DISTILABEL | {"ratings": [None, 3.0]})[0].comparisons == ()
    assert codes(b.DISTILABEL | {"ratings": [1.0]}) == ["wrong_length"]


def test_one_message_is_an_answer_wherever_answers_stand():
    assert said(read(PAIR | {"chosen": assistant("a"), "rejected": {"from": "gpt", "value": "b"}})[0]) == {
        ("a", "b", 1.0)
    }
    listed = {"prompt": [user("p")], "responses": [assistant("a"), assistant("b")], "scores": [0, 1]}
    assert said(read(listed)[0]) == {("b", "a", 1.0)}
    assert codes(PAIR | {"chosen": user("a")}) == ["no_answer"]


def test_parquet_columns_that_no_format_reads_refuse_no_row(tmp_path):
    strange = {
        "price": pa.array([Decimal("1.50"), None]),
        "raw": pa.array([b"\x00", b"x"]),
        "took": pa.array([5, 6], pa.duration("ms")),
        "score_of_another": pa.array([float("nan"), 1.0]),
        "when": pa.array([2**60, 1], pa.timestamp("us")),
        "nested": pa.array([{"picture": b"x"}, {"picture": None}]),
    }
    table = pa.table({name: [value, value + "2"] for name, value in PAIR.items()} | strange)
    pq.write_table(table, tmp_path / "a.parquet")
    loaded = load(tmp_path / "a.parquet")
    assert [said(record) for record in loaded.records] == [{("a", "b", 1.0)}, {("a2", "b2", 1.0)}]
    assert loaded.understood[0].endswith("ignored: price, raw, took, score_of_another, when, nested")
    pq.write_table(table.append_column("margin", pa.array([Decimal("1.5"), None])), tmp_path / "b.parquet")
    assert [(bad.line, bad.code) for bad in load(tmp_path / "b.parquet").quarantined] == [(1, "wrong_type")]


def test_two_columns_and_a_label():
    assert said(read(b.JUDGEBENCH)[0]) == {("2", "3", 1.0)}
    assert said(read(b.LLMBAR)[0]) == {("The oak.", "A car.", 1.0)}
    assert said(read(b.AUTO_J)[0]) == {("The oak.", "The elm.", 0.5)}
    assert said(read(b.AUTO_J | {"label": 0})[0]) == {("The oak.", "The elm.", 1.0)}
    assert said(read(b.PREFERENCE_BENCH)[0]) == {("The oak.", "A car.", 1.0)}
    assert prompt(read(b.PREFERENCE_BENCH)[0]) == [("user", "Name a tree.")]  # not what the judge was asked
    for wrong in (0, 3, True, "A", 1.5):
        assert codes(b.LLMBAR | {"label": wrong}) == ["no_judgement"]
    for word, winner in (
        ("A>>B", "3"),
        ("a", "3"),
        ("Response B", "2"),
        ("[[A]]", "3"),
        ("model_b", "2"),
        ("A<B", "2"),
    ):
        assert {first for first, _, _ in said(read(b.JUDGEBENCH | {"label": word})[0])} == {winner}
    assert {c.is_tie for c in read(b.JUDGEBENCH | {"label": "A=B"})[0].comparisons} == {True}
    for unclear in (0, 1, "1", "A or B", "AB"):
        assert codes(b.JUDGEBENCH | {"label": unclear}) == ["no_judgement"]


def test_annotators_of_pandalm_are_votes():
    (record,) = read(b.PANDALM)
    (comparison,) = record.comparisons
    assert (comparison.i, comparison.votes, comparison.preference) == (1, (2, 0, 1), 2.5 / 3)
    assert prompt(record) == [("user", "Shorten.\nIt is the case that it rains.")]
    assert read(b.PANDALM | {"annotator1": 1, "annotator3": None})[0].comparisons[0].is_tie
    assert codes(b.PANDALM | {"annotator2": 3}) == ["no_judgement"]


def test_best_of_n_choices_and_rated_passages():
    assert said(read(b.HHH)[0]) == {("Please do not.", "Go ahead.", 1.0)}
    assert said(read(b.RMB_BEST_OF_N)[0]) == {("The oak.", "A car.", 1.0), ("The oak.", "A cat.", 1.0)}
    assert said(read(b.RMB_PAIR)[0]) == {("The oak.", "A car.", 1.0)}
    assert {response.generator for response in read(b.RMB_PAIR)[0].responses} == {"m1", "m2"}
    as_text = {name: str(b.RMB_BEST_OF_N[name]) for name in ("conversation_input", "bon_best", "loser_list")}
    assert read(b.RMB_BEST_OF_N | as_text) == read(b.RMB_BEST_OF_N)
    bad = b.FEEDBACKQA | {
        "passage": str(b.FEEDBACKQA["passage"]).replace("You may.", "No."),
        "rating": "['Bad', 'bad']",
    }
    (record,) = read(b.FEEDBACKQA, bad)
    assert said(record) == {("By train\n\nYou may.", "By train\n\nNo.", 1.0)}
    assert record.ratings == {"overall": (2.0, 0.0)}
    assert read(b.FEEDBACK_BENCH)[0].ratings == {"overall": (5.0,)}
    assert codes(b.FEEDBACK_BENCH | {"orig_score": "5/5"}) == ["wrong_type"]
    assert codes(b.HHH | {"targets": {"choices": ["a", "b"], "labels": [1, 2]}}) == ["no_judgement"]
    assert codes(b.FEEDBACKQA | {"rating": ["Fine"]}) == ["no_judgement"]


def test_the_place_of_the_best_answer_tells_nothing():
    rows = [b.HHH | {"targets": {"choices": [f"good {n}", f"bad {n}"], "labels": [1, 0]}} for n in range(40)]
    first = sum(record.comparisons[0].i == 0 for record in read(*rows))
    assert 8 < first < 32


def test_a_label_rule_says_what_values_mean():
    row = {"q": "p", "x": "a", "y": "b", "lab": 2}
    names = ["prompt=q", "response_a=x", "response_b=y"]
    (record,) = read(row, map=[*names, "preferred=lab:1=a,2=b"])
    assert said(record) == {("b", "a", 1.0)}
    (record,) = read(row | {"lab": {"is": "A=B"}}, map=[*names, "preferred=lab.is:A>B=a,A=B=tie"])
    assert said(record) == {("a", "b", 0.5)}
    numbered = {"prompt": "p", "response_1": "a", "response_2": "b", "label": True}
    assert said(read(numbered, map={"preferred": "label:true=b,false=a"})[0]) == {("b", "a", 1.0)}
    assert codes(row, row | {"lab": 3}, row | {"lab": None}, map=[*names, "preferred=lab:1=a,2=b"]) == [
        "no_judgement",
        "missing_field",
    ]


def test_votes_and_verdicts_in_other_forms_refuse_nothing_that_is_judged_otherwise():
    listed = {"prompt": "p", "responses": ["x", "y"]}
    loaded = load([listed | {"scores": [1, 0], "votes": [1, 2, 1]}, listed | {"chosen": "y", "votes": ["a", "b"]}])
    assert [said(record) for record in loaded.records] == [{("x", "y", 1.0)}, {("y", "x", 1.0)}]
    assert loaded.understood[0].endswith("ignored: votes")
    assert said(read(listed | {"verdict": "Answer A", "scores": [0, 1]})[0]) == {("x", "y", 1.0)}
    assert said(read(listed | {"verdict": "who knows", "chosen": "y"})[0]) == {("y", "x", 1.0)}
    assert codes(listed | {"verdict": "who knows"}, listed | {"verdict": 5}) == ["no_judgement"] * 2
    assert codes(listed | {"votes": [1, 2, 1]}) == ["wrong_type"]


def test_each_two_responses_are_compared_once_and_none_with_itself():
    listed = {"prompt": "p", "responses": ["x", "y", "z"]}
    (record,) = read(listed | {"pairs": [[0, 1], [1, 2], [0, 1]], "scores": [3, 2, 2]})
    assert said(record) == {("x", "y", 1.0), ("y", "z", 1.0), ("x", "z", 1.0)}
    assert len(record.comparisons) == 3
    assert codes(listed | {"pairs": [[0, 1], [1, 0]]}) == ["wrong_ranking"]
    twice = {"prompt": "p", "responses": ["x", "x", "z"], "scores": [1, 0, 0]}
    assert said(read(twice)[0]) == {("x", "z", 1.0), ("x", "z", 0.5)}
    assert said(read(twice | {"scores": None, "chosen": "x"})[0]) == {("x", "z", 1.0)}
    assert codes({"prompt": "p", "responses": ["x", "x", "x"], "scores": [1, 0, 0]}) == ["identical_responses"]


def test_chosen_among_equal_scores_is_a_tie_and_decides_otherwise():
    row = {"prompt": "p", "responses": ["x", "y", "z"], "scores": [1, 1, 0], "chosen": "x"}
    (record,) = read(row)
    assert said(record) == {("x", "y", 0.5), ("x", "z", 1.0), ("y", "z", 1.0)}
    assert record.fields == {"chosen_in_a_tie": 0}
    (record,) = read(row | {"scores": [0, 1, 1]})
    assert said(record) == {("x", "y", 1.0), ("x", "z", 1.0), ("y", "z", 0.5)}
    assert record.fields == {}


@pytest.mark.parametrize(("chosen", "rejected"), [(["x", "y"], ["z"]), ("x", None), (["x"], ["y", "z"])])
def test_several_of_the_responses_may_be_chosen(chosen, rejected):
    row = {"prompt": "p", "responses": ["x", "y", "z"], "chosen": chosen, "rejected": rejected}
    expected = {("x", "z", 1.0), ("y", "z", 1.0)} if "y" in chosen else {("x", "y", 1.0), ("x", "z", 1.0)}
    assert said(read(row)[0]) == expected
