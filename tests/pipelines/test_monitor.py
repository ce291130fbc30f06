"""`rewardsmith monitor`: logs of several programs, the alarm, thresholds from reference logs, and what is refused."""

import json
import math

import numpy as np
import pytest

import rewardsmith as rs
from rewardsmith.align.monitor.evidence import (
    NEEDS,
    SETS,
    carried,
    evidence_from,
    features_of,
    fit_evidence,
    logistic,
    trailing,
)
from rewardsmith.align.monitor.signals import read_log, signals_of
from rewardsmith.align.monitor.watch import conformal_threshold, fitted_evidence, fitted_facts, kind_for, watch
from rewardsmith.cli import main
from rewardsmith.commands import monitor
from rewardsmith.errors import DataError, UsageError
from rewardsmith.language import speaking


def run_rows(steps=40, *, hacked, seed=0):
    """A log as policy-bench writes it: a healthy run settles, a hacked one leaves the reference without end."""
    rng = np.random.default_rng(seed)
    rows = []
    for t in range(steps):
        push = 1.5 * t if hacked else 2.0 * (1 - math.exp(-t / 8))
        noise = float(rng.normal(0, 0.02))
        rows.append(
            {
                "step": t,
                "reward": (0.08 * t if hacked else 1 - math.exp(-t / 8)) + noise,
                "reward_std": 0.7,
                "kl": push,
                "length": 14 + (0.25 * t if hacked else 0.0) + noise,
                "entropy": 0.5,
                "agreement": max(0.1, 0.7 - (0.02 * t if hacked else 0)),
                "disagreement": 0.4,
                "beyond": min(1.0, 0.03 * t) if hacked else 0.03,
                "distance": 0.01 * t if hacked else 0.01,
                "length_correlation": 0.4 if hacked else 0.0,
            }
        )
    return rows


def own(rows):
    return signals_of(rows, "log")


def as_trl(rows, prefix=""):
    return [
        {
            f"{prefix}reward": r["reward"],
            f"{prefix}reward_std": r["reward_std"],
            f"{prefix}kl": r["kl"] / r["length"],
            f"{prefix}completions/mean_length": r["length"],
            f"{prefix}entropy": r["entropy"],
            "step": r["step"],
        }
        for r in rows
    ]


def as_verl(rows):
    return [
        {
            "critic/score/mean": r["reward"],
            "critic/rewards/mean": -9.0,
            "actor/kl_loss": r["kl"] / r["length"],
            "response_length/mean": r["length"],
            "training/global_step": r["step"],
        }
        for r in rows
    ]


def as_openrlhf(rows):
    return [
        {
            "reward": r["reward"],
            "kl": r["kl"] / r["length"],
            "response_length": r["length"],
            "global_step": r["step"],
        }
        for r in rows
    ]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_run_that_leaves_everything_behind_gives_an_alarm_and_one_that_settles_none():
    hacked, healthy = watch(own(run_rows(hacked=True))), watch(own(run_rows(hacked=False)))
    assert hacked.kind == healthy.kind == "full"
    assert hacked.alarm is not None
    assert hacked.alarm < 39
    assert healthy.alarm is None
    assert hacked.evidence[-1] > hacked.threshold > healthy.evidence.max()


@pytest.mark.parametrize(
    ("written", "program", "kind"),
    [(as_trl, "TRL", "policy"), (as_verl, "verl", "bare"), (as_openrlhf, "OpenRLHF", "bare")],
)
def test_logs_of_other_programs_are_the_same_signals_under_other_names(written, program, kind):
    rows = run_rows(hacked=True)
    found, ours = own(written(rows)), own(rows)
    assert found.program == program
    assert kind_for(found) == kind
    for name in ("reward", "kl", "length"):
        assert np.allclose(found.columns[name], ours.columns[name])
    assert np.allclose(features_of(found, kind), features_of(ours, kind))


def test_the_prefix_of_a_tracker_and_text_of_a_csv_are_understood(tmp_path):
    rows = as_trl(run_rows(hacked=False), prefix="train/")
    names = list(rows[0])
    lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in rows), ",,,,,"]
    (tmp_path / "export.csv").write_text("\n".join(lines))
    found = signals_of(read_log(tmp_path / "export.csv"), "export.csv")
    assert found.program == "TRL"
    assert len(found.steps) == 40
    state = tmp_path / "trainer_state.json"
    state.write_text(json.dumps({"log_history": [*rows, {"step": 39, "eval_loss": 1.0}]}))
    assert np.allclose(signals_of(read_log(state), "state").columns["kl"], found.columns["kl"])


def test_a_step_that_is_logged_twice_counts_once_and_order_does_not_matter():
    rows = run_rows(hacked=True)
    again = [{**rows[5], "reward": 99.0}, *rows[::-1]]
    assert np.array_equal(own(again).columns["reward"], own(rows).columns["reward"])


def test_columns_of_other_names_are_given_by_hand():
    rows = [{"objective/kl": r["kl"], **{k: v for k, v in r.items() if k != "kl"}} for r in run_rows(hacked=False)]
    with pytest.raises(DataError, match="--map kl="):
        own(rows)
    assert np.allclose(signals_of(rows, "log", {"kl": "objective/kl"}).columns["kl"][3], rows[3]["objective/kl"])


def test_missing_values_are_those_of_the_step_before_and_a_late_signal_has_not_moved():
    assert carried(np.array([np.nan, 40.0, np.nan, 60.0])).tolist() == [40.0, 40.0, 40.0, 60.0]
    assert carried(np.full(3, np.nan)).tolist() == [0.0, 0.0, 0.0]
    assert trailing(np.array([1.0, 2.0, 6.0, 6.0]), 3).tolist() == [1.0, 1.5, 3.0, pytest.approx(14 / 3)]


def test_features_do_not_look_ahead_and_do_not_see_the_scale_of_rewards():
    rows = run_rows(hacked=True)
    whole, part = features_of(own(rows), "full"), features_of(own(rows[:20]), "full")
    assert np.allclose(whole[:20], part)
    scaled = [
        {**r, "reward": 10 * r["reward"] + 7, "reward_std": 7.0, "disagreement": 10 * r["disagreement"]} for r in rows
    ]
    assert np.allclose(features_of(own(scaled), "full"), whole)
    tokens = [{**r, "length": 8 * r["length"], "entropy": 3 * r["entropy"]} for r in rows]
    assert np.allclose(features_of(own(tokens), "full"), whole)


def test_the_regression_is_that_of_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 3))
    label = (rows @ [1.0, -2.0, 0.5] + rng.normal(size=300) > 0).astype(float)
    weight = rng.uniform(0.1, 2.0, size=300)
    ours = logistic(np.column_stack([np.ones(300), rows]), label, weight)
    # its penalty is |w|^2 / 2 over C, ours RIDGE |w|^2 / 2
    theirs = linear.LogisticRegression(C=1 / 2.0, tol=1e-10, max_iter=1000).fit(rows, label, sample_weight=weight)
    assert ours == pytest.approx([*theirs.intercept_, *theirs.coef_[0]], abs=1e-4)


def test_what_is_fitted_is_written_and_read_and_tells_runs_apart():
    hacked = [own(run_rows(hacked=True, seed=k)) for k in range(4)]
    healthy = [own(run_rows(hacked=False, seed=k)) for k in range(4)]
    for kind in SETS:
        model = fit_evidence(kind, hacked, healthy)
        again = evidence_from(kind, json.loads(json.dumps(model.to_json())))
        assert np.allclose(model(hacked[0])[2:], again(hacked[0])[2:])
        assert model(hacked[0])[-1] > 0 > model(healthy[0])[-1]


def test_what_the_package_ships_is_of_the_sets_that_there_are_and_was_measured():
    facts = fitted_facts()
    assert set(facts["sets"]) == set(SETS) == set(NEEDS)
    for kind, found in facts["sets"].items():
        model, threshold = fitted_evidence(kind)
        assert len(model.weights) == len(SETS[kind])
        assert math.isfinite(threshold)
        assert found["tpr"]["n"] >= 30
        assert found["fpr"]["n"] >= 73
        assert found["fpr"]["ci"][0] <= facts["false_alarms"]


def test_a_conformal_threshold_is_the_rank_that_bounds_false_alarms():
    highest = [float(k) for k in range(39)]
    assert conformal_threshold(highest, 0.05) == 37.0  # ceil(40 * 0.95) = 38th smallest
    rng = np.random.default_rng(1)
    false = [rng.normal() > conformal_threshold(rng.normal(size=39), 0.05) for _ in range(4000)]
    assert np.mean(false) == pytest.approx(0.05, abs=0.015)
    with pytest.raises(DataError, match="19"):
        conformal_threshold(highest[:18], 0.05)


def test_a_threshold_of_ones_own_comes_from_healthy_logs(tmp_path):
    log = write(tmp_path / "run.jsonl", run_rows(hacked=True))
    others = tuple(str(write(tmp_path / f"{k}.jsonl", run_rows(hacked=False, seed=k))) for k in range(19))
    found = monitor.run(monitor.Config(log=str(log), reference=others, fail=True))
    assert found.references == 19
    assert found.rates is None
    assert found.exit_code == 1
    assert found.watched.alarm < watch(own(run_rows(hacked=True))).alarm
    plain = write(tmp_path / "plain.jsonl", as_openrlhf(run_rows(hacked=False)))
    with pytest.raises(DataError, match="signals"):
        monitor.run(monitor.Config(log=str(log), reference=(str(plain), *others[1:])))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "steps|no reward"),
        ("[1]\n", "not a log"),
        ("{]\n", "not a log"),
        ('{"reward": 1, "kl": 1, "length": 1}\n', "at least"),
    ],
)
def test_what_is_no_log_is_refused(content, word, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=word):
        monitor.run(monitor.Config(log=str(path)))


def test_a_log_with_nan_and_a_line_still_being_written_is_read(tmp_path):
    rows = [{**row, "grad_norm": math.nan} for row in run_rows(hacked=True)]
    log = write(tmp_path / "run.jsonl", rows)
    expected = watch(own(rows)).alarm
    with log.open("a") as file:
        file.write('{"step": 40, "rewa')
    assert monitor.run(monitor.Config(log=str(log))).watched.alarm == expected
    state = tmp_path / "trainer_state.json"
    state.write_text(json.dumps({"log_history": rows}))
    assert monitor.run(monitor.Config(log=str(state))).watched.alarm == expected
    with log.open("a") as file:
        file.write("\n")
    with pytest.raises(DataError, match=r"run\.jsonl:41"):
        monitor.run(monitor.Config(log=str(log)))


def test_what_would_be_ignored_is_refused(tmp_path):
    log = str(write(tmp_path / "run.jsonl", run_rows(hacked=True)))
    with pytest.raises(DataError, match="objective/kl"):
        monitor.run(monitor.Config(log=log, map=("kl=objective/kl",)))
    with pytest.raises(UsageError, match="--reference"):
        monitor.Config(log=log, false_alarms=0.01)
    with pytest.raises(UsageError, match="twice"):
        monitor.Config(log=log, reference=("a", "b", "a"))


def test_the_caution_about_no_alarm_is_for_no_alarm(tmp_path):
    for hacked in (True, False):
        log = str(write(tmp_path / "run.jsonl", run_rows(hacked=hacked)))
        said = monitor.run(monitor.Config(log=log)).to_text()
        assert ("ALARM" in said) is hacked
        assert ("no alarm does not show" in said) is not hacked


def test_settings_out_of_range_are_refused(tmp_path):
    with pytest.raises(UsageError, match="false-alarms"):
        monitor.Config(log="x", false_alarms=0.0)
    log = str(write(tmp_path / "run.jsonl", run_rows(hacked=True)))
    for given in ("kl", "speed=x"):
        with pytest.raises(UsageError, match="--map"):
            monitor.run(monitor.Config(log=log, map=(given,)))


def test_the_command_speaks_both_languages_and_python_takes_rows(tmp_path, capsys):
    log = str(write(tmp_path / "run.jsonl", run_rows(hacked=True)))
    for language, word in (("en", "ALARM at step"), ("zh", "步警报")):
        with speaking(language):
            assert main(["monitor", log, "--lang", language]) == 0
        assert word in capsys.readouterr().out
    assert main(["monitor", log, "--fail"]) == 1
    found = rs.monitor(run_rows(hacked=True)).to_json()
    assert found["alarm"] == watch(own(run_rows(hacked=True))).alarm
    assert found["evidence"][0] is None
