"""Settings of the commands that say how data is read: columns, shares, caps, attributes; and the same bytes anywhere."""

import json
import os
import subprocess
import sys

import pytest

import rewardsmith as rs
import schemas as s
from builders import tiny
from rewardsmith.cli import main
from rewardsmith.commands import evaluate, inspect, prepare, score, train
from rewardsmith.data.loading.load import load
from rewardsmith.data.loading.mixing import Mix
from rewardsmith.data.splits.sources import Intake, SplitRule, follow_attribute, load_splits
from rewardsmith.errors import DataError, TrainingError, UsageError

SMALL = {"model": "tiny", "n_embd": 16, "n_layer": 1, "n_head": 2, "threads": 1, "report": False}
MAP = ("prompt=ask", "chosen=said.best", "rejected=said.worst")


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def odd(count, word="q"):
    return [{"ask": f"{word}{n}", "said": {"best": f"good {n}", "worst": f"bad {n}"}} for n in range(count)]


def questions(count):
    return [
        s.stack_exchange(n, f"How {n}?", f"good {n}", bad) for n in range(count) for bad in (f"bad {n}", f"worse {n}")
    ]


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "run"
    tiny(n_layer=1).save(folder / "model")
    return str(folder)


def test_prepare_says_why_rows_are_gone_and_says_everything_once(tmp_path, capsys):
    good = [{"prompt": f"q{n}", "chosen": "a", "rejected": "b"} for n in range(40)]
    bad = [{"prompt": "q", "chosen": 5, "rejected": "b"}, {"prompt": "q", "chosen": "a"}, {"prompt": "q"}]
    source = write(tmp_path / "a.jsonl", [*good, good[0], *bad])
    assert main(["prepare", source, "-o", str(tmp_path / "out"), "--seed", "1", "--fractions", "1", "0", "0"]) == 0
    captured = capsys.readouterr()
    assert (captured.out + captured.err).count("a prompt with a chosen and a rejected response") == 1
    assert "rows 44: kept 40, quarantined 3, removed 1\n" in captured.out
    assert "quarantined: missing_field 2, wrong_type 1\nremoved: duplicate 1\n" in captured.out


def test_of_prepared_splits_one_sentence_is_said(tmp_path, capsys, model):
    source = write(tmp_path / "a.jsonl", [{"prompt": f"q{n}", "chosen": "a", "rejected": "b"} for n in range(60)])
    prepare.run(prepare.Config(sources=(source,), output=tmp_path / "out"))
    assert main(["evaluate", model, str(tmp_path / "out"), "--json"]) == 0
    told = capsys.readouterr().err
    assert told.count("splits written by rewardsmith prepare") == 1
    assert "native" not in told


def test_inspect_tells_by_which_attribute_responses_are_compared(tmp_path, model):
    rows = [s.HELPSTEER2, s.HELPSTEER2 | {"response": "No.", "helpfulness": 1}]
    shown = inspect.run(inspect.Config(source=write(tmp_path / "a.jsonl", rows), model=model)).to_text()
    assert "comparison by helpfulness: 0 over 1, preference 1.0\n" in shown
    assert shown.endswith("comparison by verbosity: 0 over 1, preference 0.5")


def test_one_map_serves_every_command(tmp_path, model):
    source = write(tmp_path / "odd.jsonl", odd(60))
    assert prepare.run(prepare.Config(sources=(source,), output=tmp_path / "out", map=MAP)).records == 60
    assert train.run(train.Config(**SMALL, dataset=(source,), output=tmp_path / "run", map=MAP)).summary["steps"] > 0
    assert evaluate.run(evaluate.Config(model=model, sources=(source,), map=MAP)).to_json()["n"] == 60
    assert len(inspect.run(inspect.Config(source=source, model=model, map=MAP)).responses) == 2
    assert len(rs.load(source, map={"prompt": "ask", "chosen": "said.best", "rejected": "said.worst"}).records) == 60
    score.run(score.Config(model=model, source=source, output=tmp_path / "scores.jsonl", map=MAP))
    reward = rs.load_reward_model(model, device="cpu")
    for given, row in zip(odd(60)[:3], lines(tmp_path / "scores.jsonl"), strict=False):
        assert {name: row[name] for name in given} == given  # the row's own names come back
        asked = [[s.user(given["ask"]), s.assistant(given["said"][name])] for name in ("best", "worst")]
        assert row["rewards"] == pytest.approx(list(reward.score(asked)), abs=1e-5)


def test_the_flag_is_repeated_or_takes_several_words(tmp_path, capsys):
    source = write(tmp_path / "odd.jsonl", odd(60))
    flags = [word for each in MAP for word in ("--map", each)]
    assert main(["prepare", source, *flags, "-o", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"] == 60
    words = ["train", "--model", "tiny", "--dataset", source, "--map", *MAP, "--output", str(tmp_path / "run")]
    assert main([*words, "--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--threads", "1", "--no-report"]) == 0
    capsys.readouterr()
    assert main(["prepare", source, "--map", "prompt=wrong", "-o", str(tmp_path / "no")]) == 1
    assert "no column 'wrong'; the columns are ask, said" in capsys.readouterr().err
    assert main(["prepare", source, "--map", "prompt", "-o", str(tmp_path / "no2")]) == 2


def test_pairs_of_a_question_come_back_from_score_row_by_row_preferred_first(tmp_path, model):
    source = write(tmp_path / "se.jsonl", questions(5))
    score.run(score.Config(model=model, source=source, output=tmp_path / "scores.jsonl"))
    found = lines(tmp_path / "scores.jsonl")
    reward = rs.load_reward_model(model, device="cpu")
    assert len(found) == 10
    for row in found:
        asked = [[s.user(row["question"]), s.assistant(row[name])] for name in ("response_j", "response_k")]
        assert row["rewards"] == pytest.approx(list(reward.score(asked)), abs=1e-5)


def test_lists_of_answers_come_back_in_their_order(tmp_path, model):
    row = {"prompt": "p", "chosen": ["a", "bb"], "rejected": ["ccc", "dddd", "e"]}
    source = write(tmp_path / "lists.jsonl", [row])
    score.run(score.Config(model=model, source=source, output=tmp_path / "scores.jsonl"))
    answers = [[s.user("p"), s.assistant(text)] for text in row["chosen"] + row["rejected"]]
    expected = rs.load_reward_model(model, device="cpu").score(answers)
    assert lines(tmp_path / "scores.jsonl")[0]["rewards"] == pytest.approx(list(expected), abs=1e-5)


# Shares and caps


def test_prepare_accounts_for_joined_rows_and_rows_not_taken(tmp_path):
    whole = write(tmp_path / "se.jsonl", questions(100))
    other = write(tmp_path / "odd.jsonl", [{"prompt": f"p{n}", "chosen": "a", "rejected": "b"} for n in range(50)])
    sources = (f"{whole}:0.5", other)
    result = prepare.run(prepare.Config(sources=sources, output=tmp_path / "out", max_per_source=30))
    assert result.rows == 250
    assert (result.records, result.joined, result.kept) == (60, 30, 90)
    assert (result.removed, result.not_taken, result.quarantined) == (160, 160, 0)
    removed = lines(tmp_path / "out" / "removed.jsonl")
    assert {row["check"] for row in removed} == {"not_taken"}
    assert len({(row["file"], row["line"]) for row in removed}) == 160
    quality = json.loads((tmp_path / "out" / "quality.json").read_text())
    assert (quality["removed"], quality["joined"]) == ({"not_taken": 160}, 30)
    inputs = json.loads((tmp_path / "out" / "prepare.json").read_text())["inputs"]
    assert [entry["file"] for entry in inputs] == [whole, other]
    assert "kept rows that were joined to an earlier row: 30\nremoved: not_taken 160\n" in result.to_text()


def test_rows_of_a_question_share_its_fate_as_a_duplicate(tmp_path):
    source = write(tmp_path / "se.jsonl", [*questions(60), *questions(1)])
    result = prepare.run(prepare.Config(sources=(source,), output=tmp_path / "out"))
    assert (result.rows, result.kept, result.removed, result.joined, result.records) == (122, 120, 2, 60, 60)
    first, second = lines(tmp_path / "out" / "removed.jsonl")
    assert first["twin"] == second["twin"] == f"{source}:1"
    assert (first["line"], second["line"]) == (121, 122)
    assert load(tmp_path / "out").rows == 60


def test_max_rows_counts_input_rows_and_cuts_a_question(tmp_path):
    source = write(tmp_path / "se.jsonl", questions(60))
    result = prepare.run(prepare.Config(sources=(source, source), output=tmp_path / "out", max_rows=123))
    assert result.rows == 123
    assert result.kept + result.removed == 123


def test_training_takes_the_same_records_as_preparing(tmp_path):
    source = write(tmp_path / "pairs.jsonl", [{"prompt": f"p{n}", "chosen": "a", "rejected": "b"} for n in range(300)])
    mix = Mix(seed=3, max_per_source=70)
    splits = load_splits([f"{source}:0.4"], validation=(), test=(), rule=SplitRule(seed=3), intake=Intake(mix=mix))
    config = prepare.Config(sources=(f"{source}:0.4",), output=tmp_path / "out", seed=3, max_per_source=70)
    prepare.run(config)
    for name in ("train", "validation", "test"):
        prepared = {record.id for record in load(tmp_path / "out" / f"{name}.jsonl").records}
        assert {record.id for record in getattr(splits, name)} == prepared
    assert splits.not_taken == 230


def test_what_was_split_before_is_not_taken_in_part(tmp_path):
    source = write(tmp_path / "pairs.jsonl", [{"prompt": f"p{n}", "chosen": "a", "rejected": "b"} for n in range(60)])
    prepare.run(prepare.Config(sources=(source,), output=tmp_path / "out"))
    for changes in ({"dataset": (f"{tmp_path}/out:0.5",)}, {"dataset": (f"{tmp_path}/out",), "max_per_source": 5}):
        with pytest.raises(UsageError, match="is already split"):
            train.run(train.Config(**SMALL, output=tmp_path / "run", **changes))


def test_an_input_with_a_share_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    source = write(tmp_path / "data" / "a.jsonl", odd(3))
    words = ["train", "--model", "tiny", "--dataset", f"{source}:0.5", "--output", str(tmp_path / "data")]
    assert main([*words, "--overwrite"]) == 1
    assert "contains the input" in capsys.readouterr().err


def test_a_share_that_leaves_nothing_says_so(tmp_path):
    source = write(tmp_path / "one.jsonl", [{"prompt": "p", "chosen": "a", "rejected": "b"}])
    with pytest.raises(DataError, match="none of the 1 rows was sampled"):
        prepare.run(prepare.Config(sources=(f"{source}:0.000001",), output=tmp_path / "out"))


# Attributes


def safety(count):
    return [s.PKU | {"prompt": f"q{n}", "response_0": f"safe {n}"} for n in range(count)]


def test_training_and_evaluation_follow_the_attribute_that_is_named(tmp_path, model):
    source = write(tmp_path / "pku.jsonl", safety(60))
    with pytest.raises(TrainingError, match=r"'overall'.*helpful \d+, safe \d+.*--attribute helpful"):
        train.run(train.Config(**SMALL, dataset=(source,), output=tmp_path / "none"))
    with pytest.raises(DataError, match=r"'overall'.*helpful 60, safe 60.*--attribute helpful"):
        evaluate.run(evaluate.Config(model=model, sources=(source,)))
    found = {}
    for name in ("helpful", "safe"):
        result = train.run(train.Config(**SMALL, dataset=(source,), output=tmp_path / name, attribute=name))
        assert result.summary["pairs"] == result.summary["records"]
        summary = evaluate.run(evaluate.Config(model=model, sources=(source,), attribute=name)).to_json()
        assert (summary["n"], summary["attribute"]) == (60, name)
        found[name] = summary["accuracy"]
    assert found["helpful"] == pytest.approx(1 - found["safe"])  # in these rows one is the other's opposite


def test_the_ratings_of_the_attribute_are_the_ones_that_rank():
    (record,) = follow_attribute(load([s.ULTRAFEEDBACK]).records, "honesty")
    assert record.ratings == {"overall": (None, 5.0, 2.0)}
    assert [(c.i, c.j, c.attribute) for c in record.comparisons] == [(1, 2, "honesty")]
    overall = follow_attribute(load([s.ULTRAFEEDBACK]).records, "overall")[0]
    assert {c.attribute for c in overall.comparisons} == {"overall"}
    assert overall.ratings == {"overall": (6.5, 9.0, 2.0)}


def test_single_ratings_are_told_as_what_they_are(tmp_path):
    source = write(tmp_path / "kto.jsonl", [{"prompt": f"q{n}", "completion": "a", "label": True} for n in range(60)])
    with pytest.raises(TrainingError, match="single rated responses, without comparisons"):
        train.run(train.Config(**SMALL, dataset=(source,), output=tmp_path / "run"))


# The same anywhere


def test_the_language_of_the_machine_changes_no_byte(tmp_path):
    rows = [*questions(20), *(s.stack_exchange(90 + n, f"怎么{n}?", f"好 {n}", f"坏 {n}") for n in range(20))]
    write(tmp_path / "数据.jsonl", [*rows, {"question": "坏", "response_j": "", "response_k": "x"}])
    found = []
    for language, seed in (("C", "1"), ("zh_CN.UTF-8", "2"), ("en_US.UTF-8", "3")):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
        environment |= {"LANG": language, "LC_ALL": language, "PYTHONHASHSEED": seed}
        words = [sys.executable, "-m", "rewardsmith", "prepare", "数据.jsonl:0.9", "-o", language]
        result = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, check=False)
        assert result.returncode == 0, result.stderr.decode()
        found.append({path.name: path.read_bytes() for path in (tmp_path / language).iterdir()})
    assert found[0] == found[1] == found[2]
    assert "怎么" in found[0]["train.jsonl"].decode()
