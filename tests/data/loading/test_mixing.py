import json
import random

import pytest

from rewardsmith.data.loading.load import iterate, load
from rewardsmith.data.loading.mixing import Mix, Source, parse_source, position
from rewardsmith.errors import UsageError
from rewardsmith.records import Record, Removed


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def rows(count, word="p"):
    return [{"prompt": f"{word}{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(count)]


def taken(source, mix=None):
    return {item.prompt[0].content for item in iterate(source, mix=mix or Mix()) if isinstance(item, Record)}


@pytest.mark.parametrize(
    ("text", "name", "share"),
    [
        ("a.jsonl:0.3", "a.jsonl", 0.3),
        ("a.jsonl:.5", "a.jsonl", 0.5),
        ("a.jsonl:1", "a.jsonl", 1.0),
        ("a.jsonl", "a.jsonl", 1.0),
        (r"C:\data\a.jsonl", r"C:\data\a.jsonl", 1.0),
        (r"C:\data\a.jsonl:0.3", r"C:\data\a.jsonl", 0.3),
        ("we:ird.jsonl", "we:ird.jsonl", 1.0),
        ("we:ird.jsonl:0.3", "we:ird.jsonl", 0.3),
        ("owner/name:config:train", "owner/name:config:train", 1.0),
        ("owner/name:config:train:0.25", "owner/name:config:train", 0.25),
        ("synthetic:200", "synthetic:200", 1.0),
        ("synthetic:200x4", "synthetic:200x4", 1.0),
        ("synthetic:200:0.5", "synthetic:200", 0.5),
        (":0.3", ":0.3", 1.0),
    ],
)
def test_a_share_is_a_number_after_the_last_colon(text, name, share):
    assert parse_source(text) == Source(name, share)


def test_a_file_that_is_really_called_so_is_meant_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.jsonl", rows(2))
    (tmp_path / "a.jsonl:0.3").mkdir()
    write(tmp_path / "a.jsonl:0.3" / "b.jsonl", rows(3, "other"))
    assert parse_source("a.jsonl:0.3") == Source("a.jsonl:0.3")
    assert taken("a.jsonl:0.3") == {"other0", "other1", "other2"}
    assert parse_source("a.jsonl:0.5") == Source("a.jsonl", 0.5)


@pytest.mark.parametrize("share", ["half", "30%", "0,3", "-0.5", ""])
def test_what_was_meant_as_a_share_of_a_file_is_named(tmp_path, share):
    source = write(tmp_path / "a.jsonl", rows(2))
    with pytest.raises(UsageError, match=r"is not a number; expected, for example, .*a\.jsonl:0\.3"):
        parse_source(f"{source}:{share}")


@pytest.mark.parametrize("text", ["a.jsonl:0", "a.jsonl:1.5", "a.jsonl:30"])
def test_shares_outside_their_range_are_refused(text):
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        parse_source(text)


def test_the_cap_is_at_least_one():
    with pytest.raises(UsageError, match="--max-per-source 0"):
        Mix(max_per_source=0)


def test_what_is_taken_hangs_on_seed_and_content_and_not_on_order(tmp_path):
    every = rows(1000)
    source = write(tmp_path / "a.jsonl", every)
    random.Random(0).shuffle(every)
    other = write(tmp_path / "b.jsonl", every[:900])
    some = taken(f"{source}:0.3")
    assert 250 < len(some) < 350  # 300 expected, standard deviation 14.5
    assert taken(f"{other}:0.3") == some & {row["prompt"] for row in every[:900]}
    assert some < taken(f"{source}:0.6")
    another = taken(f"{source}:0.3", Mix(seed=1))
    assert 50 < len(some & another) < 130  # 90 expected of independent choices


def test_a_cap_takes_the_first_by_hash_and_all_rows_are_accounted_for(tmp_path):
    every = rows(500)
    source = write(tmp_path / "a.jsonl", every)
    items = list(iterate(source, mix=Mix(max_per_source=40)))
    records = [item for item in items if isinstance(item, Record)]
    assert (len(items), len(records)) == (500, 40)
    assert all(item.check == "not_taken" for item in items if isinstance(item, Removed))
    bound = max(position(record, 0) for record in records)
    assert bound == sorted(position(record, 0) for record in load(source).records)[39]
    random.Random(1).shuffle(every)
    assert taken(write(tmp_path / "b.jsonl", every), Mix(max_per_source=40)) == {r.prompt[0].content for r in records}
    assert taken(source, Mix(max_per_source=40)) < taken(source, Mix(max_per_source=60))
    assert len(taken(source, Mix(max_per_source=500))) == len(taken(source, Mix(max_per_source=501))) == 500


def test_share_and_cap_hold_together(tmp_path):
    source = write(tmp_path / "a.jsonl", rows(500))
    assert taken(f"{source}:0.2", Mix(max_per_source=30)) < taken(f"{source}:0.2")
    assert len(taken(f"{source}:0.2", Mix(max_per_source=30))) == 30


def test_copies_of_one_record_do_not_overrun_the_cap(tmp_path):
    source = write(tmp_path / "a.jsonl", rows(1) * 10)
    assert sum(isinstance(item, Record) for item in iterate(source, mix=Mix(max_per_source=4))) == 4


def test_bad_rows_are_quarantined_whatever_is_taken(tmp_path):
    source = write(tmp_path / "a.jsonl", [*rows(20), {"prompt": "p", "chosen": 5, "rejected": "b"}])
    loaded = load(f"{source}:0.1", mix=Mix())
    assert (len(loaded.quarantined), loaded.rows) == (1, 21)
    assert loaded.not_taken + len(loaded.records) == 20


def test_a_sentence_about_a_capped_source_comes_once(tmp_path):
    source = write(tmp_path / "a.jsonl", rows(20))
    assert len(load(source, mix=Mix(max_per_source=5)).understood) == 1
