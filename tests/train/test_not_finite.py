"""A loss or gradient that is not finite ends the run with step and rows; the last valid checkpoint is named, and stays."""

import hashlib
import math

import orjson
import pytest
import torch

from builders import pair, tiny
from rewardsmith.errors import TrainingError
from rewardsmith.train.examples import encode_examples, steps_of_epoch
from rewardsmith.train.loop import Fit, FitSettings
from rewardsmith.train.resume import is_whole

BATCH = 4
SETTINGS = FitSettings(
    epochs=1, batch=BATCH, lr=1e-3, weight_decay=0.0, warmup=0.1, clip=1.0, dropout=0.0, loss="bradley-terry", seed=0,
    tokens_per_microbatch=120, eval_every=2, patience=0, keep=2,
)  # fmt: skip
GOOD_STEPS = 2


@pytest.fixture(scope="module")
def rows():
    return [pair(f"Is {k} even?", f"It is {k % 2 == 0}.", f"Maybe {k} is.").at("made", k) for k in range(16)]


def fit(folder, rows):
    model = tiny(seed=1, max_length=64)
    train = encode_examples(rows, model.encoder, share=model.network.packed).examples
    return Fit(model.network, SETTINGS, train=train, validation=train[:2], folder=folder, fingerprint={})


def bytes_of(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def run_into(trainer, poison):
    """Train GOOD_STEPS steps, poison what follows, and give the message of the end; the checkpoint is still as it was."""
    one_step = trainer._one_step
    before = {}

    def poisoned(epoch, chosen, task):
        if trainer.state.step == GOOD_STEPS:
            before.update(bytes_of(trainer.checkpoints))
            poison(chosen)
        one_step(epoch, chosen, task)

    trainer._one_step = poisoned
    with pytest.raises(TrainingError) as caught:
        trainer.run()
    kept = trainer.checkpoints / f"step-{GOOD_STEPS:08d}"
    assert is_whole(kept)
    assert bytes_of(trainer.checkpoints) == before
    assert f"step {GOOD_STEPS + 1}: " in str(caught.value)
    assert f"the last valid checkpoint is {kept}" in str(caught.value)
    *good, stop = trainer.metrics.read_bytes().splitlines()
    assert len(good) == GOOD_STEPS + 1  # steps, and one validation
    told = orjson.loads(stop)
    assert (told["step"], told["loss"], told["grad_norm"]) == (GOOD_STEPS + 1, None, None)
    return str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("place", range(BATCH))
def test_the_row_without_a_finite_loss_is_named_wherever_it_stands_in_the_batch(tmp_path, rows, place, value):
    trainer, named = fit(tmp_path, rows), []

    def poison(chosen):
        chosen[place].preference[:] = value
        named.append(chosen[place].place)

    told = run_into(trainer, poison)
    assert f"the loss is not finite on 1 comparisons, first at {named[0]};" in told


def test_all_rows_of_the_batch_are_named_where_the_gradient_is_not_finite(tmp_path, rows):
    trainer = fit(tmp_path, rows)
    steps = steps_of_epoch(trainer.train, epoch=0, seed=0, batch=BATCH)
    batch = [trainer.train[index].place for index in steps[GOOD_STEPS]]

    def poison(chosen):
        weight = trainer.network.head.weight
        weight.register_hook(lambda gradient: torch.full_like(gradient, math.inf))

    told = run_into(trainer, poison)
    assert f"the gradient is not finite, rows {', '.join(sorted(batch))};" in told
