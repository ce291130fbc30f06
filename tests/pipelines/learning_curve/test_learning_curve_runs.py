"""A learning curve of a tiny run: what is trained, what is found again, what is refused."""

import json
import shutil

import pytest

import rewardsmith as rs
from rewardsmith.commands import learning_curve, train
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.pipelines.learning_curve import runs as curve_runs

FRACTIONS = (0.25, 0.5)


def rows(count, word):
    return [
        {"prompt": f"Is {k} {word}?", "chosen": f"It is {k % 2 == 0}.", "rejected": f"No, {k}."} for k in range(count)
    ]


def write(path, data):
    path.write_text("".join(json.dumps(row) + "\n" for row in data))
    return str(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run on 40 pairs in files, with 30 test pairs."""
    place = tmp_path_factory.mktemp("curve")
    data = write(place / "train.jsonl", rows(40, "even"))
    held = write(place / "test.jsonl", rows(30, "an even number"))
    settings = {"n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 64, "batch": 8, "evals": 1, "threads": 1}
    train.run(
        train.Config(model="tiny", dataset=(data,), test=(held,), validation=(held,), output=place / "run", **settings)
    )
    return place


@pytest.fixture(scope="module")
def curve(trained):
    asked = learning_curve.Config(run=trained / "run", fractions=FRACTIONS, seeds=2, output=trained / "curve")
    return learning_curve.run(asked)


def asked_again(trained, **changes):
    settings = {"run": trained / "run", "fractions": FRACTIONS, "seeds": 2, "output": trained / "curve"} | changes
    return learning_curve.run(learning_curve.Config(**settings))


def test_each_size_has_its_seeds_and_the_run_itself_is_one_of_them(trained, curve):
    points = curve.curve["points"]
    assert [(point["records"], len(point["runs"])) for point in points] == [(10, 2), (20, 2), (40, 2)]
    evaluated = json.loads((trained / "run" / "evaluation.json").read_text())
    own = next(one for one in points[-1]["runs"] if one["folder"] == str(trained / "run"))
    assert own["accuracy"] == pytest.approx(evaluated["accuracy"])
    assert not (trained / "curve" / "frac-1-seed-0").exists()
    assert curve.curve["n"] == 30
    assert curve.curve["refusal"] == "few_sizes"


def test_models_of_the_runs_are_gone_and_their_comparisons_stay(trained, curve):
    folder = trained / "curve" / "frac-0.25-seed-1"
    assert not (folder / "model").exists()
    assert not (folder / "checkpoints").exists()
    assert len((folder / "comparisons.jsonl").read_text().splitlines()) == 30
    assert (trained / "run" / "model" / "reward.json").is_file()


def test_smaller_shares_lie_in_larger_ones_and_seeds_differ(trained, curve):
    settings = {
        (one["fraction"], run["seed"]): json.loads(
            (trained / "curve" / f"frac-{one['fraction']:g}-seed-{run['seed']}" / "settings.json").read_text()
        )
        for one in curve.curve["points"][:2]
        for run in one["runs"]
    }
    assert {key: found["examples"] for key, found in settings.items()} == {
        (0.25, 0): 10, (0.25, 1): 10, (0.5, 0): 20, (0.5, 1): 20,
    }  # fmt: skip


def test_started_again_nothing_is_trained(trained, curve, monkeypatch):
    def refuse(*_args):
        raise AssertionError("trained again")

    monkeypatch.setattr(curve_runs, "train", refuse)
    assert asked_again(trained).curve == curve.curve


def test_after_a_stop_only_what_is_missing_is_trained(trained, curve, monkeypatch):
    shutil.rmtree(trained / "curve" / "frac-0.5-seed-0")
    shutil.rmtree(trained / "curve" / "frac-0.5-seed-1")
    real, done = curve_runs.train, []

    def stopping(config, progress):
        if done:
            raise KeyboardInterrupt
        done.append(config.output.name)
        return real(config, progress)

    monkeypatch.setattr(curve_runs, "train", stopping)
    with pytest.raises(KeyboardInterrupt):
        asked_again(trained)
    monkeypatch.setattr(
        curve_runs, "train", lambda config, progress: done.append(config.output.name) or real(config, progress)
    )
    again = asked_again(trained)
    assert done == ["frac-0.5-seed-0", "frac-0.5-seed-1"]
    for one, other in zip(again.curve["points"], curve.curve["points"], strict=True):
        assert one["accuracy"] == pytest.approx(other["accuracy"])


def test_a_run_with_other_settings_in_the_folder_is_refused(trained, curve, tmp_path):
    shutil.copytree(trained / "curve", tmp_path / "curve")
    place = tmp_path / "curve" / "frac-0.25-seed-0" / "config.yaml"
    place.write_text(place.read_text().replace("batch: 8", "batch: 4"))
    with pytest.raises(OutputError, match="other settings"):
        asked_again(trained, output=tmp_path / "curve")


def test_the_curve_of_another_run_is_not_continued(trained, curve, tmp_path):
    shutil.copytree(trained / "run", tmp_path / "other")
    with pytest.raises(OutputError, match="another run"):
        asked_again(trained, run=tmp_path / "other")


def test_data_that_changed_between_the_runs_is_told(trained, curve, tmp_path):
    shutil.copytree(trained / "curve", tmp_path / "curve")
    place = tmp_path / "curve" / "frac-0.25-seed-0" / "data" / "data.json"
    data = json.loads(place.read_text())
    data["hashes"]["train"] = "another"
    place.write_text(json.dumps(data))
    with pytest.raises(DataError, match="train data"):
        asked_again(trained, output=tmp_path / "curve")


def test_the_report_and_the_verdict_tell_of_the_curve(trained, curve):
    found = rs.diagnose(trained / "run", overwrite=True, measure=False)
    assert any(finding["id"] == "more_data_unclear" for finding in found.findings)
    assert 'id="learning-curve"' in (trained / "run" / "report.html").read_text()
    assert json.loads((trained / "run" / "report.json").read_text())["learning_curve"]["points"]
    assert "| 40 |" in (trained / "run" / "learning_curve.md").read_text()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"factors": (5.0,)}, "at most 4"),
        ({"fractions": (0.0,)}, "above 0"),
        ({"fractions": (1.0,)}, "below 1"),
        ({"fractions": (0.5, 0.5)}, "only once"),
        ({"seeds": 0}, "at least 1"),
        ({"bound": 0.0}, "between 0 and 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, told, tmp_path):
    with pytest.raises(UsageError, match=told):
        learning_curve.Config(run=tmp_path, **changes)


def test_only_a_finished_run_that_was_evaluated_has_a_curve(trained, tmp_path):
    with pytest.raises(DataError, match="no finished run"):
        learning_curve.run(learning_curve.Config(run=tmp_path))
    shutil.copytree(trained / "run", tmp_path / "run")
    (tmp_path / "run" / "comparisons.jsonl").unlink()
    with pytest.raises(DataError, match="not evaluated"):
        learning_curve.run(learning_curve.Config(run=tmp_path / "run"))


def test_runs_with_different_seeds_and_one_split_seed_are_tested_on_the_same_prompts():
    from rewardsmith.pipelines.train.setup import load_data

    def tested(seed, **more):
        config = train.Config(model="tiny", dataset=("synthetic:40",), output="unused", seed=seed, **more)
        return {record.id for record in load_data(config, rs.SILENT).test}

    assert tested(1, split_seed=7) == tested(2, split_seed=7) == tested(7)
    assert tested(1) != tested(2)
