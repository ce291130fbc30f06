"""DeepSpeed's ZeRO on two processes on gloo against one process: the same curve and weights, moments and weights really cut.

DeepSpeed is no dependency of the tests; without it those that need it are skipped (docs/training.md says how to get it).
"""

from importlib.util import find_spec

import orjson
import pytest
from safetensors.torch import load_file
from test_together import HERE, curve, last_checkpoint, launch, relative, stop_after
from together_worker import fit
from zero_worker import RUNS, STAGES

needs_deepspeed = pytest.mark.skipif(find_spec("deepspeed") is None, reason="deepspeed is not installed")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zero")
    for kind in sorted({kind for kind, _ in RUNS}):
        fit(folder / f"one-{kind}", kind).run()
    for stage in STAGES:
        stop_after(fit(folder / f"resumed-zero{stage}", "plain"), 5)
    process = launch(HERE / "zero_worker.py", folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    return folder, [orjson.loads((folder / f"seen-{rank}.json").read_bytes()) for rank in (0, 1)]


@needs_deepspeed
@pytest.mark.parametrize(("kind", "stage"), RUNS)
def test_zero_follows_the_curve_of_one_process_and_ends_with_its_weights(both, kind, stage):
    folder, _ = both
    one, two = folder / f"one-{kind}", folder / f"{kind}-zero{stage}"
    for mine, theirs in zip(curve(one), curve(two), strict=True):
        assert mine.keys() == theirs.keys()
        for key in ("step", "comparisons", "tokens", "loss", "margin", "reward_std", "grad_norm", "eval_loss"):
            if mine.get(key) is not None:
                assert theirs[key] == pytest.approx(mine[key], rel=1e-5, abs=1e-5)
    assert relative(last_checkpoint(one), last_checkpoint(two)) < 1e-5
    name = "optimizer.safetensors"
    assert relative(last_checkpoint(one, name), last_checkpoint(two, name)) < 1e-4
    best = (path / "checkpoints" / "best" / "weights.safetensors" for path in (one, two))
    assert relative(*map(load_file, best)) < 1e-5


@needs_deepspeed
@pytest.mark.parametrize("stage", STAGES)
def test_moments_are_cut_and_in_stage_3_weights_too(both, stage):
    _, seen = both
    for kind in ("plain", "lora"):
        facts = [one[f"{kind}-zero{stage}"] for one in seen]
        assert sum(one["moments"] for one in facts) == facts[0]["learning"]
        assert sum(one["weights"] for one in facts) == facts[0]["all"] * (1 if stage.startswith("3") else 2)


@needs_deepspeed
def test_the_head_is_gathered_whole(both):
    folder, _ = both
    head = last_checkpoint(folder / "plain-zero3")["score.weight"]
    assert head.shape == (1, 64)
    assert head.abs().min() > 0


@needs_deepspeed
@pytest.mark.parametrize("stage", STAGES)
def test_another_number_of_processes_and_another_engine_may_go_on(both, stage):
    folder, seen = both
    assert [one[f"resumed-zero{stage}"] for one in seen] == [3, 3]  # from one process to two
    one = folder / "one-plain"
    assert relative(last_checkpoint(one), last_checkpoint(folder / f"resumed-zero{stage}")) < 1e-5
    name = "optimizer.safetensors"
    assert relative(last_checkpoint(one, name), last_checkpoint(folder / f"resumed-zero{stage}", name)) < 1e-4
    back = folder / f"plain-zero{stage}"  # from two to one
    newest = sorted((back / "checkpoints").glob("step-*"))[-1]
    for path in newest.iterdir():
        path.unlink()
    newest.rmdir()
    assert fit(back, "plain").run(resuming=True).resumed_from == 6
    assert relative(last_checkpoint(one), last_checkpoint(back)) < 1e-5


@needs_deepspeed
def test_a_weight_that_nothing_depends_on_is_refused(both):
    assert [one["idle"].startswith("no reward depends on 1 of the weights (hf.idle)") for one in both[1]] == [True] * 2
