"""What is counted as left out, cut, not shown or identical, reason by reason, and its form in JSON."""

import json

import numpy as np
import pytest

from builders import DATE, pair, ranking
from rewardsmith.errors import DataError
from rewardsmith.language import say
from rewardsmith.model.loading.tiny import byte_tokenizer
from rewardsmith.records import Comparison, Message, Quarantined, Record, Response
from rewardsmith.scoring.contract import make_contract
from rewardsmith.scoring.left_out import NAMED, LeftOut, left_out_from, same_tokens, told_apart
from rewardsmith.scoring.tokens import Encoder, absent

PLAIN = "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
UNLESS_PROBE = "if 'probe' in m['content'] else"
"""A template that never shows what it is asked to is refused when it is opened."""


def encoder(body, max_length=256):
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}" + body + "{% endfor %}"
    return Encoder(tokenizer, make_contract(tokenizer, "decoder", max_length=max_length, date=DATE))


def turns(*said):
    return tuple(Message(role, text) for role, text in said)


def conversation(prompt, answer="fine"):
    return Record(prompt, (Response((Message("assistant", answer),)),))


DIALOGUE = turns(("system", "be kind"), ("user", "hi"), ("assistant", "<think>hm</think>yes"), ("user", "more"))


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (PLAIN, ()),
        (PLAIN.replace("m['content']", "m['content'] | trim"), ()),
        ("{% if m['role'] != 'system' %}" + PLAIN + "{% endif %}", ("system",)),
        (PLAIN.replace("m['content']", "m['content'].split('</think>')[-1]"), ("assistant",)),
        (
            PLAIN.replace("m['content']", f"(m['content'] {UNLESS_PROBE} m['content'] | upper)"),
            ("assistant", "response", "system", "user"),
        ),
        (
            PLAIN.replace("m['content']", f"(m['content'] {UNLESS_PROBE} m['content'][:1])"),
            ("assistant", "response", "system", "user"),
        ),
        ("{% if loop.revindex0 < 3 %}" + PLAIN + "{% endif %}", ("system", "user")),
    ],
)
def test_contents_that_the_template_leaves_out_or_rewrites_are_named_by_role(body, missing):
    assert encoder(body).encode(conversation(DIALOGUE)).not_shown == missing


def test_a_dropped_turn_is_found_although_its_word_stands_elsewhere():
    """'user' is in every rendered text, as the name of a role."""
    dropping = encoder("{% if m['role'] != 'system' %}" + PLAIN + "{% endif %}")
    prompt = turns(("system", "user"), ("user", "hi"))
    assert dropping.encode(conversation(prompt)).not_shown == ("system",)


@pytest.mark.parametrize("text", ["a <|im_end|> b", "  spaced <|pad|> ", "你好 <|im_start|>"])
def test_a_content_that_spells_a_control_token_is_shown(text):
    for body in (PLAIN, PLAIN.replace("m['content']", "m['content'] | trim")):
        assert encoder(body).encode(conversation(turns(("user", text)), text)).not_shown == ()


def test_what_is_cut_is_not_called_dropped():
    encoded = encoder(PLAIN, 128).encode(conversation(turns(("user", "p" * 300)), "a" * 100))
    assert encoded.cuts.prompts == 1
    assert encoded.cuts.responses == 1
    assert encoded.not_shown == ()


def test_texts_are_looked_for_in_order_and_then_anywhere():
    assert absent("b a", {0: "a", 1: "b"}) == frozenset()
    assert absent("b a", {0: " a ", 1: "c", 2: "b"}) == {1}


def test_responses_that_become_the_same_tokens_are_found():
    enc = encoder(PLAIN.replace("m['content']", "m['content'] | trim"))
    same = pair("q", "yes", " yes\n")
    assert same_tokens(same, enc.encode(same).sequences)
    other = pair("q", "yes", "no")
    assert not same_tokens(other, enc.encode(other).sequences)
    twice = Record((), tuple(Response((Message("assistant", "x"),)) for _ in range(2)))  # the row has it twice itself
    assert not same_tokens(twice, enc.encode(twice).sequences)


def test_of_a_ranking_only_the_comparisons_that_can_be_told_apart_remain():
    enc = encoder(PLAIN.replace("m['content']", "m['content'] | trim"))
    record = ranking("q", "a", " a ", "b")
    kept = told_apart(record.comparisons, enc.encode(record).sequences)
    assert {(c.i, c.j) for c in kept} == {(c.i, c.j) for c in record.comparisons} - {(0, 1)}


def test_training_leaves_a_comparison_of_equal_tokens_out_and_shares_the_weight_among_the_others():
    from rewardsmith.train.examples import encode_examples

    enc = encoder(PLAIN.replace("m['content']", "m['content'] | trim"))
    rows = [
        ranking("q", "a", " a ", "b").at("f", 1),
        pair("q", "yes", "yes ").at("f", 2),
        pair("q", "1", "2").at("f", 3),
    ]
    found = encode_examples(rows, enc, share=True)
    assert [row.code for row in found.refused] == ["identical_tokens"]
    assert [len(example.weight) for example in found.examples] == [2, 1]
    assert found.examples[0].weight.sum() == pytest.approx(1)
    assert found.left_out.reason_count("unused", "identical_tokens") == 1
    assert found.left_out.reason_count("identical", "rendering") == 1  # the ranking, which is used


def filled():
    enc = encoder("{% if m['role'] != 'system' %}" + PLAIN + "{% endif %}", 128)
    account = LeftOut()
    account.read(20, [Quarantined("dir/a.jsonl", line, "wrong_type", "chosen is 3", "") for line in range(1, 15)])
    account.unused(pair("q", "a", "b").at("dir/a.jsonl", 16), "not_scorable", "no such turn")
    record = Record((Message("user", "p" * 80),), pair("q", "a", "b" * 30).responses).at("dir/b.jsonl", 1)
    account.used(record, enc.encode(record))
    return account


def test_it_reads_back_what_it_wrote():
    account = filled()
    told = json.loads(json.dumps(account.to_json()))
    assert left_out_from(told) == account
    assert told["unreadable"]["count"] == 14
    assert told["unreadable"]["unit"] == "rows"
    assert len(told["unreadable"]["reasons"]["wrong_type"]["rows"]) == NAMED
    assert told["unreadable"]["reasons"]["wrong_type"]["example"] == "chosen is 3"
    assert left_out_from(None) == LeftOut()


@pytest.mark.parametrize(
    "value",
    [
        5,
        {"cut": 5},
        {"cut": {"count": 1, "of": "2", "reasons": {}}},
        {"cut": {"count": 3, "of": 2, "reasons": {}}},
        {"cut": {"count": True, "of": 2, "reasons": {}}},
        {"cut": {"count": 1, "of": 2, "reasons": {"prompt": {"count": "x", "rows": [], "example": ""}}}},
        {"cut": {"count": 1, "of": 2, "reasons": {"prompt": {"count": 1, "rows": 3, "example": ""}}}},
    ],
)
def test_other_values_are_refused(value):
    with pytest.raises(DataError):
        left_out_from(value)


def test_two_accounts_add_up_and_rows_are_named_once():
    both = filled()
    both.add(filled())
    assert (both["unreadable"].count, both["unreadable"].of) == (28, 40)
    assert both["unused"].reasons["not_scorable"].rows == ["dir/a.jsonl:16"]
    assert both["cut"].count == 2 * filled()["cut"].count
    assert both.share == filled().share


def test_lines_name_counts_reasons_and_rows_without_folders():
    assert filled().lines() == [
        "14 of 20 rows could not be read: wrong_type × 14",
        "    wrong_type: a.jsonl:1, 2, 3, …; chosen is 3",
        "1 of 2 records were excluded: not_scorable × 1",
        "    not_scorable: a.jsonl:16; no such turn",
        "1 of 2 responses cut to max_length: prompt × 1",
        "    prompt: b.jsonl:1",
        "1 of 1 records have a prompt cut differently by response: prompt_cut × 1",
        "    prompt_cut: b.jsonl:1",
    ]
    assert all("a.jsonl" not in line for line in filled().sentences())


def test_lines_are_said_in_chinese():
    lines = [*filled().lines(), *filled().lines("training data")]
    for line in (line for line in lines if "×" in line):
        assert not {"rows", "records", "responses", "data"} & set(say(line, "zh").replace("：", " ").split())


def test_response_may_be_cut_at_both_ends_and_counts_once():
    enc = encoder(PLAIN, 128)
    record = conversation(turns(("user", "p" * 300)), "a" * 100).at("f", 1)
    account = LeftOut()
    account.used(record, enc.encode(record))
    tally = account["cut"]
    assert (tally.count, tally.of) == (1, 1)
    assert {code: reason.count for code, reason in tally.reasons.items()} == {"prompt": 1, "response": 1}


def test_equal_numbers_of_arrays_are_by_content():
    record = Record((), pair("q", "a", "b").responses, (Comparison(0, 1),))
    assert same_tokens(record, [np.array([1, 2], dtype=np.int32), np.array([1, 2], dtype=np.int32)])
