import random

import pytest

from rewardsmith.data.splits.near_prompts import NearPrompts, near_prompt_clusters
from rewardsmith.data.splits.splitter import NEAR_PROMPT, Splitter
from rewardsmith.records import Comparison, Message, Record, Response

BASE = "write a short story of a {} that lives by the sea and dreams of seeing the snow once in its life"
ANSWERS = tuple(Response((Message("assistant", text),)) for text in "ab")


def row(prompt, line=1):
    return Record((Message("user", prompt),), ANSWERS, (Comparison(0, 1),), source="f", line=line)


def rows():
    draw = random.Random(0)
    english = [" ".join(str(draw.randrange(1000)) for _ in range(20)) for _ in range(120)]
    chinese = ["".join(chr(0x4E00 + draw.randrange(2000)) for _ in range(20)) for _ in range(120)]
    each = [variant for text in english for variant in (text, f"{text} x", f"y {text}")]
    each += [variant for text in chinese for variant in (text, f"{text}新", f"旧{text}")]
    return [row(text, line) for line, text in enumerate(each, 1)]


def sides(records, seed=0):
    splitter = Splitter(seed, by=NEAR_PROMPT, near=near_prompt_clusters(records, seed))
    return {record.prompt[0].content: splitter.side(record) for record in records}


def test_nearly_equal_prompts_stand_on_one_side_in_any_order_of_the_rows():
    records = rows()
    found = list(sides(records).values())
    assert all(len(set(found[at : at + 3])) == 1 for at in range(0, len(found), 3))
    assert {name: found.count(name) // 3 for name in set(found)}.keys() == {"train", "validation", "test"}
    assert sides(random.Random(1).sample(records, len(records))) == sides(records)


def test_a_row_whose_prompt_is_like_no_other_stays_where_it_is_without_clusters():
    alone = [record for at, record in enumerate(rows()) if at % 3 == 0]
    assert sides(alone) == {record.prompt[0].content: Splitter().side(record) for record in alone}
    assert near_prompt_clusters(alone, 0) == {}


def leaks(records, splitter):
    prompts = NearPrompts(splitter)
    for record in records:
        prompts.add(record)
    prompts.settle()
    found = prompts.leaks()
    return {record.line: found.get(prompts.key(row)) for row, record in enumerate(records)}


def test_leaks_name_the_nearest_prompt_on_another_side():
    class Sides(Splitter):
        def side(self, record):
            return ("train", "validation", "test")[record.line % 3]

    records = [
        row(BASE.format("cat"), 3),
        row(BASE.format("dog"), 4),
        row(BASE.format("dog") + " now", 5),
        row("else", 1),
    ]
    found = leaks(records, Sides())
    assert found[3] is None is found[1]
    assert (found[4].place, found[4].side) == ("f:3", "train")
    # 22 words, 21 shingles: one other word inside changes two of them (19 of 23), one more word adds one
    assert found[4].similarity == pytest.approx(19 / 23)
    assert (found[5].place, found[5].similarity) == ("f:3", pytest.approx(19 / 24)) or found[5].side == "validation"


def test_records_without_a_prompt_are_like_no_other():
    empty = [Record((), ANSWERS, source="f", line=line) for line in (1, 2)]
    assert near_prompt_clusters(empty, 0) == {}
