"""Records whose writer was killed as well: what is missing is added, what is there is not repeated."""

import importlib
import sqlite3

import orjson
import pytest

from rewardsmith.progress import SILENT
from rewardsmith.track import following
from rewardsmith.track.trackers import Job


@pytest.mark.parametrize("tracker", ["swanlab", "wandb"])
def test_a_record_that_was_cut_is_completed_exactly(tmp_path, tracker):
    pytest.importorskip(tracker, reason=f"{tracker} is not installed")
    job = Job(tracker, tmp_path, "", "name", None)
    rows = [{"step": step, "epoch": step / 50, "loss": 1 / step, "margin": step / 7} for step in range(1, 51)]
    (tmp_path / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    with following.following([job], SILENT):
        pass
    (record,) = tmp_path.glob(f"track/**/*.{tracker}")
    data = record.read_bytes()
    record.write_bytes(data[: len(data) // 2])
    points = importlib.import_module(f"rewardsmith.track.{tracker}").points
    cut = [name for name, _ in points(record) if name.startswith("train/")]
    assert 0 < len(cut) < 150
    job.state.write_bytes(job.state.read_bytes().replace(b'"finished"', b'"running"'))
    with following.following([job], SILENT):
        pass
    parts = sorted(tmp_path.glob(f"track/**/*.{tracker}"))
    assert len(parts) == 2
    for curve in ("train/loss", "train/margin", "train/epoch"):
        steps = [step for part in parts for name, step in points(part) if name == curve]
        assert steps == list(range(1, 51))


def test_a_database_whose_making_was_cut_is_made_again(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    from rewardsmith.track.mlflow import own_database

    with sqlite3.connect(tmp_path / "mlflow.db.new") as half:
        half.execute("create table secrets (x)")
    path = own_database(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mlflow.db"]
    assert mlflow.MlflowClient(f"sqlite:///{path}").create_experiment("works") == "1"
