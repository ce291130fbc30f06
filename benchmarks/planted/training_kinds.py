"""Faults of the training itself: settings that cannot work, runs that ended early, curves that tell of trouble."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

from planted.edits import as_pairs, flipped, some
from planted.project import Project, edit_weights
from rewardsmith.errors import RewardsmithError

STEPS_BEFORE_DEATH = 12
COMMAND = (
    "-m rewardsmith train --model backbone --dataset data.jsonl --test test.jsonl -o run --epochs 3 --batch 8 --lr 1e-3 "
    "--threads 1"
)


def rate_too_high(project: Project, rate: float) -> None:
    """A learning rate at which the weights are thrown about."""
    project.give(*project.draw())
    project.train(lr=rate, epochs=2)


def rate_too_low(project: Project, rate: float) -> None:
    """A learning rate at which nothing moves."""
    project.healthy(lr=rate)


def too_few_steps(project: Project, steps: int) -> None:
    """Stopped after a few updates."""
    project.healthy(max_steps=steps)


def overfit(project: Project, epochs: int) -> None:
    """A hundred pairs, read dozens of times."""
    data, test = project.draw(110, 150)
    project.give(as_pairs(data, project.seed), test)
    project.train(epochs=epochs, evals=1)


def weight_decay_too_high(project: Project, decay: float) -> None:
    """Decay that pulls every weight to zero."""
    project.healthy(weight_decay=decay, lr=2e-2, epochs=2)


def dropout_too_high(project: Project, dropout: float) -> None:
    """The head sees next to nothing of the features."""
    project.healthy(dropout=dropout)


def untrained_backbone(project: Project, layers: int) -> None:
    """Only a head is trained, on a model that was never trained."""
    project.healthy(model="tiny", n_layer=layers, freeze_layers=-1)


def head_exploded(project: Project, factor: float) -> None:
    """Training begins from a model with a head a thousand times too large."""
    project.healthy(max_steps=20)
    (project.folder / "run").rename(project.folder / "first")
    start = project.folder / "first" / "model"
    for name in ("reward.json", "manifest.json"):
        (start / name).unlink()
    edit_weights(start, lambda tensors: tensors["score.weight"].mul_(factor))
    project.train(model="first/model")


def run_died(project: Project, sign: str) -> None:
    """The process was killed in the middle of the run."""
    project.give(*project.draw(600))
    with (project.folder.parent / f"{project.folder.name}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *COMMAND.split()], cwd=project.folder, stdout=log, stderr=log)
        metrics = project.folder / "run" / "metrics.jsonl"
        for _ in range(1200):
            if metrics.is_file() and metrics.read_bytes().count(b"\n") >= STEPS_BEFORE_DEATH:
                break
            time.sleep(0.1)
        os.kill(process.pid, getattr(signal, sign))
        process.wait()
    (project.folder.parent / f"{project.folder.name}.log").unlink()


def not_finite(project: Project, rate: float) -> None:
    """The rate is so high that the loss is no number any more, and the run stops."""
    project.give(*project.draw())
    with contextlib.suppress(RewardsmithError):
        project.train(lr=rate, clip=0)


def recovered_from_nan(project: Project, steps: int) -> None:
    """The log of a trainer that skips such steps: no number for a while, then numbers again."""
    project.healthy(epochs=2)
    path = project.folder / "run" / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    at = [index for index, row in enumerate(rows) if "loss" in row][10 : 10 + steps]
    for index in at:
        rows[index] |= {"loss": float("nan"), "grad_norm": float("nan")}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (project.folder / "run" / "manifest.json").unlink()


def data_replaced(project: Project, share: float) -> None:
    """After the run other data were put in the place of the file that it names."""
    data, test = project.draw()
    project.give(some(data, share, flipped, project.seed), test)
    project.train()
    project.write(data, "data.jsonl")


def resumed_with_other_data(project: Project, prompts: int) -> None:
    """A run that died is resumed with other data under the same name."""
    run_died(project, "SIGKILL")
    data, test = project.draw(600)
    project.give(data[:prompts], test)
    ended = subprocess.run([sys.executable, *COMMAND.split(), "--resume"], cwd=project.folder, capture_output=True)
    project.facts["refused"] = ended.returncode != 0
    project.facts["said"] = ended.stderr.decode()[-400:]
