import os

import orjson
import pytest

from rewardsmith.track.framed import frames
from rewardsmith.track.outcome import numbers
from rewardsmith.track.rows import MetricsRow, Rows, last_steps


def line(step, **figures):
    return orjson.dumps({"step": step, **figures}) + b"\n"


def test_rows_come_once_and_only_whole(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = Rows(path)
    assert rows.new() == []
    path.write_bytes(line(1, loss=0.5, grad_norm=None) + line(1, eval_loss=0.25)[:9])
    assert rows.new() == [MetricsRow(1, "train", {"train/loss": 0.5})]
    assert rows.new() == []
    with path.open("ab") as file:
        file.write(line(1, eval_loss=0.25)[9:])
    assert rows.new() == [MetricsRow(1, "validation", {"validation/loss": 0.25})]


def test_a_file_in_the_place_of_the_old_one_is_read_from_its_top(tmp_path):
    path, other = tmp_path / "metrics.jsonl", tmp_path / "other"
    path.write_bytes(line(1, loss=1) + line(2, loss=1))
    rows = Rows(path)
    assert [row.step for row in rows.new()] == [1, 2]
    other.write_bytes(line(1, loss=1) + line(2, loss=1) + line(3, loss=1))
    os.replace(other, path)
    assert [row.step for row in rows.new()] == [1, 2, 3]


def test_last_steps_are_told_by_the_curve_that_every_row_has():
    points = [("train/epoch", 3), ("train/epoch", 2), ("validation/epoch", 2), ("train/loss", 9), ("test/accuracy", 9)]
    assert last_steps(points) == {"train": 3, "validation": 2}


def test_figures_carry_their_intervals_and_leave_out_what_cannot_be_said():
    evaluation = {
        "n": 4, "accuracy": 0.5, "accuracy_ci": [0.25, None], "auc": None, "too_few_prompts": True, "split": "test",
        "baselines": {"longer": {"difference": 0.125, "difference_ci": [0, 0.25], "fitted_on": "nothing"}},
        "by_category": {"a": {"n": 1}},
    }  # fmt: skip
    assert dict(numbers(evaluation, "test")) == {
        "test/n": 4,
        "test/accuracy": 0.5,
        "test/accuracy_low": 0.25,
        "test/baseline_longer/difference": 0.125,
        "test/baseline_longer/difference_low": 0,
        "test/baseline_longer/difference_high": 0.25,
    }


@pytest.mark.parametrize("cut", [0, 1, 50_000])
def test_framed_records_are_read_as_an_outside_writer_framed_them(tmp_path, cut):
    """SwanLab's files have the frames of W&B's, and its writer is not ours; records of many blocks, and a cut end."""
    store = pytest.importorskip("swanlab.sdk.internal.core_python.store", reason="swanlab is not installed")
    # 32,754 leaves exactly a header's room in the first block, 32,751 less than one.
    records = [b"a" * 32_740, b"", b"b" * 100_000, b"c", b"d" * 32_751, "奖励".encode() * 40_000]
    writer = store.DataStoreWriter()
    writer.open(tmp_path / "file")
    for record in records:
        writer.write(record)
    writer.close()
    data = (tmp_path / "file").read_bytes()
    assert list(frames(data[: len(data) - cut])) == (records[:-1] if cut else records)
