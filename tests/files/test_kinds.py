"""What commands really write is what `--overwrite` knows as theirs: nothing of it may stand in its own way."""

import json

import pytest

from rewardsmith.commands import demo, diagnose, evaluate, import_, prepare, train
from rewardsmith.files import check_output
from rewardsmith.files.kinds import DEMO, EVALUATION, MODEL, PREPARED, RUN
from rewardsmith.pipelines.train.members import MembersSettings

SMALL = {"model": "tiny", "n_embd": 16, "n_layer": 1, "threads": 1, "epochs": 1, "evals": 1, "max_length": 256}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Data with every fault, through everything that `prepare` can write down."""
    folder = tmp_path_factory.mktemp("data")
    demo.run(demo.Config(output=folder / "made", data_only=True, prompts=150))
    source = folder / "made" / "data.jsonl"
    text = " ".join(f"word{number}" for number in range(80))
    near = [
        {"prompt": f"{text} {end}", "chosen": f"{text} yes {end}", "rejected": f"{text} no"} for end in ("one", "two")
    ]
    (folder / "near.jsonl").write_text("".join(json.dumps(row) + "\n" for row in near))
    benchmark = folder / "benchmark.jsonl"
    benchmark.write_bytes(b"".join(source.read_bytes().splitlines(keepends=True)[:20]))
    config = prepare.Config(
        sources=(str(source), str(folder / "near.jsonl")),
        output=folder / "out",
        repair=True,
        decontaminate=(str(benchmark),),
        label_noise="drop",
    )
    prepare.run(config)
    return folder / "out"


def test_prepare_knows_all_that_it_writes(prepared):
    names = {path.name for path in prepared.iterdir()}
    assert {"contamination.jsonl", "label_noise.jsonl", "near_duplicates.jsonl", "quality.html"} <= names
    check_output(prepared, PREPARED, overwrite=True)


@pytest.mark.parametrize("settings", [
    {"lora": train.Lora(r=2), "track": ("tensorboard",), "keep": 2},
    {"members": MembersSettings(name=3), "freeze_layers": -1, "head_start": "probe"},
], ids=["adapter and tracker", "several heads"])  # fmt: skip
def test_train_evaluate_and_diagnose_know_all_that_they_write(settings, prepared, tmp_path):
    run = tmp_path / "run"
    train.run(train.Config(dataset=(str(prepared),), output=run, **SMALL, **settings))
    evaluate.run(
        evaluate.Config(model=str(run), sources=(str(prepared),), split="test", output=tmp_path / "evaluation")
    )
    diagnose.run(diagnose.Config(run=tmp_path / "evaluation"))
    check_output(run, RUN, overwrite=True)
    check_output(run / "model", MODEL, overwrite=True)
    check_output(tmp_path / "evaluation", EVALUATION, overwrite=True)
    assert (run / "model" / "README.md").is_file()


def test_import_knows_all_that_it_writes(prepared, tmp_path):
    run = tmp_path / "run"
    train.run(train.Config(dataset=(str(prepared),), output=run, report=False, **SMALL))
    (run / "model" / "reward.json").unlink()
    (run / "model" / "manifest.json").unlink(missing_ok=True)
    import_.run(import_.Config(model=str(run / "model"), output=tmp_path / "imported"))
    check_output(tmp_path / "imported", MODEL, overwrite=True)


def test_demo_knows_all_that_it_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "EPOCHS", 1)
    for name, value in {"N_LAYER": 1, "N_HEAD": 2, "N_EMBD": 16}.items():
        monkeypatch.setattr(demo, name, value)
    demo.run(demo.Config(output=tmp_path / "demo", prompts=300))
    check_output(tmp_path / "demo", DEMO, overwrite=True)
    assert json.loads((tmp_path / "demo" / "demo.json").read_text())["prompts"] == 300


def test_saving_a_model_replaces_nothing_unasked(tmp_path):
    from builders import tiny
    from rewardsmith.errors import OutputError

    model = tiny()
    model.save(tmp_path / "model")
    with pytest.raises(OutputError, match="is not empty"):
        model.save(tmp_path / "model")
    model.save(tmp_path / "model", overwrite=True)
    (tmp_path / "model" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        model.save(tmp_path / "model", overwrite=True)
