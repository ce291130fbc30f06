import random

import orjson
import pytest

from rewardsmith.commands.prepare import Config, run
from rewardsmith.data.loading.load import load
from rewardsmith.data.splits.sources import SplitRule, Splits, divide
from rewardsmith.data.splits.splitter import NEAR_PROMPT
from rewardsmith.errors import DataError, UsageError

WHOLE = (1.0, 0.0, 0.0)


def words(draw, chinese):
    if chinese:
        return "".join(chr(0x4E00 + draw.randrange(3000)) for _ in range(24))
    return " ".join(f"w{draw.randrange(3000)}" for _ in range(24))


def rows(count=90):
    """Every third row is a near-duplicate of the one before it, every other pair of them Chinese."""
    draw = random.Random(0)
    found = []
    for n in range(count):
        parts = {name: words(draw, n % 2 == 0) for name in ("prompt", "chosen", "rejected")}
        found.append({name: f"{text}!" if n % 3 == 2 else text for name, text in parts.items()})
        if n % 3 == 2:
            found[-1] = {name: f"{text} z" for name, text in found[-2].items()}
    return found


def write(path, found):
    path.write_bytes(b"\n".join(map(orjson.dumps, found)))
    return str(path)


def read(path):
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def prepare(source, output, **settings):
    return run(Config(sources=(source,), output=output, **{"fractions": (0.6, 0.2, 0.2), **settings}))


def test_near_duplicates_are_findings_first_and_taken_out_when_asked_for(tmp_path):
    source = write(tmp_path / "a.jsonl", rows())
    told = prepare(source, tmp_path / "told")
    assert (told.removed, told.findings["near_duplicate"], told.records) == (0, 30, 90)
    listed = read(tmp_path / "told/near_duplicates.jsonl")
    assert len(listed) == 60
    assert len({row["cluster"] for row in listed}) == 30
    assert not any(row["removed"] for row in listed)

    taken = prepare(source, tmp_path / "taken", remove=("near_duplicate",))
    assert (taken.removed, taken.records, taken.findings["near_duplicate"]) == (30, 60, 30)
    for row in read(tmp_path / "taken/removed.jsonl"):
        # 24 units are 23 shingles, and one more unit adds one
        assert (row["check"], row["value"], row["threshold"]) == ("near_duplicate", pytest.approx(23 / 24), 0.8)
        assert abs(int(row["twin"].rpartition(":")[2]) - row["line"]) == 1


def test_what_is_taken_out_does_not_hang_on_the_order_and_a_second_run_takes_out_nothing(tmp_path):
    found = rows()
    settings = {"remove": ("near_duplicate",), "split_by": NEAR_PROMPT}
    prepare(write(tmp_path / "a.jsonl", found), tmp_path / "a", **settings)
    prepare(write(tmp_path / "b.jsonl", random.Random(1).sample(found, len(found))), tmp_path / "b", **settings)
    for name in ("train", "validation", "test"):
        kept = [
            {(row["prompt"][0]["content"], str(row["responses"])) for row in read(tmp_path / f"{side}/{name}.jsonl")}
            for side in "ab"
        ]
        assert kept[0] == kept[1] != set()
    assert prepare(str(tmp_path / "a"), tmp_path / "again", **settings).removed == 0


def test_the_same_rows_give_the_same_bytes(tmp_path):
    source = write(tmp_path / "a.jsonl", rows())
    folders = [tmp_path / name for name in "xy"]
    for folder in folders:
        prepare(source, folder, remove=("near_duplicate",))
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert contents[0] == contents[1]
    assert contents[0]["near_duplicates.jsonl"]


def test_prompts_that_are_nearly_the_same_stand_on_one_side_when_asked_for(tmp_path):
    source = write(tmp_path / "a.jsonl", rows())
    assert prepare(source, tmp_path / "plain").findings["near_prompt_leak"] > 0
    assert "near_prompt_leak" not in prepare(source, tmp_path / "near", split_by=NEAR_PROMPT).findings
    splits = Splits()
    divide(splits, load(source).records, SplitRule(seed=0, by=NEAR_PROMPT), own_validation=False, own_test=False)
    sides = {record.line: name for name in ("train", "validation", "test") for record in getattr(splits, name)}
    assert all(sides[line] == sides[line + 1] for line in range(2, 90, 3))


@pytest.mark.parametrize("kind", ["jsonl", "txt", "json"])
def test_rows_that_hold_a_benchmark_text_are_taken_out_with_both_places(tmp_path, kind):
    found = rows()
    secrets = [found[0]["prompt"], found[1]["chosen"]]  # Chinese, English
    path = tmp_path / f"bench.{kind}"
    if kind == "txt":
        path.write_text("\n".join(["short", *secrets]), encoding="utf-8")
    elif kind == "jsonl":
        write(path, [{"unheard": {"of": [secret]}} for secret in secrets])
    else:
        path.write_bytes(orjson.dumps([{"prompt": secret, "chosen": "a", "rejected": "b"} for secret in secrets]))
    source = write(tmp_path / "a.jsonl", found)
    result = prepare(source, tmp_path / "out", decontaminate=(str(path),))
    hits = read(tmp_path / "out/contamination.jsonl")
    first = 2 if kind == "txt" else 1
    # Row 3 is a near-duplicate of row 2, so both hold its text.
    assert {(row["line"], row["benchmark"]) for row in hits} == {
        (1, f"{path}:{first}"),
        (2, f"{path}:{first + 1}"),
        (3, f"{path}:{first + 1}"),
    }
    assert (result.removed, result.kept) == (3, 87)
    (one, *_) = read(tmp_path / "out/removed.jsonl")
    assert (one["check"], one["twin"], one["value"], one["threshold"]) == (
        "contamination",
        f"{path}:{first}",
        1.0,
        0.5,
    )
    inputs = orjson.loads((tmp_path / "out/prepare.json").read_bytes())["inputs"]
    assert str(path) in [one["file"] for one in inputs]


def test_circles_and_order_are_told_and_can_be_taken_out(tmp_path):
    circle = [{"prompt": "p", "chosen": a, "rejected": b} for a, b in ("ab", "bc", "ca", "ad")]
    source = write(tmp_path / "a.jsonl", circle)
    settings = {"sources": (source,), "fractions": (1.0, 0.0, 0.0)}
    assert run(Config(output=tmp_path / "a", **settings)).findings["preference_cycle"] == 3
    assert run(Config(output=tmp_path / "b", remove=("preference_cycle",), **settings)).removed == 3
    verdicts = [{"prompt": "p", "responses": list(each), "models": ["m", "n"], "verdict": "1"} for each in ("ab", "ba")]
    source = write(tmp_path / "v.jsonl", verdicts)
    result = run(Config(sources=(source,), output=tmp_path / "v", fractions=(1.0, 0.0, 0.0)))
    assert result.findings["order_changes_verdict"] == result.findings["contradiction"] == 2
    report = orjson.loads((tmp_path / "v/quality.json").read_bytes())["order"]
    assert report == {"pairs": 1, "changed": 1, "first_wins": 2, "decided": 2, "changed_share": 1.0}


def test_near_duplicates_can_be_left_out(tmp_path):
    result = prepare(write(tmp_path / "a.jsonl", rows()), tmp_path / "out", near_threshold=0.0)
    assert result.findings == {}
    assert not (tmp_path / "out/near_duplicates.jsonl").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"near_threshold": 0.5}, "expected 0.7 to 1"),
        ({"remove": ("near_duplicates",)}, "Did you mean .near_duplicate"),
        ({"overlap": 0.0}, "overlap is 0"),
        ({"split_by": NEAR_PROMPT, "near_threshold": 0.0}, "needs a --near-threshold"),
        ({"split_by": NEAR_PROMPT, "test_groups": 2}, "cannot be combined with"),
    ],
)
def test_settings_that_could_only_mislead_are_refused(tmp_path, settings, words):
    with pytest.raises(UsageError, match=words):
        prepare(write(tmp_path / "a.jsonl", rows(3)), tmp_path / "out", **settings)


def test_a_benchmark_without_text_is_refused(tmp_path):
    (tmp_path / "b.txt").write_text("too short\n")
    with pytest.raises(DataError, match="no text of at least 5 words"):
        prepare(write(tmp_path / "a.jsonl", rows(3)), tmp_path / "out", decontaminate=(str(tmp_path / "b.txt"),))


def test_a_row_that_goes_for_its_own_sake_takes_no_other_with_it(tmp_path):
    found = rows(3)
    refusal = {"prompt": words(random.Random(5), False), "rejected": words(random.Random(6), False)}
    refusal["chosen"] = "I'm sorry, but I can't help with that. " + words(random.Random(7), False)
    # The first two say the same, but the judges of the first disagreed; the next two are near-duplicates that decline.
    pair = {"prompt": "p", "chosen": "entirely fine", "rejected": "quite different"}
    doubted, agreed = ({**pair, "annotator_agreement": share} for share in (0.5, 1.0))
    source = write(
        tmp_path / "a.jsonl", [doubted, agreed, refusal, {**refusal, "prompt": refusal["prompt"] + " z"}, *found]
    )
    names = ("near_duplicate", "refusal", "low_agreement")
    result = prepare(source, tmp_path / "out", remove=names, fractions=WHOLE)
    assert result.removed_by == {"refusal": 2, "low_agreement": 1, "near_duplicate": 1}
    twins = {row["line"]: row["twin"] for row in read(tmp_path / "out/near_duplicates.jsonl")}
    assert set(twins) == {6, 7}


def test_a_repaired_row_is_compared_as_it_is_repaired(tmp_path):
    row = {name: words(random.Random(name), True) for name in ("prompt", "chosen", "rejected")}
    damaged = {**row, "chosen": row["chosen"].encode().decode("latin-1")}
    source = write(tmp_path / "a.jsonl", [row, {**damaged, "prompt": row["prompt"] + "z"}, *rows(3)[:2]])
    settings = {"remove": ("near_duplicate",), "fractions": WHOLE}
    assert prepare(source, tmp_path / "plain", **settings).removed == 0
    assert prepare(source, tmp_path / "repaired", repair=True, **settings).removed_by == {"near_duplicate": 1}
