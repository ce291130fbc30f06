"""Two processes on gloo against one: the same curve, the same weights, one set of files, one error."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
import torch
from safetensors.torch import load_file
from together_worker import fit, rows

from builders import tiny
from rewardsmith.train.engines.engine import deal
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.resume import WEIGHTS, is_whole, load_weights

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KINDS = (
    "plain",
    "probe",
    "lora",
    "half",
    "bert",
    "frozen",
    "listwise",
    "odin",
    "members",
    "heads",
    "gaussian",
    "inform",
    "text",
    "process",
)


def launch(*words, **environment):
    paths = [str(ROOT / "src"), str(ROOT / "tests"), str(HERE)]
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *map(str, words)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder with one process's runs (`one-*`) and those of two, and what each of the two saw."""
    if not torch.distributed.is_gloo_available():
        pytest.skip("this build of torch has no gloo")
    folder = tmp_path_factory.mktemp("together")
    for kind in KINDS:
        fit(folder / f"one-{kind}", kind).run()
    for parallel in ("ddp", "fsdp"):  # what two processes will go on with
        stop_after(fit(folder / f"resumed-{parallel}", "plain"), 5)
    process = launch(HERE / "together_worker.py", folder, REWARDSMITH_HOME=str(folder / "home"))
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    return folder, [orjson.loads((folder / f"seen-{rank}.json").read_bytes()) for rank in (0, 1)]


def stop_after(trainer, step, *, resuming=False):
    one_step = trainer._one_step

    def stopping(*arguments):
        if trainer.state.step == step:
            raise RuntimeError("power cut")
        one_step(*arguments)

    trainer._one_step = stopping
    with pytest.raises(RuntimeError, match="power cut"):
        trainer.run(resuming=resuming)


def curve(folder):
    return [orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]


def last_checkpoint(folder, name="weights.safetensors"):
    return load_file(sorted((folder / "checkpoints").glob("step-*"))[-1] / name)


def assert_same_curve(one, two, keys, *, close, loose):
    """Counts are equal, the figures `keys` within `close`; `loose` names those with a bound of their own."""
    for mine, theirs in zip(curve(one), curve(two), strict=True):
        assert mine.keys() == theirs.keys()
        counts = ("step", "comparisons", "tokens")
        assert [mine.get(key) for key in counts] == [theirs.get(key) for key in counts]
        for key in keys:
            if mine.get(key) is not None:
                near = loose.get(key, close)
                assert theirs[key] == pytest.approx(mine[key], rel=near, abs=near)


# A fitted head gives rewards in the tens and small gradients, whose rounding AdamW amplifies; nothing else needs room.
ROUNDING = {"probe": {"grad_norm": 1e-4}}


def relative(a, b):
    assert a.keys() == b.keys()
    pairs = [(a[name].double(), b[name].double()) for name in a if not name.startswith("rng")]
    assert all(x.shape == y.shape for x, y in pairs)
    return (sum((x - y).square().sum() for x, y in pairs) / sum(x.square().sum() for x, _ in pairs)).sqrt().item()


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_follow_the_curve_of_one_and_end_with_its_weights(both, kind, parallel):
    folder, _ = both
    one, two = folder / f"one-{kind}", folder / f"{kind}-{parallel}"
    close = 2e-2 if kind == "half" else 1e-5  # fp16 rounds each pass, and the passes are others
    keys = ["loss", "margin", "reward_mean", "reward_std", "eval_loss", "eval_margin"]
    if kind != "half":  # whose gradients overflow at times
        keys.append("grad_norm")
    if kind == "text":
        keys.append("text_loss")
    assert_same_curve(one, two, keys, close=close, loose=ROUNDING.get(kind, {}))
    assert relative(last_checkpoint(one), last_checkpoint(two)) < close
    if kind != "half":
        name = "optimizer.safetensors"
        assert relative(last_checkpoint(one, name), last_checkpoint(two, name)) < 1e-4


def test_a_run_that_lost_a_process_would_be_noticed(both):
    """The negative control of the test above: half of the records, as without the sum over processes, is far off."""
    folder, _ = both
    other = fit(folder / "half-of-it", "plain")
    other.train = [other.train[index] for index in range(0, len(other.train), 2)] * 2
    other.run()
    assert relative(last_checkpoint(folder / "one-plain"), last_checkpoint(folder / "half-of-it")) > 1e-3


def test_fsdp_really_cuts_every_weight_and_moment(both):
    _, seen = both
    for kind in ("plain", "lora", "bert"):
        for rank in (0, 1):
            facts = seen[rank][f"{kind}-fsdp"]
            assert facts["types"] == facts["moments"] == ["DTensor"]
        assert sum(seen[rank][f"{kind}-fsdp"]["here"] for rank in (0, 1)) == seen[0][f"{kind}-fsdp"]["all"]
    assert seen[0]["plain-ddp"]["types"] == ["Parameter"]


def test_the_head_is_gathered_whole(both):
    folder, _ = both
    head = last_checkpoint(folder / "plain-fsdp")["score.weight"]
    assert head.shape == (1, 64)
    assert head.abs().min() > 0


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_another_number_of_processes_may_go_on(both, parallel):
    folder, seen = both
    assert [one[f"resumed-{parallel}"] for one in seen] == [3, 3]  # from one process to two
    assert relative(last_checkpoint(folder / "one-plain"), last_checkpoint(folder / f"resumed-{parallel}")) < 1e-5
    back = folder / f"plain-{parallel}"  # from two to one
    newest = sorted((back / "checkpoints").glob("step-*"))[-1]
    for path in newest.iterdir():
        path.unlink()
    newest.rmdir()
    before = curve(back)
    assert fit(back, "plain").run(resuming=True).resumed_from == 6
    assert relative(last_checkpoint(folder / "one-plain"), last_checkpoint(back)) < 1e-5
    assert [row["step"] for row in curve(back)] == [row["step"] for row in before]


def test_scoring_together_gives_the_very_same_numbers(both):
    assert [one["scores_equal"] for one in both[1]] == [True, True]


def test_what_goes_wrong_is_said_alike_in_all_processes(both):
    _, (first, second) = both
    assert first["not_finite"] == second["not_finite"]
    assert first["not_finite"].startswith("step 1: the loss is not finite on")
    assert "are tied weights, which FSDP cannot shard" in first["tied"]
    assert "start differently (data_train)" in first["disagree"]


def test_a_weight_that_nothing_depends_on_stays(both):
    folder, _ = both
    for parallel in ("ddp", "fsdp"):
        assert last_checkpoint(folder / f"bert-{parallel}")["idle"].tolist() == [1, 1, 1]


def test_records_are_dealt_once_and_evenly():
    examples = encode_examples(rows(30), tiny().encoder, share=True).examples
    hands = deal(examples, 4, packed=True)
    assert sorted(id(example) for hand in hands for example in hand) == sorted(map(id, examples))
    tokens = [sum(example.tree.tokens for example in hand) for hand in hands]
    assert max(tokens) - min(tokens) <= max(example.tree.tokens for example in examples)
    assert deal(examples, 1, packed=True) == [examples]
    assert sorted(map(len, deal(examples[:3], 4, packed=True))) == [0, 1, 1, 1]


TRAIN = (
    "-m", "rewardsmith", "train", "--model", "tiny", "--n-embd", "32", "--dataset", "synthetic:60", "--batch", "7",
    "--lr", "0.01", "--json", "--output",
)  # fmt: skip


def test_the_command_writes_once_and_its_model_opens_with_the_rewards_of_one_process(tmp_path):
    import rewardsmith as rs

    process = launch(*TRAIN, tmp_path / "two", "--parallel", "fsdp", "--head-start", "probe")
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    told = orjson.loads(out)  # one object, though two processes ran
    assert (told["processes"], told["parallel"]) == (2, "fsdp")
    assert errors.count(f"step {told['steps']}/{told['steps']}: validation loss") == 1
    one = rs.train("tiny", "synthetic:60", tmp_path / "one", n_embd=32, batch=7, lr=0.01, head_start="probe", threads=1)
    assert told["eval"]["accuracy"] == one.summary["eval"]["accuracy"]
    assert told["eval"]["nll"] == pytest.approx(one.summary["eval"]["nll"], rel=1e-5)
    assert (tmp_path / "two" / "report.html").is_file()
    models = [rs.RewardModel.load(tmp_path / name / "model") for name in ("two", "one")]  # probes are checked
    texts = ["A good answer.", "nothing", "The sum of two and two is four."]
    assert models[0].score(texts) == pytest.approx(models[1].score(texts), rel=1e-4, abs=1e-5)
    folder = {path.relative_to(tmp_path / "two") for path in (tmp_path / "two").rglob("*")}
    assert folder == {path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*")}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_end_of_one_process_ends_all_with_one_message(tmp_path, number):
    process = launch(*TRAIN, tmp_path / "run", "--epochs", "400", "--no-report")
    checkpoints = tmp_path / "run" / "checkpoints"
    until = time.monotonic() + 120
    while not list(checkpoints.glob("step-*")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.05)
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
    os.kill(max(map(int, children.stdout.split())), number)
    out, errors = process.communicate(timeout=300)
    assert process.returncode != 0
    said = orjson.loads(out)["error"]["message"]
    expected = (
        "another process of this run exited" if number == signal.SIGKILL else "interrupted by SIGTERM; finished work"
    )
    assert said.startswith(expected)
    assert errors.count(said) == 1
    assert list(checkpoints.glob("step-*"))
    assert is_whole(checkpoints / "best")
    load_weights(tiny_of_32(), checkpoints / "best" / WEIGHTS)


def tiny_of_32():
    from builders import DATE
    from rewardsmith.model.inferred import new_contract
    from rewardsmith.model.loading.backbones import open_backbone
    from rewardsmith.model.loading.tiny import TinyConfig
    from rewardsmith.model.reward_model import RewardModel

    backbone = open_backbone("tiny", seed=0, tiny=TinyConfig(n_embd=32))
    return RewardModel.build(backbone, new_contract(backbone, max_length=256, date=DATE), device="cpu").network


def test_only_training_runs_in_several_processes(monkeypatch, capsys):
    from rewardsmith import cli, launch

    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_PORT": "29500"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launch.Voice, "speaks", True)
    assert cli.main(["score", "model", "rows.jsonl", "-o", "out.jsonl"]) == 2
    assert "score runs in a single process" in capsys.readouterr().err
    monkeypatch.setenv("RANK", "1")
    assert cli.main(["train", "--typo"]) == 2
    assert capsys.readouterr().err == ""  # the first process says it


def test_what_one_process_cannot_do_is_refused(tmp_path):
    import rewardsmith as rs
    from rewardsmith.errors import UsageError

    with pytest.raises(UsageError, match="--parallel fsdp needs several processes: torchrun"):
        rs.train("tiny", "synthetic:60", tmp_path / "o", parallel="fsdp")


def test_accelerate_configured_for_fsdp_means_fsdp(monkeypatch):
    from rewardsmith.pipelines.train.config import Config

    config = Config(model="tiny", dataset=("synthetic:60",), output=Path("o"))
    assert config.engine == "ddp"
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert config.engine == "fsdp"


def test_the_first_process_alone_tries_out_what_all_then_use(tmp_path, monkeypatch):
    from rewardsmith.commands import train
    from rewardsmith.model.runtime.processes import Team
    from rewardsmith.pipelines.train import fitting
    from rewardsmith.pipelines.train.setup import Start

    class Second(Team):
        def from_lead(self, make):
            return 777

    monkeypatch.setattr(fitting, "microbatch_tokens", lambda *_: pytest.fail("the second process calibrates too"))
    model = tiny()
    encoding = encode_examples(rows(5), model.encoder, share=True)
    config = train.Config(model="tiny", dataset=("synthetic:60",), output=tmp_path / "o")
    start = Start(model, "tiny", "random", (), None)
    from rewardsmith.progress import SILENT

    assert fitting.fit_settings(config, start, encoding, Second(1, 2), SILENT).tokens_per_microbatch == 777
