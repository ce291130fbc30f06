"""Two networks that filter each other's comparisons: what is kept, when, and that a killed run ends with the same bits."""

import hashlib
import math

import numpy as np
import orjson
import pytest
from test_loop import examples, records, settings, weights

from builders import ranking, tiny
from rewardsmith.errors import TrainingError
from rewardsmith.train.fitting.collaborative import CollaborativeFit, Filtering, easiest, only
from rewardsmith.train.loop import Fit


def pair_of_fits(folder, *, rate=0.4, ramp=0.5, curriculum=True, n=20, held=6, **changes):
    model, other = tiny(seed=1), tiny(seed=2)
    train, validation = examples(model, records(n)), examples(model, records(held, start=100))
    given = {"train": train, "validation": validation, "fingerprint": {"a": 1}}
    (folder / "peer").mkdir(parents=True, exist_ok=True)
    peer = Fit(other.network, settings(**changes), folder=folder / "peer", **given)
    filtering = Filtering(rate, ramp, curriculum)
    return CollaborativeFit(model.network, settings(**changes), peer=peer, filtering=filtering, folder=folder, **given)


def plain_fit(folder, **changes):
    model = tiny(seed=1)
    folder.mkdir(exist_ok=True)
    train, validation = examples(model, records(20)), examples(model, records(6, start=100))
    return Fit(
        model.network, settings(**changes), train=train, validation=validation, folder=folder, fingerprint={"a": 1}
    )


def test_the_easiest_by_hand():
    losses = np.array([0.3, 0.1, 0.9, 0.1, 2.0])
    assert easiest(losses, 0.6).tolist() == [True, True, False, True, False]
    assert easiest(losses, 0.2).tolist() == [False, True, False, False, False]  # of equals the first
    assert easiest(losses, 0.0).sum() == 1
    assert easiest(losses, 1.0).all()


def test_what_is_kept_of_the_examples_keeps_its_weight_and_order():
    model = tiny()
    three, one = examples(model, [ranking("r", "x", "yy", "zzz"), ranking("s", "a", "bb")])
    kept = only([three, one], np.array([True, False, True, False]))
    assert len(kept) == 1
    assert kept[0].preferred.tolist() == three.preferred[[0, 2]].tolist()
    assert kept[0].weight.sum() == pytest.approx(2 / 3)
    assert only([three, one], np.ones(4, dtype=bool))[0] is three


def test_how_much_is_kept_falls_over_the_ramp_and_stays():
    filtering = Filtering(0.4, 0.25, False)
    kept = [filtering.kept(step, 80) for step in (0, 10, 20, 79)]
    assert kept == pytest.approx([1.0, 0.8, 0.6, 0.6])


def test_with_nothing_filtered_it_is_the_plain_run(tmp_path):
    both = pair_of_fits(tmp_path / "both", rate=0.0, curriculum=False)
    alone = plain_fit(tmp_path / "alone")
    both.run()
    alone.run()
    assert both.state.best_loss == alone.state.best_loss
    loaded = (tmp_path / name / "checkpoints" / f"step-{alone.state.step:08d}" for name in ("both", "alone"))
    one, two = (hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest() for folder in loaded)
    assert one == two


def test_the_better_of_the_two_is_left_in_the_network_and_both_are_told(tmp_path):
    trainer = pair_of_fits(tmp_path)
    result = trainer.run()
    better = "peer" if trainer.peer.state.best_loss < trainer.state.best_loss else "first"
    assert result.peer["chosen"] == better
    assert 0.6 <= result.peer["kept"] < 1
    best = (tmp_path / "peer" if better == "peer" else tmp_path) / "checkpoints" / "best" / "weights.safetensors"
    from safetensors.torch import load_file

    for name, tensor in load_file(best).items():
        assert np.array_equal(tensor.numpy(), dict(trainer.network.hf.named_parameters())[name].detach().numpy())


def test_each_trains_on_what_the_other_fits(tmp_path, monkeypatch):
    trainer = pair_of_fits(tmp_path, rate=0.5, ramp=0.01, curriculum=False, max_steps=2)
    seen = {}
    taken = Fit._one_step

    def note(self, epoch, chosen, task):
        if self.state.step == 1:
            margins = {n: trainer._margins(n, step) for n in (trainer.network, trainer.peer.network)}
            seen[self] = ([example.id for example in chosen], margins)
        taken(self, epoch, chosen, task)

    own = CollaborativeFit._one_step
    step = []

    def whole(self, epoch, chosen, task):
        step[:] = chosen
        own(self, epoch, chosen, task)

    monkeypatch.setattr(Fit, "_one_step", note)
    monkeypatch.setattr(CollaborativeFit, "_one_step", whole)
    trainer.run()
    names = [example.id for example in step]
    for fit, judge in ((trainer.peer, trainer.network), (trainer, trainer.peer.network)):
        chosen, _ = seen[fit]
        margins = seen[trainer.peer][1][judge]  # before either has taken the step
        assert chosen == [names[k] for k in sorted(np.argsort(-margins, kind="stable")[:2])]


@pytest.mark.parametrize("stop_at", [1, 4, 7])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, stop_at, monkeypatch):
    whole = pair_of_fits(tmp_path / "whole")
    result = whole.run()
    killed = pair_of_fits(tmp_path / "killed")
    stepped = CollaborativeFit._one_step

    def until(self, epoch, chosen, task):
        if self.state.step == stop_at:
            raise KeyboardInterrupt
        stepped(self, epoch, chosen, task)

    with monkeypatch.context() as patch:
        patch.setattr(CollaborativeFit, "_one_step", until)
        with pytest.raises(KeyboardInterrupt):
            killed.run()
    resumed = pair_of_fits(tmp_path / "killed")
    again = resumed.run(resuming=True)
    assert again.peer == result.peer
    assert weights(resumed) == weights(whole)
    lines = [(tmp_path / name / "peer" / "metrics.jsonl").read_bytes().splitlines() for name in ("whole", "killed")]
    assert [without_time(line) for line in lines[0]] == [without_time(line) for line in lines[1]]


def without_time(line):
    return {name: value for name, value in orjson.loads(line).items() if name != "pairs_per_second"}


def test_a_peer_without_the_checkpoint_of_the_step_is_refused(tmp_path):
    pair_of_fits(tmp_path).run()
    newest = sorted((tmp_path / "peer" / "checkpoints").glob("step-*"))[-1]
    (newest / "weights.safetensors").write_bytes(b"")
    with pytest.raises(TrainingError, match="damaged"):
        pair_of_fits(tmp_path).run(resuming=True)


def test_training_stops_when_neither_gets_better(tmp_path):
    trainer = pair_of_fits(tmp_path, patience=1, epochs=30, lr=0.05)
    trainer.run()
    assert trainer.state.stopped_early
    assert min(trainer.state.without_gain, trainer.peer.state.without_gain) >= 1
    assert math.isfinite(trainer.state.best_loss)
