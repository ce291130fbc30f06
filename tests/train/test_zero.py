"""DeepSpeed's ZeRO on two processes on gloo against one process: the same curve and weights, moments and weights really cut.

DeepSpeed is no dependency of the tests; without it those that need it are skipped (docs/training.md says how to get it).
"""

import re
from dataclasses import replace
from importlib.util import find_spec

import orjson
import pytest
from safetensors.torch import load_file
from test_together import HERE, ROUNDING, TRAIN, assert_same_curve, last_checkpoint, launch, relative, stop_after
from together_worker import fit
from zero_worker import RUNS, STAGES

from rewardsmith.errors import MissingExtraError, UsageError
from rewardsmith.launch.installation import install_command
from rewardsmith.model.lean.swap import make_plain
from rewardsmith.pipelines.train.config import Config
from rewardsmith.train.engines.deepspeed_config import SHIPPED, zero_settings

needs_deepspeed = pytest.mark.skipif(find_spec("deepspeed") is None, reason="deepspeed is not installed")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zero")
    for kind in sorted({kind for kind, _ in RUNS}):
        alone = fit(folder / f"one-{kind}", kind)
        if kind == "probe":  # compared with stage 3 only, which computes the layers as transformers does
            make_plain(alone.network.hf)
        alone.run()
    for stage in STAGES:
        stop_after(fit(folder / f"resumed-zero{stage}", "plain"), 5)
    process = launch(HERE / "zero_worker.py", folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    return folder, [orjson.loads((folder / f"seen-{rank}.json").read_bytes()) for rank in (0, 1)]


@pytest.mark.slow
@needs_deepspeed
@pytest.mark.parametrize(("kind", "stage"), RUNS)
def test_zero_follows_the_curve_of_one_process_and_ends_with_its_weights(both, kind, stage):
    folder, _ = both
    one, two = folder / f"one-{kind}", folder / f"{kind}-zero{stage}"
    close = 5e-2 if kind == "bf16" else 1e-5  # bf16 rounds each pass, and the passes are others
    keys = ("loss", "margin", "reward_std", "grad_norm", "eval_loss")
    assert_same_curve(one, two, keys, close=close, loose=ROUNDING.get(kind, {}))
    assert relative(last_checkpoint(one), last_checkpoint(two)) < close
    name = "optimizer.safetensors"
    assert relative(last_checkpoint(one, name), last_checkpoint(two, name)) < (1e-1 if kind == "bf16" else 1e-4)
    best = (path / "checkpoints" / "best" / "weights.safetensors" for path in (one, two))
    assert relative(*map(load_file, best)) < close


@needs_deepspeed
@pytest.mark.parametrize(("kind", "stage"), [run for run in RUNS if run[0] in ("plain", "lora")])
def test_moments_are_cut_and_in_stage_3_weights_too(both, kind, stage):
    facts = [one[f"{kind}-zero{stage}"] for one in both[1]]
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
def test_what_zero_would_do_wrong_is_refused(both):
    for one in both[1]:
        assert one["idle"].startswith("no reward depends on 1 of the weights (hf.idle)")
        assert one["half"].startswith("fp16 needs loss scaling")


@needs_deepspeed
def test_the_command_writes_once_and_its_model_opens_with_the_rewards_of_one_process(tmp_path):
    import rewardsmith as rs

    words = [*TRAIN, tmp_path / "two", "--parallel", "deepspeed", "--deepspeed-config", "zero3"]
    process = launch(*words, "--head-start", "probe")
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    told = orjson.loads(out)  # one object, though two processes and DeepSpeed's log ran
    assert (told["processes"], told["parallel"]) == (2, "deepspeed")
    assert "[INFO]" not in errors
    assert "WARNING" not in errors
    one = rs.train("tiny", "synthetic:60", tmp_path / "one", n_embd=32, batch=7, lr=0.01, head_start="probe", threads=1)
    assert told["eval"]["nll"] == pytest.approx(one.summary["eval"]["nll"], rel=1e-5)
    models = [rs.RewardModel.load(tmp_path / name / "model") for name in ("two", "one")]  # probes are checked
    texts = ["A good answer.", "nothing", "The sum of two and two is four."]
    assert models[0].score(texts) == pytest.approx(models[1].score(texts), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("zero*.json")), ids=lambda path: path.stem)
def test_what_is_shipped_says_what_its_name_says(path):
    settings = zero_settings(path.stem)
    assert settings["stage"] == int(path.stem[4])
    assert ("offload_optimizer" in settings) == path.stem.endswith("offload")
    assert ("offload_param" in settings) == (path.stem == "zero3-offload")


def test_what_is_left_to_us_is_dropped(tmp_path):
    path = tmp_path / "ds.json"
    ours = {"bf16": {"enabled": "auto"}, "fp16": {"enabled": False}, "train_batch_size": "auto", "optimizer": "auto"}
    zero = {"stage": 3, "reduce_bucket_size": "auto", "stage3_gather_16bit_weights_on_model_save": True}
    path.write_bytes(orjson.dumps({**ours, "zero_optimization": zero}))
    assert zero_settings(str(path)) == {"stage": 3}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"gradient_clipping": 0.3}, "gradient_clipping is set by --clip; remove it"),
        ({"bf16": {"enabled": True}}, "bf16 is set by --dtype"),
        ({"train_batch_size": 8}, "train_batch_size is set by --batch"),
        ({"comms_logger": {}}, "comms_logger is ignored"),
        ({"zero_optimization": {"stage": 0}}, "zero_optimization.stage 0: expected 1, 2 or 3"),
        ({"zero_optimization": {}}, "zero_optimization.stage None: expected"),
        ({"zero_optimization": []}, "expected an object with the key zero_optimization"),
        ({"zero_optimization": {"stage": 3, "zenflow": {}}}, "zero_optimization.zenflow is not supported"),
        ({"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "nvme"}}}, "offload_optimizer to nvme"),
        ({"zero_optimization": {"stage": 2, "offload_param": {"device": "cpu"}}}, "offload_param needs stage 3, not 2"),
    ],
)
def test_a_configuration_that_says_otherwise_is_refused_naming_both(tmp_path, content, said):
    path = tmp_path / "ds.json"
    path.write_bytes(orjson.dumps({"zero_optimization": {"stage": 2}, **content}))
    with pytest.raises(UsageError, match=re.escape(said)) as raised:
        zero_settings(str(path))
    assert str(path) in str(raised.value)


def test_a_file_that_is_not_there_lists_what_is_shipped():
    with pytest.raises(
        UsageError, match="--deepspeed-config zero9: no such file; available: zero2, zero2-offload, zero3"
    ):
        zero_settings("zero9")
    with pytest.raises(UsageError, match="cannot be read as JSON"):
        zero_settings(__file__)


def test_accelerate_configured_for_deepspeed_means_deepspeed(monkeypatch, tmp_path):
    path = tmp_path / "ds.json"
    path.write_bytes(orjson.dumps({"zero_optimization": {"stage": 1}}))
    config = Config(model="tiny", dataset=("synthetic:60",), output=tmp_path / "o")
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    assert config.engine == "deepspeed"
    with pytest.raises(UsageError, match="without a file; add --deepspeed-config"):
        zero_settings(None)
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_CONFIG_FILE", str(path))
    assert zero_settings(None) == {"stage": 1}
    assert replace(config, parallel="ddp").engine == "ddp"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"deepspeed_config": "zero3"}, "--deepspeed-config zero3 needs --parallel deepspeed"),
        ({"parallel": "deepspeed"}, "--parallel deepspeed needs several processes"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, settings, said):
    import rewardsmith as rs

    with pytest.raises(UsageError, match=said):
        rs.train("tiny", "synthetic:60", tmp_path / "o", **settings)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    from rewardsmith.pipelines.train import config as train_config

    monkeypatch.setattr(train_config, "find_spec", lambda name: None)
    config = Config(model="tiny", dataset=("synthetic:60",), output=tmp_path / "o", parallel="deepspeed")
    with pytest.raises(MissingExtraError, match=re.escape(install_command("deepspeed"))):
        train_config.check_engine(config, 2)
