"""`rewardsmith verify`: what is whole holds, and each damage is found in its part, by name, with exit code 1."""

import json
import random
import shutil

import pytest
from safetensors.torch import load_file, save_file

import rewardsmith as rs
from damage import flip_bit
from rewardsmith.cli import main
from rewardsmith.commands import train
from rewardsmith.errors import DataError, ModelError, UsageError
from rewardsmith.model.checkpoint.intact import seal_model
from rewardsmith.pipelines.train.run_folder import seal_run
from rewardsmith.pipelines.verify import PARTS


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run and the file that it was trained on."""
    place = tmp_path_factory.mktemp("made")
    rows = [{"prompt": f"{n} + {n}?", "chosen": f"It is {2 * n}.", "rejected": f"It is {n}."} for n in range(120)]
    (place / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    train.run(
        train.Config(
            model="tiny", dataset=(str(place / "data.jsonl"),), output=place / "run", n_embd=16, n_layer=1, evals=2,
            threads=1,
        )
    )  # fmt: skip
    return place


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made / "run", tmp_path / "run")


def state(result):
    return {part.name: part.holds for part in result.parts}


def faults(result):
    return [(part.name, fault.file, fault.what) for part in result.parts for fault in part.faults]


def change(path, **values):
    """Other values in a JSON object."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_whole_run_holds_in_every_part_and_is_told_in_80_columns(made, run, capsys):
    assert main(["verify", str(run)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == list(PARTS)
    assert max(map(len, said)) <= 80
    assert main(["verify", str(run), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["holds"], told["broken"]) == (True, [])
    assert {name: part["holds"] for name, part in told["parts"].items()} == dict.fromkeys(PARTS, True)
    assert told["parts"]["data"]["said"] == "unchanged since they were read: 1"
    again = rs.verify(run / "model")
    assert (again.holds, state(again)) == (True, {"files": True, "probes": True})


FILES = (
    *(
        "model/model.safetensors",
        "model/tokenizer.json",
        "model/config.json",
        "model/reward.json",
        "model/manifest.json",
    ),
    *("checkpoints/best/weights.safetensors", "checkpoints/step-NEWEST/optimizer.safetensors"),
    *("settings.json", "config.yaml", "evaluation.json", "comparisons.jsonl", "metrics.jsonl", "train.json"),
    *("data/data.json", "manifest.json"),
)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_found_in_every_file_and_named(run, name, tmp_path, capsys):
    name = name.replace("step-NEWEST", max(path.name for path in (run / "checkpoints").glob("step-*")))
    flip_bit(run / name, root=tmp_path, rng=random.Random(5))
    assert main(["verify", str(run), "--json", "--part", "files"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["holds"] is False
    assert [(fault["part"], fault["file"]) for fault in told["broken"]] == [("files", name)]


def test_a_damaged_model_is_not_scored_and_the_rest_is_still_checked(run, tmp_path, capsys):
    flip_bit(run / "model" / "model.safetensors", root=tmp_path, rng=random.Random(0))
    assert main(["verify", str(run)]) == 1
    said = capsys.readouterr().out
    assert "    model/model.safetensors: changed since it was written\n" in said
    assert "probes    not checked    the model's files are damaged" in said
    assert "settings  passed" in said
    shutil.rmtree(run / "model")
    assert faults(rs.verify(run, part="files")) == [("files", "model/reward.json", "no such file")]


def test_data_that_changed_since_is_named_and_data_that_is_gone_is_not_held_against_the_run(made, run, tmp_path):
    data = tmp_path / "data.jsonl"
    shutil.copyfile(made / "data.jsonl", data)
    path = run / "data" / "data.json"
    (recorded,) = json.loads(path.read_text())["files"]
    assert recorded["file"] == str(made / "data.jsonl")
    change(path, files=[{**recorded, "file": str(data)}])
    assert state(rs.verify(run, part="data")) == {"data": True}
    data.write_text(data.read_text().replace("It is 2.", "It is 3.", 1))
    assert faults(rs.verify(run, part="data")) == [("data", str(data), "changed since it was read")]
    data.unlink()
    gone = rs.verify(run, part="data")
    assert (gone.holds, state(gone), gone.parts[0].said) == (True, {"data": None}, "missing: 1")


def test_settings_that_contradict_each_other_are_named(run):
    change(run / "settings.json", epochs=7, data_test="0" * 16)
    names = sorted(path.name for path in (run / "checkpoints").glob("step-*"))
    other = "written with settings that differ from settings.json (data_test, epochs)"
    assert faults(rs.verify(run, part="settings")) == [
        ("settings", "config.yaml", "epochs is 1, but 7 in settings.json"),
        *(("settings", f"checkpoints/{name}/state.json", other) for name in names),
        ("settings", "data/data.json", "the test records differ from settings.json"),
    ]  # fmt: skip
    (run / "settings.json").write_text("[" * 50_000)
    assert faults(rs.verify(run, part="settings")) == [("settings", "settings.json", "cannot be read")]


def test_a_config_that_cannot_be_read_or_was_changed_is_named(run):
    path = run / "config.yaml"
    text = path.read_text()
    path.write_text(text.replace("name: bradley-terry", "name: hinge").replace("threads: 1", "threads: 2"))
    assert [fault[2] for fault in faults(rs.verify(run, part="settings"))] == [
        "loss is 'hinge', but 'bradley-terry' in settings.json",
        "threads is 2, but 1 in settings.json",
    ]
    path.write_text(text.replace("center: null", "center: 0.1"))
    assert [fault[2] for fault in faults(rs.verify(run, part="settings"))] == [
        "loss_options is {'center': 0.1}, but None in settings.json"
    ]
    path.write_text(text + "learning_rat: 1\n")
    ((_, name, what),) = faults(rs.verify(run, part="settings"))
    assert name == "config.yaml"
    assert "unknown key 'learning_rat'" in what


def test_other_versions_are_named(run):
    now = json.loads((run / "settings.json").read_text())
    change(run / "settings.json", torch="1.0", transformers="4.0")
    seal_run(run)
    result = rs.verify(run, part=("files", "versions"))
    assert state(result) == {"files": True, "versions": False}
    assert faults(result) == [
        ("versions", "torch", f"1.0 when the run began, {now['torch']} now"),
        ("versions", "transformers", f"4.0 when the run began, {now['transformers']} now"),
    ]


def test_what_the_files_do_not_show_the_probes_do(run):
    model = run / "model"
    tensors = load_file(model / "model.safetensors")
    tensors["score.weight"] = tensors["score.weight"] * 1.5
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    seal_model(model)
    result = rs.verify(run, part=("files", "probes"))
    assert state(result) == {"files": True, "probes": False}
    ((part, name, what),) = faults(result)
    assert (part, name) == ("probes", "model/reward.json")
    assert "the weights or a library changed" in what


def test_a_tokenizer_that_no_probe_shows_to_be_another_is_noticed(run):
    path = run / "model" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["~"], vocabulary["^"] = vocabulary["^"], vocabulary["~"]  # in no probe
    path.write_text(json.dumps(tokenizer))
    seal_model(run / "model")
    assert faults(rs.verify(run / "model")) == [
        ("probes", "tokenizer.json", "the tokenizer differs from that of the scoring contract in reward.json")
    ]


def test_a_run_on_its_way_and_models_of_before_hold_as_far_as_they_go(run):
    (run / "model" / "manifest.json").unlink()
    assert state(rs.verify(run / "model")) == {"files": None, "probes": True}
    for name in ("train.json", "manifest.json"):
        (run / name).unlink()
    shutil.rmtree(run / "model")
    result = rs.verify(run)
    assert (result.holds, state(result)["files"], state(result)["probes"]) == (True, True, None)


@pytest.mark.parametrize("name", ["evaluation.json", "comparisons.jsonl", "metrics.jsonl", "train.json", "config.yaml"])
def test_diagnose_and_compare_refuse_figures_that_were_damaged_since(made, run, name, tmp_path):
    flip_bit(run / name, root=tmp_path, rng=random.Random(1))
    with pytest.raises(DataError, match=rf"run is damaged: {name}: changed since it was written"):
        rs.diagnose(run, overwrite=True)
    if name in ("comparisons.jsonl", "evaluation.json"):
        with pytest.raises(DataError, match=rf"run is damaged: {name}: changed since"):
            rs.compare(made / "run", run)
    else:
        assert rs.compare(made / "run", run).to_json()["flipped"] == 0


def test_a_finished_run_whose_manifest_is_gone_is_noticed_and_still_read(run):
    (run / "manifest.json").unlink()
    assert faults(rs.verify(run, part="files")) == [("files", "manifest.json", "no such file")]
    assert rs.diagnose(run, overwrite=True).verdict
    change(run / "train.json", finished=False)  # as while it is resumed
    assert state(rs.verify(run, part="files")) == {"files": True}


def test_an_evaluation_has_a_manifest_and_what_is_written_beside_it_later_does_not_matter(made, run, tmp_path, capsys):
    place = tmp_path / "evaluated"
    rs.evaluate(run, made / "data.jsonl", output=place)
    rs.diagnose(place)
    assert state(rs.verify(place)) == {"files": True}
    rs.evaluate(run, made / "data.jsonl", output=place, overwrite=True)
    flip_bit(place / "evaluation.json", root=tmp_path, rng=random.Random(2))
    assert main(["verify", str(place)]) == 1
    assert "evaluation.json: changed since it was written" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"evaluated is damaged: evaluation.json"):
        rs.diagnose(place)


def test_a_run_that_is_resumed_after_its_end_is_sealed_anew(made, run):
    train.run(
        train.Config(
            model="tiny", dataset=(str(made / "data.jsonl"),), output=run, n_embd=16, n_layer=1, evals=2, threads=1,
            resume=True,
        )
    )  # fmt: skip
    assert state(rs.verify(run)) == dict.fromkeys(PARTS, True)


def test_other_folders_and_parts_are_refused_in_one_line(tmp_path, capsys):
    with pytest.raises(UsageError, match="is not a folder; pass a run folder of train"):
        rs.verify(tmp_path / "nothing")
    with pytest.raises(ModelError, match="is neither a rewardsmith run"):
        rs.verify(tmp_path)
    with pytest.raises(UsageError, match="part: got 'weights', expected one of files, data"):
        rs.verify(tmp_path, part="weights")
    assert main(["verify", str(tmp_path), "--json"]) == 1
    assert "is neither a rewardsmith run" in json.loads(capsys.readouterr().out)["error"]["message"]
