"""One run, tracked by all five, killed in the middle and resumed; every record is read by its own tracker's tools."""

import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import yaml

from rewardsmith.commands import train
from rewardsmith.files.atomic import JSON_OPTIONS
from rewardsmith.track.trackers import TRACKERS

INSTALLED = [
    name for name, entry in TRACKERS.items() if all(importlib.util.find_spec(module) for module in entry.modules)
]
FILES = {"report.html", "report.md", "report.json", "evaluation.json", "train.json", "config.yaml"}
SETTINGS = {
    "model": "tiny",
    "dataset": ("synthetic:60x2",),
    "batch": 4,
    "n_embd": 16,
    "n_layer": 1,
    "evals": 3,
    "threads": 1,
}
# Checkpoints come every 4 steps, so the run goes on from step 4: steps 5 to 7 are trained twice.
KILL_AT = 7
KILLED = f"""
import contextlib, os, pathlib, signal, sys, time
from rewardsmith.commands import train

class Killing:
    opened = step = 0

    def note(self, text):
        self.opened += "recording in" in text

    @contextlib.contextmanager
    def task(self, label, total, unit):
        self.training = label == "training"
        yield self

    def advance(self, amount=1, **figures):
        if not self.training:
            return
        self.step += amount
        if self.step == {KILL_AT}:
            end = time.monotonic() + 60
            while self.opened < {len(INSTALLED)} and time.monotonic() < end:
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)

settings = train.Config(output=pathlib.Path(sys.argv[1]), track={tuple(INSTALLED)!r}, run_name="first try", **{SETTINGS!r})
train.run(settings, Killing())
"""


class Seen(NamedTuple):
    """A record as its own tools show it: curves as (step, value), settings as text, verdict, names of files."""

    curves: dict[str, list[tuple[int, float]]]
    settings: dict[str, str]
    verdict: str
    files: set[str]


class Runs(NamedTuple):
    tracked: Path
    plain: Path
    states: dict[str, Any]


def states(folder):
    return {name: json.loads((folder / "track" / f"{name}.json").read_bytes()) for name in INSTALLED}


def points(rows, step="step"):
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, value in row.items():
            if "/" in name:
                curves.setdefault(name, []).append((row[step], value))
    return curves


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    tracked, plain = folder / "tracked", folder / "plain"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tracked)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    train.run(
        train.Config(output=plain, report=False, **SETTINGS)
    )  # meanwhile the trackers find out that they are alone
    end = time.monotonic() + 60
    while {state["status"] for state in states(tracked).values()} == {"running"} and time.monotonic() < end:
        time.sleep(0.1)
    before = states(tracked)
    train.run(train.Config(output=tracked, track=tuple(INSTALLED), resume=True, **SETTINGS))
    return Runs(tracked, plain, before)


def rows_of(folder):
    return [orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]


def expected_curves(folder):
    """What the run folder says, worked out apart from the code under test."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in rows_of(folder):
        kind = "validation" if "eval_loss" in row else "train"
        for name, value in row.items():
            if name != "step":
                curves.setdefault(f"{kind}/{name.replace('eval_', '')}", []).append((row["step"], value))
    return curves


def read_tensorboard(store, state):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data

    found = EventAccumulator(str(store / "tensorboard" / state["run_id"]), size_guidance={"scalars": 0}).Reload()
    curves = {name: [(e.step, e.value) for e in found.Scalars(name)] for name in found.Tags()["scalars"]}
    contents = found.PluginTagToContent("hparams")
    start = parse_session_start_info_plugin_data(contents["_hparams_/session_start_info"])
    settings = {name: str(getattr(value, value.WhichOneof("kind"))) for name, value in dict(start.hparams).items()}
    (verdict,) = found.Tensors("verdict/text")
    (report,) = found.Tensors("report/text")
    assert report.tensor_proto.string_val[0].decode() == (store.parent / "report.md").read_text()
    return Seen(curves, settings, verdict.tensor_proto.string_val[0].decode(), FILES)


def read_mlflow(store, state):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    run = client.get_run(state["run_id"])
    assert (run.info.status, run.info.run_name) == ("FINISHED", "first try")
    assert client.get_experiment(run.info.experiment_id).name == "rewardsmith"
    curves = {
        name: [(metric.step, metric.value) for metric in client.get_metric_history(state["run_id"], name)]
        for name in run.data.metrics
    }
    files = {item.path for item in client.list_artifacts(state["run_id"])}
    return Seen(curves, run.data.params, run.data.tags["verdict"], files)


def read_wandb(store, state):
    """With the reader that SwanLab has for `.wandb` files; W&B's own is inside a program that needs its server."""
    pytest.importorskip("swanlab", reason="the only reader of .wandb files in Python")
    from swanlab.converter.wb.wbdatastore import WBDataStoreReader
    from wandb.proto.wandb_internal_pb2 import Record

    curves, summary, settings, files = {}, {}, {}, set()
    parts = sorted((store / "wandb").glob(f"offline-run-*-{state['run_id']}/*.wandb"))
    assert len(parts) == 2
    for part in parts:
        with WBDataStoreReader() as reader:
            reader.open(part)
            while (data := reader.scan()) is not None:
                record = Record.FromString(data)
                if record.HasField("run"):
                    assert (record.run.project, record.run.display_name) == ("rewardsmith", "first try")
                    settings |= {item.key: item.value_json for item in record.run.config.update}
                row = {item.key or "/".join(item.nested_key): json.loads(item.value_json)
                       for item in record.history.item}  # fmt: skip
                for name, found in points([row], "_step").items():
                    curves.setdefault(name, []).extend(found)
                summary |= {item.key or "/".join(item.nested_key): json.loads(item.value_json)
                            for item in record.summary.update}  # fmt: skip
                if record.request.HasField("log_artifact") or record.HasField("artifact"):
                    artifact = record.artifact if record.HasField("artifact") else record.request.log_artifact.artifact
                    files |= {entry.path for entry in artifact.manifest.contents}
    last = rows_of(store.parent)[-1]["step"]
    curves |= {name: [(last, value)] for name, value in summary.items() if name.startswith(("test/", "run/"))}
    return Seen(curves, {name: as_word(value) for name, value in settings.items()}, summary["verdict"], files)


def as_word(text):
    value = json.loads(text)
    return value if isinstance(value, str) else text


def read_trackio(store, state):
    program = (
        "import json, sys, trackio\n"
        "from trackio.sqlite_storage import SQLiteStorage\n"
        "(run,) = trackio.Api().runs('rewardsmith')\n"
        "used = SQLiteStorage.get_run_artifacts('rewardsmith', run.name, run.id)\n"
        "print(json.dumps([run.id, run.name, run.config, SQLiteStorage.get_logs('rewardsmith', run.name), repr(used)]))"
    )
    environment = {**os.environ, "TRACKIO_DIR": str(store / "trackio")}
    shown = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    identity, name, settings, rows, used = json.loads(shown.stdout.strip().splitlines()[-1])
    assert (identity, name) == (state["run_id"], "first try")
    assert f"report-{identity}" in used
    verdict = next(row["verdict"]["_value"] for row in rows if "verdict" in row)
    kept = {path.read_bytes() for path in (store / "trackio" / "artifacts").rglob("*") if path.is_file()}
    files = {name for name in FILES if as_kept(store.parent / name) in kept}
    return Seen(points(rows), {name: str(value) for name, value in settings.items()}, verdict, files)


def as_kept(path):
    """A file as it was when the run ended; train.json says `finished` only after the trackers have it."""
    if path.name != "train.json":
        return path.read_bytes()
    summary = json.loads(path.read_bytes())
    assert summary.pop("finished")
    return orjson.dumps(summary, option=JSON_OPTIONS) + b"\n"


def read_swanlab(store, state):
    from swanlab.proto.swanlab.record.v1.record_pb2 import Record
    from swanlab.sdk.internal.core_python.store import DataStoreReader

    curves, files, verdict, settings = {}, set(), "", {}
    parts = sorted((store / "swanlab").glob(f"run-*-{state['run_id']}"))
    assert len(parts) == 2
    for part in parts:
        reader = DataStoreReader()
        reader.open(part / f"run-{state['run_id']}.swanlab")
        for data in reader:
            record = Record.FromString(data)
            if record.HasField("start"):
                assert (record.start.project, record.start.id) == ("rewardsmith", state["run_id"])
            if record.HasField("scalar"):
                curves.setdefault(record.scalar.key, []).append((record.scalar.step, record.scalar.value.number))
            if record.HasField("media") and record.media.key == "verdict":
                (shown,) = record.media.value.items
                verdict = (part / "media" / "text" / shown.filename).read_text()
            if record.HasField("save"):
                files.add(record.save.name)
        reader.close()
        config = yaml.safe_load((part / "files" / "config.yaml").read_text())
        settings |= {name: str(entry["value"]) for name, entry in config.items()}
    return Seen(curves, settings, verdict, files)


READERS = {
    "tensorboard": read_tensorboard,
    "mlflow": read_mlflow,
    "wandb": read_wandb,
    "trackio": read_trackio,
    "swanlab": read_swanlab,
}


@pytest.fixture(params=TRACKERS)
def seen(request, runs):
    if request.param not in INSTALLED:
        pytest.skip(f"{request.param} is not installed")
    return READERS[request.param](runs.tracked / "track", states(runs.tracked)[request.param])


@pytest.mark.slow
def test_a_killed_and_resumed_run_is_one_record_with_every_row_once(runs, seen):
    expected = expected_curves(runs.tracked)
    assert {"train/loss", "train/grad_norm", "validation/loss", "validation/accuracy"} <= expected.keys()
    for name, curve in expected.items():
        assert [step for step, _ in seen.curves[name]] == [step for step, _ in curve], name
        if name != "train/pairs_per_second":  # steps 5 to 7 were timed twice
            assert [value for _, value in seen.curves[name]] == pytest.approx([value for _, value in curve]), name


def test_the_final_evaluation_stands_in_the_record_with_its_intervals(runs, seen):
    evaluation = json.loads((runs.tracked / "evaluation.json").read_bytes())
    low, high = evaluation["accuracy_ci"]
    figures = {"accuracy": evaluation["accuracy"], "accuracy_low": low, "accuracy_high": high, "n": evaluation["n"]}
    figures["baseline_longer/difference_low"] = evaluation["baselines"]["longer"]["difference_ci"][0]
    last = rows_of(runs.tracked)[-1]["step"]
    for name, value in figures.items():
        ((step, found),) = seen.curves[f"test/{name}"]
        assert (step, found) == (last, pytest.approx(value))


def test_verdict_and_report_are_kept(runs, seen):
    assert seen.verdict == json.loads((runs.tracked / "report.json").read_bytes())["verdict"]
    assert seen.files >= FILES


def test_settings_are_parameters_as_the_run_used_them(runs, seen):
    given = yaml.safe_load((runs.tracked / "config.yaml").read_text())
    assert given["lr"] is None
    assert float(seen.settings["lr"]) == json.loads((runs.tracked / "settings.json").read_bytes())["lr"] == 2e-3
    assert seen.settings["model"] == "tiny"
    assert float(seen.settings["n_embd"]) == 16
    assert given.keys() <= seen.settings.keys()


def test_a_kill_leaves_records_that_are_closed_and_reach_the_last_step(runs):
    assert {name: state["status"] for name, state in runs.states.items()} == dict.fromkeys(INSTALLED, "interrupted")
    after = states(runs.tracked)
    assert {name: state["status"] for name, state in after.items()} == dict.fromkeys(INSTALLED, "finished")
    assert [state["run_id"] for state in after.values()] == [state["run_id"] for state in runs.states.values()]


def test_a_tracked_run_ends_with_the_same_bits_as_an_untracked_one(runs):
    sums = [
        hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()
        for folder in (runs.tracked, runs.plain)
    ]
    assert sums[0] == sums[1]
