import hashlib
import math
import os
import signal

import numpy as np
import orjson
import pytest
import torch

from builders import pair, ranking, tiny
from rewardsmith.errors import TrainingError
from rewardsmith.train import resume
from rewardsmith.train.examples import encode_examples, steps_of_epoch, take_share
from rewardsmith.train.loop import Fit, FitSettings
from rewardsmith.train.losses import LOSSES
from rewardsmith.train.masks import Dropout
from rewardsmith.train.optimizer import freeze
from rewardsmith.train.resume import is_whole
from rewardsmith.train.step import accumulate

NO_DROPOUT = Dropout(0.0, 0, 0)
LOSS = LOSSES["bradley-terry"]


def settings(**changes):
    values = {
        "epochs": 2, "batch": 4, "lr": 1e-3, "weight_decay": 0.01, "warmup": 0.1, "clip": 1.0, "dropout": 0.1,
        "loss": "bradley-terry", "seed": 0, "tokens_per_microbatch": 400, "eval_every": 3, "patience": 0, "keep": 2,
    }  # fmt: skip
    return FitSettings(**{**values, **changes})


def records(n, *, start=0):
    return [
        pair(f"Which is larger, {k} or {k + 3}?", f"It is {k + 3}.", f"It is {k}, I think.").at("made", k)
        for k in range(start, start + n)
    ]


def examples(model, rows):
    return encode_examples(rows, model.encoder, share=model.network.packed).examples


def fit(folder, *, model=None, n=20, held=6, **changes):
    model = model or tiny(seed=1)
    train, validation = examples(model, records(n)), examples(model, records(held, start=100))
    folder.mkdir(exist_ok=True)
    return Fit(
        model.network, settings(**changes), train=train, validation=validation, folder=folder, fingerprint={"a": 1}
    )


def weights(trainer):
    digest = hashlib.sha256()
    for name, parameter in sorted(trainer.network.hf.named_parameters()):
        digest.update(name.encode() + parameter.detach().numpy().tobytes())
    return digest.hexdigest()


def gradient(model, rows, budget):
    model.network.zero_grad()
    accumulate(model.network, examples(model, rows), LOSS, dropout=NO_DROPOUT, budget=budget)
    return torch.cat([p.grad.flatten() for p in model.network.hf.parameters()])


def test_how_a_step_is_cut_never_changes_its_gradient():
    model = tiny()
    rows = [*records(5), ranking("List", "good answer", "middling", "bad"), pair("tie?", "a", "b", preference=0.5)]
    whole = gradient(model, rows, 10**6)
    for budget in (1, 200, 500):
        assert (gradient(model, rows, budget) - whole).norm() <= 1e-5 * whole.norm()


def test_the_loss_of_a_step_is_the_weighted_mean_over_its_comparisons():
    model = tiny()
    rows = [
        pair("q", "aa", "b", weight=3.0),
        ranking("r", "x", "yy", "zzz"),
        pair("s", "c", "dd", preference=0.75),
    ]
    figures = accumulate(model.network, examples(model, rows), LOSS, dropout=NO_DROPOUT, budget=10**6)
    total = top = 0.0
    for row, rewards in zip(rows, model.score_records(rows), strict=True):
        for c in row.comparisons:
            margin = rewards[c.i] - rewards[c.j]
            value = -c.preference * math.log(1 / (1 + math.exp(-margin)))
            value -= (1 - c.preference) * math.log(1 / (1 + math.exp(margin)))
            top += value * c.weight / len(row.comparisons)
            total += c.weight / len(row.comparisons)
    assert figures.loss == pytest.approx(top / total, abs=1e-5)
    assert figures.comparisons == 5


def test_dropout_masks_hang_on_the_record_and_not_on_the_order():
    model = tiny()
    a, b = examples(model, records(2))
    dropout = Dropout(0.5, 7, 1)
    one = dropout.masks([a, b], 64, torch.device("cpu"))
    other = dropout.masks([b, a], 64, torch.device("cpu"))
    assert torch.equal(one[:2], other[2:])
    assert not torch.equal(one, Dropout(0.5, 7, 2).masks([a, b], 64, torch.device("cpu")))
    assert set(one.unique().tolist()) == {0.0, 2.0}


def test_training_learns_and_is_the_same_twice(tmp_path):
    first, second = fit(tmp_path / "a", epochs=15), fit(tmp_path / "b", epochs=15)
    result = first.run()
    second.run()
    assert weights(first) == weights(second)
    rows = [orjson.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_bytes().splitlines()]
    steps = [row for row in rows if "loss" in row]
    assert len(steps) == result.total_steps == 75
    assert np.mean([row["loss"] for row in steps[-5:]]) < 0.3 < steps[0]["loss"]
    assert result.state.best_loss == min(row["eval_loss"] for row in rows if "eval_loss" in row)


@pytest.mark.parametrize("stop_at", [1, 3, 4, 5, 7, 9])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, stop_at):
    whole = fit(tmp_path / "whole")
    whole.run()
    broken = fit(tmp_path / "broken")
    one_step = broken._one_step

    def stopping(epoch, chosen, task):
        if broken.state.step == stop_at:
            raise RuntimeError("power cut")
        one_step(epoch, chosen, task)

    broken._one_step = stopping
    with pytest.raises(RuntimeError, match="power cut"):
        broken.run()
    resumed = fit(tmp_path / "broken")
    result = resumed.run(resuming=True)
    assert result.resumed_from == (stop_at // 3 * 3 or None)
    assert weights(resumed) == weights(whole)
    last = [(tmp_path / name / "checkpoints" / "step-00000010" / "manifest.json") for name in ("broken", "whole")]
    sums = [orjson.loads(path.read_bytes()) for path in last]
    assert all(sums[0][name] == sums[1][name] for name in ("weights.safetensors", "optimizer.safetensors"))

    def log(name):
        rows = [orjson.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_bytes().splitlines()]
        return [{key: value for key, value in row.items() if key != "pairs_per_second"} for row in rows]

    assert log("broken") == log("whole")


def test_a_resume_that_forgot_the_optimizer_would_be_noticed(tmp_path):
    """The negative control of the test above: without the moments the weights differ."""
    whole = fit(tmp_path / "whole", held=0)
    whole.run()
    resumed = fit(tmp_path / "whole", held=0)
    newest = sorted((tmp_path / "whole" / "checkpoints").glob("step-*"))[-1]
    for path in newest.iterdir():
        path.unlink()
    newest.rmdir()
    restore = resumed._restore

    def forgetful():
        step = restore()
        resumed.optimizer.state.clear()
        return step

    resumed._restore = forgetful
    resumed.run(resuming=True)
    assert weights(resumed) != weights(whole)


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    trainer = fit(tmp_path)
    trainer.run()
    newest = sorted((tmp_path / "checkpoints").glob("step-*"))[-1]
    data = bytearray((newest / "weights.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (newest / "weights.safetensors").write_bytes(data)
    assert not is_whole(newest)
    again = fit(tmp_path)
    result = again.run(resuming=True)
    assert result.resumed_from == 9
    assert weights(again) == weights(trainer)


def test_resuming_with_other_data_or_settings_is_refused(tmp_path):
    fit(tmp_path).run()
    changed = fit(tmp_path)
    changed.fingerprint = {"a": 2}
    with pytest.raises(TrainingError, match=r"cannot be resumed.*a: 1 → 2"):
        changed.run(resuming=True)


def test_only_the_newest_checkpoints_stay(tmp_path):
    fit(tmp_path, keep=1).run()
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["best", "step-00000010"]


def test_early_stopping_leaves_the_best_weights(tmp_path):
    model = tiny(seed=1)
    train = examples(model, records(20))
    flipped = [pair(r.prompt[0].content, r.responses[1].text, r.responses[0].text) for r in records(20)]
    trainer = Fit(
        model.network, settings(epochs=50, patience=2, eval_every=2, lr=3e-3), train=train,
        validation=examples(model, flipped), folder=tmp_path, fingerprint={},
    )  # fmt: skip
    result = trainer.run()
    assert result.state.stopped_early
    assert result.state.step == result.state.best_step + 4
    rows = [orjson.loads(line) for line in (tmp_path / "metrics.jsonl").read_bytes().splitlines()]
    from rewardsmith.train.held_out import validate

    best = min(row["eval_loss"] for row in rows if "eval_loss" in row)
    assert validate(model.network, trainer.validation, 400).figures["eval_loss"] == pytest.approx(best, abs=1e-6)


def test_a_loss_that_is_not_finite_names_the_rows(tmp_path):
    trainer = fit(tmp_path)
    with torch.no_grad():
        trainer.network.head.weight[0, 0] = float("inf")
    with pytest.raises(TrainingError, match=r"step 1: the loss is not finite on \d+ comparisons, first at made:"):
        trainer.run()


def test_an_exploding_loss_stops_the_run(tmp_path):
    trainer = fit(tmp_path, model=tiny(head_scale=1e4), lr=1e-9, n=60)
    with pytest.raises(TrainingError, match=r"the loss diverged: mean \d+.*checkpoint"):
        trainer.run()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_at_a_step_with_a_checkpoint(tmp_path, number):
    whole = fit(tmp_path / "whole")
    whole.run()
    trainer = fit(tmp_path / "stopped")
    one_step = trainer._one_step

    def interrupted(epoch, chosen, task):
        one_step(epoch, chosen, task)
        if trainer.state.step == 5:
            os.kill(os.getpid(), number)

    trainer._one_step = interrupted
    with pytest.raises(KeyboardInterrupt, match=f"after step 5 by {number.name}"):
        trainer.run()
    resumed = fit(tmp_path / "stopped")
    assert resumed.run(resuming=True).resumed_from == 5
    assert weights(resumed) == weights(whole)


def test_every_epoch_sees_every_record_once_in_another_order():
    model = tiny()
    rows = examples(model, records(10))
    epochs = [steps_of_epoch(rows, epoch=epoch, seed=0, batch=4) for epoch in (0, 1)]
    assert [len(step) for step in epochs[0]] == [4, 4, 2]
    assert sorted(index for step in epochs[0] for index in step) == list(range(10))
    assert epochs[0] != epochs[1]
    assert epochs[0] == steps_of_epoch(rows, epoch=0, seed=0, batch=4)


def test_equal_rows_do_not_always_meet_in_one_batch():
    rows = examples(tiny(), [*records(12), *records(12)])
    steps = steps_of_epoch(rows, epoch=0, seed=0, batch=2)
    assert sum(len({index % 12 for index in step}) < len(step) for step in steps) < 6


def test_a_share_does_not_depend_on_the_order_of_the_file():
    rows = examples(tiny(), records(20))
    half = {example.id for example in take_share(rows, 0.5, seed=0)}
    assert len(half) == 10
    assert half == {example.id for example in take_share(rows[::-1], 0.5, seed=0)}


def test_too_long_and_uncompared_records_are_refused_with_a_reason():
    from rewardsmith.records import Record

    model = tiny(max_length=128)
    lonely = Record(records(1)[0].prompt, records(1)[0].responses[:1], source="made", line=7)
    encoding = encode_examples([*records(2), pair("q", "a" * 400, "b"), lonely], model.encoder, share=True)
    assert [(row.code, row.line) for row in encoding.refused] == [("too_long", 1), ("no_comparison", 7)]
    assert "more than max_length 128" in encoding.refused[0].reason
    assert len(encoding.examples) == 2


def test_frozen_layers_do_not_move(tmp_path):
    model = tiny(seed=1)
    freeze(model.network, 1)
    before = {name: p.detach().clone() for name, p in model.network.hf.named_parameters()}
    fit(tmp_path, model=model).run()
    moved = {name for name, p in model.network.hf.named_parameters() if not torch.equal(p, before[name])}
    assert moved
    assert not any("layers.0." in name or "embed" in name for name in moved)
    assert {"score.weight", "model.norm.weight"} <= moved


def test_minus_one_trains_the_head_alone(tmp_path):
    model = tiny(seed=1)
    freeze(model.network, -1)
    assert [name for name, p in model.network.hf.named_parameters() if p.requires_grad] == ["score.weight"]


def test_a_full_disk_ends_in_one_line_and_the_last_checkpoint_stays(tmp_path, monkeypatch):
    from safetensors import SafetensorError

    from rewardsmith.errors import OutputError
    from rewardsmith.train import resume

    whole = fit(tmp_path / "whole")
    whole.run()
    trainer = fit(tmp_path / "full")
    save_file = resume.save_file

    def full(tensors, path):
        if "step-00000006" in str(path):
            save_file(dict(list(tensors.items())[:2]), path)
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save_file(tensors, path)

    monkeypatch.setattr(resume, "save_file", full)
    with pytest.raises(OutputError, match=r"cannot write .*step-00000006: .*No space left on device.* MB free"):
        trainer.run()
    assert [path.name for path in (tmp_path / "full" / "checkpoints").glob("*step*")] == ["step-00000003"]
    monkeypatch.undo()
    resumed = fit(tmp_path / "full")
    assert resumed.run(resuming=True).resumed_from == 3
    assert weights(resumed) == weights(whole)


def test_fp16_trains_with_a_scaled_loss_and_resumes(tmp_path):
    def half(folder):
        model = tiny(seed=1)
        model.network.autocast = torch.float16
        return fit(folder, model=model, epochs=4)

    whole = half(tmp_path / "whole")
    result = whole.run()
    assert whole.scaler.is_enabled()
    rows = [orjson.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_bytes().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0]
    assert result.state.step == 20
    newest = sorted((tmp_path / "whole" / "checkpoints").glob("step-*"))[-1]
    for path in newest.iterdir():
        path.unlink()
    newest.rmdir()
    resumed = half(tmp_path / "whole")
    assert resumed.run(resuming=True).resumed_from == 18
    assert weights(resumed) == weights(whole)


def test_a_watch_hears_of_every_validation_pass_and_may_end_the_training(tmp_path):
    heard = []
    trainer = fit(tmp_path / "whole")
    trainer.watch = heard.append
    trainer.run()
    rows = [orjson.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_bytes().splitlines()]
    assert [(one.step, one.figures["eval_loss"]) for one in heard] == [
        (row["step"], row["eval_loss"]) for row in rows if "eval_loss" in row
    ]
    assert all(len(one.margin) == len(one.prompt_ids) == len(trainer.validation) for one in heard)
    assert np.mean(heard[-1].margin > 0) == heard[-1].figures["eval_accuracy"]

    def ending(passed):
        raise LookupError(passed.step)

    stopped = fit(tmp_path / "stopped")
    stopped.watch = ending
    with pytest.raises(LookupError, match="3"):
        stopped.run()
    assert resume.folder_of_step(stopped.checkpoints, 3).is_dir()  # so it can be continued
