"""Resuming over damage: it is named, the end has the same bits or there is none, and nothing starts anew unasked."""

import json
import random
import shutil

import pytest
from test_loop import fit as fit_of_any_model
from test_loop import weights

from builders import tiny
from damage import flip_bit, numbers, trial
from rewardsmith.errors import TrainingError
from rewardsmith.train import resume


class Notes:
    """A progress that keeps what it is told."""

    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)

    def task(self, label, total, unit):
        from rewardsmith.progress import SILENT

        return SILENT.task(label, total, unit)


def fit(folder, **changes):
    """A run whose best step is one of the last two, which have checkpoints."""
    return fit_of_any_model(folder, model=tiny(seed=2), **changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run of ten steps, with checkpoints after steps 9 and 10, and the hash of its weights."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    trainer = fit(folder)
    result = trainer.run()
    assert result.state.best_step in (9, 10)
    return folder, result.state.best_step, weights(trainer)


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copytree(whole[0], tmp_path / "run")


def steps(run):
    return sorted((run / "checkpoints").glob("step-*"))


def harm(path, root):
    return flip_bit(path, root=root, rng=random.Random(len(path.name)))


def resumed(run):
    """The hash of the weights that the run ends with when it is resumed, and what was said on the way."""
    trainer, notes = fit(run), Notes()
    trainer.run(resuming=True, progress=notes)
    return weights(trainer), notes.said


def test_every_damage_to_every_file_of_a_checkpoint_is_refused(run, tmp_path):
    last = steps(run)[-1]
    for path in steps(run)[:-1]:
        shutil.rmtree(path)
    trainer = fit(run)

    def refused():
        try:
            resume.restore(trainer.checkpoints, trainer.network, trainer.optimizer)
        except TrainingError as error:
            return f"{last.name} is damaged: " in str(error) and "\n" not in str(error)
        return False

    tries = numbers(quick=60)
    report = trial(last, root=tmp_path, refuses=refused, seed=3, **tries)
    assert list(report.tried.values()) == [*tries.values(), 4]
    assert report.missed == []


def test_every_damage_to_every_file_of_best_is_refused(run, whole, tmp_path):
    best = run / "checkpoints" / "best"
    for path in steps(run):
        shutil.rmtree(path)

    def refused():
        try:
            resume.best_weights(best.parent, whole[1])
        except TrainingError as error:
            return "best, the weights of step" in str(error) and "\n" not in str(error)
        return False

    tries = numbers(quick=60)
    report = trial(best, root=tmp_path, refuses=refused, seed=4, **tries)
    assert list(report.tried.values()) == [*tries.values(), 3]
    assert report.missed == []


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json", "manifest.json"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_ends_with_the_same_bits(run, whole, name, tmp_path):
    newest = steps(run)[-1]
    harm(newest / name, tmp_path)
    ended, said = resumed(run)
    assert ended == whole[2]
    assert [line for line in said if f"{newest} is damaged: {name}: " in line and "it was skipped" in line]
    assert any("resuming from the checkpoint after step 9" in line for line in said)


@pytest.mark.parametrize("name", ["weights.safetensors", "state.json", "manifest.json", None])
def test_a_damaged_best_is_written_again_from_the_checkpoint_of_its_step(run, whole, name, tmp_path):
    best = run / "checkpoints" / "best"
    if name is None:
        assert tmp_path in best.parents
        shutil.rmtree(best)
    else:
        harm(best / name, tmp_path)
    ended, said = resumed(run)
    assert ended == whole[2]
    assert any("best is damaged: " in line and "with the same weights" in line for line in said)
    assert resume.is_whole(best)
    assert (best / "weights.safetensors").read_bytes() == (
        whole[0] / "checkpoints" / "best" / "weights.safetensors"
    ).read_bytes()


def test_a_damaged_best_that_no_checkpoint_has_refuses_the_resume(run, whole, tmp_path):
    for path in steps(run):
        state = json.loads((path / "state.json").read_text())
        state["best_step"] = 3  # as if no later pass had been better
        (path / "state.json").write_text(json.dumps(state))
        resume.seal(path)
    best = run / "checkpoints" / "best"
    (best / "state.json").write_text(json.dumps({"step": 3}))
    resume.seal(best)
    assert fit(run).run(resuming=True).state.best_step == 3
    harm(best / "weights.safetensors", tmp_path)
    with pytest.raises(
        TrainingError,
        match=r"best, the weights of step 3, is damaged: weights.safetensors: changed since.*--overwrite",
    ):
        resumed(run)


def test_best_damaged_while_training_goes_on_is_noticed_at_the_end(tmp_path, whole):
    trainer = fit(tmp_path / "run")
    checkpoint = trainer._checkpoint

    def then_damaged():
        checkpoint()
        if trainer.state.step == trainer.total:
            harm(trainer.checkpoints / "best" / "weights.safetensors", tmp_path)

    trainer._checkpoint = then_damaged
    trainer.run()
    assert weights(trainer) == whole[2]  # from the checkpoint of the same step

    trainer = fit(tmp_path / "lost", keep=1)
    checkpoint = trainer._checkpoint

    def then_lost():
        checkpoint()
        for path in (*steps(tmp_path / "lost"), trainer.checkpoints / "best"):
            if trainer.state.step == trainer.total:
                harm(path / "weights.safetensors", tmp_path)

    trainer._checkpoint = then_lost
    with pytest.raises(TrainingError, match=r"best, the weights of step \d+, is damaged: weights.safetensors"):
        trainer.run()


def test_when_all_checkpoints_are_damaged_nothing_starts_anew(run, tmp_path):
    metrics = (run / "metrics.jsonl").read_bytes()
    for path in steps(run):
        harm(path / "weights.safetensors", tmp_path)
    with pytest.raises(
        TrainingError,
        match=r"no checkpoint in \S+ is intact: step-00000010 is damaged: weights.safetensors: changed since.*; "
        r"step-00000009 is damaged: .*; start again with --overwrite",
    ):
        resumed(run)
    assert (run / "metrics.jsonl").read_bytes() == metrics
    assert (run / "checkpoints" / "best" / "weights.safetensors").is_file()


def test_when_all_checkpoints_are_gone_nothing_starts_anew(run, tmp_path):
    for path in steps(run):
        assert tmp_path in path.parents
        shutil.rmtree(path)
    with pytest.raises(
        TrainingError, match=r"checkpoints of \S+ are missing: \S+metrics.jsonl goes beyond step 3, after"
    ):
        resumed(run)
    assert (run / "checkpoints" / "best" / "weights.safetensors").is_file()


def test_a_run_killed_between_best_and_checkpoint_goes_on_to_the_same_bits(tmp_path, whole):
    class Killed(Exception):
        pass

    trainer = fit(tmp_path / "run")
    checkpoint = trainer._checkpoint

    def killed():
        if trainer.state.step == 6:
            raise Killed
        checkpoint()

    trainer._checkpoint = killed
    with pytest.raises(Killed):
        trainer.run()
    assert resume.step_of(tmp_path / "run" / "checkpoints" / "best") == 6
    ended, said = resumed(tmp_path / "run")
    assert ended == whole[2]
    assert not any("damaged" in line for line in said)


def test_a_best_younger_than_the_checkpoint_may_stay_where_its_elder_is_gone(run, tmp_path):
    best = run / "checkpoints" / "best"
    (best / "state.json").write_text(json.dumps({"step": 12}))
    resume.seal(best)
    resume.mend_best(run / "checkpoints", best_step=3, reached=10, note=lambda text: pytest.fail(text))
    assert resume.step_of(best) == 12
    with pytest.raises(TrainingError, match=r"state.json: step 12, expected 3"):
        resume.best_weights(run / "checkpoints", 3)


def test_training_without_validation_ends_with_the_weights_of_its_last_step(tmp_path):
    trainer = fit(tmp_path / "run", held=0)
    state = trainer.run().state
    checkpoints = trainer.checkpoints
    path = resume.final_weights(checkpoints, best_step=state.best_step, last_step=state.step)
    assert path == checkpoints / "step-00000010" / "weights.safetensors"
    harm(path, tmp_path)
    with pytest.raises(TrainingError, match=r"step-00000010 is damaged: weights.safetensors"):
        resume.final_weights(checkpoints, best_step=state.best_step, last_step=state.step)
