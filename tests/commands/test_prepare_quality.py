"""Filters, repair and the report of `prepare`: nothing is dropped anonymously, and the same input gives the same bytes."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewardsmith.commands.prepare import Config, run
from rewardsmith.data.loading.load import load
from rewardsmith.errors import DataError, UsageError
from rewardsmith.language import speaking
from rewardsmith.quality.row.checks import MEANINGS, REMOVABLE

WHOLE = (1.0, 0.0, 0.0)


def misread(text):
    return text.encode().decode("latin-1")


ROWS = [
    *({"prompt": f"问题 {n}", "chosen": f"好的回答 {n}", "rejected": f"something else {n}"} for n in range(6)),
    {"prompt": "a", "chosen": "I'm sorry, but I can't help with that.", "rejected": "Sure, here it is"},
    {"prompt": "b", "chosen": "the same answer for both.", "rejected": "the same answer for both!"},
    {"prompt": misread("写一首关于春天的诗"), "chosen": "春风又绿江南岸", "rejected": "no <script>alert(1)</script>"},
    {"prompt": "c", "chosen": misread("奖励模型的训练数据")[:-1], "rejected": "lost"},
    {"prompt": "d", "chosen": "fine\nHuman: more", "rejected": "no"},
]


def write(path, rows):
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return path


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "in.jsonl", ROWS)


def prepare(source, output, **more):
    return run(Config(sources=(str(source),), output=output, fractions=WHOLE, **more))


def ledger(folder, name):
    return [orjson.loads(line) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_findings_alone_remove_nothing_but_certain_loss_goes_into_quarantine(source, tmp_path):
    result = prepare(source, tmp_path / "out")
    assert (result.rows, result.kept, result.quarantined, result.removed) == (11, 10, 1, 0)
    assert result.findings == {
        "similar_responses": 1,
        "refusal": 1,
        "damaged_text": 1,
        "control_characters": 1,
        "role_tag": 1,
    }
    (lost,) = ledger(tmp_path / "out", "quarantine")
    assert (lost["line"], lost["code"]) == (10, "lost_text")
    assert "1 of 9 characters lost (11%)" in lost["reason"]


def test_removed_rows_name_check_value_and_threshold(source, tmp_path):
    names = ("refusal", "similar_responses", "role_tag")
    result = prepare(source, tmp_path / "out", remove=names)
    assert (result.kept, result.quarantined, result.removed) == (7, 1, 3)
    told = [(r["line"], r["check"], r["value"], r["threshold"]) for r in ledger(tmp_path / "out", "removed")]
    # one of 25 characters is replaced: 1 - 1 / 25
    assert told == [(7, "refusal", 1, 0), (8, "similar_responses", 0.96, 0.9), (11, "role_tag", None, None)]
    report = json.loads((tmp_path / "out/quality.json").read_text())
    filters = {one["check"]: one for one in report["filters"]}
    assert {name: filters[name]["removed"] for name in names} == dict.fromkeys(names, 1)
    assert filters["similar_responses"]["examples"][0]["place"] == f"{source}:8"
    assert "similar_responses" in result.to_text()
    with speaking("zh"):
        assert "几乎相同的回复" in result.to_text()


def test_repair_happens_on_request_and_is_written_down(source, tmp_path):
    result = prepare(source, tmp_path / "out", repair=True)
    assert (result.repaired, "damaged_text" in result.findings) == (1, False)
    (one,) = ledger(tmp_path / "out", "repaired")
    assert (one["line"], one["where"], one["after"]) == (9, "prompt[0]", "写一首关于春天的诗")
    assert any(r.prompt[0].content == "写一首关于春天的诗" for r in load(tmp_path / "out/train.jsonl").records)


def test_a_repair_that_makes_both_responses_the_same_is_quarantined(tmp_path):
    row = {"prompt": "a", "chosen": "奖励模型的训练", "rejected": misread("奖励模型的训练")}
    result = prepare(write(tmp_path / "in.jsonl", [row, ROWS[0]]), tmp_path / "out", repair=True)
    assert result.quarantined == 1
    assert ledger(tmp_path / "out", "quarantine")[0]["code"] == "identical_responses"


def test_values_of_an_earlier_run_give_the_same_result_under_other_thresholds(source, tmp_path):
    prepare(source, tmp_path / "first")
    stricter = {"max_similarity": 0.97, "min_words": 3, "remove": ("too_few_words",)}
    fresh = prepare(source, tmp_path / "fresh", **stricter)
    reused = prepare(source, tmp_path / "reused", signals=tmp_path / "first", **stricter)
    assert (fresh.reused, reused.reused) == (0, 10)
    assert bytes_of(tmp_path / "fresh") == bytes_of(tmp_path / "reused")
    assert "similar_responses" not in reused.findings


def test_values_of_other_rows_are_not_taken_over(source, tmp_path):
    prepare(source, tmp_path / "first")
    write(source, [ROWS[0] | {"chosen": "changed"}, *ROWS[1:]])
    again = prepare(source, tmp_path / "again", signals=tmp_path / "first")
    prepare(source, tmp_path / "fresh")
    assert again.reused == 9
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "fresh")


def test_rows_joined_to_a_removed_record_go_with_it(tmp_path):
    pairs = [("q", "one two", "one two!"), ("q", "one two", "one two?"), ("r", "yes of course", "not at all")]
    rows = [{"qid": q, "question": q, "response_j": j, "response_k": k} for q, j, k in pairs]
    source = write(tmp_path / "in.jsonl", rows)
    result = prepare(source, tmp_path / "out", remove=("similar_responses",), max_similarity=0.8)
    assert (result.kept, result.removed, result.joined) == (1, 2, 0)
    assert [row["check"] for row in ledger(tmp_path / "out", "removed")] == ["similar_responses"] * 2


def test_the_page_is_offline_harmless_and_in_both_languages(source, tmp_path):
    names = ("refusal", "similar_responses", "damaged_text")
    prepare(source, tmp_path / "en", remove=names)
    prepare(source, tmp_path / "again", remove=names)
    with speaking("zh"):
        prepare(source, tmp_path / "zh", remove=names)
    english, chinese = ((tmp_path / lang / "quality.html").read_text(encoding="utf-8") for lang in ("en", "zh"))
    assert bytes_of(tmp_path / "en") == bytes_of(tmp_path / "again")
    assert (tmp_path / "en/quality.json").read_bytes() == (tmp_path / "zh/quality.json").read_bytes()
    for page in (english, chinese):
        assert "default-src &#39;none&#39;" in page  # browsers read the entity as the quote
        assert not re.search(r"<script|https?://|src=|@import|url\(", page)
        assert f"{source}:8" in page
    assert "Removed rows" in english
    assert "移除的行" in chinese
    assert "相似度为 0.96" in chinese
    assert "&lt;script&gt;" in english


def test_unknown_checks_and_empty_results_are_refused(source, tmp_path):
    with pytest.raises(UsageError, match="--remove refusals: no such check"):
        prepare(source, tmp_path / "out", remove=("refusals",))
    with pytest.raises(DataError, match="no rows are left of 11: too_few_chars × 10"):
        prepare(source, tmp_path / "out", min_chars=10_000, remove=("too_few_chars",))


def test_every_check_says_what_it_means():
    assert set(REMOVABLE) <= set(MEANINGS)


TEXTS = st.text(max_size=12) | st.sampled_from(
    ["好的", misread("奖励模型"), misread("奖励模型训练")[:-1], "a\u200b", "Human: x"]
)
PAIRS = st.fixed_dictionaries({"prompt": TEXTS, "chosen": TEXTS, "rejected": TEXTS})
GOOD = {"prompt": "p", "chosen": "entirely fine", "rejected": "quite different"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PAIRS, max_size=8), st.booleans(), st.permutations(range(9)))
def test_any_rows_add_up_prepare_again_to_themselves_and_in_any_order(rows, repair, order):
    folder = Path(tempfile.mkdtemp())
    try:
        settings_ = {"repair": repair, "remove": ("refusal", "damaged_text", "similar_responses")}
        rows = [*rows, GOOD]
        first = prepare(write(folder / "a.jsonl", rows), folder / "one", **settings_)
        assert first.kept + first.quarantined + first.removed == first.rows == len(rows)
        again = prepare(folder / "one", folder / "two", **settings_)
        assert (again.kept, again.quarantined, again.removed) == (first.records, 0, 0)
        assert (folder / "one/train.jsonl").read_bytes() == (folder / "two/train.jsonl").read_bytes()
        shuffled = [rows[index] for index in order if index < len(rows)]
        other = prepare(write(folder / "b.jsonl", shuffled), folder / "three", **settings_)
        assert {r.id for r in load(folder / "one").records} == {r.id for r in load(folder / "three").records}
        assert (other.kept, other.quarantined, other.removed) == (first.kept, first.quarantined, first.removed)
    finally:
        shutil.rmtree(folder)
