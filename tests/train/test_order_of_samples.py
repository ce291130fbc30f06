"""Which records form which step: one order for any number of processes, each record once an epoch, also after a resume.

Also what a clock that goes backwards changes: nothing.
"""

import ast
import os
from pathlib import Path

import numpy as np
import orjson
import pytest

from builders import pair, tiny
from rewardsmith.model.runtime.processes import Team
from rewardsmith.train.examples import Example, encode_examples
from rewardsmith.train.loop import Fit, FitSettings
from rewardsmith.train.step import passes_of

SOURCES = Path(__file__).parents[2] / "src" / "rewardsmith"
SIZES = (1, 2, 4, 8)
RECORDS, BATCH, EPOCHS = 53, 7, 3  # the last step of an epoch has 4 records: fewer than 8 processes, no multiple of 2


def records(n):
    return [
        pair(f"Which is larger, {k} or {k + 3}?", f"It is {k + 3}." + " Yes." * (k % 5), f"It is {k}.").at("made", k)
        for k in range(n)
    ]


@pytest.fixture(scope="module")
def model():
    return tiny(n_layer=1)


@pytest.fixture(scope="module")
def examples(model):
    return encode_examples(records(RECORDS), model.encoder, share=True).examples


def fit(model, examples, folder, **changes):
    values = {
        "epochs": EPOCHS, "batch": BATCH, "lr": 1e-3, "weight_decay": 0.0, "warmup": 0.1, "clip": 1.0, "dropout": 0.1,
        "loss": "bradley-terry", "seed": 3, "tokens_per_microbatch": 300, "eval_every": 4, "patience": 0, "keep": 2,
    }  # fmt: skip
    settings = FitSettings(**{**values, **changes})
    folder.mkdir(exist_ok=True)
    return Fit(model.network, settings, train=examples, validation=[], folder=folder, fingerprint={})


def steps_from(model, examples, folder, *, done=0):
    """The steps that a run which has done so many goes through, as indices of examples."""
    trainer = fit(model, examples, folder)
    trainer.state.step = done
    found = []
    for _, indices in trainer._remaining():
        found.append(indices)
        trainer.state.step += 1
    return found


def worked_on(network, step: list[Example], size: int) -> list[Example]:
    """What the processes of a team compute of one step, all together, without the passes that count nothing."""
    return [
        example
        for rank in range(size)
        for chosen in passes_of(network, step, 300, Team(rank, size))[0]
        for example in chosen
    ]


def test_one_two_four_and_eight_processes_go_through_one_order_of_all_records(model, examples, tmp_path):
    steps = steps_from(model, examples, tmp_path)
    per_epoch = -(-RECORDS // BATCH)
    assert len(steps) == EPOCHS * per_epoch
    for epoch in range(EPOCHS):
        seen = [index for step in steps[epoch * per_epoch : (epoch + 1) * per_epoch] for index in step]
        assert sorted(seen) == list(range(RECORDS))
    assert steps[:per_epoch] != steps[per_epoch : 2 * per_epoch]
    for size in SIZES:
        for indices in steps:
            step = [examples[index] for index in indices]
            done = worked_on(model.network, step, size)
            assert sorted(map(id, done)) == sorted(map(id, step)), size


@pytest.mark.parametrize("stop", [1, 7, 8, 9, 15, 23])
@pytest.mark.parametrize("size", SIZES)
def test_after_a_resume_with_any_number_of_processes_each_record_is_used_exactly_once(
    stop, size, model, examples, tmp_path
):
    whole = steps_from(model, examples, tmp_path)
    rest = steps_from(model, examples, tmp_path, done=stop)
    assert whole[:stop] + rest == whole
    counts = np.zeros(RECORDS, dtype=int)
    number = {id(example): index for index, example in enumerate(examples)}
    for part, team in ((whole[:stop], 2), (rest, size)):
        for indices in part:
            for example in worked_on(model.network, [examples[index] for index in indices], team):
                counts[number[id(example)]] += 1
    assert counts.tolist() == [EPOCHS] * RECORDS


def test_a_loader_that_forgot_where_it_was_would_be_noticed(model, examples, tmp_path):
    """The negative control: a resume that begins the epoch anew uses some records twice."""
    whole = steps_from(model, examples, tmp_path)
    assert whole[:9] + steps_from(model, examples, tmp_path, done=8) != whole


def test_a_clock_that_goes_backwards_changes_nothing(examples, tmp_path, monkeypatch):
    def trained(name, **changes):
        trainer = fit(tiny(n_layer=1), examples, tmp_path / name, epochs=1, **changes)
        return trainer, trainer.run(resuming=(tmp_path / name / "checkpoints").is_dir())

    trained("plain")
    for path in (tmp_path / "plain" / "checkpoints").glob("step-*"):
        if path.name != "step-00000004":
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
    years = iter(range(10**9, 0, -(10**7)))
    monkeypatch.setattr("time.time", lambda: float(next(years)))
    for age, path in enumerate(sorted((tmp_path / "plain").rglob("*"))):
        os.utime(path, (10**9 - age, 10**9 - age))
    trainer, result = trained("plain")
    assert result.resumed_from == 4
    trained("whole")
    rows = {
        name: [orjson.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_bytes().splitlines()]
        for name in ("plain", "whole")
    }
    assert all(row["pairs_per_second"] > 0 for row in rows["plain"] if "loss" in row)
    losses = {name: [row["loss"] for row in found if "loss" in row] for name, found in rows.items()}
    assert losses["plain"] == losses["whole"]
    assert trainer.state.seconds > 0


def test_durations_are_never_measured_with_the_clock_on_the_wall():
    """`time.time` may jump; it stands only where a tracker wants a date."""
    for path in SOURCES.rglob("*.py"):
        if path.parent.name == "track":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time":
                assert node.attr not in {"time", "time_ns"}, f"{path}:{node.lineno}"
