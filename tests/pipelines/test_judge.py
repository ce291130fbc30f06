"""A judge file in the place of a model, and `rewardsmith judge`: verdicts, labels, calibration, and runs that are killed."""

import json
import math
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

import forked
from chat_server import completion, serving
from language_models import save_language_model
from rewardsmith.commands import calibrate, diagnose, evaluate, judge, score
from rewardsmith.data.loading.load import load
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.judge.definition import read_judge
from rewardsmith.language import say, speaking
from rewardsmith.pipelines.judge.calibration import with_calibration
from rewardsmith.progress import Silent

SLOW = """
import time
from rewardsmith.judge.asking.local import LocalLabels
plain = LocalLabels._masses
def slow(self, batch):
    time.sleep(0.1)
    return plain(self, batch)
LocalLabels._masses = slow
from rewardsmith.__main__ import main
main()
"""
PAIRS = [
    {"prompt": f"Name number {k}.", "chosen": f"good answer {k}", "rejected": f"bad answer {k}", "topic": "x"}
    for k in range(8)
]


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def read(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(save_language_model(tmp_path_factory.mktemp("lm"), sharp=2.0, positions=2048))


def judge_file(path, **value):
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


def api(tmp_path, server, **more):
    endpoint = {"url": server.address, "model": "m", "timeout": 5.0, "retries": 1, "price_in": 1e6, "price_out": 2e6}
    return judge_file(tmp_path / "judge.yaml", **{"kind": "pointwise", "endpoint": endpoint, "reading": "text", **more})


def opinion(said):
    """A judge that likes what is called good, and says so behind its reasoning."""
    return completion(f"<think>9 or 3?</think>Reasons.\nRating: {9 if 'good' in said else 3}")


def order_bound(said):
    """A judge of pairs: right about even numbers, and always for what is shown first about odd ones."""
    number = int(said.split("Name number ")[1].split(".")[0])
    first_is_good = said.index("good") < said.index("bad")
    return completion("Verdict: A" if number % 2 or first_is_good else "Verdict: B")


def test_score_takes_a_judge_and_keeps_what_could_not_be_read_apart(tmp_path):
    def half(said):
        return completion("Rating: 12") if "bad answer 0" in said else opinion(said)

    source = write(tmp_path / "p.jsonl", PAIRS)
    with serving(reply=half) as server:
        config = score.Config(model=api(tmp_path, server), source=source, output=tmp_path / "o.jsonl", best_of=True)
        result = score.run(config)
    rows = read(tmp_path / "o.jsonl")
    assert rows[0]["rewards"] == [9.0, None]
    assert [row["rewards"] for row in rows[1:]] == [[9.0, 3.0]] * 7
    assert all(row["best"] == 0 for row in rows)
    assert rows[1]["reward_std"] == [0.0, 0.0]
    told = result.to_json()
    assert (told["contract"], told["answers"], told["readable"], told["problems"]) == (
        "judge",
        16,
        15,
        {"out_of_range": 1},
    )
    assert told["cost"] == pytest.approx(16 * 5 * 1 + told["tokens"] * 2)
    assert "15 of 16 judgements could be read" in result.to_text()


def test_evaluate_judges_the_judge_and_leaves_out_what_has_no_verdict(tmp_path):
    def half(said):
        return completion("no idea") if "answer 0" in said else opinion(said)

    rows = [*PAIRS, {"prompt": "Name number 8.", "chosen": "bad answer 8", "rejected": "good answer 8"}]
    source = write(tmp_path / "p.jsonl", rows)
    with serving(reply=half) as server:
        name = api(tmp_path, server)
        result = evaluate.run(evaluate.Config(model=name, sources=(source,), output=tmp_path / "e"))
        with pytest.raises(UsageError, match="--calibrated"):
            evaluate.run(evaluate.Config(model=name, sources=(source,), calibrated=True))
    summary = result.summary
    assert (summary["n"], summary["accuracy"]) == (8, pytest.approx(7 / 8))
    assert summary["contract"] == "judge"
    assert summary["judge"]["problems"] == {"unparsable": 2}
    assert summary["left_out"]["unused"]["reasons"]["no_verdict"]["count"] == 1
    assert summary["comparisons_without_reward"] == 1
    assert len(read(tmp_path / "e" / "comparisons.jsonl")) == 8


def test_diagnose_takes_a_judge(tmp_path):
    source = write(tmp_path / "p.jsonl", PAIRS)
    with serving(reply=opinion) as server:
        name = api(tmp_path, server)
        found = diagnose.run(diagnose.Config(run=Path(name), data=(source,), output=tmp_path / "d"))
    assert found.report.is_file()
    assert found.findings
    with pytest.raises(DataError, match="--data"):
        diagnose.run(diagnose.Config(run=Path(name)))


def test_verdicts_accuracy_and_order_consistency(tmp_path):
    source = write(tmp_path / "p.jsonl", PAIRS)
    with serving(reply=order_bound) as server:
        name = api(tmp_path, server, kind="pairwise")
        config = judge.Config(judge=name, sources=(source,), output=tmp_path / "v.jsonl", show=1)
        result = judge.run(config)
    assert len(server.asked) == 16
    told = result.to_json()
    assert told["consistency"]["order_consistency"] == 0.5
    assert told["accuracy"]["accuracy"] == pytest.approx((4 + 4 / 2) / 8)
    assert told["accuracy"]["interval"][0] < 0.75 < told["accuracy"]["interval"][1]
    assert told["counts"]["first_preferred"] == pytest.approx((8 + 4) / 16)
    row = next(row for row in read(tmp_path / "v.jsonl") if row["prompt"][0]["content"] == "Name number 0.")
    assert row["order_consistency"] == 1.0
    assert {answer["verdict"] for each in row["judgements"] for answer in each["answers"]} == {"A", "B"}
    text = result.to_text()
    assert "order consistency 50.0%" in text
    assert "16 of 16 judgements could be read" in text
    with speaking("zh"):
        assert "顺序一致率 50.0%" in say(text)
        assert "16 次评判中 16 次可以读取" in say(text)


def test_records_of_several_responses_and_single_ones(tmp_path):
    rows = [{"prompt": "?", "responses": ["good", "bad", "worse"]}, {"prompt": "!", "responses": ["alone"]}]
    source = write(tmp_path / "p.jsonl", rows)

    def ranking(said):
        letters = dict(zip("ABC", [said.index(f"<response {x}>") for x in "ABC"], strict=True))
        words = {word: said.index(f">\n{word}\n") for word in ("good", "bad", "worse")}
        letter = {word: max((x for x in "ABC" if letters[x] < at), key=letters.get) for word, at in words.items()}
        return completion(f"Ranking: {letter['good']} > {letter['bad']} > {letter['worse']}")

    with serving(reply=ranking) as server:
        name = api(tmp_path, server, kind="listwise")
        result = judge.run(judge.Config(judge=name, sources=(source,), output=tmp_path / "v.jsonl"))
    (row,) = read(tmp_path / "v.jsonl")
    assert row["rewards"] == sorted(row["rewards"], reverse=True)
    assert len(set(row["rewards"])) == 3
    assert result.refused == 1
    assert "one response" in result.to_text()


def test_labels_weigh_what_is_certain_and_can_be_trained_on(tmp_path):
    source = write(tmp_path / "p.jsonl", PAIRS)
    with serving(reply=order_bound) as server:
        name = api(tmp_path, server, kind="pairwise", votes=3)
        config = judge.Config(judge=name, sources=(source,), output=tmp_path / "l.jsonl", label=True)
        result = judge.run(config)
    records = load(str(tmp_path / "l.jsonl")).records
    even = [r.comparisons[0] for r in records if int(r.prompt[0].content.split()[-1][:-1]) % 2 == 0]
    odd = [r.comparisons[0] for r in records if int(r.prompt[0].content.split()[-1][:-1]) % 2]
    certainty = 2 / (1 + math.exp(-math.log(3.5 / 0.5))) - 1  # three votes of three in both orders
    assert [c.weight for c in even] == pytest.approx([certainty] * 4)
    assert all(c.is_tie for c in odd)  # the orders contradict each other
    assert (result.pairs, result.ties) == (4, 4)
    assert all(records[0].responses[c.i].text.startswith("good") for c in even[:1])


def test_a_judge_is_calibrated_and_its_labels_are_then(tmp_path):
    rng = np.random.default_rng(0)
    rows, scores = [], {}
    for k in range(60):
        right = rng.random() < 0.75
        scores[f"x{k}"], scores[f"y{k}"] = (8, 4) if right else (4, 8)
        rows.append({"prompt": f"p{k}", "chosen": f"<x{k}>", "rejected": f"<y{k}>"})
    source = write(tmp_path / "p.jsonl", rows)

    def rated(said):
        return completion(f"Rating: {scores[said.split('<response>')[1].split('<')[1].split('>')[0]]}")

    with serving(reply=rated) as server:
        name = api(tmp_path, server)
        written = Path(name).read_text(encoding="utf-8")
        result = calibrate.run(calibrate.Config(model=name, sources=(source,), output=tmp_path / "c.yaml"))
        fitted = read_judge(tmp_path / "c.yaml").calibration
        right = sum(scores[f"x{k}"] > scores[f"y{k}"] for k in range(60)) / 60
        assert 1 / (1 + math.exp(-4 / fitted.temperature)) == pytest.approx(right, abs=1e-3)
        assert "c.yaml" in result.to_text()
        assert Path(name).read_text(encoding="utf-8") == written
        config = judge.Config(
            judge=str(tmp_path / "c.yaml"), sources=(source,), output=tmp_path / "l.jsonl", label=True
        )
        judge.run(config)
        weights = [c.weight for r in load(str(tmp_path / "l.jsonl")).records for c in r.comparisons]
        assert weights == pytest.approx([2 * right - 1] * len(weights), abs=2e-3)
        calibrate.run(calibrate.Config(model=str(tmp_path / "c.yaml"), sources=(source,), update=True))
        assert (tmp_path / "c.yaml").read_text(encoding="utf-8").count("calibration") == 1
        block = tmp_path / "block.yaml"
        block.write_text(
            "# mine\nkind: pointwise\ncalibration:\n  fitted_on: x\n  temperature: 2\n\n  records: a\nmodel: m\n"
        )
        assert with_calibration(block, fitted).startswith('# mine\nkind: pointwise\nmodel: m\n"calibration":')
        with pytest.raises(UsageError, match="--method length"):
            calibrate.run(calibrate.Config(model=name, sources=(source,), method=("length",)))
        with pytest.raises(OutputError):
            calibrate.run(calibrate.Config(model=name, sources=(source,), output=tmp_path / "c.yaml"))


def test_nothing_is_asked_twice(tmp_path):
    source = write(tmp_path / "p.jsonl", PAIRS)
    with serving(reply=opinion) as server:
        name = api(tmp_path, server)
        first = judge.run(judge.Config(judge=name, sources=(source,)))
        second = judge.run(judge.Config(judge=name, sources=(source,)))
        assert len(server.asked) == 16
        judge.run(judge.Config(judge=name, sources=(source,), cache=tmp_path / "other.sqlite"))
        assert len(server.asked) == 32
    assert (first.counts.kept, second.counts.kept) == (0, 16)
    assert second.accuracy == first.accuracy
    assert second.cost == 0


def test_a_home_that_cannot_be_written_stops_no_judge(tmp_path):
    (tmp_path / "home").write_text("a file", encoding="utf-8")
    source = write(tmp_path / "p.jsonl", PAIRS)
    notes = []

    class Progress(Silent):
        def note(self, text):
            notes.append(text)

    with serving(reply=opinion) as server:
        name = api(tmp_path, server)
        result = judge.run(judge.Config(judge=name, sources=(source,)), Progress())
        assert result.accuracy["accuracy"] == 1
        assert any("not kept for the next run" in note for note in notes)
        with pytest.raises(OutputError):
            judge.run(judge.Config(judge=name, sources=(source,), cache=tmp_path / "home" / "x.sqlite"))


def kept(store):
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as file:
            return file.execute("SELECT COUNT(*) FROM candidates").fetchone()[0]
    except sqlite3.Error:
        return 0


def test_a_killed_run_continues_and_gives_the_same_file(model, tmp_path):
    rows = [{"prompt": f"p{k}", "chosen": "a" * (k + 1), "rejected": "b"} for k in range(40)]
    source, store = write(tmp_path / "p.jsonl", rows), tmp_path / "kept.sqlite"
    name = judge_file(tmp_path / "j.yaml", kind="pairwise", model=model, batch=4)

    def run(output, cache):
        return judge.run(judge.Config(judge=name, sources=(source,), output=tmp_path / output, cache=tmp_path / cache))

    run("whole.jsonl", "whole.sqlite")
    words = ["judge", name, source, "-o", str(tmp_path / "killed.jsonl"), "--cache", str(store)]
    process = forked.program(SLOW, words, tmp_path / "log")
    deadline = time.monotonic() + 300
    while kept(store) < 32 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    before = kept(store)
    assert 32 <= before < 80
    assert not (tmp_path / "killed.jsonl").exists()
    result = run("killed.jsonl", "kept.sqlite")
    assert result.counts.kept == before
    whole, killed = (read(tmp_path / name) for name in ("whole.jsonl", "killed.jsonl"))
    for one, other in zip(whole, killed, strict=True):
        assert one["rewards"] == pytest.approx(other["rewards"], abs=1e-4)


def test_text_of_a_local_model_is_sampled_and_counted(model, tmp_path):
    source = write(tmp_path / "p.jsonl", PAIRS[:2])
    name = judge_file(tmp_path / "j.yaml", kind="pointwise", model=model, reading="text", votes=2, max_tokens=4)
    result = judge.run(judge.Config(judge=name, sources=(source,)))
    counts = result.counts
    assert (counts.questions, counts.answers) == (4, 8)
    assert counts.readable + sum(counts.problems.values()) == 8
    assert counts.tokens > 0


def test_wrong_files_and_settings_are_refused(model, tmp_path):
    source = write(tmp_path / "p.jsonl", PAIRS)
    name = judge_file(tmp_path / "j.yaml", kind="pointwise", model=model)
    with pytest.raises(UsageError, match="does not exist"):
        judge.run(judge.Config(judge=str(tmp_path / "absent.yaml"), sources=(source,)))
    (tmp_path / "r.yaml").write_text("kind: verifiable\nrewards:\n  - check: json\n", encoding="utf-8")
    with pytest.raises(UsageError, match="not a judge file"):
        judge.run(judge.Config(judge=str(tmp_path / "r.yaml"), sources=(source,)))
    for wrong, words in (
        ({"label": True}, "--output"),
        ({"tie": 0.5}, "--label"),
        ({"max_records": 0}, "--max-records"),
    ):
        with pytest.raises(UsageError, match=words):
            judge.Config(judge=name, sources=(source,), **wrong)
    with pytest.raises(UsageError, match="--per-token has no effect on"):
        score.run(score.Config(model=name, source=source, output=tmp_path / "o.jsonl", per_token=True))
    with pytest.raises(DataError, match="one response"):
        judge.run(
            judge.Config(
                judge=judge_file(tmp_path / "p.yaml", kind="pairwise", model=model),
                sources=(write(tmp_path / "one.jsonl", [{"prompt": "?", "responses": ["x"]}]),),
                strict=True,
            )
        )
